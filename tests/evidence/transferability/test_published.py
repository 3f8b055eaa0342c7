"""Scores against numbers that others have published: of data that everybody has, and of cases that have known answers.

The tables of the papers are of networks and data sets that are not at hand, and cannot be computed again here.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

from headstart.evidence.transferability import SCORES


def test_logme_of_iris() -> None:
    """The value is that of the tests of transformer-ranker (flairNLP, MIT), which stops its iteration earlier."""
    z, y = load_iris(return_X_y=True)
    assert SCORES["logme"].function(z, y) == pytest.approx(-0.16006022033609904, abs=1e-6)


@pytest.mark.parametrize("k", [5, 10, 15])
def test_leep_between_certain_and_random_predictions(k: int) -> None:
    """0 where the source's classes tell the target's, and close to −log k where they tell nothing.

    These limits are those of the tests of `stable_transfer` (Google Research; Agostinelli et al., ECCV 2022).
    """
    rng = np.random.default_rng(123)
    y = rng.integers(k, size=3000)
    logits = rng.normal(size=(3000, 30))
    random = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert SCORES["leep"].function(np.eye(30)[y], y) == pytest.approx(0, abs=1e-7)
    assert SCORES["leep"].function(random, y) == pytest.approx(-np.log(k), abs=0.01)


@pytest.mark.parametrize("k", [5, 10])
def test_gbc_between_classes_that_coincide_and_classes_far_apart(k: int) -> None:
    """−k (k − 1) where all classes are one Gaussian, 0 where they are far apart (Pándy et al., CVPR 2022)."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(k), 500)
    noise = rng.normal(size=(len(y), 8))
    assert SCORES["gbc"].function(noise, y) == pytest.approx(-k * (k - 1), rel=0.05)
    assert SCORES["gbc"].function(noise * 0.01 + (y**2)[:, None], y) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("k", [3, 6])
def test_h_score_of_one_hot_features_is_the_number_of_classes_less_one(k: int) -> None:
    """Its upper bound, where features are functions of the classes (Bao et al., ICIP 2019)."""
    y = np.arange(3000) % k
    assert SCORES["h_score"].function(np.eye(k)[y], y) == pytest.approx(k - 1, rel=0.01)
