"""Sections of the page of a problem card: each turns its records into what its template shows."""

from headstart.report.sections.comparison import classes, giveaways, methods, repeat, shift, verdict

__all__ = ["classes", "giveaways", "methods", "repeat", "shift", "verdict"]
