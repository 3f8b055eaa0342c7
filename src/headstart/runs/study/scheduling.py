"""Which networks the laboratory trains within its budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headstart.backbones import Backbone
from headstart.errors import OptionError
from headstart.runs.study.laboratory import Cell, Sides
from headstart.runs.study.tasks import word_of
from headstart.runs.study.timing import Costs
from headstart.runs.study.transplanting import Transplanting
from headstart.strategies import TREATMENTS

FEWEST_EPOCHS, MOST_EPOCHS = 5, 40
FEWEST_SEEDS = 3
"""With fewer, an interval is so wide that little can be shown."""
SHARE = 0.9
"""Of the budget that is planned: reading, pages and the last cells that run alone take the rest."""
RATES = (3e-4, 1e-3, 3e-3)
"""Learning rates that are tried on a base."""


@dataclass(frozen=True)
class Schedule:
    """What is going to be trained.

    Attributes
    ----------
    splits, seeds, labels : those that are left of what was asked for.
    cuts : with how many layers are kept below each.
    epochs, steps, batch : of every network: steps of an epoch, and images of a step.
    seconds : by stage: ``rates``, ``bases``, ``cells``; as many networks at a time as were asked for.
    notes : where less is trained than was asked for.
    """

    splits: tuple[str, ...]
    seeds: tuple[int, ...]
    labels: tuple[int, ...]
    cuts: dict[str, int]
    epochs: int
    steps: int
    batch: int
    seconds: dict[str, float]
    notes: tuple[str, ...]

    @classmethod
    def from_json(cls, detail: Mapping[str, Any]) -> Schedule:
        """Inverse of `asdict`, from the record of a plan."""
        told: dict[str, Any] = {name: tuple(detail[name]) for name in ("splits", "seeds", "labels", "notes")}
        told |= {name: detail[name] for name in ("epochs", "steps", "batch")}
        return cls(cuts=dict(detail["cuts"]), seconds=dict(detail["seconds"]), **told)

    @property
    def rates(self) -> list[Cell]:
        """Bases of the first half that differ in their learning rate alone."""
        return [Cell(word_of(self.splits[0]), self.seeds[0], "A", rate=rate) for rate in RATES]

    @property
    def bases(self) -> list[Cell]:
        """In the order in which they are trained."""
        return [Cell(*half) for half in self._halves()]

    @property
    def cells(self) -> list[Cell]:
        """Every treatment at every cut, in both directions; each needs bases."""
        cuts = self.cuts.items()
        return [Cell(*half, name, n, cut) for half in self._halves() for cut, n in cuts for name in TREATMENTS]

    @property
    def tuned(self) -> Cell:
        """The network that is looked into beside bases: all layers from A, fine-tuned on B."""
        cut = max(self.cuts, key=lambda one: self.cuts[one])
        return Cell(word_of(self.splits[0]), self.seeds[0], "B", 0, "AnB+", self.cuts[cut], cut)

    def _halves(self) -> list[tuple[str, int, str, int]]:
        few, kinds = (0, *self.labels), [word_of(split) for split in self.splits]
        return [(kind, seed, target, k) for seed in self.seeds for kind in kinds for k in few for target in "AB"]


def cuts_of(backbone: Backbone, asked: Sequence[str]) -> dict[str, int]:
    """By cut that a network may be divided at, how many layers are then kept: all but the pooled top.

    Raises
    ------
    OptionError : it has no such cut, or too few.
    """
    found = [cut for cut in backbone.cuts if cut not in ("top", "logits")]
    unknown = [cut for cut in asked if cut not in found]
    if unknown:
        raise OptionError(f"{backbone.architecture} has no cut {unknown[0]}.", f"Its cuts: {', '.join(found)}.")
    if len(found) < 2:
        fact = f"{backbone.architecture} cannot be cut between its layers."
        raise OptionError(fact, "Choose another --backbone, e.g. plain_alexnet or resnet10t.")
    return {cut: n for n, cut in enumerate(found, 1) if not asked or cut in asked}


def schedule(
    options: Transplanting, costs: Costs, sides: Sides, cuts: dict[str, int], *, steps: int, batch: int
) -> Schedule:
    """As many epochs as the budget allows; where these are too few, fewer seeds, then fewer labels, then fewer splits.

    Parameters
    ----------
    sides : of a cell with all labels: what every other one takes is reckoned from it.
    steps, batch : of an epoch, and images of each.
    """
    splits, seeds, labels = options.splits, options.seeds, options.labels
    while True:
        numbers = tuple(range(options.seed, options.seed + seeds))
        found = Schedule(splits, numbers, labels, cuts, 0, steps, batch, {}, ())
        epochs, seconds = _within(options, found, costs, sides)
        enough = options.epochs is not None or epochs >= FEWEST_EPOCHS
        if enough or (len(splits), seeds, labels) == (1, 1, ()):
            break
        if seeds > FEWEST_SEEDS or (len(splits) == 1 and not labels):
            seeds -= 1
        elif labels:
            labels = labels[:-1]
        else:
            splits = splits[:-1]
    epochs = epochs if enough else FEWEST_EPOCHS
    notes = [] if enough else ["The budget is too small for this network: this is the least that can be trained."]
    if sum(seconds.values()) > options.budget and enough:
        notes.append("So many epochs take longer than the budget.")
    if seeds < options.seeds:
        few = "; with so few nothing can be shown" if seeds < FEWEST_SEEDS else ""
        notes.append(f"{seeds} of {options.seeds} seeds are within the budget{few}.")
    if labels != options.labels:
        left = ", ".join(map(str, options.labels[len(labels) :]))
        notes.append(f"Not within the budget: learning with {left} labels of a class.")
    if splits != options.splits:
        notes.append(f"Not within the budget: the split {', '.join(options.splits[len(splits) :])}.")
    return replace(found, epochs=epochs, seconds=seconds, notes=tuple(notes))


def _within(options: Transplanting, found: Schedule, costs: Costs, sides: Sides) -> tuple[int, dict[str, float]]:
    """Epochs that these networks may have, and the seconds of each stage with so many, or with the fewest."""
    stages = {"rates": found.rates, "bases": found.bases, "cells": found.cells}
    jobs = {stage: min(options.jobs, len(cells)) for stage, cells in stages.items()}
    fixed = {s: sum(_fixed(cell, costs, sides) for cell in cells) / jobs[s] for s, cells in stages.items()}
    each = {
        s: sum(found.steps * costs.step[_frozen(cell)] + costs.epoch for cell in cells) / jobs[s]
        for s, cells in stages.items()
    }
    room = SHARE * options.budget - sum(fixed.values())
    epochs = options.epochs or min(MOST_EPOCHS, int(room / sum(each.values())))
    trained = epochs if options.epochs else max(FEWEST_EPOCHS, epochs)
    return epochs, {stage: fixed[stage] + trained * each[stage] for stage in stages}


def _frozen(cell: Cell) -> str:
    return cell.cut if cell.n and TREATMENTS[cell.treatment].frozen else ""


def _fixed(cell: Cell, costs: Costs, sides: Sides) -> float:
    """What does not depend on the epochs: it and its source are made, the frozen part runs once, images are judged.

    The network is judged and kept once before the first epoch, too.
    """
    cut = _frozen(cell)
    stored = costs.forward[cut] * (len(sides.train) + len(sides.watched)) if cut else 0.0
    return 2 * costs.made + stored + costs.epoch + costs.forward[""] * len(sides.judged)
