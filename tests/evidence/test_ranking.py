from __future__ import annotations

import numpy as np
import pytest

from headstart.evidence.ranking import AGREEMENT, halves, rank, replicates, weighted_tau


def slow_tau(a: np.ndarray, b: np.ndarray) -> float:
    """Vigna's definition, pair by pair."""

    def ranked_by(x: np.ndarray, y: np.ndarray) -> float:
        place = {i: r for r, i in enumerate(sorted(range(len(x)), key=lambda i: (-x[i], -y[i])))}
        both = first = second = 0.0
        for i in range(len(x)):
            for j in range(i):
                weight = 1 / (place[i] + 1) + 1 / (place[j] + 1)
                both += weight * np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
                first += weight * abs(np.sign(x[i] - x[j]))
                second += weight * abs(np.sign(y[i] - y[j]))
        return float(both / np.sqrt(first * second))

    return (ranked_by(a, b) + ranked_by(b, a)) / 2


@pytest.mark.parametrize("seed", range(8))
def test_weighted_tau_pair_by_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 3 + seed))
    assert weighted_tau(a, b) == pytest.approx(slow_tau(a, b))
    assert weighted_tau(a, a) == pytest.approx(1) and weighted_tau(a, -a) == pytest.approx(-1)
    coarse = np.round(a)
    if len(np.unique(coarse)) > 1:
        assert weighted_tau(coarse, b) == pytest.approx(slow_tau(coarse, b))


def test_a_score_that_tells_nothing_apart_agrees_with_no_order() -> None:
    assert weighted_tau(np.ones(4), np.arange(4.0)) == 0


def test_halves_keep_groups_whole_and_classes_in_proportion() -> None:
    y = np.repeat([0, 1, 2], [40, 21, 3])
    groups = np.concatenate([np.repeat(np.arange(20), 2), np.arange(20, 44)])
    drawn = halves(y, groups, count=200, seed=0)
    assert drawn.shape == (200, 64)
    assert (drawn[:, 0:40:2] == drawn[:, 1:40:2]).all()
    assert (drawn[:, y == 0].sum(axis=1) == 20).all()
    assert set(drawn[:, y == 1].sum(axis=1)) == {10, 11}
    assert (drawn[:, y == 2].sum(axis=1) == 2).all()
    assert drawn.mean(axis=0).min() > 0.3
    assert (drawn == halves(y, groups, count=200, seed=0)).all()
    assert (drawn != halves(y, groups, count=200, seed=1)).any()


def test_replicates_spread_as_scores_of_other_images_do() -> None:
    rng = np.random.default_rng(0)
    y, groups = np.zeros(60, int), np.arange(60)
    drawn = halves(y, groups, count=400, seed=0)
    found = []
    for x in rng.normal(size=(40, 60)):
        found.append(replicates(lambda i, x=x: x[i].var(), x.var(), drawn).std())
    truth = rng.normal(size=(4000, 60)).var(axis=1).std()
    assert np.mean(found) == pytest.approx(truth, rel=0.1)


def test_halves_that_are_everything_give_no_replicates() -> None:
    y = np.repeat(np.arange(5), 2)
    drawn = halves(y, np.arange(10), count=20, seed=0)
    found = replicates(lambda i: float(len(i)), 10.0, drawn)
    assert np.isnan(found).all()
    ranking = rank(np.array([[0.9, 0.1]]), np.full((1, 2, 20), np.nan))
    assert ranking.tied.all() and np.isnan(ranking.low).all()
    assert ranking.order.tolist() == [0, 1]


def test_the_best_is_among_the_tied_and_one_far_behind_is_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.0, 0.0, 0.0, -5.0])
    kept = np.zeros(4)
    for _ in range(300):
        values = truth + rng.normal(size=4)
        spread = values[:, None] + rng.normal(size=(4, 20))
        kept += rank(values[None], spread[None]).tied / 300
    assert kept[:3].min() > 0.95
    assert kept[3] < 0.6


def test_one_score_in_doubt_keeps_a_network_among_the_tied() -> None:
    rng = np.random.default_rng(0)
    values = np.array([[0.9, 0.5], [0.9, 0.5]])
    noise = rng.normal(size=(2, 2, 30)) * np.array([0.01, 1.0])[:, None, None]
    assert rank(values, values[..., None] + noise).tied.tolist() == [True, True]
    sure = rank(values[:1], values[:1, :, None] + noise[:1])
    assert sure.tied.tolist() == [True, False]
    assert sure.mean_rank.tolist() == sure.low.tolist() == sure.high.tolist() == [1, 2]


def test_ranks_come_with_an_interval_and_equal_scores_share_one() -> None:
    rng = np.random.default_rng(0)
    values = np.array([[3.0, 3.0, 1.0]])
    found = rank(values, values[..., None] + 0.1 * rng.normal(size=(1, 3, 100)))
    assert found.mean_rank.tolist() == [1.5, 1.5, 3]
    assert found.low.tolist() == [1, 1, 3] and found.high.tolist() == [2, 2, 3]


def test_scores_that_point_in_different_directions_are_said_to_disagree() -> None:
    values = np.array([[4.0, 3, 2, 1], [4, 3, 1, 2], [1, 2, 3, 4]])
    spread = np.repeat(values[..., None], 5, axis=2)
    agreeing, disagreeing = rank(values[:2], spread[:2]), rank(values, spread)
    assert agreeing.agreement is not None and agreeing.agreement > AGREEMENT and not agreeing.disagree
    assert disagreeing.disagree
    alone = rank(values[:1], spread[:1])
    assert alone.agreement is None and not alone.disagree
