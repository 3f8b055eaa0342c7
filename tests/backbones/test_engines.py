"""The fast engine gives the reference's features, or the reference is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.backbones import Backbone, engines, open_engine
from headstart.backbones.engines import EagerEngine, OpenVINOEngine, relative_error

Load = Callable[[str], Backbone]
CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def test_the_eager_engine_is_the_network(shared: Load) -> None:
    backbone = shared("test_efficientnet")
    got = EagerEngine(backbone, CPU)(PIXELS)
    config = backbone.preprocessing
    x = (PIXELS.astype(np.float64) / 255 - np.array(config.mean)) / np.array(config.std)
    with torch.no_grad():
        expected = backbone(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32)))
    assert list(got) == list(backbone.cuts)
    for z, wanted in zip(got.values(), expected, strict=True):
        assert z.dtype == np.float32
        np.testing.assert_allclose(z, wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "family",
    [
        "test_efficientnet",
        "test_resnet",
        pytest.param("resnet18", marks=pytest.mark.slow),
        pytest.param("convnext_atto", marks=pytest.mark.slow),
        pytest.param("mobilenetv3_small_050", marks=pytest.mark.slow),
    ],
)
def test_openvino_gives_the_reference_features(shared: Load, family: str, tmp_path: Path) -> None:
    backbone = shared(family)
    opened = open_engine(backbone, PIXELS[:2], device=CPU, cache=tmp_path)
    assert opened.engine.name == "openvino-f32" and opened.note == ""
    reference = EagerEngine(backbone, CPU)
    for n in (1, 5):
        got, expected = opened.engine(PIXELS[:n]), reference(PIXELS[:n])
        assert list(got) == list(expected)
        for cut, z in expected.items():
            assert got[cut].shape == z.shape and got[cut].dtype == np.float32
            assert np.linalg.norm(got[cut] - z) <= 1e-4 * np.linalg.norm(z), cut


@pytest.mark.slow
def test_openvino_takes_a_transformer_within_the_gate(shared: Load, tmp_path: Path) -> None:
    backbone = shared("test_vit")
    fast, reference = OpenVINOEngine(backbone, cache=tmp_path), EagerEngine(backbone, CPU)
    assert relative_error(fast(PIXELS), reference(PIXELS)) < engines.TOLERANCE


class Wrong:
    """An engine whose features are off by the share `off`, at the last cut alone."""

    name = "openvino-f32"
    off = 0.01

    def __init__(self, backbone: Backbone, *, cache: Path) -> None:
        self._right = EagerEngine(backbone, CPU)

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        features = self._right(pixels)
        last = list(features)[-1]
        return features | {last: features[last] * (1 + self.off)}


@pytest.mark.parametrize(("off", "believed"), [(0.01, False), (float("nan"), False), (1e-5, True)])
def test_the_gate_believes_only_what_agrees(
    shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: float, believed: bool
) -> None:
    monkeypatch.setattr(engines, "OpenVINOEngine", Wrong)
    monkeypatch.setattr(Wrong, "off", off)
    opened = open_engine(shared("test_resnet"), PIXELS[:2], device=CPU, cache=tmp_path)
    assert opened.engine.name == ("openvino-f32" if believed else "eager-f32-cpu")
    assert ("random/test_resnet: OpenVINO's features are off by" in opened.note) is not believed
    assert believed or opened.note.endswith("torch runs it.")


class ConversionFailure(Exception):
    """As openvino's own failures of conversion, which derive from `Exception` alone."""


@pytest.mark.parametrize("error", [RuntimeError, ImportError, ConversionFailure])
def test_a_refusal_is_a_note_and_not_an_end(
    shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error("no such operation\nand a long trace")

    monkeypatch.setattr(engines, "to_graph", refuse)
    opened = open_engine(shared("test_resnet"), PIXELS[:2], device=CPU, cache=tmp_path)
    assert opened.engine.name == "eager-f32-cpu"
    assert opened.note == "random/test_resnet: OpenVINO refused it (no such operation); torch runs it."


def test_the_relative_error_is_the_worst_over_the_cuts() -> None:
    expected = {"a": np.array([[3.0, 4.0]]), "b": np.array([[0.0, 2.0]])}
    assert relative_error(expected, expected) == 0
    got = {"a": np.array([[3.0, 4.5]]), "b": np.array([[0.0, 2.1]])}
    assert relative_error(got, expected) == pytest.approx(0.1)
    assert relative_error({**got, "b": np.array([[0.0, np.inf]])}, expected) == np.inf
    assert relative_error({**got, "b": np.array([[0.0, np.nan]])}, expected) == np.inf
