"""Predicting with a bundle's own graph: OpenVINO and Pillow, neither torch nor timm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from headstart.bundle.check import read_config, verify
from headstart.data import MAX_PIXELS, array_to_square, read_rgb, to_square
from headstart.errors import DataError, ImageError

BATCH = 32
GRAPH = ("graph.xml", "graph.bin")


@dataclass(frozen=True)
class Prediction:
    """Probabilities of one image, or why it could not be read.

    Attributes
    ----------
    path : the file as it was named, or ``image i`` of an array.
    top : (class, probability), the most probable first.
    error : why the image was left out; empty where it was read.
    """

    path: str
    top: tuple[tuple[str, float], ...]
    error: str = ""


class Predictor:
    """The model of a run.

    Parameters
    ----------
    folder : what `headstart fit --out` wrote; nothing else is needed.

    Raises
    ------
    BundleError : the folder is no bundle, or a file of it was cut off or altered.

    Examples
    --------
    ``headstart.load("run").predict(["photo.jpg"])`` gives an array of class names.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.config: dict[str, Any] = read_config(self.folder)
        verify(self.folder, self.config, self.config["files"])
        self._held: tuple[bytes, bytes] | None = None
        self.classes: tuple[str, ...] = tuple(self.config["classes"])
        self.size: int = self.config["preprocessing"]["size"]

    def in_memory(self) -> Predictor:
        """Hold the graph itself: the folder may go, and the predictor can be copied."""
        self._held = ((self.folder / GRAPH[0]).read_bytes(), (self.folder / GRAPH[1]).read_bytes())
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Compiled graphs cannot be copied; they are compiled again when they are needed."""
        return {name: value for name, value in self.__dict__.items() if name != "_graph"}

    @cached_property
    def _graph(self) -> Any:
        import openvino

        core = openvino.Core()
        graph = core.read_model(*self._held) if self._held else core.read_model(self.folder / GRAPH[0])
        # The run's parity with torch was measured in float32; a processor's bf16 default would undo it.
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        return core.compile_model(graph, "CPU", config)

    def predict(self, images: Sequence[Path | str] | np.ndarray) -> np.ndarray:
        """Names of the most probable classes, (n,); images as in `predict_proba`."""
        names: np.ndarray = np.array(self.classes)
        chosen: np.ndarray = names[self.predict_proba(images).argmax(1)]
        return chosen

    def predict_proba(self, images: Sequence[Path | str] | np.ndarray) -> np.ndarray:
        """Probabilities (n, k), columns in the order of `classes`.

        Parameters
        ----------
        images : paths, or uint8 (n, h, w) or (n, h, w, c).

        Raises
        ------
        ImageError : an image cannot be read.
        """
        squares = []
        for i, square in enumerate(self._squares(images, MAX_PIXELS)):
            if isinstance(square, ImageError):
                raise ImageError(f"{images[i]} cannot be read: {square.fact}.", "Repair it, or leave it out.")
            squares.append(square)
        if not squares:
            return np.empty((0, len(self.classes)), np.float32)
        blocks = range(0, len(squares), BATCH)
        return np.concatenate([self._run(np.stack(squares[i : i + BATCH])) for i in blocks])

    def each(
        self,
        paths: Sequence[Path],
        *,
        top: int = 1,
        max_pixels: int = MAX_PIXELS,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[Prediction]:
        """One `Prediction` a file, in order; files that cannot be read are reported, not skipped."""
        for start in range(0, len(paths), BATCH):
            block = paths[start : start + BATCH]
            squares = list(self._squares(block, max_pixels))
            whole = [square for square in squares if not isinstance(square, ImageError)]
            rows = iter(self._run(np.stack(whole))) if whole else iter(())
            for path, square in zip(block, squares, strict=True):
                if isinstance(square, ImageError):
                    yield Prediction(str(path), (), square.fact)
                else:
                    yield Prediction(str(path), self._ranked(next(rows), top))
            if progress is not None:
                progress("predicting", start + len(block), len(paths))

    def _ranked(self, probabilities: np.ndarray, top: int) -> tuple[tuple[str, float], ...]:
        order = np.argsort(-probabilities, kind="stable")[:top]
        return tuple((self.classes[i], float(probabilities[i])) for i in order)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        return np.array(self._graph(pixels)[0])

    def _squares(self, images: Sequence[Path | str] | np.ndarray, max_pixels: int) -> Iterator[np.ndarray | ImageError]:
        if isinstance(images, np.ndarray) and images.dtype != object and images.dtype.kind not in "US":
            if images.dtype != np.uint8:
                raise DataError(f"Images must be uint8, not {images.dtype}.", "Scale them to 0…255 and convert them.")
            yield from (array_to_square(image, self.size) for image in images)
            return

        def read(path: Path | str) -> np.ndarray | ImageError:
            try:
                # As in training: a photograph is decoded at no less than twice the side that is needed.
                return to_square(read_rgb(Path(path), max_pixels=max_pixels, at_least=2 * self.size), self.size)
            except ImageError as error:
                return error

        with ThreadPoolExecutor() as pool:
            yield from pool.map(read, images)
