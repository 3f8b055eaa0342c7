"""Studies: what headstart's own answers are worth, tried on the user's data."""

from headstart.runs.study.racing import ranking

__all__ = ["ranking"]
