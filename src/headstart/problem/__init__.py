"""What is to be learned: folders, tables and arrays as domains and tasks. Opens no image."""

from headstart.problem import features
from headstart.problem.domain import Domain, Labelled, Task, Unlabelled
from headstart.problem.either import read_either, unlabelled_arrays
from headstart.problem.labels import LabelSpaces, label_spaces, renamed
from headstart.problem.pairing import together
from headstart.problem.read import labelled_arrays, read_labelled, read_unlabelled

__all__ = [
    "Domain",
    "LabelSpaces",
    "Labelled",
    "Task",
    "Unlabelled",
    "features",
    "label_spaces",
    "labelled_arrays",
    "read_either",
    "read_labelled",
    "read_unlabelled",
    "renamed",
    "together",
    "unlabelled_arrays",
]
