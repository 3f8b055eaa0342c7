"""The analysis of transplanted layers: on the published means, and on built records whose effects are known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from headstart.evidence.transplants import (
    Transplant,
    average,
    decompose,
    differences,
    late_gain,
    minus,
    over_seeds,
    rise,
    slope,
)

PUBLISHED = Path(__file__).parent / "data/yosinski2014.csv"
NAMES = {"BnB": "BnB", "AnB": "AnB", "AnB+ (0A0B)": "AnB+", "BnB+ (0A0A)": "BnB+"}


def published(prefix: str = "") -> list[Transplant]:
    """Means of the paper's networks; each row has a base of its own."""
    rows = csv.DictReader(line for line in PUBLISHED.read_text().splitlines() if not line.startswith("#"))
    found = []
    for row in rows:
        name = "AnB" if prefix and row["treatment"].startswith(prefix) else NAMES.get(row["treatment"], "")
        wanted = row["treatment"].startswith(prefix) if prefix else row["treatment"] in NAMES
        if wanted and name:
            found.append(Transplant(0, "B", name, int(row["n"]), float(row["top1"]), float(row["base"])))
    return found


EFFECTS = {
    "BnB": [0.0, -0.02, -0.05, -0.02, 0.0],
    "AnB": [0.0, -0.03, -0.08, -0.08, -0.12],
    "BnB+": [0.01] * 5,
    "AnB+": [0.03] * 5,
    "random": [-0.05, -0.1, -0.2, -0.3, -0.4],
}
Make = Callable[..., list[Transplant]]


def test_on_the_published_means_co_adaptation_costs_most_at_four_and_five() -> None:
    drops = {drop.n: drop for drop in decompose(published())}
    lost = {n: drop.coadaptation.value for n, drop in drops.items() if drop.coadaptation}
    assert sorted(lost, key=lost.__getitem__)[:2] == [5, 4]
    assert lost[4] == pytest.approx(-0.0186, abs=1e-4) and lost[5] == pytest.approx(-0.0294, abs=1e-4)
    assert lost[7] == pytest.approx(0.0, abs=1e-3)
    assert all(drop.coadaptation is None or drop.coadaptation.low is None for drop in drops.values())


def test_on_the_published_means_all_of_the_loss_at_seven_is_specialisation() -> None:
    last = decompose(published())[-1]
    assert last.n == 7 and last.loss and last.coadaptation
    assert last.loss.value == pytest.approx(-0.0826, abs=1e-4)
    assert last.coadaptation.value / last.loss.value == pytest.approx(0.0, abs=0.01)


def test_on_the_published_means_transfer_and_fine_tuning_end_above_the_base_everywhere() -> None:
    gains = [drop.gain.value for drop in decompose(published()) if drop.gain]
    assert len(gains) == 7 and min(gains) > 0.003


@pytest.mark.parametrize("prefix", ["dissimilar man-made", "dissimilar natural"])
def test_on_the_published_means_dissimilar_halves_lose_more_the_further_up(prefix: str) -> None:
    far, near = differences(published(prefix), "AnB"), differences(published(), "AnB")
    more = {n: float(far[n][0] - near[n][0]) for n in near}
    assert more[7] < -0.15 < -0.01 < more[1]
    assert rise({n: far[n] - near[n] for n in near})[0] < -0.02


def test_built_effects_are_recovered_within_their_intervals(transplanted: Make) -> None:
    drops = {drop.n: drop for drop in decompose(transplanted(EFFECTS, noise=0.01))}
    expected = {
        "coadaptation": [0.0, -0.02, -0.05, -0.02, 0.0],
        "specialisation": [0.0, -0.01, -0.03, -0.06, -0.12],
        "recovery": [0.01, 0.03, 0.06, 0.03, 0.01],
        "gain": [0.03] * 5,
        "beyond": [0.02] * 5,
        "over_random": [0.05, 0.07, 0.12, 0.22, 0.28],
    }
    inside = []
    for name, by_n in expected.items():
        for n, value in enumerate(by_n, 1):
            found = getattr(drops[n], name)
            assert found.value == pytest.approx(value, abs=0.02)
            inside.append(found.low <= value <= found.high)
    assert np.mean(inside) > 0.85


def test_the_level_of_a_seed_is_in_no_difference(transplanted: Make) -> None:
    cells = transplanted(EFFECTS, noise=0.0)
    for n, values in differences(cells, "AnB").items():
        assert values == pytest.approx(np.full(5, values[0])), n


def test_both_directions_of_a_seed_are_one_number() -> None:
    cells = [Transplant(3, "A", "BnB", 2, 0.5, 0.6), Transplant(3, "B", "BnB", 2, 0.9, 0.7)]
    assert differences(cells, "BnB")[2] == pytest.approx([0.05])


def test_a_cell_without_its_rival_is_in_no_difference() -> None:
    cells = [Transplant(0, "A", "AnB", 1, 0.5, 0.6), Transplant(0, "A", "random", 2, 0.4, 0.6)]
    assert differences(cells, "AnB", "random") == {}
    assert decompose(cells)[0].over_random is None


def test_averages_begin_at_an_n_and_pair_seeds(transplanted: Make) -> None:
    found = average(differences(transplanted(EFFECTS, noise=0.0), "AnB"), first=3)
    assert found is not None and found.value == pytest.approx((-0.08 - 0.08 - 0.12) / 3)
    assert average({}, first=1) is None


def test_one_seed_has_no_interval() -> None:
    assert over_seeds(np.array([0.1])).low is None


def test_a_slope_needs_two_cuts() -> None:
    with pytest.raises(ValueError, match="two cuts"):
        rise({1: np.zeros(3)})


def test_a_slope_and_its_interval_are_those_of_a_regression_on_the_means_of_groups() -> None:
    rng = np.random.default_rng(0)
    x = np.array([1.0, 1.1, 1.3, 1.4, 1.4])
    y = 0.2 * x + rng.normal(0, 0.03, 5)
    found = slope(x, y, groups="abcdd")
    means = [[1.0, 1.1, 1.3, 1.4], [*y[:3], (y[3] + y[4]) / 2]]
    expected = stats.linregress(*means)
    half = stats.t.ppf(0.975, 2) * expected.stderr
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.slope, expected.slope - half, expected.slope + half)
    )


def test_of_one_distance_there_is_no_slope_and_of_two_no_interval() -> None:
    assert slope([1.2, 1.2 + 1e-15], [0.1, 0.2], groups="ab") is None
    found = slope([1.0, 2.0, 2.0], [0.1, 0.3, 0.5], groups="abb")
    assert found is not None and found.value == pytest.approx(0.3) and found.low is None


def test_differences_are_taken_where_both_have_as_many_seeds() -> None:
    one, other = {1: np.ones(3), 2: np.ones(2), 4: np.ones(3)}, {1: np.zeros(3), 2: np.zeros(3)}
    assert {n: values.tolist() for n, values in minus(one, other).items()} == {1: [1.0, 1.0, 1.0]}


@pytest.mark.parametrize(("epochs", "gained"), [(8, 0.2), (4, 0.1), (1, 0.1)])
def test_the_last_quarter_of_a_curve_is_one_epoch_at_least(epochs: int, gained: float) -> None:
    assert late_gain(np.arange(epochs + 1) / 10) == pytest.approx(gained)
