"""How a pretraining begins: the network, and the plan, whose epochs follow from the budget once."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import torch
from torch import nn

from headstart.backbones import Backbone, Transferred, load, load_random
from headstart.data.related import RelatedBatches
from headstart.errors import RunError
from headstart.records import Record
from headstart.runs.context import Context
from headstart.runs.machine import machine
from headstart.runs.options import Pretraining, Reading
from headstart.runs.surrogates import Posed
from headstart.strategies import SurrogateTask
from headstart.training import Recipe, surrogate
from headstart.training.loop import make_optimizer
from headstart.training.objective import own_parameters

MOST_EPOCHS, LONGEST = 200, 1000
"""Epochs that a budget becomes, and that so many images are gone through in, at most."""
SHARE = 0.85
"""Of the budget that is left after reading, what training is planned to take; looking at the network takes the rest."""
TIMED = 4


def begin(options: Reading) -> Backbone:
    """The network as it starts."""
    (name,) = options.backbones
    scheme, _, architecture = name.partition("/")
    if scheme == "random":
        return load_random(architecture, size=options.size, seed=options.seed)
    return load(name, size=options.size)


def planned(context: Context, row: SurrogateTask, posed: Posed, found: Record, *, started: float) -> Recipe:
    """The recipe, whose epochs stand in the plan; the records ``plan`` and ``data``."""
    options = context.options
    assert isinstance(options, Pretraining)
    plan = context.journal.get("plan")
    if plan is None:
        seconds, notes = _seconds_a_step(context, posed), []
        epochs = options.epochs or _affordable(options.budget - (time.perf_counter() - started), posed.feed, seconds)
        if options.seen is not None:
            epochs = max(1, round(options.seen / (posed.feed.drawn * row.seen)))
            if epochs > LONGEST:
                short = f"{LONGEST * posed.feed.drawn * row.seen:,} images instead of {options.seen:,}"
                notes.append(f"{LONGEST:,} epochs are the most: that goes through {short}.")
                epochs = LONGEST
        elif options.epochs is None and epochs == 1:
            notes.append("The budget allows one epoch, or less than one: give more time.")
        units = [("data", "reading"), ("training", "learning the surrogate task"), ("closing", "probing, writing")]
        planned = {"data": found.cost["seconds"], "training": epochs * len(posed.feed) * seconds}
        told = [{"key": key, "name": name, "seconds": planned.get(key)} for key, name in units]
        detail = {
            "options": options.to_json(),
            "epochs": epochs,
            "step_s": seconds,
            "budget_s": options.budget,
            "units": told,
            "machine": machine(),
            "notes": notes,
        }
        plan = Record("plan", "pretraining", seed=options.seed, detail=detail)
        context.note(plan)
    else:
        context.on_record(plan)
    known = context.journal.get("data")
    if known is None:
        context.note(found)
    elif (known.data, known.detail["probe"]) != (found.data, found.detail["probe"]):
        fact = f"What is learned from, or watched on, has changed since the run in {context.folder} was started."
        raise RunError(fact, "Choose another --out for the changed data.")
    else:
        context.on_record(known)
    continued = not options.backbones[0].startswith("random/")
    recipe = surrogate(posed.feed.count, epochs=plan.detail["epochs"], continued=continued)
    return replace(recipe, augmentation=posed.augmentation)


def _affordable(seconds: float, feed: RelatedBatches, step: float) -> int:
    return max(1, min(MOST_EPOCHS, int(SHARE * seconds / (len(feed) * step))))


def _seconds_a_step(context: Context, posed: Posed) -> float:
    """Of a training step with its batch, on a network that is thrown away; random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = begin(context.options)
        objective = posed.start(backbone.widths["top"], 1)
        model = as_model(backbone, context.device)
        module = objective.to(context.device) if isinstance(objective, nn.Module) else None
        recipe = replace(surrogate(posed.feed.count, epochs=1), augmentation=posed.augmentation)
        optimizer = make_optimizer(model, recipe, beside=own_parameters(module) if module else {})
        model.train()
        times, last = [], time.perf_counter()
        for done, batch in enumerate(posed.feed.shuffled(1, seed=0, augmentation=recipe.augmentation)):
            loss = torch.stack(list(objective(model, batch, 0.0).values())).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            times.append(time.perf_counter() - last)
            last = time.perf_counter()
            context.progress("calibrating", done + 1, TIMED)
            if done + 1 == TIMED:
                break
    return median(times[1:] or times)


def as_model(backbone: Backbone, device: torch.device) -> Transferred:
    """The network under no head: an objective brings its own."""
    return Transferred(backbone, nn.Identity()).to(device).to(memory_format=torch.channels_last)
