"""Records of trainings at growing numbers of labels → curves, where they meet, and what fine-tuning brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.advice.growth import Growth
from headstart.evidence.learning_curves import REACH, Curve, crossing, fit_curve, forecast, gain
from headstart.evidence.replicates import means, paired_difference
from headstart.records import Record
from headstart.runs.grown import LEVEL, Meeting, Trained, Trainings
from headstart.runs.probing import FOLDS
from headstart.strategies import TABLE

Records = Mapping[str, Sequence[Sequence[Record]]]


def trainings(
    growth: Growth,
    records: Records,
    *,
    sizes: Sequence[int],
    frozen: np.ndarray,
    labels: int,
    more: int,
    seed: int,
) -> Trainings:
    """What the records of `growth` come to.

    Parameters
    ----------
    records : of every strategy, by replicate and size.
    sizes, frozen : of the frozen network, ``(s,)`` and accuracies ``(replicates, s)``, whose first replicates are those
        of the trainings: what is compared is compared over these.
    labels, more : how many there are, and further ones to forecast.
    """
    judged = frozen[: growth.replicates]
    measured = {
        row: np.array([[one.metrics["value"] for one in replicate] for replicate in found])
        for row, found in records.items()
    }
    fitted: dict[str, Curve] = {}
    if len(growth.sizes) > 1:
        fitted = {row: fit_curve(growth.sizes, v, independent=FOLDS, seed=seed) for row, v in measured.items()}
        # The same seed and as many replicates: one draw resamples the same ones in every curve.
        fitted = {"probe": fit_curve(sizes, judged, independent=FOLDS, seed=seed), **fitted}
    return Trainings(
        replicates=growth.replicates,
        curves=tuple(
            Trained(
                strategy=row,
                title=TABLE[row].title,
                epochs=growth.epochs[row],
                sizes=growth.sizes,
                points=means(values, independent=FOLDS, level=LEVEL),
                over_frozen=paired_difference(values[:, -1], judged[:, -1], independent=FOLDS, level=LEVEL),
                now=forecast(fitted[row], labels, level=LEVEL) if fitted else None,
                gain=gain(fitted[row], labels, more, level=LEVEL) if fitted else None,
                improving=sum(c["still_improving"] for r in records[row] for one in r for c in one.detail["curves"]),
            )
            for row, values in measured.items()
        ),
        meetings=tuple(meeting(fitted, one, other) for one, other in zip(fitted, list(fitted)[1:], strict=False)),
        seconds=sum(one.cost["seconds"] for found in records.values() for r in found for one in r),
        notes=growth.notes,
    )


def meeting(fitted: Mapping[str, Curve], one: str, other: str) -> Meeting:
    """Where two curves cross, and which of them is ahead from there on, or throughout."""
    a, b = fitted[one], fitted[other]
    first, last = max(a.sizes[0], b.sizes[0]), max(a.sizes[-1], b.sizes[-1])
    at = crossing(a, b, level=LEVEL)
    ahead, behind = (one, other) if a.at(first) >= b.at(first) else (other, one)
    return Meeting(one, other, at, behind if at else ahead, measured=int(last), searched=int(REACH * last))
