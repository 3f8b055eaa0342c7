"""Videos: every frame in order, as far as the file goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.data.video import read_video
from headstart.errors import ImageError

pytest.importorskip("av")
FRAMES = 40


def test_frames_come_in_order(film: Path) -> None:
    found = read_video(film, 32)
    assert found.frames.shape == (FRAMES, 32, 32, 3) and not found.note
    np.testing.assert_allclose(found.frames.mean((1, 2, 3)), 5 * np.arange(FRAMES), atol=3)
    np.testing.assert_array_equal(read_video(film, 32, every=3).frames, found.frames[::3])


def test_a_film_that_breaks_off_gives_what_there_is(film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    found = read_video(cut, 32)
    assert 5 < len(found.frames) < FRAMES
    assert f"cut.avi breaks off after {len(found.frames)}" in found.note


@pytest.mark.parametrize("content", [b"", b"no film at all" * 100])
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="cannot be decoded"):
        read_video(path, 32)
