"""Which surrogate tasks a study tries by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.runs.study.suited import IN_ORDER, STILLS, suited
from headstart.strategies import SURROGATES


def chosen(data: Any, *, poses: bool = False, every: int = 1) -> tuple[str, ...]:
    return suited(data, poses=poses, every=every, apart=10, max_pixels=10**6)[0]


def walk(n: int = 60) -> np.ndarray:
    """Return frames of a window that slides over noise."""
    scene = np.random.default_rng(0).integers(0, 255, (32, 32 + 2 * n, 3), dtype=np.uint8)
    return np.stack([scene[:, 2 * place : 2 * place + 32] for place in range(n)])


def test_what_needs_frames_is_tried_only_where_there_are_frames() -> None:
    assert not [name for name in STILLS if SURROGATES[name].needs == "frames"]
    assert [name for name in IN_ORDER if name not in STILLS] == ["slow", "slow_margin", "steady"]
    assert not [name for name in IN_ORDER if SURROGATES[name].extra or SURROGATES[name].needs == "labels"]


def test_frames_are_told_from_stills(_digits: Path, tmp_path: Path) -> None:
    """By their neighbours, whatever files are called; a video is frames, and so is what has poses."""
    for number, frame in enumerate(walk()):
        for folder, place in (("walk", number), ("mixed", (number * 37) % 60)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(frame).save(tmp_path / folder / f"{place}.png")
    assert chosen(tmp_path / "walk") == IN_ORDER
    assert chosen(tmp_path / "mixed") == chosen(_digits) == STILLS
    assert chosen(_digits, poses=True) == IN_ORDER
    (tmp_path / "table.csv").touch()
    assert chosen(tmp_path / "table.csv") == STILLS


def test_a_video_is_frames_if_enough_of_them_are_apart(film: Path) -> None:
    assert chosen(film) == chosen(film.parent) == IN_ORDER
    assert chosen(film, every=3) == STILLS
    _, why = suited(film, poses=False, every=3, apart=10, max_pixels=10**6)
    assert "Only 4 frame(s) have another 10 after them" in why


@pytest.mark.parametrize("as_list", [False, True])
def test_frames_from_memory_are_told_from_stills(*, as_list: bool) -> None:
    frames = walk()
    mixed = frames[np.random.default_rng(0).permutation(len(frames))]
    found, shuffled, few = (list(one) if as_list else one for one in (frames, mixed, frames[:40]))
    assert chosen(found) == IN_ORDER
    assert chosen(shuffled) == chosen(few) == STILLS
    assert chosen([frames[:32], walk(32)]) == IN_ORDER


def test_images_sorted_by_class_are_stills() -> None:
    """Neighbours are alike, and do not change gradually."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 255, (6, 1, 8, 8, 3)) + rng.integers(0, 60, (6, 20, 8, 8, 3))
    images = classes.clip(0, 255).astype(np.uint8).reshape(-1, 8, 8, 3)
    assert chosen(images) == STILLS
