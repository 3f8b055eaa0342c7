"""What a user may ask of a run, checked before anything is computed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headstart.data import MAX_PIXELS
from headstart.errors import OptionError
from headstart.evidence import METRICS
from headstart.problem import PAIRS

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
MEMORY = 3 * 10**9
LEAST_MEMORY = 2 * 10**9
"""What torch, OpenVINO and a network of common size take by themselves."""
MOST_EPOCHS = 1000
CLASS_WEIGHTS = ("none", "balanced")
RATES = ("recipe", "find")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read, by which networks, and how it is split: what every question shares.

    Attributes
    ----------
    data : what was read, as text; a run folder answers for one data set only.
    backbones : names, globs resolved.
    split : shares of training, validation and test part.
    """

    data: str
    backbones: tuple[str, ...]
    seed: int
    size: int
    split: tuple[float, float, float]
    device: str
    strict: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 1024:
            raise OptionError(f"A size of {self.size} pixels is out of range.", "Choose 32 to 1024.")
        if self.device not in DEVICES:
            raise OptionError(f"There is no device {self.device}.", f"Choose among {', '.join(DEVICES)}.")
        if len(self.split) != 3 or min(self.split) < 0 or 0 in self.split[:2] or not abs(sum(self.split) - 1) <= 1e-3:
            fact = f"{self.split} are not shares of a training, a validation and a test part."
            raise OptionError(fact, "Give three that add up to 1; only the last one may be 0.")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"A seed of {self.seed} is out of range.", "Choose 0 to 4294967295.")
        if self.max_pixels < 1:
            raise OptionError(f"A cap of {self.max_pixels} pixels leaves no image.", f"The default is {MAX_PIXELS}.")


@dataclass(frozen=True, kw_only=True)
class Options(Reading):
    """The question of a `fit`, resolved.

    Attributes
    ----------
    budget : seconds.
    class_weight : ``none`` weighs images equally in fitting, ``balanced`` classes.
    margin : share of the metric that is not worth paying for.
    rate : ``recipe`` trains at the recipe's learning rates, ``find`` looks for one before each training.
    memory : bytes that the run may take; above them heads are fitted to a part of the images.
    """

    strategy: str
    budget: float
    metric: str
    margin: float
    class_weight: str
    rate: str = "recipe"
    memory: int = MEMORY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metric not in METRICS:
            raise OptionError(f"There is no metric {self.metric}.", f"Choose among {', '.join(METRICS)}.")
        if not 0 <= self.margin < 1:
            raise OptionError(f"A margin of {100 * self.margin:g} points is out of range.", "Choose 0 to 99 points.")
        if self.class_weight not in CLASS_WEIGHTS:
            raise OptionError(f"There is no class weight {self.class_weight}.", f"Choose {' or '.join(CLASS_WEIGHTS)}.")
        if self.rate not in RATES:
            raise OptionError(f"There is no rate {self.rate}.", f"Choose {' or '.join(RATES)}.")
        if self.memory < LEAST_MEMORY:
            fact = f"A memory of {self.memory / 1e9:g} GB is too little for torch and a network."
            raise OptionError(fact, f"Choose {LEAST_MEMORY / 1e9:g}GB or more; the default is {MEMORY / 1e9:g}GB.")

    def to_json(self) -> dict[str, Any]:
        """For the plan's record: what must agree for a run to be resumed."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Adapting(Options):
    """The question of an `adapt`, resolved.

    Attributes
    ----------
    to : the target, as text.
    labels : labelled target images of each class that may be used.
    oracle : whether the labels of the judged target images are read in the end, to report.
    methods : names of rows of `headstart.strategies.ADAPTATIONS`.
    judged : share of the target images that nothing adapts to.
    held : share of the source images that no head is fitted to.
    epochs : of each training, through the longer domain; None: `headstart.runs.networks.usual_epochs`.
    pairs : how images of one item in both domains are found; see `headstart.problem.item_names`.
    mapping : classes of the source that are classes of the target under another name; None where there are none.
    """

    to: str
    labels: int
    oracle: bool
    methods: tuple[str, ...]
    epochs: int | None = None
    judged: float = 0.4
    held: float = 0.2
    pairs: str = "auto"
    mapping: Mapping[str, str] | None = None
    strategy: str = "adapt"
    class_weight: str = "none"
    budget: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels < 0:
            raise OptionError(f"{self.labels} labels of each class cannot be used.", "Choose 0 or more.")
        if self.mapping and not (self.labels or self.oracle):
            fact = "Without labels of the target its class names are not read, and --map has nothing to match."
            raise OptionError(fact, "Leave --map out, or allow labels with --labels or --oracle.")
        refuse_epochs(self.epochs)
        if self.pairs not in PAIRS:
            raise OptionError(f"There is no way {self.pairs} to pair images.", f"Choose among {', '.join(PAIRS)}.")


@dataclass(frozen=True, kw_only=True)
class Joining(Options):
    """The question of a `joint`, resolved.

    Attributes
    ----------
    labels : columns of the table, one a task.
    epochs : of each training; None: `headstart.runs.networks.usual_epochs`.
    """

    labels: tuple[str, ...]
    epochs: int | None = None
    strategy: str = "joint"
    class_weight: str = "none"
    margin: float = 0.005
    budget: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_epochs(self.epochs)


@dataclass(frozen=True, kw_only=True)
class Pretraining(Options):
    """The question of a `pretrain`, resolved; `backbones` holds what it starts from.

    Attributes
    ----------
    method : a row of `headstart.strategies.SURROGATES`.
    epochs : asked for, or None: as many as the budget allows.
    seen : images to go through, from which the epochs follow; None: the budget decides.
    poses : table of poses or actions, as text; empty where there is none.
    probe : labelled images that the network is watched on, as text; empty where there are none.
    classes, clusters : pseudo-classes, and to how many they are put together; 0: as many as images, and never.
    every : of a video, each so many-th frame.
    apart : frames of one sequence that are so far apart, or farther, count as distant.
    """

    method: str
    epochs: int | None = None
    seen: int | None = None
    poses: str = ""
    probe: str = ""
    classes: int = 0
    clusters: int = 0
    every: int = 1
    apart: int = 10
    strategy: str = "pretrain"
    metric: str = "accuracy"
    margin: float = 0.005
    class_weight: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_epochs(self.epochs)
        if self.seen is not None and (self.seen < 1 or self.epochs is not None):
            raise OptionError("--seen is 1 or more, and takes the place of --epochs.", "Give one of the two.")
        if self.poses and self.method not in ("egomotion", "equivariance"):
            raise OptionError(f"{self.method} does not look at poses.", "Leave --poses out.")
        for name, value, least in (("classes", self.classes, 0), ("clusters", self.clusters, 0)):
            if value < least or value == 1:
                raise OptionError(f"{value} {name} cannot be told apart.", "Choose 2 or more, or leave it out.")
        if self.clusters and self.clusters > (self.classes or self.clusters):
            raise OptionError(f"{self.classes} classes give no {self.clusters} clusters.", "Choose fewer clusters.")
        refuse_steps(self.every, self.apart)


def refuse_steps(every: int, apart: int) -> None:
    """OptionError where frames cannot be taken so."""
    if every < 1 or apart < 2:
        raise OptionError("--every must be 1 or more, and --apart 2 or more.", "The defaults are 1 and 10.")


def refuse_epochs(epochs: int | None) -> None:
    """OptionError where so many epochs cannot be asked for."""
    if epochs is not None and not 1 <= epochs <= MOST_EPOCHS:
        raise OptionError(f"{epochs} epochs are out of range.", f"Choose 1 to {MOST_EPOCHS}.")


def parse_budget(text: str | float) -> float:
    """``"8m"``, ``"90s"``, ``"1.5h"`` or a number of seconds → seconds.

    >>> parse_budget("8m"), parse_budget(30)
    (480.0, 30.0)

    Raises
    ------
    OptionError : not a time, or none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|)\s*", str(text))
    seconds = float(match[1]) * UNITS[match[2]] if match else math.nan
    if not seconds > 0:
        raise OptionError(f"A budget of {text!r} is not a time.", "Write it like 90s, 8m or 1.5h.")
    return seconds


def parse_split(text: str) -> tuple[float, float, float]:
    """``"60/20/20"`` → shares of training, validation and test part that add up to 1.

    >>> parse_split("60/20/20")
    (0.6, 0.2, 0.2)

    Raises
    ------
    OptionError : not three numbers, or no training or validation part.
    """
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 3 or min(parts) < 0 or parts[0] <= 0 or parts[1] <= 0 or not math.isfinite(sum(parts)):
        fact = f"A split of {text!r} is not three parts."
        raise OptionError(fact, "Write train/val/test like 60/20/20; training and validation part must not be 0.")
    train, val, test = (round(part / sum(parts), 6) for part in parts)
    return train, val, test


def text_of(path: Path | str) -> str:
    """A path as it is compared between runs: absolute, links resolved."""
    return str(Path(path).expanduser().resolve())


def parse_counts(text: str) -> tuple[int, ...]:
    """``"5,10,50"`` → whole numbers.

    >>> parse_counts("5, 10,50")
    (5, 10, 50)

    Raises
    ------
    OptionError : not that.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"{text!r} are not whole numbers.", "Write them like 5,10,50.") from None


def parse_bytes(text: str) -> int:
    """``"1GB"``, ``"500M"``, ``"0"`` → bytes.

    >>> parse_bytes("1.5GB")
    1500000000

    Raises
    ------
    OptionError : not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", text.upper())
    if match is None:
        raise OptionError(f"{text!r} is not a size.", "Write it like 500MB or 1GB.")
    return int(float(match[1]) * SIZES[match[2]])
