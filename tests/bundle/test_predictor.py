"""Predicting with a bundle: arrays, files, copies, and no torch."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.bundle import Predictor
from headstart.errors import DataError, ImageError

CLASSES = ("ape", "bee", "cat")


@pytest.fixture
def files(tmp_path: Path, images: Any) -> list[Path]:
    """Return 40 images as PNG files: more than a batch."""
    paths = [tmp_path / f"{i:02d}.png" for i in range(40)]
    for path, image in zip(paths, images(40, seed=5), strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_files_and_arrays_agree(every_bundle: Path, files: list[Path], images: Any) -> None:
    predictor = Predictor(every_bundle)
    shares = predictor.predict_proba(images(40, seed=5))
    np.testing.assert_allclose(predictor.predict_proba(files), shares, atol=1e-6)
    np.testing.assert_allclose(predictor.predict_proba([str(path) for path in files]), shares, atol=1e-6)
    names = predictor.predict(files)
    assert names.tolist() == [CLASSES[i] for i in shares.argmax(1)]
    assert predictor.classes == CLASSES


def test_every_image_by_itself_gives_the_same(bundle: Path, images: Any) -> None:
    predictor, x = Predictor(bundle), images(7)
    alone = np.concatenate([predictor.predict_proba(x[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(alone, predictor.predict_proba(x), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 20, 50), (3, 20, 50, 1), (3, 20, 50, 3), (3, 20, 50, 4), (3, 1, 1, 3)])
def test_arrays_of_any_picture(bundle: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_allclose(Predictor(bundle).predict_proba(x).sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 8, 8)), np.zeros((2, 8, 8, 3), np.int64), np.zeros((2, 8, 8, 2), np.uint8), np.zeros(4, np.uint8)],
    ids=["float", "int64", "two channels", "no picture"],
)
def test_other_arrays_are_refused(bundle: Path, wrong: np.ndarray) -> None:
    with pytest.raises(DataError):
        Predictor(bundle).predict_proba(wrong)


def test_nothing_gives_nothing(bundle: Path) -> None:
    predictor = Predictor(bundle)
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.predict([]).shape == (0,)
    assert predictor.predict_proba(np.empty((0, 8, 8), np.uint8)).shape == (0, 3)
    assert list(predictor.each([])) == []


def test_a_broken_image_is_named(bundle: Path, files: list[Path]) -> None:
    files[3].write_bytes(files[3].read_bytes()[:60])
    files[7].touch()
    files[7].write_bytes(b"")
    predictor = Predictor(bundle)
    with pytest.raises(ImageError) as caught:
        predictor.predict(files)
    assert "03.png" in str(caught.value)
    told: list[tuple[int, int]] = []
    found = list(predictor.each(files, top=2, progress=lambda _, done, total: told.append((done, total))))
    assert [one.path for one in found] == [str(path) for path in files]
    assert [i for i, one in enumerate(found) if one.error] == [3, 7]
    assert all(one.top == () if one.error else len(one.top) == 2 for one in found)
    assert told == [(32, 40), (40, 40)]


def test_the_most_probable_come_first(bundle: Path, files: list[Path]) -> None:
    predictor = Predictor(bundle)
    shares = predictor.predict_proba(files)
    for one, row in zip(predictor.each(files, top=99), shares, strict=True):
        assert [name for name, _ in one.top] == [CLASSES[i] for i in np.argsort(-row)]
        np.testing.assert_allclose([share for _, share in one.top], np.sort(row)[::-1], atol=1e-6)


def test_an_image_above_the_cap(bundle: Path, files: list[Path]) -> None:
    (one,) = Predictor(bundle).each(files[:1], max_pixels=32 * 31)
    assert "pixels" in one.error


def test_copies_need_no_folder(bundle: Path, images: Any) -> None:
    predictor, x = Predictor(bundle), images(3)
    before = predictor.predict_proba(x)
    predictor.in_memory()
    shutil.rmtree(bundle)
    for again in (pickle.loads(pickle.dumps(predictor)), copy.copy(predictor), copy.deepcopy(predictor)):
        np.testing.assert_array_equal(again.predict_proba(x), before)


PROBE = """
import sys
import headstart
predictor = headstart.load(sys.argv[1])
print(predictor.predict(sys.argv[2:]).tolist())
print([name for name in ("torch", "timm", "torchvision", "sklearn", "scipy", "pandas") if name in sys.modules])
"""


def test_neither_torch_nor_timm_is_imported(bundle: Path, files: list[Path]) -> None:
    code = [sys.executable, "-c", PROBE, str(bundle), *map(str, files[:2])]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    names, heavy = done.stdout.splitlines()
    assert names == str(Predictor(bundle).predict(files[:2]).tolist())
    assert heavy == "[]"
