import numpy as np
import pytest
from scipy.special import softmax as reference

from headstart.evidence.calibration import fit_temperature, softmax
from headstart.evidence.metrics import log_loss


def drawn(temperature: float, n: int = 4000, k: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    y = np.array([rng.choice(k, p=p) for p in reference(logits, axis=1)])
    return logits * temperature, y


def test_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3)) * 1000
    np.testing.assert_allclose(softmax(logits), reference(logits, axis=1), atol=1e-12)


@pytest.mark.parametrize("temperature", [0.02, 0.5, 1.0, 30.0])
def test_recovers_the_temperature_that_the_labels_were_drawn_at(temperature: float) -> None:
    logits, y = drawn(temperature)
    assert fit_temperature(logits, y) == pytest.approx(temperature, rel=0.06)


def test_is_the_minimum() -> None:
    logits, y = drawn(3.0, n=1000)
    found = fit_temperature(logits, y)
    grid = [log_loss(y, softmax(logits / t)) for t in found * np.linspace(0.8, 1.25, 41)]
    assert log_loss(y, softmax(logits / found)) <= min(grid) + 1e-4


def test_no_mistake_does_not_sharpen_without_end() -> None:
    y = np.arange(300) % 3
    found = [fit_temperature(np.eye(3)[y] * scale, y) for scale in (1.0, 10.0)]
    assert found[1] == pytest.approx(10 * found[0], rel=1e-2)
    confidence = softmax(np.eye(3)[y] / found[0]).max()
    assert 0.99 < confidence < 0.9999


def test_uninformative_logits_are_flattened() -> None:
    rng = np.random.default_rng(1)
    assert fit_temperature(rng.normal(size=(2000, 4)) * 5, rng.integers(4, size=2000)) > 20
