"""Looking into the networks of a laboratory: what cuts respond to, how alike they are, what fine-tuning changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.backbones import Backbone, load_random
from headstart.evidence.similarity import between_classes, linear_cka
from headstart.records import Record, writing
from headstart.runs.context import Context
from headstart.runs.online import OnlineProbe
from headstart.runs.study.cells import kept_network, seed_of
from headstart.runs.study.laboratory import Cell, Laboratory
from headstart.runs.study.scheduling import Schedule
from headstart.runs.study.tasks import Tasks
from headstart.shallow import evenly

FITTED, JUDGED = 1500, 600
"""Images that probes are fitted to, and that everything else is seen on, at most."""
UNITS, STRONGEST = 4, 8
"""Units of a cut that are shown: those that say most of the class; and images of each."""
SIDE, GAP = 40, 3
"""Pixels of a patch in a picture, and between two of them."""
FILTERS, AT_ONCE = 64, 32


def look_inside(context: Context, tasks: Tasks, planned: Schedule) -> Record:
    """The networks of the first split and seed; the record ``inside``.

    Bases A and B, the network that took all layers over from A and was fine-tuned on B, and random layers, all on
    images of half B that none of them was trained on (linear probes: fitted to some that base B was trained on).
    """
    started = time.perf_counter()
    context.progress("looking into the networks", 0, 1)
    tuned = planned.tuned
    networks = {
        "base B": kept_network(tasks.lab, tuned.base),
        "base A": kept_network(tasks.lab, Cell(tuned.kind, tuned.seed, "A")),
        "A, fine-tuned on B": kept_network(tasks.lab, tuned),
        "random": _random(tasks, tuned),
    }
    for network in networks.values():
        network.to(context.device).eval()
    sides, y = tasks.sides(tuned.base), tasks.lab.labelled.y
    probe = OnlineProbe(tasks.prepared(tuned.seed), evenly(sides.train, y, FITTED), evenly(sides.judged, y, JUDGED))
    cuts = list(planned.cuts)
    z = {name: probe.features(network, cuts) for name, network in networks.items()}
    fresh = {name: {cut: found[len(probe.fitted) :] for cut, found in by_cut.items()} for name, by_cut in z.items()}
    own = y[probe.judged]
    right = {name: probe.named(by_cut) for name, by_cut in z.items()}
    detail = {
        "kind": tuned.kind,
        "seed": tuned.seed,
        "images": len(own),
        "cuts": cuts,
        "separable": {n: {cut: float((named == own).mean()) for cut, named in by.items()} for n, by in right.items()},
        "specific": {n: {cut: _specific(one, own) for cut, one in by.items()} for n, by in fresh.items()},
        "within": _alike(fresh["base B"], fresh["base B"]),
        "across": _alike(fresh["base A"], fresh["base B"]),
        "changed": _changed(networks["base A"], networks["A, fine-tuned on B"], fresh, cuts),
        "filters": _filters(context.folder, networks),
        "responds": [_responds(context, tasks, networks["base B"], cut, probe.judged) for cut in cuts],
    }
    context.progress("looking into the networks", 1, 1)
    return Record(
        "inside", "inside", part="test", seed=tuned.seed, cost={"seconds": time.perf_counter() - started}, detail=detail
    )


def _random(tasks: Tasks, cell: Cell) -> Backbone:
    """Layers that nobody has learned."""
    options = tasks.lab.options
    seed = seed_of(cell.kind, cell.seed, cell.target, "upper")
    return load_random(options.architecture, size=options.size, seed=seed)


def _specific(z: np.ndarray, y: np.ndarray) -> float:
    return float(between_classes(z, y).mean())


def _alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[list[float | None]]:
    """CKA of every cut of one with every cut of the other."""
    return [[linear_cka(a, b) for b in other.values()] for a in one.values()]


def _changed(
    before: Backbone, after: Backbone, z: dict[str, dict[str, np.ndarray]], cuts: Sequence[str]
) -> list[dict[str, Any]]:
    """By cut, how far weights moved down to the cut before, and how alike what it gives is, before and after."""
    found, old, new = [], list[nn.Module](), list[nn.Module]()
    for (cut, one), (_, other) in zip(before.segments(), after.segments(), strict=True):
        old, new = [*old, one], [*new, other]
        if cut in cuts:
            alike = linear_cka(z["base A"][cut], z["A, fine-tuned on B"][cut])
            found.append({"cut": cut, "weights": _moved(nn.ModuleList(old), nn.ModuleList(new)), "alike": alike})
            old, new = [], []
    return found


def _moved(before: nn.Module, after: nn.Module) -> float | None:
    """‖after − before‖ over ‖before‖ of all parameters; None where there are none."""
    old, new = (
        torch.cat([p.detach().reshape(-1) for p in m.parameters()] or [torch.zeros(0)]) for m in (before, after)
    )
    size = float(old.norm())
    return float((new - old).norm()) / size if size > 0 else None


def _filters(folder: Path, networks: dict[str, Backbone]) -> list[dict[str, str]]:
    """The first layer's filters of each network as a picture, where it looks at colours."""
    found = []
    for number, (name, network) in enumerate(networks.items()):
        first = next((m for m in network.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3), None)
        if first is None:
            continue
        weights = first.weight.detach().cpu()[:FILTERS]
        # Each by itself: what a filter looks for is its form, not its size.
        low, high = (ends.view(-1, 1, 1, 1) for ends in (weights.amin((1, 2, 3)), weights.amax((1, 2, 3))))
        squares = (weights - low) / (high - low).clamp(min=1e-9) * 255
        found.append({"network": name, "picture": _save(folder, f"filters-{number}", [_squares(squares)])})
    return found


def _responds(context: Context, tasks: Tasks, network: Backbone, cut: str, rows: np.ndarray) -> dict[str, Any]:
    """The units of a cut that say most of the class, each with the images that it responds to most strongly.

    Images that nothing in them moves the unit at its place are left out, and units for which none are left: what a
    rectifier gives as 0 is no response.
    """
    lab = tasks.lab
    lower = network.lower(cut)
    strength, places = [], []
    for start in range(0, len(rows), AT_ONCE):
        with torch.no_grad():
            maps = _positions(network, lower(_ready(context, network, lab, rows[start : start + AT_ONCE])))
        peaks = maps.max(2)
        strength.append(peaks.values.cpu())
        places.append(peaks.indices.cpu())
    strongest, place = torch.cat(strength).numpy(), torch.cat(places)
    y, classes = lab.labelled.y[rows], lab.labelled.task.classes
    strips, told, sizes = [], [], [(0, 0)]
    for unit in _telling(strongest, y):
        best = np.argsort(-strongest[:, unit], kind="stable")[:STRONGEST].tolist()
        pixels = lab.survey.pixels(rows[best])
        x = _ready(context, network, lab, rows[best])
        boxes = [_seen(network, lower, x[j : j + 1], unit=unit, place=int(place[i, unit])) for j, i in enumerate(best)]
        moved = [(j, box) for j, box in enumerate(boxes) if box is not None]
        if moved:
            strips.append([pixels[j][box] for j, box in moved])
            told.append({"unit": unit, "classes": [classes[y[best[j]]] for j, _ in moved]})
            sizes += [patch.shape[:2] for patch in strips[-1]]
    picture = _save(context.folder, f"cut-{network.cuts.index(cut)}", strips) if strips else ""
    return {"cut": cut, "picture": picture, "units": told, "patch": np.max(sizes, axis=0).tolist()}


def _ready(context: Context, network: Backbone, lab: Laboratory, rows: np.ndarray) -> Tensor:
    return network.preprocessing.tensor(lab.survey.pixels(rows), device=context.device)


def _telling(strongest: np.ndarray, y: np.ndarray) -> list[int]:
    """Units whose strongest responses say most of the class; of those that respond to one class most, the best one."""
    order = np.argsort(-between_classes(strongest, y), kind="stable").tolist()
    means = np.stack([strongest[y == k].mean(0) for k in np.unique(y)])
    first: dict[int, int] = {}
    for unit in order:
        first.setdefault(int(means[:, unit].argmax()), unit)
    chosen = list(first.values())[:UNITS]
    return [*chosen, *(unit for unit in order if unit not in chosen)][:UNITS]


def _positions(network: Backbone, y: Tensor) -> Tensor:
    """Any activation as (n, channels, positions)."""
    if y.dim() == 4 and network.channels_last:
        return y.flatten(1, 2).transpose(1, 2)
    if y.dim() == 4:
        return y.flatten(2)
    return y.transpose(1, 2) if y.dim() == 3 else y[..., None]


def _seen(network: Backbone, lower: nn.Module, x: Tensor, *, unit: int, place: int) -> tuple[slice, slice] | None:
    """Rows and columns of the part of an image that moves a unit at its place; None where nothing does."""
    x = x.clone().requires_grad_(True)
    value = _positions(network, lower(x))[0, unit, place]
    (gradient,) = torch.autograd.grad(value, x)
    moved = gradient[0].abs().sum(0) > 0
    rows, columns = moved.any(1).nonzero(), moved.any(0).nonzero()
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _squares(values: Tensor) -> list[np.ndarray]:
    """(n, 3, h, w) of 0 to 255 as n pictures."""
    return list(values.permute(0, 2, 3, 1).byte().numpy())


def _save(folder: Path, name: str, strips: Sequence[Sequence[np.ndarray]]) -> str:
    """Rows of small pictures in one; its path in the study."""
    width = max(len(strip) for strip in strips)
    sheet = Image.new("RGB", (width * (SIDE + GAP) - GAP, len(strips) * (SIDE + GAP) - GAP), "white")
    for row, strip in enumerate(strips):
        for column, square in enumerate(strip):
            enlarged = Image.fromarray(np.ascontiguousarray(square)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (column * (SIDE + GAP), row * (SIDE + GAP)))
    path = f"pictures/{name}.png"
    with writing(folder / path) as temporary:
        sheet.save(temporary, format="PNG")
    return path
