"""Batches hold every image once, in an order and with an augmentation that (seed, epoch) decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headstart.data.batches import Augmentation, Batch, Batches, draw, view_of

STILL = Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0, brightness=0)


def draws(n: int, seed: int = 0) -> Tensor:
    return draw([str(i) for i in range(n)], seed=seed, view=0)


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


def test_a_view_depends_on_its_image_alone() -> None:
    def view(all_batches: Batches, number: int, view: int) -> Tensor:
        return all_batches.view(np.array([number]), view, seed=4, augmentation=Augmentation()).x

    many, few = batches(20, 6), batches(20, 3)
    few = Batches(few.read, few.prepare, few.indices[5:9], few.y[5:9], 2)
    assert torch.equal(view(many, 7, 1), view(few, 2, 1)), "the same image among others"
    assert not torch.equal(view(many, 7, 1), view(many, 7, 2))
    named = Batches(few.read, few.prepare, few.indices, few.y, 2, keys=["a", "b", "a", "c"])
    assert torch.equal(draw(["a"], seed=4, view=1), draw(["b", "a"], seed=4, view=1)[1:])
    assert [named.key(i) for i in range(4)] == ["a", "b", "a", "c"] and few.key(0) == str(few.indices[0])


def test_views_are_gone_through_in_turn() -> None:
    assert [view_of(epoch, 3) for epoch in range(1, 8)] == [0, 1, 2, 0, 1, 2, 0]
    assert [view_of(epoch, 0) for epoch in range(1, 4)] == [0, 1, 2]

    one = Batches(batches(3, 3).read, batches(3, 3).prepare, batches(3, 3).indices, np.arange(3), 3)
    first, second, third = (
        {
            int(y): x
            for batch in one.shuffled(epoch, seed=0, augmentation=Augmentation(), views=2)
            for x, y in zip(batch.x, batch.y, strict=True)
        }
        for epoch in (1, 2, 3)
    )
    assert all(torch.equal(first[i], third[i]) and not torch.equal(first[i], second[i]) for i in range(3))


def test_draws_are_uniform() -> None:
    drawn = draw([str(i) for i in range(4000)], seed=0, view=0)
    assert drawn.shape == (4000, 6) and drawn.min() >= 0 and drawn.max() < 1
    assert (drawn.mean(0) - 0.5).abs().max() < 0.02 and (drawn.var(0) - 1 / 12).abs().max() < 0.005
    assert torch.corrcoef(drawn.T).fill_diagonal_(0).abs().max() < 0.06


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
    out = Augmentation()(x, draws(5))
    assert out.shape == x.shape and out.dtype == x.dtype and torch.isfinite(out).all()


def test_without_any_range_nothing_changes() -> None:
    x = torch.randn(3, 3, 17, 17)
    torch.testing.assert_close(STILL(x, draws(3)), x, rtol=0, atol=1e-5)


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
    out = alone(x, draws(len(x), seed=1))
    for i in range(len(x)):
        assert (out[i] - x[i]).abs().max() > 0.01
        for j in range(i):
            assert (out[i] - out[j]).abs().max() > 1e-3


@given(seed=st.integers(0, 10_000))
def test_contrast_and_brightness_stay_in_their_ranges(seed: int) -> None:
    only = Augmentation(shift=0, scale=(1, 1), rotation=0, contrast=0.2, brightness=0.3)
    x = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2).expand(6, 3, 2, 2).contiguous()
    low, high = only(x, draws(6, seed))[:, 0, 0].unbind(1)
    contrast, brightness = (high - low) / 2, (high + low) / 2
    assert (contrast - 1).abs().max() <= 0.2 + 1e-5 and brightness.abs().max() <= 0.3 + 1e-5


def test_a_shift_moves_by_whole_pixels_of_the_picture() -> None:
    """Drawn shifts are undone by looking for them: each is within its share of the side, in both directions."""
    side = 41
    x = torch.zeros(30, 3, side, side)
    x[:, :, side // 2, side // 2] = 1
    only = Augmentation(shift=0.1, scale=(1, 1), rotation=0, contrast=0, brightness=0)
    out = only(x, draws(30))[:, 0]
    axis = torch.arange(side) - side // 2
    moved = torch.stack([(out.sum(d) * axis).sum(1) / out.sum((1, 2)) for d in (1, 2)], 1)
    assert moved.abs().max() <= 0.1 * side + 0.01
    assert moved.min() < -2 and moved.max() > 2
