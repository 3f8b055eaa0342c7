"""The main job as a scikit-learn estimator."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from headstart import TransferClassifier
from headstart.errors import DataError

Make = Callable[..., TransferClassifier]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 90 real digits of three classes that are easy to tell apart, uint8 (90, 8, 8), and their labels."""
    data = load_digits()
    chosen = np.flatnonzero(np.isin(data.target, (0, 1, 4)))[:90]
    return (data.images[chosen] * (255 / 16)).astype(np.uint8), data.target[chosen]


def test_clone_and_parameters(make: Make) -> None:
    model = make(strategy="last_block", random_state=3)
    again = clone(model)
    assert again.get_params() == model.get_params() and again is not model
    assert again.set_params(size=64, metric="macro_f1").get_params()["size"] == 64
    assert TransferClassifier().get_params()["backbone"] == "packaged/efficientnet_lite0"


@pytest.mark.slow
def test_cross_validation(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    scores = cross_val_score(make(), *digits, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.8


@pytest.mark.slow
def test_a_pipeline_of_pixel_values(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    model = make_pipeline(FunctionTransformer(lambda images: 255 - images), make()).fit(x[:60], y[:60])
    assert model.score(x[60:], y[60:]) > 0.8


@pytest.mark.slow
def test_labels_are_strings(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    names = np.array(["null", "eins", "zwei", "drei", "vier"])[y]
    model = make().fit(x, names)
    assert model.classes_.tolist() == ["eins", "null", "vier"]
    shares = model.predict_proba(x)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert (model.classes_[shares.argmax(1)] == model.predict(x)).all()
    assert (model.predict(x) == names).mean() > 0.9
    assert isinstance(model.verdict_, str) and model.verdict_


@pytest.mark.slow
def test_arrays_of_every_form_are_the_same_pictures(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    whole = make().fit(x, y).predict_proba(x)
    for form, options in {
        "grey channel": (x[..., None], {}),
        "colour": (np.repeat(x[..., None], 3, 3), {}),
        "square rows": (x.reshape(90, 64), {}),
        "rows with a shape": (x.reshape(90, 64), {"image_shape": (8, 8, 1)}),
    }.values():
        np.testing.assert_allclose(make(**options).fit(form, y).predict_proba(form), whole, atol=1e-5)


@pytest.mark.slow
def test_floats_are_spread_over_the_grey_levels(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    model = make().fit(x / 255.0 - 0.5, y)
    assert model.range_ == (-0.5, pytest.approx(x.max() / 255 - 0.5))
    assert model.score(x / 255.0 - 0.5, y) > 0.9
    brighter = model.predict_proba(x / 255.0 + 99)
    np.testing.assert_allclose(brighter, np.repeat(brighter[:1], len(x), 0), atol=1e-5)


@pytest.mark.slow
def test_a_fitted_model_is_copied_and_sent(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    model = make().fit(x, y)
    before = model.predict_proba(x[:5])
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict_proba(x[:5]), before)


@pytest.mark.slow
def test_fine_tuning_from_arrays(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    assert make(strategy="last_block", budget=600).fit(x, y).score(x, y) > 0.8


def test_what_cannot_be_fitted(make: Make, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    with pytest.raises(ValueError, match="only one class"):
        make().fit(x, np.zeros(90))
    with pytest.raises(ValueError, match="60"):
        make(image_shape=(3, 5)).fit(x.reshape(90, 64)[:, :60], y)
    with pytest.raises(DataError, match="channels"):
        make().fit(np.zeros((90, 8, 8, 7), np.uint8), y)
    with pytest.raises(ValueError, match="inconsistent"):
        make().fit(x, y[:50])
    with pytest.raises(DataError, match="rare"):
        make().fit(x, np.array(["common"] * 89 + ["rare"]))
