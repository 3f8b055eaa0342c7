"""The one training loop, and the types it needs."""

from headstart.training.inference import Scores, predict_logits, score
from headstart.training.loop import Curve, Point, train
from headstart.training.objective import Objective
from headstart.training.recipe import Recipe, finetune, scratch

__all__ = ["Curve", "Objective", "Point", "Recipe", "Scores", "finetune", "predict_logits", "score", "scratch", "train"]
