"""One network and m linear heads: on its features as they are, or trained from heads that were fitted first."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, Transferred, load
from headstart.evidence import fit_temperature
from headstart.objectives import JointCrossEntropy
from headstart.records.arrays import read_arrays, write_arrays
from headstart.runs.context import Context
from headstart.runs.networks import usual_epochs
from headstart.runs.options import Joining
from headstart.runs.probing import features_of, head_rows, linear_rows, probe, rows_at
from headstart.runs.several import Several
from headstart.shallow import HEADS, Probe, arrays, fit_probe, head_module, linear_start
from headstart.strategies import TABLE
from headstart.training import Curve, predict_logits, score_tasks, train

LINEAR = tuple(row.name for row in HEADS.values() if row.kind == "linear")
"""Heads that can stand side by side as rows of one matrix."""
BATCH = 64


@dataclass(frozen=True, eq=False)
class Heads:
    """What was fitted to the frozen network's features, task by task.

    Attributes
    ----------
    weight, bias : of all heads side by side, on the features at `cuts`: (Σ k, d) and (Σ k,).
    starts : a task's weight (k, d) and bias (k,) at ``top``, which a training begins with; fitted to `Several.fit`.
    told : for records: each task's head, cut and penalty, how the features were computed, and what it took.
    """

    cuts: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    starts: tuple[tuple[Tensor, Tensor], ...]
    told: dict[str, Any]


def found_heads(context: Context, several: Several) -> Heads:
    """A head for every task on features that are computed once; read back where they were fitted before."""
    path = context.folder / "work" / "heads.safetensors"
    if read_arrays(path) is None:
        _fit_heads(context, several, path)
    found = read_arrays(path)
    assert found is not None
    tensors = {name: torch.from_numpy(array) for name, array in found[0].items()}
    told = json.loads(found[1])
    starts = tuple((tensors[f"weight.{t}"], tensors[f"bias.{t}"]) for t in range(len(several.sizes)))
    return Heads(tuple(told["cuts"]), tensors["weight"], tensors["bias"], starts, told)


def _fit_heads(context: Context, several: Several, path: Path) -> None:
    started, (backbone_name,) = time.perf_counter(), context.options.backbones
    backbone = load(backbone_name, size=context.options.size)
    features = features_of(context, several.prepared, backbone)
    memory, train = context.options.memory, several.prepared.split.train
    kept: dict[str, np.ndarray] = {}
    fitted: list[tuple[Probe, Tensor, Tensor]] = []
    for t, name in enumerate(several.tasks.names):
        own = several.alone(t)
        probed = probe(
            context, own, features, indices=several.having(train, [t]), title=f"heads for {name}", heads=LINEAR
        )
        rows = head_rows(own, features, several.having(train, [t]), memory=memory)
        estimator = fit_probe(probed.best, rows_at(features, own, rows, probed.best.cuts), own.y[rows])
        fitted.append((probed.best, *linear_start(arrays(estimator))))
        rows = head_rows(own, features, several.having(several.fit, [t]), memory=memory)
        weight, bias = linear_rows(
            probed.linear, rows_at(features, own, rows, ("top",))["top"], own.y[rows], k=several.sizes[t]
        )
        kept |= {f"weight.{t}": weight.numpy(), f"bias.{t}": bias.numpy()}
    cuts = tuple(cut for cut in backbone.cuts if any(cut in one.cuts for one, _, _ in fitted))
    kept["weight"] = torch.cat([_widened(weight, one.cuts, cuts, backbone) for one, weight, _ in fitted]).numpy()
    kept["bias"] = torch.cat([bias for _, _, bias in fitted]).numpy()
    told = {
        "cuts": list(cuts),
        "heads": [{"head": one.head, "penalty": one.penalty, "cut": "+".join(one.cuts)} for one, _, _ in fitted],
        "engine": features.engine,
        "note": features.note,
        "images": features.computed,
        "seconds": time.perf_counter() - started,
    }
    write_arrays(path, kept, about=json.dumps(told))


def _widened(weight: Tensor, own: Sequence[str], cuts: Sequence[str], backbone: Backbone) -> Tensor:
    """The weight of a head at its own cuts as one at all `cuts`, with noughts where it does not look."""
    parts = dict(zip(own, weight.split([backbone.widths[cut] for cut in own], 1), strict=True))
    return torch.cat([parts.get(cut, torch.zeros(len(weight), backbone.widths[cut])) for cut in cuts], 1)


def frozen_network(context: Context, heads: Heads) -> Transferred:
    """The network as it came, under all heads."""
    (name,) = context.options.backbones
    head = head_module({"weight": heads.weight.numpy(), "bias": heads.bias.numpy(), "temperature": np.array(1.0)})
    model = Transferred(load(name, size=context.options.size), head, cuts=heads.cuts, frozen="top")
    return model.to(context.device).eval()


def train_network(
    context: Context, several: Several, heads: Heads, *, tasks: Sequence[int], checkpoint: Path, title: str
) -> tuple[Transferred, Curve, dict[str, Any]]:
    """One network for these tasks, one or more, fine-tuned from their heads: the row ``all`` of the strategies.

    Whatever the number of tasks, it fits to the images of `Several.fit` that have a label of one of them, stops on
    those of `Several.stop`, and goes through as many epochs. Its logits are those of the tasks side by side, each
    calibrated.

    Returns
    -------
    The model, its curve and its recipe.
    """
    assert isinstance(context.options, Joining)
    (name,), options = context.options.backbones, context.options
    recipe_of = TABLE["all"].recipe
    assert recipe_of is not None
    fit, stop = several.having(several.fit, tasks), several.having(several.stop, tasks)
    recipe = recipe_of(len(fit), epochs=options.epochs or usual_epochs(len(several.fit)))
    sizes = [several.sizes[t] for t in tasks]
    model = Transferred(
        load(name, size=options.size), _joined(heads, tasks), source_statistics=recipe.source_statistics
    )
    model = model.to(context.device).to(memory_format=torch.channels_last)
    of = model.backbone.preprocessing
    judge = several.batches(stop, tasks, of, size=BATCH, device=context.device)
    curve = train(
        model,
        several.batches(fit, tasks, of, size=recipe.batch_size, device=context.device),
        objective=JointCrossEntropy(sizes, label_smoothing=recipe.label_smoothing),
        recipe=recipe,
        seed=options.seed,
        evaluate=lambda current: score_tasks(current, judge, sizes),
        checkpoint=checkpoint,
        progress=lambda done, total: context.progress(title, done, total),
    )
    calibrate_tasks(model, predict_logits(model, judge), judge.y, sizes)
    return model.eval(), curve, asdict(recipe)


def _joined(heads: Heads, tasks: Sequence[int]) -> nn.Linear:
    """The heads of these tasks as one layer, whose rows are those of the tasks one after the other."""
    weight, bias = (torch.cat([heads.starts[t][part] for t in tasks]) for part in (0, 1))
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    return head


def calibrate_tasks(model: Transferred, logits: np.ndarray, y: np.ndarray, sizes: Sequence[int]) -> None:
    """Divide each task's rows of the head by the temperature of its labelled images.

    Logits are (n, Σ k), labels (n, m).
    """
    head = model.head
    assert isinstance(head, nn.Linear)
    ends = np.cumsum(sizes)
    with torch.no_grad():
        for t, (start, end) in enumerate(zip(ends - sizes, ends, strict=True)):
            there = y[:, t] >= 0
            temperature = fit_temperature(logits[there, start:end], y[there, t])
            head.weight[start:end].div_(temperature)
            head.bias[start:end].div_(temperature)
