from __future__ import annotations

import numpy as np
import pytest

from headstart.evidence.backtest import Backtested, Race, backtest, regret_at_1

M = 4


def slow_tau(a: np.ndarray, b: np.ndarray) -> float:
    """Vigna's weighted τ with hyperbolic weights added, mean of ranking by a and by b, from his equations."""

    def inner(x: np.ndarray, y: np.ndarray, rank: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(i + 1, len(x))]
        return sum(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) * (1 / rank[i] + 1 / rank[j]) for i, j in pairs)

    found = []
    for first, second in ((a, b), (b, a)):
        order = sorted(range(len(a)), key=lambda i: (first[i], second[i]), reverse=True)
        rank = np.empty(len(a))
        rank[order] = np.arange(1, len(a) + 1)
        norm = inner(a, a, rank) * inner(b, b, rank)
        found.append(inner(a, b, rank) / np.sqrt(norm) if norm > 0 else 0.0)
    return float(np.mean(found))


def drawn_races(rng: np.random.Generator, count: int, n: int = 30) -> list[Race]:
    return [Race(rng.random((M, n)) < [[0.8], [0.7], [0.6], [0.3]], np.arange(n) + 1000 * r) for r in range(count)]


def judge(scores: np.ndarray, races: list[Race], **more: object) -> Backtested:
    options = {"tied": scores == scores.max(axis=2, keepdims=True), "among": np.ones(M, bool), "reference": 0} | more
    return backtest(scores, options.pop("tied"), races, **options)  # type: ignore[arg-type]


def test_of_equal_scores_one_is_drawn() -> None:
    truth = np.array([0.7, 0.9, 0.8])
    assert regret_at_1(np.array([1.0, 3.0, 2.0]), truth) == 0
    assert regret_at_1(np.array([1.0, 2.0, 3.0]), truth) == pytest.approx(0.1)
    assert regret_at_1(np.array([1.0, 1.0, 0.0]), truth) == pytest.approx(0.1)
    assert regret_at_1(np.zeros(3), truth) == pytest.approx(0.9 - truth.mean())
    both = regret_at_1(np.array([1.0, 3.0, 2.0]), np.stack([truth, truth[::-1], -truth]))
    assert both == pytest.approx([0, 0, 0.2])


@pytest.mark.parametrize("seed", range(6))
def test_values_are_those_of_their_definitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    races = drawn_races(rng, 3, n=12)
    scores = rng.integers(0, 4, size=(5, 3, M)).astype(float)
    tied = rng.random((5, 3, M)) < 0.5
    among = np.array([True, True, True, False])
    found = judge(scores, races, tied=tied, among=among, reference=2, resamples=10)
    reached = [[float(np.mean(own)) for own in race.right] for race in races]
    for s, one in enumerate(found.scores):
        taus, inner, regrets, kept, gains, against = [], [], [], [], [], []
        for r, accuracy in enumerate(reached):

            def used(t: np.ndarray, accuracy: list[float] = accuracy) -> float:
                return float(np.mean([a for a, own in zip(accuracy, t, strict=True) if own == max(t)]))

            best = [m for m in range(M) if accuracy[m] == max(accuracy)]
            taus.append(slow_tau(scores[s, r], np.array(accuracy)))
            inner.append(slow_tau(scores[s, r, :3], np.array(accuracy[:3])))
            regrets.append(max(accuracy) - used(scores[s, r]))
            kept.append(np.mean([tied[s, r, m] for m in best]))
            gains.append(used(scores[s, r]) - np.mean(accuracy[:3]))
            against.append(used(scores[s, r]) - used(scores[2, r]))
        assert one.tau.value == pytest.approx(np.mean(taus))
        assert one.tau_among is not None and one.tau_among.value == pytest.approx(np.mean(inner))
        assert one.regret.value == pytest.approx(np.mean(regrets))
        assert one.kept.value == pytest.approx(np.mean(kept))
        assert one.gain.value == pytest.approx(np.mean(gains))
        assert one.tied == pytest.approx(tied[s].sum(axis=1).mean())
        assert (one.against is None) == (s == 2)
        if one.against is not None:
            assert one.against.value == pytest.approx(np.mean(against))
        for each in (one.tau, one.regret, one.kept, one.gain):
            assert each.low is not None and each.high is not None and each.low <= each.value <= each.high
    assert [one.value for one in found.accuracies] == pytest.approx(np.mean(reached, axis=0))
    assert found.blind.value == pytest.approx(np.mean([max(a) - np.mean(a[:3]) for a in reached]))


def test_intervals_are_those_of_a_nested_bootstrap() -> None:
    rng = np.random.default_rng(0)
    races = drawn_races(rng, 3)
    scores = np.array([[[1.0, 4, 2, 3], [4, 1, 2, 3], [1, 2, 4, 3]]] * 2)
    found = judge(scores, races, resamples=4000).scores[1]
    regrets, taus = [], []
    for _ in range(2000):
        images = rng.integers(90, size=90)
        one = []
        for r, race in enumerate(races):
            own = race.right[:, images[images // 30 == r] % 30].mean(axis=1) + rng.normal(size=M) / 30
            one.append((own.max() - own[scores[1, r].argmax()], slow_tau(scores[1, r], own)))
        drawn = [one[r] for r in rng.integers(3, size=3)]
        regrets.append(np.mean([each for each, _ in drawn]))
        taus.append(np.mean([each for _, each in drawn]))
    assert [found.regret.low, found.regret.high] == pytest.approx(np.quantile(regrets, [0.05, 0.95]), abs=0.03)
    assert [found.tau.low, found.tau.high] == pytest.approx(np.quantile(taus, [0.05, 0.95]), abs=0.12)


def width(found: Backtested) -> float:
    low, high = found.accuracies[1].low, found.accuracies[1].high
    assert low is not None and high is not None
    return high - low


def test_images_of_a_group_are_drawn_together_and_in_every_race() -> None:
    rng = np.random.default_rng(1)
    (race,) = drawn_races(rng, 1, n=200)
    scores = rng.normal(size=(2, 1, M))
    once = width(judge(scores, [race]))
    copies = Race(np.repeat(race.right, 3, axis=1), np.repeat(race.groups, 3))
    assert width(judge(scores, [copies])) == pytest.approx(once, rel=0.15)
    apart = Race(copies.right, np.arange(600))
    assert width(judge(scores, [apart])) == pytest.approx(once / np.sqrt(3), rel=0.15)
    same = judge(np.repeat(scores, 3, axis=1), [race] * 3)
    assert width(same) == pytest.approx(once, rel=0.15)
    others = [Race(race.right, race.groups + 1000 * r) for r in range(3)]
    # Of three races one or two are missing in most draws: the spread of their images counts 1 + 2/3 times.
    wider = once / np.sqrt(3) * np.sqrt(1 + 2 / 3)
    assert width(judge(np.repeat(scores, 3, axis=1), others)) == pytest.approx(wider, rel=0.15)


def test_races_that_differ_widen_the_interval() -> None:
    right = np.arange(100) < np.array([[90], [50], [50], [50]])
    races = [Race(right, np.arange(100)), Race(right[[1, 0, 2, 3]], np.arange(100, 200))]
    scores = np.tile([4.0, 3, 2, 1], (2, 2, 1))
    found = judge(scores, races).scores[0]
    assert found.regret.value == pytest.approx(0.2)
    assert found.regret.low == pytest.approx(0, abs=0.02) and found.regret.high is not None and found.regret.high > 0.3
    assert found.kept.value == 0.5 and (found.kept.low, found.kept.high) == (0, 1)


def test_networks_that_never_disagreed_are_not_equal_for_certain() -> None:
    perfect = [Race(np.ones((M, 20), bool), np.arange(20) + 100 * r) for r in range(2)]
    found = judge(np.tile([4.0, 3, 2, 1], (2, 2, 1)), perfect)
    assert found.scores[0].regret.value == 0 and found.scores[0].tau.value == 0
    for one in (found.scores[0].gain, found.accuracies[0]):
        assert one.low is not None and one.high is not None
        assert one.high - one.low > 0.03 and one.high <= 1
    assert not found.scores[0].beats_blind


def test_what_is_shown_needs_races_images_and_all_scores_at_once() -> None:
    rng = np.random.default_rng(2)
    good, bad = [4.0, 3, 2, 1], [1.0, 2, 3, 4]
    scores = np.stack([np.tile(bad, (3, 1)), np.tile(good, (3, 1))])
    found = judge(scores, drawn_races(rng, 3, n=100)).scores
    assert [(one.beats_blind, one.beats_reference) for one in found] == [(False, False), (True, True)]
    one = judge(scores[:, :1], drawn_races(rng, 1, n=100)).scores
    assert not any(each.beats_blind or each.beats_reference for each in one)
    assert one[1].gain.low is not None and one[1].gain.low > 0
    alone = judge(scores, [Race(race.right, np.zeros(100, int)) for race in drawn_races(rng, 3, n=100)])
    assert not any(each.beats_blind for each in alone.scores) and alone.blind.low is None


def test_scores_that_know_nothing_are_rarely_shown_to_choose_well() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(40):
        races = [Race(rng.random((M, 60)) < 0.7, np.arange(60) + 1000 * r) for r in range(3)]
        found = judge(rng.normal(size=(3, 3, M)), races, resamples=200)
        wrong += any(one.beats_blind or one.beats_reference for one in found.scores)
    assert wrong <= 5


def test_the_same_races_have_the_same_answer() -> None:
    rng = np.random.default_rng(4)
    races, scores = drawn_races(rng, 2), rng.normal(size=(2, 2, M))
    assert judge(scores, races, seed=1) == judge(scores, races, seed=1)
    assert judge(scores, races, seed=1) != judge(scores, races, seed=2)
