"""Studies: what headstart's own answers are worth, tried on the user's data."""

from headstart.runs.study.racing import ranking
from headstart.runs.study.surrogates import surrogates

__all__ = ["ranking", "surrogates"]
