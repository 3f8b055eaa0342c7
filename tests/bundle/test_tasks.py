"""A bundle of several tasks: one graph whose probabilities stand side by side; and one task stays as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.backbones import Transferred
from headstart.bundle import Predictor
from headstart.bundle.save import rebuild, save
from headstart.errors import BundleError, OptionError

TASKS = (("colour", ("red", "blue")), ("large", ("yes",)))
"""Three logits, which is what the models of the fixtures have."""


@pytest.fixture
def several(tmp_path: Path, model: Callable[[str], Transferred], images: Any) -> Path:
    """Return a bundle of two tasks."""
    save(tmp_path / "b", model("linear"), classes=(), sample=images(4), about={"seed": 0}, tasks=TASKS)
    return tmp_path / "b"


def test_every_task_has_probabilities_of_its_own(
    several: Path, model: Callable[[str], Transferred], images: Any
) -> None:
    network, x = model("linear"), images(9)
    with torch.inference_mode():
        logits = network(network.backbone.preprocessing.tensor(x)).double().numpy()
    found = Predictor(several).predict_tasks(x)
    assert list(found) == ["colour", "large"]
    expected = np.exp(logits[:, :2]) / np.exp(logits[:, :2]).sum(1, keepdims=True)
    np.testing.assert_allclose(found["colour"], expected, atol=1e-3)
    np.testing.assert_allclose(found["large"], 1, atol=1e-6)


def test_an_image_gets_a_name_for_each_task(several: Path, images: Any, tmp_path: Path) -> None:
    Image.fromarray(images(1)[0]).save(tmp_path / "a.png")
    (one,) = Predictor(several).each([tmp_path / "a.png"], top=5)
    shares = Predictor(several).predict_tasks([tmp_path / "a.png"])["colour"][0]
    assert one.top == () and [task for task, _ in one.tasks] == ["colour", "large"]
    assert dict(one.tasks[0][1]) == pytest.approx({"red": shares[0], "blue": shares[1]}, abs=1e-6)
    assert one.tasks[0][1][0][1] >= one.tasks[0][1][1][1]


def test_one_answer_alone_is_refused(several: Path, images: Any) -> None:
    for ask in (Predictor(several).predict, Predictor(several).predict_proba):
        with pytest.raises(OptionError, match="colour, large"):
            ask(images(1))


def test_the_configuration_tells_the_tasks_in_a_format_of_its_own(several: Path, bundle: Path) -> None:
    ours, theirs = (json.loads((folder / "config.json").read_text()) for folder in (several, bundle))
    assert ours["tasks"] == [{"name": name, "classes": list(classes)} for name, classes in TASKS]
    assert ours["classes"] == ["colour: red", "colour: blue", "large: yes"]
    assert (ours["format"], theirs["format"]) == ("headstart-bundle/2", "headstart-bundle/1")
    assert "tasks" not in theirs and Predictor(bundle).tasks == {}


def test_one_task_is_predicted_as_ever(bundle: Path, images: Any) -> None:
    predictor = Predictor(bundle)
    (shares,) = predictor.predict_tasks(images(3)).values()
    np.testing.assert_array_equal(shares, predictor.predict_proba(images(3)))


def test_the_torch_module_is_made_again(several: Path, model: Callable[[str], Transferred], images: Any) -> None:
    network = model("linear")
    x = network.backbone.preprocessing.tensor(images(3))
    with torch.inference_mode():
        np.testing.assert_allclose(rebuild(several)(x).numpy(), network(x).numpy(), rtol=1e-4, atol=1e-4)


def test_a_format_of_later_is_refused(several: Path) -> None:
    path = several / "config.json"
    path.write_text(path.read_text().replace("headstart-bundle/2", "headstart-bundle/3"))
    with pytest.raises(BundleError, match="headstart-bundle/3"):
        Predictor(several)
