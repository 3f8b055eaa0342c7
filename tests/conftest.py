"""What every test stands on: its own cache, no network, real digits as image files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

CLASSES = 5
IMAGES_PER_CLASS = 24


def pytest_configure(config: pytest.Config) -> None:
    """Keep tests, doctests and the processes they start out of the user's cache and off the network."""
    cache = tempfile.TemporaryDirectory(prefix="headstart-tests-")
    config.add_cleanup(cache.cleanup)
    # Before any import: the hub's client reads its variable once.
    os.environ.update({"HEADSTART_CACHE": cache.name, "HF_HUB_OFFLINE": "1"})


@pytest.fixture(scope="session")
def _digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    root = tmp_path_factory.mktemp("digits")
    for label in range(CLASSES):
        (root / str(label)).mkdir()
        for index in (data.target == label).nonzero()[0][:IMAGES_PER_CLASS]:
            pixels = (data.images[index] * (255 / 16)).astype("uint8")
            Image.fromarray(pixels).save(root / str(label) / f"{index:04d}.png")
    return root


@pytest.fixture
def digits_folder(_digits: Path, tmp_path: Path) -> Path:
    """Return a folder of real 8 x 8 digits, five classes of 24 PNG files, that the test may change."""
    return Path(shutil.copytree(_digits, tmp_path / "digits"))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of 40 grey frames, each brighter than the one before it."""
    import numpy as np

    av = pytest.importorskip("av")
    path: Path = tmp_path_factory.mktemp("film") / "film.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def transplanted() -> Callable[..., list[Any]]:
    """Return a function from effects by treatment and n to networks whose base has a level of its own, with noise."""
    import numpy as np

    from headstart.evidence.transplants import Transplant

    def make(effects: Mapping[str, Sequence[float]], *, seeds: int = 5, noise: float = 0.005) -> list[Transplant]:
        rng, found = np.random.default_rng(0), []
        for seed in range(seeds):
            for target in "AB":
                base = 0.7 + rng.normal(0, 0.05)
                for name, by_n in effects.items():
                    for n, effect in enumerate(by_n, 1):
                        value = base + effect + rng.normal(0, noise)
                        found.append(Transplant(seed, target, name, n, value, base))
        return found

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that hold slow tests; skip browser tests where there is no browser, except in CI.

    Workers take file after file: a long one that came last would be waited for by all others. In CI a missing browser
    is a failure.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if (shutil.which("chromium") and shutil.which("chromedriver")) or os.environ.get("CI"):
        return
    skip = pytest.mark.skip(reason="needs chromium and chromedriver (Debian: chromium chromium-driver)")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)
