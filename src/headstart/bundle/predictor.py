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
from headstart.errors import DataError, ImageError, OptionError

BATCH = 32
GRAPH = ("graph.xml", "graph.bin")
Likeliest = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Prediction:
    """Probabilities of one image, or why it could not be read.

    Attributes
    ----------
    path : the file as it was named, or ``image i`` of an array.
    top : (class, probability), the most probable first; empty of a model with several tasks.
    error : why the image was left out; empty where it was read.
    tasks : of a model with several tasks, what `top` is otherwise, by the name of the task.
    """

    path: str
    top: Likeliest
    error: str = ""
    tasks: tuple[tuple[str, Likeliest], ...] = ()


class Predictor:
    """The model of a run.

    Attributes
    ----------
    classes : what the model may name; of several tasks those of one after the other, as ``task: class``.
    tasks : by name the classes of each task; empty where there is one task alone.

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
        told = self.config.get("tasks", ())
        self.tasks: dict[str, tuple[str, ...]] = {task["name"]: tuple(task["classes"]) for task in told}
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
        """Names of the most probable classes, (n,); images as in `predict_proba`.

        Raises
        ------
        OptionError : the model has several tasks.
        """
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
        OptionError : the model has several tasks.
        """
        if self.tasks:
            fact = f"This model has several tasks: {', '.join(self.tasks)}."
            raise OptionError(fact, "Call predict_tasks, which gives the probabilities of each.")
        return self._shares(images)

    def predict_tasks(self, images: Sequence[Path | str] | np.ndarray) -> dict[str, np.ndarray]:
        """By task, probabilities (n, k) of its classes in the order of `tasks`; images as in `predict_proba`.

        A model of one task gives it under the name ``""``.
        """
        shares, named = self._shares(images), self.tasks or {"": self.classes}
        return dict(zip(named, self._cut(shares), strict=True))

    def _cut(self, shares: np.ndarray) -> list[np.ndarray]:
        """Probabilities of all tasks side by side, over the last axis → those of each."""
        ends = np.cumsum([len(classes) for classes in self.tasks.values()], dtype=np.int64)
        return np.split(shares, ends[:-1], axis=-1)

    def _shares(self, images: Sequence[Path | str] | np.ndarray) -> np.ndarray:
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
                    yield self._prediction(str(path), next(rows), top)
            if progress is not None:
                progress("predicting", start + len(block), len(paths))

    def _prediction(self, path: str, shares: np.ndarray, top: int) -> Prediction:
        if not self.tasks:
            return Prediction(path, _likeliest(self.classes, shares, top))
        named = zip(self.tasks.items(), self._cut(shares), strict=True)
        return Prediction(
            path, (), tasks=tuple((name, _likeliest(classes, own, top)) for (name, classes), own in named)
        )

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


def _likeliest(classes: Sequence[str], probabilities: np.ndarray, top: int) -> Likeliest:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((classes[i], float(probabilities[i])) for i in order)
