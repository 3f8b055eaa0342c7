"""Successive halving: many networks are looked at on few images, the better half of them on twice as many.

Jamieson & Talwalkar, *Non-stochastic best arm identification and hyperparameter optimization*, AISTATS 2016, with
networks for arms and images for their budget. The last halving has half of the images, so that those that are left are
the only ones whose heads compete, on all images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

FINALISTS = 4
"""Networks that are left at last: heads compete on the features of each."""
FEWEST_IMAGES = 250
"""Opening a network costs more than passing so many images through it: fewer would spare next to nothing."""
FEWEST_A_CLASS = 5
"""Images for each class, on average: one for each fold."""
REOPENED = 1.0
"""Seconds of loading it again, compiled: what was compiled is kept on disk, so no rung holds a network for the next."""
SCREENING, SCREENED = 0.5, 1e-3
"""Seconds that a ridge at every cut of a network takes, out of fold: at least, and for each image."""


@dataclass(frozen=True)
class Rung:
    """One halving: `networks` are compared on `images`, and `left` of them go on."""

    networks: int
    images: int
    left: int


def rungs(networks: int, images: int, *, classes: int) -> tuple[Rung, ...]:
    """The halvings of so many networks, the last one on half of the images; none where there are few networks.

    Images double from rung to rung and never are fewer than `FEWEST_IMAGES`, nor than `FEWEST_A_CLASS` for each class,
    unless there are no more. Halvings that would see the same images are one: the second would learn nothing.

    Examples
    --------
    >>> [(rung.networks, rung.images, rung.left) for rung in rungs(12, 2000, classes=10)]
    [(12, 500, 6), (6, 1000, 4)]
    >>> [(rung.networks, rung.images, rung.left) for rung in rungs(12, 100, classes=10)]
    [(12, 100, 4)]
    """
    counts = [networks]
    while counts[-1] > FINALISTS:
        counts.append(max(FINALISTS, -(-counts[-1] // 2)))
    fewest = max(FEWEST_IMAGES, FEWEST_A_CLASS * classes)
    found: list[Rung] = []
    for number, (before, left) in enumerate(pairwise(counts)):
        seen = min(images, max(fewest, -(-images // 2 ** (len(counts) - 1 - number))))
        if found and found[-1].images == seen:
            before = found.pop().networks
        found.append(Rung(before, seen, left))
    return tuple(found)


def survivors(values: Mapping[str, float], left: int, *, trainable: Collection[str]) -> list[str]:
    """The `left` networks of highest value, best first; of equal ones the first.

    Parameters
    ----------
    values : of the metric, by network, in the order in which they were named.
    trainable : networks that the budget can fine-tune by the most strategies. Where none of them is among the best,
        the best of them takes the last place: one network will be fine-tuned as planned.
    """
    ranked = sorted(values, key=lambda name: -values[name])
    best, rest = ranked[:left], ranked[left:]
    if not set(best) & set(trainable):
        best[-1:] = [name for name in rest if name in trainable][:1] or best[-1:]
    return best


def rung_seconds(
    halvings: Sequence[Rung], *, opening: Mapping[str, float], forward: Mapping[str, float]
) -> list[float]:
    """What each rung should take; nobody knows beforehand which networks are left, so the dearest ones count.

    Parameters
    ----------
    opening : seconds of loading and compiling a network for the first time, by network.
    forward : of a pass of an image in eager torch; what is chosen to run it is about twice as fast.
    """
    dearest, seconds, stored = sorted(forward.values(), reverse=True), [], 0
    for rung in halvings:
        opened = rung.networks * REOPENED if stored else sum(opening.values())
        passes = (rung.images - stored) / 2 * sum(dearest[: rung.networks])
        seconds.append(opened + passes + rung.networks * (SCREENING + SCREENED * rung.images))
        stored = rung.images
    return seconds
