"""Images as they are used: read once, kept as squares of pixels, with their duplicates on one side of a split."""

from headstart.data.decode import DECODE_VERSION, MAX_PIXELS, array_to_square, read_rgb, to_square
from headstart.data.duplicates import Duplicates, find_duplicates
from headstart.data.groups import merge_groups
from headstart.data.remembered import forget_changed
from headstart.data.splits import Split, folds, inner_split, split
from headstart.data.store import RowStore
from headstart.data.survey import Survey, survey

__all__ = [
    "DECODE_VERSION",
    "MAX_PIXELS",
    "Duplicates",
    "RowStore",
    "Split",
    "Survey",
    "array_to_square",
    "find_duplicates",
    "folds",
    "forget_changed",
    "inner_split",
    "merge_groups",
    "read_rgb",
    "split",
    "survey",
    "to_square",
]
