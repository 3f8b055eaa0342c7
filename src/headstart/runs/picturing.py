"""What a page shows of an adaptation beside its numbers: images of both domains, and what the model says of some."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from headstart.records import Record
from headstart.runs.closing import thumbnail
from headstart.runs.context import Context, kept_arrays, kept_predictions
from headstart.runs.fitted import Start
from headstart.runs.pairing import Both

SHOWN = 8
"""Images of each domain."""
EXAMPLES = 12


def picture_examples(context: Context, both: Both, start: Start, *, chosen: str) -> Record:
    """The record ``examples``: pictures of both domains, predicted images of the judged part, the map before and after.

    Of the predicted ones, first those that the chosen method and the source's head name differently, the surest
    first: they are what adapting comes to.
    """
    finished = context.journal.get("examples")
    if finished is not None:
        context.on_record(finished)
        return finished
    started = time.perf_counter()
    source, target = both.source, both.target
    rows = source.split.train[np.unique(source.y[source.split.train], return_index=True)[1]]
    some = target.adapted[np.linspace(0, len(target.adapted) - 1, SHOWN).astype(int)]
    classes = source.labelled.task.classes
    detail = {
        "source": [
            {"class": classes[source.y[i]], "picture": thumbnail(context, source.survey, int(i))} for i in rows[:SHOWN]
        ],
        "target": [{"picture": thumbnail(context, target.survey, int(i))} for i in some],
        "predicted": _predicted(context, both),
        "map": {name: _plane(context, name) for name in dict.fromkeys(("source_only", chosen))},
    }
    cost = {"seconds": time.perf_counter() - started}
    record = Record("examples", "examples", data=both.fingerprint, strategy=chosen, cost=cost, detail=detail)
    context.note(record)
    return record


def _predicted(context: Context, both: Both) -> list[dict[str, Any]]:
    target, classes = both.target, both.source.labelled.task.classes
    _, ours = kept_predictions(context.folder / "work/final-predictions.safetensors")
    before = kept_arrays(context.folder / "work" / "method-source_only.safetensors")["judged"]
    name, was = ours.argmax(1), before.argmax(1)
    order = np.lexsort((-ours.max(1), name == was))[:EXAMPLES]
    return [
        {
            "path": target.unlabelled.x.label_of(int(target.judged[at])),
            "picture": thumbnail(context, target.survey, int(target.judged[at])),
            "predicted": classes[name[at]],
            "probability": float(ours[at, name[at]]),
            "before": classes[was[at]],
        }
        for at in order
    ]


def _plane(context: Context, name: str) -> dict[str, list[list[float]]]:
    """Both domains in the plane of their largest variance, where the method's head reads them."""
    kept = kept_arrays(context.folder / "work" / f"method-{name}.safetensors")
    return {
        side: [[round(float(v), 2) for v in point] for point in kept[f"plane_{letter}"]]
        for side, letter in (("source", "s"), ("target", "t"))
    }
