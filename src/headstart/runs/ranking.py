"""Which network to start from: every backbone scored on training images, without fine-tuning any."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones import Backbone, load, resolve
from headstart.data import MAX_PIXELS
from headstart.errors import DataError, OptionError
from headstart.evidence import ranking
from headstart.evidence.transferability import SCORES, Score
from headstart.features import extract
from headstart.problem import labelled_arrays, read_labelled
from headstart.runs.caching import keep_within_limit
from headstart.runs.context import Prepared
from headstart.runs.fit import Data, torch_device
from headstart.runs.machine import cache_folder, give_back_memory
from headstart.runs.options import Reading, text_of
from headstart.runs.preparing import read
from headstart.runs.ranked import Ranked
from headstart.runs.seen import seen_in
from headstart.shallow import evenly

Progress = Callable[[str, int, int], None]
Scored = tuple[float, NDArray[np.float64]]

MOST = 3000
"""Images that are scored, evenly over the classes: some scores compare all pairs."""

HALVES = 40
"""Halves on which scores are computed anew."""

HALVES_OF_MEANS = 1000
"""Halves where every score is a mean over images: they cost nothing."""


def rank(
    data: Data,
    *,
    backbones: Sequence[str] = (),
    scores: Sequence[str] = ("loo_ridge",),
    seed: int = 0,
    size: int = 128,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Progress = lambda stage, done, total: None,
) -> Ranked:
    """Rank backbones for a task by transferability scores, on the training part alone.

    The split is that of `fit` with the same data, seed and shares, so what is chosen here may be fitted and
    tested there: no label of the validation or test part is read. Of images that show the same, the first
    one counts, lest they vouch for each other; above `MOST`, as many of each class are taken. Features are
    those of the top cut, kept on disk, and shared with `fit`.

    Parameters
    ----------
    data, backbones, seed, size, split, device, max_pixels : as in `headstart.fit`.
    scores : names in `headstart.evidence.transferability.SCORES`, or ``all``.
    progress : told (stage, done, total).

    Returns
    -------
    The backbones in order, those that may be the best, and how well the scores agree.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, a backbone or the machine.
    """
    asked = Reading(
        data=text_of(data) if isinstance(data, Path | str) else "arrays",
        backbones=tuple(resolve(backbones)),
        seed=seed,
        size=size,
        split=(split[0], split[1], split[2]),
        device=device,
        max_pixels=max_pixels,
    )
    rows, place = chosen_scores(scores), torch_device(device)
    labelled = read_labelled(data) if isinstance(data, Path | str) else labelled_arrays(*data)
    keep_within_limit(cache_folder())
    prepared = read(labelled, asked, cache=cache_folder(), progress=progress)
    indices = scored_images(prepared)
    y = prepared.y[indices]
    count = HALVES_OF_MEANS if all(row.contributions for row in rows) else HALVES
    drawn = ranking.halves(y, prepared.groups[indices], count=count, seed=seed)
    found = []
    for name in asked.backbones:
        backbone = load(name, size=size)
        features = extract(backbone, prepared.survey, indices, cache=cache_folder(), device=place, progress=progress)
        inputs = inputs_of(backbone, features.at("top"))
        found.append(score_all(name, rows, inputs, y=y, drawn=drawn, progress=progress))
        give_back_memory()
    return _ranked(asked, rows, found, prepared=prepared, indices=indices)


def chosen_scores(names: Sequence[str]) -> tuple[Score, ...]:
    """Rows of the table, each once, in the order asked for; ``all`` means all of them.

    >>> [row.name for row in chosen_scores(["logme", "loo_ridge", "logme"])]
    ['logme', 'loo_ridge']

    Raises
    ------
    OptionError : a name is unknown, or there is none.
    """
    wanted = [each for name in names for each in (SCORES if name == "all" else (name,))]
    unknown = [name for name in wanted if name not in SCORES]
    if unknown or not wanted:
        near = difflib.get_close_matches(unknown[0], SCORES, 1) if unknown else []
        fact = f"There is no score named {unknown[0]!r}." if unknown else "No score was named."
        hint = f"Did you mean {near[0]}? " if near else ""
        raise OptionError(fact, f"{hint}Choose among {', '.join(SCORES)}, or all.")
    return tuple(SCORES[name] for name in dict.fromkeys(wanted))


def scored_images(prepared: Prepared) -> np.ndarray:
    """Training images, one of each set of duplicates, at most `MOST`.

    Raises
    ------
    DataError : they leave a class with fewer than two.
    """
    train = np.sort(prepared.split.train)
    _, first = np.unique(prepared.duplicates.groups[train], return_index=True)
    indices = np.sort(train[first])
    counts = np.bincount(prepared.y[indices], minlength=prepared.k)
    if counts.min() < 2:
        name = prepared.labelled.task.classes[int(counts.argmin())]
        fact = (
            f"The training part holds {counts.min()} different image(s) of {name}; two are needed to score a network."
        )
        raise DataError(fact, "Add images of it, leave the class out, or give the training part more (--split).")
    return evenly(indices, prepared.y, max(2 * prepared.k, MOST))


def inputs_of(backbone: Backbone, z: np.ndarray) -> dict[str, np.ndarray]:
    """What scores need of images: features at the top, and the source's probabilities where it has a classifier."""
    found = {"features": z}
    if "logits" in backbone.cuts:
        with torch.inference_mode():
            logits = backbone.network.get_classifier().cpu()(torch.from_numpy(z))
            found["source probabilities"] = torch.softmax(logits.double(), dim=1).numpy()
    return found


def score_all(
    name: str,
    rows: Sequence[Score],
    inputs: dict[str, np.ndarray],
    *,
    y: np.ndarray,
    drawn: NDArray[np.bool_],
    progress: Progress,
) -> dict[str, Scored]:
    """Each score that this network can have, with its replicates."""
    found: dict[str, Scored] = {}
    for at, row in enumerate(rows, start=1):
        if row.needs in inputs:
            found[row.name] = _scored(row, inputs[row.needs], y, drawn)
        progress(f"scores of {name}", at, len(rows))
    return found


def _scored(row: Score, x: np.ndarray, y: np.ndarray, drawn: NDArray[np.bool_]) -> Scored:
    """A mean over images is resampled as it is; another score is computed on every half."""
    if row.contributions is not None:
        terms = row.contributions(x, y)
        value = float(terms.mean())
        return value, ranking.replicates(lambda half: float(terms[half].mean()), value, drawn)
    value = row.function(x, y)
    return value, ranking.replicates(lambda half: _on_half(row, x[half], y[half]), value, drawn)


def _on_half(row: Score, x: np.ndarray, y: np.ndarray) -> float:
    """The score of a half, without classes of which groups across classes have left it a single image."""
    kept = np.bincount(y)[y] > 1
    return row.function(x[kept], y[kept]) if len(np.unique(y[kept])) > 1 else float("nan")


def _ranked(
    asked: Reading,
    rows: Sequence[Score],
    found: Sequence[dict[str, Scored]],
    *,
    prepared: Prepared,
    indices: np.ndarray,
) -> Ranked:
    shared = [row.name for row in rows if all(row.name in one for one in found)]
    missing = [row.name for row in rows if row.name not in shared]
    lacking = [name for name, one in zip(asked.backbones, found, strict=True) if len(one) < len(rows)]
    fact = f"{', '.join(lacking)} has no classifier of its source, so nothing is ranked by {', '.join(missing)}."
    if not shared:
        raise OptionError(fact, "Choose a score of features, like loo_ridge.")
    values = np.array([[one[name][0] for one in found] for name in shared])
    spread = np.array([[one[name][1] for one in found] for name in shared])
    seen = seen_in(prepared, asked.backbones, {"images that are scored": indices})
    notes = [*prepared.labelled.notes, *([fact] if missing else []), *seen]
    return Ranked.of(
        asked.backbones,
        shared,
        values=values,
        errors=spread.std(axis=2),
        ranking=ranking.rank(values, spread),
        images=len(indices),
        notes=tuple(notes),
    )
