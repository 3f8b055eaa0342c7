"""The one training loop, and the types it needs."""

from headstart.training.curve import Curve, Point
from headstart.training.gradients import GRADIENT_IMAGES, relative_gradients
from headstart.training.inference import Scores, predict_logits, score, score_tasks
from headstart.training.loop import Trial, train, train_trials
from headstart.training.objective import AfterStep, AtEpoch, Objective
from headstart.training.rate import Sweep, find_rate, scaled
from headstart.training.recipe import (
    Recipe,
    adapting,
    by_layer,
    decomposed,
    finetune,
    gradual,
    low_rank,
    mixed,
    scratch,
    source_free,
    surrogate,
    towards_source,
    transplanted,
    unsmoothed,
    variants,
)

__all__ = [
    "GRADIENT_IMAGES",
    "AfterStep",
    "AtEpoch",
    "Curve",
    "Objective",
    "Point",
    "Recipe",
    "Scores",
    "Sweep",
    "Trial",
    "adapting",
    "by_layer",
    "decomposed",
    "find_rate",
    "finetune",
    "gradual",
    "low_rank",
    "mixed",
    "predict_logits",
    "relative_gradients",
    "scaled",
    "score",
    "score_tasks",
    "scratch",
    "source_free",
    "surrogate",
    "towards_source",
    "train",
    "train_trials",
    "transplanted",
    "unsmoothed",
    "variants",
]
