"""Every failure that a user can meet, on one screen.

A room states the *fact* where it is found; the outermost public function adds the *remedy* where
the fact alone does not name it. The command line prints both in one sentence each, without a
traceback, and exits with 2.
"""

from __future__ import annotations


class HeadstartError(Exception):
    """A user's mistake or a limit of the machine: what is the matter, and what to do about it.

    Parameters
    ----------
    fact : what was found, naming the file, class or option.
    remedy : what the user can do, in one sentence.
    """

    def __init__(self, fact: str, remedy: str = "") -> None:
        super().__init__(fact, remedy)
        self.fact = fact
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.fact}\n{self.remedy}" if self.remedy else self.fact


class DataError(HeadstartError, ValueError):
    """The labelled or unlabelled data cannot be used: missing, empty, one class, too few images."""


class ImageError(DataError):
    """One image cannot be read; caught by the rooms that leave broken images out and count them."""


class BackboneError(HeadstartError):
    """A backbone is unknown, its weights are not at hand, or they do not fit its architecture."""


class OptionError(HeadstartError, ValueError):
    """An option has a value that it cannot have."""


class RunError(HeadstartError):
    """A run folder holds something else, is unfinished, or cannot be written."""


class BundleError(HeadstartError):
    """A bundle was cut off, edited, or is not one."""


class StorageError(HeadstartError):
    """The disk is full, or a folder cannot be read or written."""


class MissingExtraError(HeadstartError):
    """A method needs an optional dependency; the remedy names the extra that brings it."""


class InternalError(HeadstartError):
    """A promise of headstart's own does not hold (a frozen tensor moved): our fault, exit 1."""
