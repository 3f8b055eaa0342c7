"""A fitted model becomes files, and the files the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.backbones import Transferred
from headstart.bundle import Predictor
from headstart.bundle.check import digest
from headstart.bundle.save import PARITY, rebuild, save
from headstart.errors import BundleError, InternalError

CLASSES = ("ape", "bee", "cat")


def test_the_graph_is_the_torch_module(every_bundle: Path, images: Any, model: Any) -> None:
    x = images(40, seed=1)
    made = model(every_bundle.name)
    with torch.inference_mode():
        expected = torch.softmax(made(made.backbone.preprocessing.tensor(x)), 1).numpy()
    got = Predictor(every_bundle).predict_proba(x)
    assert got.shape == (40, len(CLASSES))
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(got, expected, atol=PARITY)
    assert expected.std(0).min() > 10 * PARITY, "answers that do not differ would show nothing"


def test_rebuilding_gives_the_same_logits(every_bundle: Path, images: Any, model: Any) -> None:
    x = images(6, seed=2)
    made, again = model(every_bundle.name), rebuild(every_bundle)
    assert (again.cuts, again.frozen, again.training) == (made.cuts, made.frozen, False)
    with torch.inference_mode():
        tensor = made.backbone.preprocessing.tensor(x)
        torch.testing.assert_close(again(tensor), made(tensor), rtol=0, atol=0)


def test_the_configuration_says_what_is_there(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    assert config["classes"] == list(CLASSES)
    assert config["preprocessing"]["size"] == 32
    assert (config["architecture"], config["strategy"]) == ("test_resnet", "probe")
    assert {path.name for path in bundle.iterdir()} == {*config["files"], "config.json"}
    for name, said in config["files"].items():
        assert said == {"bytes": (bundle / name).stat().st_size, "sha256": digest(bundle / name)}


def test_the_same_model_gives_the_same_weights(bundle: Path, tmp_path: Path, images: Any, model: Any) -> None:
    save(tmp_path / "again", model("linear"), classes=CLASSES, sample=images(4), about={})
    assert digest(tmp_path / "again" / "model.safetensors") == digest(bundle / "model.safetensors")


def test_a_graph_that_differs_from_torch_is_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Any, model: Any
) -> None:
    real = Transferred.features

    def features(self: Transferred, x: torch.Tensor) -> torch.Tensor:
        found = real(self, x)
        return found + torch.arange(found.shape[1])

    made = model("fine-tuned")
    monkeypatch.setattr(Transferred, "features", features)
    with pytest.raises(InternalError, match="differ from torch"):
        save(tmp_path / "b", made, classes=CLASSES, sample=images(4), about={})
    assert not (tmp_path / "b" / "config.json").exists()
    with pytest.raises(BundleError):
        Predictor(tmp_path / "b")
