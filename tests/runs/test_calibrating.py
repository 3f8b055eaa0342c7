"""What a step of a strategy costs is measured with everything that it trains with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives import Seen, Start
from headstart.runs.calibrating import ROUNDS, calibrate
from headstart.strategies import TABLE


class Told:
    """A penalty of nothing that tells what it was made of and when it is asked."""

    name = "told"

    def __init__(self, start: Start, asked: list[tuple[str, ...]]) -> None:
        assert start.classifier is not None and start.z.shape == (3, start.model.backbone.widths["top"])
        self.asked = asked

    def __call__(self, model: Transferred, seen: Seen) -> Tensor:
        """Note the cuts that are seen."""
        self.asked.append(tuple(seen.maps))
        return 0 * seen.z.sum()


def test_a_penalty_is_part_of_the_step_from_images_and_from_stored_activations() -> None:
    asked: list[tuple[str, ...]] = []
    rows = [replace(TABLE[name], penalty=lambda start: Told(start, asked)) for name in ("last_block", "all")]
    found = calibrate(["random/test_resnet"], rows, size=32, k=3, device=torch.device("cpu"))["random/test_resnet"]
    assert set(found.step) == {"last_block", "all"} and set(found.above) == {"last_block"}
    # The last block from images and from stored activations, then everything, in every round.
    assert [len(cuts) for cuts in asked] == [2, 2, 6] * (ROUNDS + 1)


def test_rows_with_objectives_that_learn_are_measured() -> None:
    rows = [TABLE[name] for name in ("cotuning", "delta")]
    found = calibrate(["random/test_resnet"], rows, size=32, k=3, device=torch.device("cpu"))["random/test_resnet"]
    assert all(seconds > 0 for seconds in found.step.values()) and set(found.step) == {"cotuning", "delta"}
