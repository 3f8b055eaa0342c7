import numpy as np
import pytest

from headstart.errors import DataError, InternalError, OptionError
from headstart.evidence import METRICS, interval, paired, simultaneous, training_draw


def flips(rng: np.random.Generator, y: np.ndarray, p: float) -> np.ndarray:
    return np.where(rng.random(len(y)) < p, y, 1 - y)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.98])
def test_interval_covers(p: float) -> None:
    rng, hits = np.random.default_rng(0), 0
    for seed in range(200):
        y = rng.integers(2, size=80)
        found = interval(y, flips(rng, y, p), np.arange(80), resamples=200, seed=seed)
        hits += found.low <= p <= found.high
    assert hits >= 0.9 * 200


def test_interval_covers_with_near_duplicates() -> None:
    rng, hits, groups = np.random.default_rng(1), 0, np.repeat(np.arange(60), 4)
    for seed in range(200):
        right = np.where(rng.random(60) < 0.8, 0, 1)[groups]
        found = interval(np.zeros(240, dtype=int), right, groups, resamples=200, seed=seed)
        hits += found.low <= 0.8 <= found.high
    assert hits >= 0.9 * 200


def test_paired_covers() -> None:
    rng, hits = np.random.default_rng(2), 0
    for seed in range(200):
        y = rng.integers(2, size=100)
        found = paired(y, flips(rng, y, 0.9), flips(rng, y, 0.8), np.arange(100), resamples=200, seed=seed)
        hits += found.low <= 0.1 <= found.high
    assert hits >= 0.9 * 200


def test_copies_are_no_evidence() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=100)
    predicted = flips(rng, y, 0.8)
    once = interval(y, predicted, np.arange(100))
    copied = interval(np.repeat(y, 5), np.repeat(predicted, 5), np.repeat(np.arange(100), 5))
    ungrouped = interval(np.repeat(y, 5), np.repeat(predicted, 5), np.arange(500))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=5e-3)
    assert copied.high - copied.low > 2 * (ungrouped.high - ungrouped.low)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("wrong", [0, 100])
def test_the_edges_are_not_certain(metric: str, wrong: int) -> None:
    y = np.arange(100) % 4
    found = interval(y, (y + (np.arange(100) < wrong)) % 4, np.arange(100), metric=metric)
    assert found.value == (0.0 if wrong else 1.0)
    assert 0.02 < found.high - found.low < 0.05


def test_one_group_gives_no_interval() -> None:
    y = np.array([0, 1, 1])
    assert interval(y, y, np.zeros(3)).low is None
    assert paired(y, y, y, np.zeros(3)).high is None
    assert simultaneous(y, {"a": y, "b": y}, [("a", "b")], np.zeros(3))["a", "b"].low is None


def test_same_seed_same_interval_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(2, size=50)
    predicted, groups = flips(rng, y, 0.7), rng.integers(30, size=50)
    before = interval(y, predicted, groups)
    assert interval(y, predicted, groups) == before
    monkeypatch.setattr("headstart.evidence.bootstrap.BLOCK", 999)
    assert interval(y, predicted, groups).low == pytest.approx(before.low, abs=0.01)


def test_simultaneous_is_wider_than_one_comparison_and_covers_all() -> None:
    rng, hits = np.random.default_rng(7), 0
    truth = {"best": 0.9, "a": 0.9, "b": 0.85, "c": 0.8, "d": 0.7}
    for seed in range(150):
        y = rng.integers(2, size=100)
        predictions = {name: flips(rng, y, p) for name, p in truth.items()}
        pairs = [("best", name) for name in "abcd"]
        found = simultaneous(y, predictions, pairs, np.arange(100), resamples=200, seed=seed)
        hits += all(found[pair].low <= 0.9 - truth[pair[1]] <= found[pair].high for pair in pairs)
    assert hits >= 0.9 * 150
    alone = paired(y, predictions["best"], predictions["c"], np.arange(100))
    together = simultaneous(y, predictions, pairs, np.arange(100))["best", "c"]
    assert together.value == alone.value
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_ways_to_train_are_compared_with_the_draw_of_their_images() -> None:
    """Two ways to fit, on 60 images and five folds: the expected difference over draws is covered as often as is said.

    Without the draw of the training images intervals of 90 % cover less often than that.
    """
    centres = np.random.default_rng(99).normal(size=(5, 30)) * 0.6
    features = (slice(0, 15), slice(10, 30))

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(5, size=n)
        return centres[y] + rng.normal(size=(n, 30)), y

    def named(x: np.ndarray, y: np.ndarray, new: np.ndarray, own: slice) -> np.ndarray:
        means = np.stack(
            [x[y == k][:, own].mean(0) if (y == k).any() else np.full(x[:, own].shape[1], 9.0) for k in range(5)]
        )
        return np.square(new[:, None, own] - means).sum(2).argmin(1)

    rng, n, truth, found = np.random.default_rng(0), 60, [], []
    judged, judged_y = draw(rng, 4000)
    for seed in range(150):
        x, y = draw(rng, n)
        fold = rng.permutation(n) % 5
        predicted = {name: np.empty(n, int) for name in "ab"}
        for k in range(5):
            for name, own in zip("ab", features, strict=True):
                predicted[name][fold == k] = named(x[fold != k], y[fold != k], x[fold == k], own)
        right = [(named(x, y, judged, own) == judged_y).mean() for own in features]
        truth.append(right[0] - right[1])
        told = {"level": 0.9, "resamples": 200, "seed": seed}
        wider = training_draw(1, 4, splits=5)
        both = (simultaneous(y, predicted, [("a", "b")], np.arange(n), wider=w, **told)["a", "b"] for w in (1.0, wider))
        found.append([(one.low, one.high) for one in both])
    covered = [np.mean([low <= np.mean(truth) <= high for low, high in column]) for column in zip(*found, strict=True)]
    assert covered[0] < 0.9 <= covered[1]


def test_steps_of_a_ladder_need_no_common_reference() -> None:
    rng, y = np.random.default_rng(8), np.random.default_rng(9).integers(2, size=200)
    a, b, c = (flips(rng, y, p) for p in (0.6, 0.8, 0.9))
    found = simultaneous(y, {"a": a, "b": b, "c": c}, [("b", "a"), ("c", "b")], np.arange(200))
    assert found["b", "a"].value == pytest.approx((b == y).mean() - (a == y).mean())
    assert found["c", "b"].value == pytest.approx((c == y).mean() - (b == y).mean())
    assert simultaneous(y, {"a": a}, [], np.arange(200)) == {}


def test_equal_predictions_are_not_certainly_equal() -> None:
    y = np.zeros(50, dtype=int)
    found = simultaneous(y, {"a": y, "b": y}, [("a", "b")], np.arange(50))["a", "b"]
    assert found.value == 0 and found.low < -0.03 and found.high > 0.03


def test_errors_name_the_fact() -> None:
    y = np.array([0, 1])
    with pytest.raises(OptionError, match="no metric 'auc'"):
        interval(y, y, y, metric="auc")
    with pytest.raises(DataError):
        interval(y[:0], y[:0], y[:0])
    with pytest.raises(InternalError):
        interval(y, y, np.arange(3))
    with pytest.raises(InternalError, match="are not among the predictions"):
        simultaneous(y, {"a": y}, [("a", "c")], y)
