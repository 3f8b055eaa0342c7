"""Batches hold every image once, in an order and with an augmentation that (seed, epoch) decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headstart.data.batches import Augmentation, Batch, Batches

STILL = Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0, brightness=0)


def batches(n: int, size: int, *, side: int = 4) -> Batches:
    """Image i is filled with its own number, and has the class i mod 3; positions are not 0 … n-1."""
    positions = np.arange(n)[::-1] + 100

    def read(wanted: np.ndarray) -> np.ndarray:
        return np.broadcast_to((wanted - 100)[:, None, None, None], (len(wanted), side, side, 3)).astype(np.float32)

    def prepare(pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)

    return Batches(read, prepare, positions, (positions - 100) % 3, size)


def seen(all_batches: list[Batch]) -> list[int]:
    """Numbers of the images in the order in which they came."""
    assert all((b.y == b.x[:, 0, 0, 0].long() % 3).all() for b in all_batches), "a label went astray"
    return [int(number) for batch in all_batches for number in batch.x[:, 0, 0, 0]]


@given(n=st.integers(2, 200), size=st.integers(2, 40), epoch=st.integers(1, 5))
def test_every_image_comes_once_and_never_alone(n: int, size: int, epoch: int) -> None:
    given_out = list(batches(n, size, side=1).shuffled(epoch, seed=3, augmentation=None))
    assert sorted(seen(given_out)) == list(range(n))
    sizes = [len(batch.y) for batch in given_out]
    assert len(sizes) == len(batches(n, size))
    assert 2 <= min(sizes) <= max(sizes) <= min(sizes) + 1
    assert max(sizes) <= max(size + 1, 3)


def test_in_order_gives_the_images_as_they_stand() -> None:
    given_out = list(batches(10, 4).in_order())
    assert seen(given_out) == list(range(9, -1, -1))
    assert [len(batch.y) for batch in given_out] == [4, 4, 2]


def test_seed_and_epoch_decide_everything() -> None:
    def run(seed: int, epoch: int) -> list[Batch]:
        return list(batches(20, 6).shuffled(epoch, seed=seed, augmentation=Augmentation()))

    first, again = run(1, 2), run(1, 2)
    torch.manual_seed(99)  # the global generator plays no part
    for a, b, c in zip(first, again, run(1, 2), strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and torch.equal(a.x, c.x)
    for other in (run(1, 3), run(2, 2)):
        assert not all(torch.equal(a.x, b.x) for a, b in zip(first, other, strict=True))
    orders = [seen(list(batches(20, 6).shuffled(e, seed=s, augmentation=None))) for s, e in ((1, 2), (1, 3), (2, 2))]
    assert len({tuple(order) for order in orders}) == 3


def test_shuffling_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    list(batches(8, 4).shuffled(1, seed=0, augmentation=Augmentation()))
    assert torch.equal(torch.rand(2), expected)


def picture(n: int = 4, side: int = 24) -> Tensor:
    """n copies of one smooth picture, so that what differs between them is the augmentation."""
    grid = torch.linspace(-2, 2, side)
    one = torch.stack([torch.sin(3 * grid)[:, None] * torch.cos(2 * grid), grid[:, None] * grid, grid.expand(side, -1)])
    return one.expand(n, 3, side, side).contiguous()


def test_augmentation_keeps_shape_and_type() -> None:
    x = torch.randn(5, 3, 20, 32)
    out = Augmentation()(x, torch.Generator().manual_seed(0))
    assert out.shape == x.shape and out.dtype == x.dtype and torch.isfinite(out).all()


def test_without_any_range_nothing_changes() -> None:
    x = torch.randn(3, 3, 17, 17)
    torch.testing.assert_close(STILL(x, torch.Generator().manual_seed(0)), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "alone",
    [
        Augmentation(shift=0.2, scale=(1, 1), rotation=0, contrast=0, brightness=0),
        Augmentation(shift=0, scale=(0.7, 1.4), rotation=0, contrast=0, brightness=0),
        Augmentation(shift=0, scale=(1, 1), rotation=20, contrast=0, brightness=0),
        Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0.3, brightness=0),
        Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0, brightness=0.3),
    ],
    ids=["shift", "scale", "rotation", "contrast", "brightness"],
)
def test_each_range_acts_and_every_image_is_drawn_on_its_own(alone: Augmentation) -> None:
    x = picture()
    out = alone(x, torch.Generator().manual_seed(0))
    for i in range(len(x)):
        assert (out[i] - x[i]).abs().max() > 0.01
        for j in range(i):
            assert (out[i] - out[j]).abs().max() > 1e-3


@given(seed=st.integers(0, 10_000))
def test_contrast_and_brightness_stay_in_their_ranges(seed: int) -> None:
    only = Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0.2, brightness=0.3)
    x = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2).expand(6, 3, 2, 2).contiguous()
    low, high = only(x, torch.Generator().manual_seed(seed))[:, 0, 0].unbind(1)
    contrast, brightness = (high - low) / 2, (high + low) / 2
    assert (contrast - 1).abs().max() <= 0.2 + 1e-5 and brightness.abs().max() <= 0.3 + 1e-5


def test_a_shift_moves_by_whole_pixels_of_the_picture() -> None:
    """Drawn shifts are undone by looking for them: each is within its share of the side, in both directions."""
    side = 41
    x = torch.zeros(30, 3, side, side)
    x[:, :, side // 2, side // 2] = 1
    only = Augmentation(shift=0.1, scale=(1, 1), rotation=0, contrast=0, brightness=0)
    out = only(x, torch.Generator().manual_seed(0))[:, 0]
    axis = torch.arange(side) - side // 2
    moved = torch.stack([(out.sum(d) * axis).sum(1) / out.sum((1, 2)) for d in (1, 2)], 1)
    assert moved.abs().max() <= 0.1 * side + 0.01
    assert moved.min() < -2 and moved.max() > 2
