import numpy as np
import pytest
from sklearn import metrics as reference

from headstart.evidence.metrics import METRICS, calibration_error, confusion, log_loss

REFERENCE = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "macro_f1": lambda y, p: reference.f1_score(y, p, average="macro"),
}


def predictions(n: int = 200, k: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(k, size=n, p=np.arange(1, k + 1) / sum(range(1, k + 1)))
    return y, np.where(rng.random(n) < 0.7, y, rng.integers(k, size=n))


@pytest.mark.parametrize("name", METRICS)
def test_agrees_with_scikit_learn(name: str) -> None:
    y, predicted = predictions()
    assert float(METRICS[name](y, predicted)) == pytest.approx(REFERENCE[name](y, predicted), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_is_a_repetition(name: str) -> None:
    y, predicted = predictions(n=60)
    times = np.random.default_rng(1).integers(0, 3, size=(7, 60))
    got = METRICS[name](y, predicted, weights=times.astype(float))
    repeated = [REFERENCE[name](np.repeat(y, t), np.repeat(predicted, t)) for t in times]
    np.testing.assert_allclose(got, repeated, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_no_weight_at_all_gives_nan(name: str) -> None:
    y, predicted = predictions(n=10)
    got = METRICS[name](y, predicted, weights=np.array([np.zeros(10), np.ones(10)]))
    assert np.isnan(got[0]) and got[1] == pytest.approx(REFERENCE[name](y, predicted))


def test_probabilities_and_counts() -> None:
    rng = np.random.default_rng(2)
    y, predicted = predictions(k=4)
    probabilities = rng.dirichlet(np.ones(4), size=len(y))
    assert log_loss(y, probabilities) == pytest.approx(reference.log_loss(y, probabilities))
    assert (confusion(y, predicted, 4) == reference.confusion_matrix(y, predicted)).all()


def test_calibration_error_is_the_sum_over_bins() -> None:
    rng = np.random.default_rng(3)
    y, probabilities = rng.integers(4, size=500), rng.dirichlet(np.full(4, 0.3), size=500)
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == y
    total = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert calibration_error(y, probabilities) == pytest.approx(total, abs=1e-12)


def test_certain_and_wrong_is_finite() -> None:
    assert log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(27.631, abs=1e-3)
