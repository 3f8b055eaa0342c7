"""Sets of related images: deterministic, of their own view, and what they say of themselves is true."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from headstart.data import patches
from headstart.data.batches import Augmentation
from headstart.data.motions import SIZES, BuiltMotions, after, moved
from headstart.data.patches import Patches, choose_seeds, cut_out, from_hsv, recoloured, to_hsv
from headstart.data.related import Make, RelatedBatches, Views, Windows

N, SIDE = 10, 16
PIXELS = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
KEYS = [f"image {i}" for i in range(N)]


def plain(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def read(rows: np.ndarray) -> np.ndarray:
    return PIXELS[rows]


MAKES: dict[str, Make] = {
    "views": Views(read, plain, np.arange(N), KEYS, views=2),
    "classes": Views(read, plain, np.arange(N), KEYS, y=np.arange(N) % 3),
    "windows": Windows(read, plain, np.stack([np.arange(N - 1), np.arange(1, N)], 1), np.zeros((N - 1, 2), "i8")),
    "patches": Patches(read, lambda x: x, np.arange(N), KEYS, np.full((N, 2), 8.0), 8),
    "motions": BuiltMotions(read, lambda x: x, np.arange(N), KEYS),
}


@pytest.mark.parametrize("name", MAKES)
def test_a_set_depends_on_itself_its_view_and_the_seed_alone(name: str) -> None:
    make, augmentation = MAKES[name], Augmentation()
    alone = make(np.array([3]), 1, 5, augmentation)
    among = make(np.array([7, 3, 0]), 1, 5, augmentation)
    torch.testing.assert_close(alone.x[0], among.x[1], rtol=0, atol=1e-6)
    assert torch.equal(alone.y[0], among.y[1])
    for other in (make(np.array([3]), 2, 5, augmentation), make(np.array([3]), 1, 6, augmentation)):
        assert not torch.equal(other.x, alone.x)
    assert torch.isfinite(alone.x).all()


def test_an_epoch_goes_through_every_set_once() -> None:
    feed = RelatedBatches(MAKES["views"], N, 3)
    batches = list(feed.shuffled(1, seed=0, augmentation=None))
    assert len(batches) == len(feed)
    assert sorted(int(i) for batch in batches for i in batch.y[:, 0]) == list(range(N))
    assert [b.y.tolist() for b in feed.shuffled(1, seed=0, augmentation=None)] == [b.y.tolist() for b in batches]
    assert [b.y.tolist() for b in feed.shuffled(2, seed=0, augmentation=None)] != [b.y.tolist() for b in batches]


def test_an_epoch_may_draw_a_part_of_the_sets() -> None:
    feed = RelatedBatches(MAKES["views"], N, 3, each=4)
    drawn = [[int(i) for b in feed.shuffled(epoch, seed=0, augmentation=None) for i in b.y[:, 0]] for epoch in (1, 2)]
    assert [len(one) for one in drawn] == [4, 4] and set(drawn[0]) != set(drawn[1])
    assert len(feed) == len(list(feed.shuffled(1, seed=0, augmentation=None)))
    assert sorted(int(i) for b in feed.held(seed=0, augmentation=None) for i in b.y[:, 0]) == list(range(N))


def test_frames_of_a_set_are_changed_alike() -> None:
    still = Windows(read, plain, np.zeros((2, 2), "i8"), np.zeros((2, 1), "i8"))
    x = still(np.arange(2), 0, 0, Augmentation()).x
    assert torch.equal(x[:, 0], x[:, 1]) and not torch.equal(x[0], x[1])


def test_seeds_are_taken_where_something_is_to_be_seen() -> None:
    """One corner of an otherwise flat image holds a pattern: every seed touches it; a flat image has seeds anywhere."""
    canvas = np.full((4, 32, 32, 3), 90, np.uint8)
    canvas[:3, :6, :6] = np.random.default_rng(0).integers(0, 255, (3, 6, 6, 3))
    numbers, centres = choose_seeds(lambda rows: canvas[rows], np.arange(4), count=40, size=8, seed=0)
    assert np.bincount(numbers).tolist() == [10, 10, 10, 10]
    assert (centres[numbers < 3] <= 10).all()
    assert centres.min() >= 4 and centres.max() <= 28
    assert np.array_equal(centres, choose_seeds(lambda rows: canvas[rows], np.arange(4), count=40, size=8, seed=0)[1])


def test_a_patch_without_a_transformation_is_what_stands_there() -> None:
    x = plain(PIXELS[:2])
    cut = cut_out(x, torch.tensor([[6.0, 9.0], [8.0, 8.0]]), 8, torch.full((2, 4), 0.5))
    torch.testing.assert_close(cut[0], x[0, :, 2:10, 5:13], rtol=0, atol=1e-5)
    torch.testing.assert_close(cut[1], x[1, :, 4:12, 4:12], rtol=0, atol=1e-5)


def test_patches_are_moved_as_far_as_is_said_and_no_farther(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a canvas whose colours are its coordinates every patch tells where it was cut out, how large and how turned.

    The pages say: shifts by up to a fifth, 0.7 to 1.4 times as large, turned by up to 20 degrees.
    """
    monkeypatch.setattr(patches, "recoloured", lambda x, draws: x)
    canvas, size, n = np.zeros((1, 128, 128, 3), np.uint8), 32, 200
    canvas[0, :, :, 0], canvas[0, :, :, 1] = np.arange(128), np.arange(128)[:, None]
    cut = Patches(
        lambda rows: np.repeat(canvas, len(rows), 0),
        lambda x: x,
        np.zeros(n, "i8"),
        [str(i) for i in range(n)],
        np.full((n, 2), 64.0),
        size,
    )
    x = (255 * cut(np.arange(n), 0, 0, Augmentation()).x[:, 0, :2]).double()
    steps = torch.stack([(x[..., -1] - x[..., 0]).mean(2), (x[..., -1, :] - x[..., 0, :]).mean(2)], 2) / (size - 1)
    enlarged = 1 / torch.linalg.vector_norm(steps[:, :, 0], dim=1)
    turned = torch.rad2deg(torch.atan2(steps[:, 1, 0], steps[:, 0, 0]))
    shifted = (x.mean((2, 3)) - 63.5) / size
    torch.testing.assert_close(steps[:, 0], torch.stack([steps[:, 1, 1], -steps[:, 1, 0]], 1), rtol=0, atol=1e-4)
    for found, low, high in ((enlarged, 0.7, 1.4), (turned, -20, 20), *((shifted[:, a], -0.2, 0.2) for a in (0, 1))):
        near = 0.05 * (high - low)
        assert low - 1e-3 <= found.min() <= low + near and high - near <= found.max() <= high + 1e-3


def test_colours_go_to_hsv_and_back() -> None:
    x = torch.rand(3, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    x[0] = 0.3  # grey has no hue
    x[1, :, 0, 0] = 0
    found = to_hsv(x)
    expected = np.array([[colorsys.rgb_to_hsv(*p) for p in one.flatten(1).T.tolist()] for one in x])
    np.testing.assert_allclose(found.flatten(2).mT.numpy(), expected, atol=1e-5)
    torch.testing.assert_close(from_hsv(found), x, rtol=0, atol=1e-5)


def test_recoloured_patches_stay_colours_and_keep_a_neutral_draw() -> None:
    x = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    changed = recoloured(x, torch.rand(4, 10, generator=torch.Generator().manual_seed(1)))
    assert changed.min() >= 0 and changed.max() <= 1 and not torch.allclose(changed, x, atol=0.05)
    neutral = torch.full((4, 10), 0.5)
    neutral[:, [4, 7]] = 3 / 7  # a factor of one between 0.7 and 1.4
    torch.testing.assert_close(recoloured(x, neutral), x, rtol=0, atol=1e-4)


def middle(x: torch.Tensor) -> torch.Tensor:
    """Row and column of the mean of what is white."""
    white, steps = x[0, 0], torch.arange(57.0)
    return torch.stack([(white * steps[:, None]).sum(), (white * steps).sum()]) / white.sum()


def test_a_built_motion_is_the_one_that_it_says() -> None:
    """A dot goes where a shift or a turn takes it; steps count from nought."""
    dot = torch.zeros(1, 3, 57, 57)
    dot[:, :, 26:31, 30:35] = 1
    shifted = moved(dot, torch.tensor([[2.0, -1.0, 0.0]]))
    torch.testing.assert_close(middle(shifted) - middle(dot), torch.tensor([-57 / 28, 2 * 57 / 28]), rtol=0, atol=0.02)
    turned = moved(dot, torch.tensor([[0.0, 0.0, 90.0]]))
    # Counter-clockwise: what stood four to the right of the middle stands four above it.
    torch.testing.assert_close(middle(turned), torch.tensor([24.0, 28.0]), rtol=0, atol=0.05)
    first, second = torch.tensor([[2.0, -1.0, 12.0]]), torch.tensor([[-1.0, 3.0, 30.0]])
    one_by_one, at_once = moved(moved(dot, first), second), moved(dot, after(first, second))
    torch.testing.assert_close(middle(one_by_one), middle(at_once), rtol=0, atol=0.05)
    made = MAKES["motions"](np.arange(N), 0, 0, None)
    assert made.x.shape == (N, 2, 3, SIDE, SIDE)
    assert ((made.y >= 0) & (made.y < torch.tensor(SIZES))).all()
