"""Videos as squares of pixels, frame after frame, as far as they can be decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.data.decode import MAX_PIXELS, to_square, too_large
from headstart.errors import ImageError, MissingExtraError
from headstart.problem.domain import printable

VIDEO_SUFFIXES = frozenset(".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .ogv .wmv .flv .3gp .y4m".split())
MOST_FRAMES = 100_000


@dataclass(frozen=True, eq=False)
class Video:
    """Decoded frames uint8 (n, size, size, 3), and a sentence where the file broke off; empty where it did not."""

    frames: np.ndarray
    note: str = ""


def read_video(
    path: Path,
    size: int,
    *,
    every: int = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Video:
    """Every `every`-th frame of the first video stream, squashed to a square as images are.

    A file that breaks off gives the frames up to there. At most 100,000 frames are read.

    Raises
    ------
    ImageError : it cannot be opened, has no video, or not one frame of it can be decoded.
    MissingExtraError : PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("Videos are decoded by PyAV.", "pip install 'headstart[video]'") from error
    frames: list[np.ndarray] = []
    note, name, number = "", printable(path.name), -1
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ImageError("no video in it", "Name a video file, or a folder of frames.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > max_pixels:
                raise ImageError(too_large(width, height, max_pixels), "Raise --max-pixels.")
            total = stream.frames or 0
            for number, frame in enumerate(container.decode(stream)):
                if number % every == 0:
                    frames.append(to_square(frame.to_image(), size))  # type: ignore[no-untyped-call]
                progress(f"decoding {name}", number + 1, max(total, number + 1))
                if len(frames) == MOST_FRAMES:
                    note = f"Of {name} the first {MOST_FRAMES} frames are used."
                    break
            else:
                if number + 1 < total:  # many decoders end quietly where a file was cut
                    note = f"{name} breaks off after {number + 1} of {total} frames: these are used."
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        if not frames:
            raise ImageError(f"cannot be decoded ({getattr(error, 'strerror', None) or error})") from error
        note = f"{name} breaks off after {number + 1} frames: these are used."
    if not frames:
        raise ImageError("no frame that can be decoded")
    return Video(np.stack(frames), note)
