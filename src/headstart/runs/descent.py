"""An earlier run as the source of the next task: same domain, different task."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbones import Transferred
from headstart.bundle.check import read_config
from headstart.bundle.save import rebuild
from headstart.data import survey
from headstart.data.batches import Batches
from headstart.errors import HeadstartError, RunError
from headstart.evidence import interval, paired
from headstart.problem import read_labelled
from headstart.records import Journal, Record
from headstart.runs.context import Context, Prepared
from headstart.strategies import TABLE
from headstart.training import predict_logits


def race(runs: Sequence[Path | str], backbones: Sequence[str]) -> list[str]:
    """Names of the backbones to compare: what each run handed back, then `backbones`.

    Where none is named, what the runs themselves started from: whether the earlier task helps is the
    difference between the two.

    Raises
    ------
    BundleError : a folder is not a finished run.
    """
    folders = folders_of(runs)
    sources = [str(read_config(Path(folder))["backbone"]) for folder in folders]
    return list(dict.fromkeys([*(f"run:{folder}" for folder in folders), *(backbones or sources)]))


def folders_of(runs: Sequence[Path | str]) -> list[str]:
    """Folders of the earlier runs as their models are named, each once."""
    return list(dict.fromkeys(str(Path(run).expanduser()) for run in runs))


def retain(context: Context, prepared: Prepared, model: Transferred) -> None:
    """What the model that is handed back still knows of the task it came from; the record ``retained``.

    The earlier run's head stands on the network as it is now, and both name the earlier run's own test images. Nothing
    is chosen by it. Nothing is measured where the network is as it was, or is not an earlier run's.
    """
    name, verdict = model.backbone.name, context.journal.get("verdict")
    moved = verdict is not None and TABLE[verdict.strategy].trains
    if not name.startswith("run:") or not moved or context.journal.get("retained") is not None:
        return
    started = time.perf_counter()
    folder = Path(name.removeprefix("run:"))
    try:
        metrics, detail = _measured(context, folder, model)
    except HeadstartError as error:
        metrics, detail = {}, {"note": f"What is retained of {folder} is unknown: {error.fact}"}
    cost = {"seconds": time.perf_counter() - started}
    detail["run"] = str(folder)
    context.note(
        Record(
            "retained", "retained", data=prepared.fingerprint, backbone=name, metrics=metrics, cost=cost, detail=detail
        )
    )


def _measured(context: Context, folder: Path, model: Transferred) -> tuple[dict[str, Any], dict[str, Any]]:
    earlier = rebuild(folder)
    now = Transferred(model.backbone, earlier.head, cuts=earlier.cuts).eval()
    batches, y = _test_images(context, folder, earlier)
    groups = np.arange(len(y))
    before, after = (predict_logits(one.to(context.device), batches).argmax(1) for one in (earlier, now))
    had, has = (interval(y, predicted, groups) for predicted in (before, after))
    difference = paired(y, after, before, groups)
    metrics = {"value": has.value, "low": has.low, "high": has.high, "n": has.n}
    detail = {
        "before": had.value,
        "difference": {"value": difference.value, "low": difference.low, "high": difference.high},
        "note": "",
    }
    return metrics, detail


def _test_images(context: Context, folder: Path, earlier: Transferred) -> tuple[Batches, np.ndarray]:
    """The test part of an earlier run, prepared for its network.

    Raises
    ------
    RunError : it kept no test part, or its images are not to be found.
    """
    plan = Journal(folder / "records.jsonl").get("plan")
    split = folder / "split.json"
    names = set(json.loads(split.read_text()).get("test", [])) if split.exists() else set()
    if plan is None or not names:
        raise RunError(f"{folder} kept no test part.", "")
    if plan.what != "plan":
        raise RunError(f"{folder} is the run of another command.", "")
    options = plan.detail["options"]
    labelled = read_labelled(options["data"])
    there = [i for i in range(len(labelled)) if labelled.x.label_of(i) in names]
    part = labelled.subset(there)
    looked = survey(part.x, options["size"], cache=context.cache, progress=context.progress)
    usable = np.array([i for i, key in enumerate(looked.ids) if key], dtype=np.int64)
    if not len(usable):
        raise RunError(f"no test image of {folder} is left.", "")
    prepare = partial(earlier.backbone.preprocessing.tensor, device=context.device)
    keys = [looked.ids[i] for i in usable]
    return Batches(looked.pixels, prepare, usable, part.y[usable], 64, keys), part.y[usable]
