"""Videos that are learned from: every one that can be decoded, as far as it goes; the others are named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from headstart.data.video import VIDEO_SUFFIXES, Video, read_video
from headstart.errors import DataError, ImageError
from headstart.problem import Sequences, sequences_of_arrays
from headstart.problem.domain import printable
from headstart.problem.walk import IMAGE_SUFFIXES, files_under, reading

Broken = tuple[tuple[str, str], ...]
"""Files that cannot be used: what a message calls each, and why."""


def videos_at(path: Path) -> list[Path]:
    """The video at `path`, or the videos below it where it is a folder.

    Raises
    ------
    DataError : the folder holds images too, so that what is meant cannot be told.
    """
    with reading(path):
        is_file, is_folder = path.is_file(), path.is_dir()
    if is_file:
        return [path] if path.suffix.lower() in VIDEO_SUFFIXES else []
    files = files_under(path) if is_folder else []
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    images = sum(1 for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
    if videos and images:
        fact = f"{printable(path)} holds {images} image(s) and {len(videos)} video(s)."
        raise DataError(fact, "Put them into different folders, and name one.")
    return videos


def decoded(
    videos: Sequence[Path],
    *,
    side: int,
    every: int,
    max_pixels: int,
    progress: Callable[[str, int, int], None],
    numbered: bool = False,
) -> tuple[Sequences, Broken, tuple[str, ...]]:
    """A sequence for each video that can be decoded, the others with the reason why not, and where one breaks off.

    Parameters
    ----------
    numbered : a table goes by the numbers of frames, over all videos.
    every, max_pixels : as in `read_video`.

    Raises
    ------
    DataError : not one can be decoded, or frames are missing before others whose poses go by number.
    """
    found: list[tuple[str, Video]] = []
    broken: list[tuple[str, str]] = []
    lost = remedy = ""
    for path in videos:
        name = printable(path.name)
        if lost and numbered:
            fact = f"{lost} cannot be read to its end, so that frames of {name} have other numbers than in the table."
            raise DataError(fact, "Repair it, or take it out of the folder and its rows out of the table.")
        try:
            video = read_video(path, side, every=every, max_pixels=max_pixels, progress=progress)
        except ImageError as error:
            remedy = remedy if broken else error.remedy
            broken.append((name, error.fact))
            lost = name
            continue
        found.append((name, video))
        lost = name if video.note else ""
    if not found:
        name, reason = broken[0]
        many = f"None of {len(videos)} videos can be used; the first is " if len(videos) > 1 else ""
        usual = "Check that it is a whole video, or convert it to frames."
        raise DataError(f"{many}{name}: {reason}.", remedy or usual)
    sequences = sequences_of_arrays([video.frames for _, video in found], names=[name for name, _ in found])
    return sequences, tuple(broken), tuple(video.note for _, video in found if video.note)
