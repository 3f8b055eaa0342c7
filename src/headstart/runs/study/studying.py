"""What may be asked of a study of surrogate tasks."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.errors import OptionError
from headstart.runs.options import Options, refuse_steps
from headstart.strategies import SURROGATES

MOST_REPEATS = 20
PER_CLASS = (5, 10, 50)


@dataclass(frozen=True, kw_only=True)
class Studying(Options):
    """The question of a study of surrogate tasks, resolved.

    Attributes
    ----------
    methods : rows of `headstart.strategies.SURROGATES`; none until the data have been looked at.
    labels : labelled images, as text.
    images : that each surrogate goes through: the same for all.
    per_class : labels of a class that networks are judged with.
    finetune : whether they are fine-tuned too, or only probed.
    poses, every, apart : as of `pretrain`.
    """

    methods: tuple[str, ...]
    labels: str
    architecture: str
    images: int
    per_class: tuple[int, ...]
    finetune: bool
    repeats: int
    poses: str = ""
    every: int = 1
    apart: int = 10
    strategy: str = "surrogates"
    metric: str = "accuracy"
    margin: float = 0.0
    class_weight: str = "none"
    budget: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.methods if name not in SURROGATES]
        if unknown:
            raise OptionError(f"There is no surrogate task {unknown[0]}.", f"Choose among {', '.join(SURROGATES)}.")
        if self.poses and self.methods and not any(SURROGATES[name].needs == "motion" for name in self.methods):
            raise OptionError(f"None of {', '.join(self.methods)} looks at poses.", "Leave --poses out.")
        if not 1 <= self.repeats <= MOST_REPEATS:
            raise OptionError(f"{self.repeats} repeats are out of range.", f"Choose 1 to {MOST_REPEATS}.")
        if not self.per_class or min(self.per_class) < 2:
            raise OptionError(f"{self.per_class} labels of a class are too few.", "Choose 2 or more of each.")
        if self.images < 1:
            raise OptionError(f"{self.images} images teach nothing.", "The default is 50000.")
        refuse_steps(self.every, self.apart)
