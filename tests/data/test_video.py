"""Videos: every frame in order, as far as the file goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.data.video import read_video
from headstart.errors import DataError

av = pytest.importorskip("av")
FRAMES = 40


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of 40 grey frames, each brighter than the one before it."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


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
def test_what_is_no_film_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"film\.mp4 cannot be decoded"):
        read_video(path, 32)
