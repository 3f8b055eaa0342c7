"""The one training loop, and the types it needs."""

from headstart.training.curve import Curve, Point
from headstart.training.inference import Scores, predict_logits, score
from headstart.training.loop import Trial, train, train_trials
from headstart.training.objective import Objective
from headstart.training.recipe import (
    Recipe,
    by_layer,
    finetune,
    gradual,
    low_rank,
    mixed,
    scratch,
    towards_source,
    variants,
)

__all__ = [
    "Curve",
    "Objective",
    "Point",
    "Recipe",
    "Scores",
    "Trial",
    "by_layer",
    "finetune",
    "gradual",
    "low_rank",
    "mixed",
    "predict_logits",
    "score",
    "scratch",
    "towards_source",
    "train",
    "train_trials",
    "variants",
]
