"""What is to be learned: folders, tables and arrays as domains and tasks. Opens no image."""

from headstart.problem.domain import Domain, Labelled, Task, Unlabelled
from headstart.problem.read import labelled_arrays, read_labelled, read_unlabelled

__all__ = ["Domain", "Labelled", "Task", "Unlabelled", "labelled_arrays", "read_labelled", "read_unlabelled"]
