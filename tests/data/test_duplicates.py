"""Copies are found whatever was done to the file; different pictures are left apart."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import find_duplicates, merge_groups, survey
from headstart.data.duplicates import _near_pairs
from headstart.problem import Domain


def picture(seed: int, side: int = 200) -> Image.Image:
    """Soft shapes with some grain, as in a photograph."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype="u1")).resize((side, side), Image.Resampling.BICUBIC)
    return Image.fromarray((np.array(coarse) * 0.9 + rng.integers(0, 25, (side, side, 3))).astype("u1"))


def found(folder: Path, images: dict[str, Image.Image | bytes], size: int = 48):
    paths = []
    for name, image in images.items():
        path = folder / name
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path, quality=85)
        paths.append(path)
    return find_duplicates(survey(Domain("x", tuple(paths)), size, cache=folder / "cache"))


def test_exact_copies_in_bytes_and_in_pixels(tmp_path):
    picture(0).save(tmp_path / "z.png")
    blob = (tmp_path / "z.png").read_bytes()
    result = found(tmp_path, {"a.png": blob, "b.png": picture(1), "c.txt": blob, "d.bmp": picture(0), "e.png": b""})
    assert result.exact == ((0, 2, 3),) and result.near == ()
    assert result.groups.tolist() == [0, 1, 0, 0, 2]
    assert result.conflicts(np.array([0, 0, 1, 0, 0])) == ((0, 2, 3),)
    assert result.conflicts(np.array([0, 1, 0, 0, 0])) == ()


def test_near_copies(tmp_path):
    original = picture(0)
    touched = original.copy()
    touched.paste("white", (5, 5, 25, 15))
    images = {
        "a.png": original,
        "recompressed.jpg": original,
        "half.png": original.resize((100, 100)),
        "touched.png": touched,
        "brighter.png": original.point(lambda value: min(255, value + 2)),
        "other.png": picture(1),
    }
    result = found(tmp_path, images)
    assert result.groups.tolist() == [0, 0, 0, 0, 0, 1]
    assert result.exact == () and result.near == ((0, 1, 2, 3, 4),)


def test_different_pictures_stay_apart(tmp_path):
    result = found(tmp_path, {f"{i}.jpg": picture(i) for i in range(60)})
    assert len(set(result.groups.tolist())) == 60


def test_flat_pictures_and_faint_marks_are_not_chained(tmp_path):
    flat = {f"flat{level}.png": Image.new("RGB", (64, 64), (200, level, 0)) for level in range(0, 40, 2)}
    marked = {}
    for x in range(0, 56, 4):
        marked[f"mark{x}.png"] = Image.new("RGB", (64, 64), "white")
        marked[f"mark{x}.png"].paste("black", (x, 20, x + 3, 44))
    result = found(tmp_path, flat | marked)
    assert len(set(result.groups.tolist())) == len(flat) + len(marked)


def test_the_same_square_from_other_proportions_is_not_near(tmp_path):
    result = found(tmp_path, {"a.png": picture(0), "wide.jpg": picture(0).resize((300, 150))})
    assert result.near == ()


def test_small_digits_stay_apart(tmp_path):
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    images = (digits.images[:400] * 255 / 16).astype("u1")
    result = find_duplicates(survey(Domain("digits", images), 32, cache=tmp_path))
    assert np.bincount(result.groups).max() <= 2 and not result.exact


def test_blocks_miss_no_pair(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    base = [np.array(picture(i, 40)) for i in range(12)]
    images = np.stack([base[i % 12] if i < 12 else base[i % 12] // 16 * 16 + rng.integers(0, 9) for i in range(60)])
    looked = survey(Domain("x", images.astype("u1")), 32, cache=tmp_path)
    everything = {tuple(sorted(pair)) for pair in _near_pairs(looked, np.arange(60))}
    monkeypatch.setattr("headstart.data.duplicates._ROWS", 7)
    monkeypatch.setattr("headstart.data.duplicates._COLUMNS", 5)
    blocks = {tuple(sorted(pair)) for pair in _near_pairs(looked, np.arange(60))}
    assert {tuple(map(int, pair)) for pair in everything} == {tuple(map(int, pair)) for pair in blocks} != set()


def test_merged_groups_are_the_finest_common_coarsening():
    groups = np.array([0, 1, 1, 2, 3, 4])
    assert merge_groups(groups, ["a", "a", None, None, "b", "b"]).tolist() == [0, 0, 0, 1, 2, 2]
    assert merge_groups(groups, None).tolist() == groups.tolist()
    assert merge_groups(groups, [None] * 6).tolist() == groups.tolist()
