"""Studies: what headstart's own answers are worth, tried on the user's data."""

from headstart.runs.study.racing import ranking
from headstart.runs.study.surrogates import surrogates
from headstart.runs.study.transferability import transferability

__all__ = ["ranking", "surrogates", "transferability"]
