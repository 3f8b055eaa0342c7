"""What is to be learned: folders, tables and arrays as domains and tasks. Opens no image."""

from headstart.problem.domain import Domain, Labelled, Task, Unlabelled
from headstart.problem.read import labelled_arrays, read_labelled, read_unlabelled
from headstart.problem.target import PAIRS, item_names, read_target
from headstart.problem.transfer import Sealed, Transfer, near_names, shared_classes

__all__ = [
    "PAIRS",
    "Domain",
    "Labelled",
    "Sealed",
    "Task",
    "Transfer",
    "Unlabelled",
    "item_names",
    "labelled_arrays",
    "near_names",
    "read_labelled",
    "read_target",
    "read_unlabelled",
    "shared_classes",
]
