"""What is to be learned: folders, tables and arrays as domains and tasks. Opens no image."""

from headstart.problem import features
from headstart.problem.domain import Domain, Labelled, Task, Unlabelled
from headstart.problem.either import read_either, unlabelled_arrays
from headstart.problem.labels import LabelSpaces, label_spaces, mapped, renamed
from headstart.problem.pairing import PAIRS, item_names, together
from headstart.problem.poses import Motions, Poses, read_poses
from headstart.problem.read import labelled_arrays, read_labelled, read_unlabelled
from headstart.problem.sequences import Sequences, read_sequences, sequences_of_arrays
from headstart.problem.target import read_target
from headstart.problem.tasks import UNLABELLED, Tasks, read_tasks
from headstart.problem.transfer import Sealed, Transfer, shared_classes

__all__ = [
    "PAIRS",
    "UNLABELLED",
    "Domain",
    "LabelSpaces",
    "Labelled",
    "Motions",
    "Poses",
    "Sealed",
    "Sequences",
    "Task",
    "Tasks",
    "Transfer",
    "Unlabelled",
    "features",
    "item_names",
    "label_spaces",
    "labelled_arrays",
    "mapped",
    "read_either",
    "read_labelled",
    "read_poses",
    "read_sequences",
    "read_target",
    "read_tasks",
    "read_unlabelled",
    "renamed",
    "sequences_of_arrays",
    "shared_classes",
    "together",
    "unlabelled_arrays",
]
