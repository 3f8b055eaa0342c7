import numpy as np
import pytest
from scipy import stats

from headstart.errors import InternalError
from headstart.evidence.two_sample import PENALTY, Layout, classifier_test, permutations


def layout(domain: np.ndarray, groups: np.ndarray, *, count: int, seed: int = 0, folds: int = 5) -> Layout:
    fold = np.unique(groups, return_inverse=True)[1] % folds
    return Layout(domain, groups, fold, permutations(domain, groups, fold, count=count, seed=seed))


def test_accuracy_and_p_value_against_refitting_every_permutation() -> None:
    rng = np.random.default_rng(0)
    domain = np.repeat([0, 1], 30)
    z = rng.normal(size=(60, 3)) + 0.6 * domain[:, None]
    found_layout = layout(domain, np.arange(60), count=19)
    found = classifier_test({"top": z}, found_layout)

    def reached(labels: np.ndarray) -> float:
        said = np.empty(60)
        for number in range(5):
            held = found_layout.fold == number
            x, t = z[~held], 2.0 * labels[~held] - 1
            mean, sd = x.mean(axis=0), x.std(axis=0)
            a = (x - mean) / sd
            weight = np.linalg.solve(a.T @ a + PENALTY * 60 * np.eye(3), a.T @ (t - t.mean()))
            said[held] = (z[held] - mean) / sd @ weight + t.mean()
        return ((said[labels == 0] < 0).mean() + (said[labels == 1] >= 0).mean()) / 2

    observed = reached(domain)
    others = [reached(row) for row in found_layout.permuted]
    assert found.cuts[0].value == pytest.approx(observed)
    assert found.p == pytest.approx((1 + sum(each >= observed - 1e-12 for each in others)) / 20)


def test_permutations_keep_groups_whole_and_counts_by_fold() -> None:
    domain = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    groups = np.array([0, 0, 1, 2, 2, 3, 4, 4])
    fold = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    found = permutations(domain, groups, fold, count=200, seed=1)
    for row in found:
        assert row[0] == row[1] and row[3] == row[4] and {row[6], row[7]} == {0, 1}
        assert sorted([row[0], row[2], row[3], row[5]]) == [0, 0, 1, 1]
    assert len({tuple(row) for row in found}) == 12


def test_false_alarms_come_at_the_stated_level_on_one_domain() -> None:
    """Digits of one writer's scanner, split in two by group 100 times; pairs of images are groups."""
    from sklearn.datasets import load_digits

    z = load_digits().data.astype(np.float32)
    shown, above = 0, 0
    for seed in range(100):
        rows = np.random.default_rng(seed).permutation(1796)[:120]
        groups = rows // 2
        names = np.unique(groups)
        domain = np.isin(groups, np.random.default_rng(seed).permutation(names)[: len(names) // 2]).astype(np.int64)
        both = layout(domain, groups, count=99, seed=seed)
        found = classifier_test({"a": z[rows, :20], "b": z[rows]}, both, resamples=100)
        shown += found.p <= 0.05
        above += found.low is not None and found.low > 0.5
    low, high = stats.binom.interval(0.99, 100, 0.05)
    assert low <= shown <= high
    assert above <= stats.binom.ppf(0.99, 100, 0.025) + 1


def test_a_shift_is_found_at_the_cut_that_has_it_and_pairs_are_told_apart_too() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(100, 8))
    shifted = base + rng.normal(scale=0.1, size=base.shape)
    shifted[:, 0] += 2
    z = np.concatenate([base, shifted])
    groups = np.tile(np.arange(100), 2)
    found = classifier_test({"none": z[:, 1:], "has": z}, layout(np.repeat([0, 1], 100), groups, count=99))
    assert found.clearest == "has" and found.p == 0.01 and found.low is not None and found.low > 0.6
    assert found.cuts[0].p > 0.05 and found.scores["has"].shape == (200,)


def test_rows_and_labels_must_agree() -> None:
    with pytest.raises(InternalError):
        classifier_test({"top": np.zeros((3, 1))}, layout(np.repeat([0, 1], 5), np.arange(10), count=1))
