import numpy as np
import pytest
from scipy import stats

from headstart.evidence.replicates import means, paired_difference


def test_means_have_students_interval() -> None:
    values = np.random.default_rng(0).uniform(0.4, 0.6, size=(5, 3))
    for found, column in zip(means(values, independent=5), values.T, strict=True):
        low, high = stats.t.interval(0.8, 4, loc=column.mean(), scale=column.std(ddof=1) / 5**0.5)
        assert (found.low, found.value, found.high) == pytest.approx((low, column.mean(), high))


def test_replicates_that_share_images_count_as_few() -> None:
    values = np.random.default_rng(0).uniform(0.4, 0.6, size=(20, 1))
    [five], [all_of_them] = means(values, independent=5), means(values, independent=20)
    half = float(stats.t.ppf(0.9, 4)) * values.std(ddof=1) / 5**0.5
    assert five.high == pytest.approx(values.mean() + half)
    assert all_of_them.high is not None and five.high is not None and all_of_them.high < five.high


def test_shares_stay_shares_and_one_replicate_has_no_interval() -> None:
    [found] = means(np.array([[1.0], [0.9]]), independent=2)
    assert found.high == 1.0
    [alone] = means(np.array([[0.7]]), independent=5)
    assert (alone.value, alone.low, alone.high) == (0.7, None, None)
    assert paired_difference(np.array([0.7]), np.array([0.6]), independent=5).low is None


def test_what_both_share_is_in_no_difference() -> None:
    rng = np.random.default_rng(1)
    luck, noise = rng.normal(scale=0.2, size=5), rng.normal(scale=0.01, size=(2, 5))
    one, other = 0.6 + luck + noise[0], 0.5 + luck + noise[1]
    found = paired_difference(one, other, independent=5)
    low, high = stats.t.interval(0.8, 4, loc=(one - other).mean(), scale=(one - other).std(ddof=1) / 5**0.5)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.low is not None and found.low > 0
    assert paired_difference(other, one, independent=5).value == pytest.approx(-found.value)
