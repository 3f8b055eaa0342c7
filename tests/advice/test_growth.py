"""A budget becomes trainings at growing sizes: never more than it, the largest size first, always the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.advice import Calibration
from headstart.advice.costs import FEWEST_EPOCHS, START, STOP_SHARE
from headstart.advice.growth import MIDDLE_REPLICATES, MOST_REPLICATES, Growth, plan_growth, trained_sizes
from headstart.advice.plan import SAFETY
from headstart.advice.shares import MOST_EPOCHS, MOST_SCRATCH_EPOCHS

COST = Calibration(0.002, {"all": 0.01, "scratch": 0.01}, 1e-3)
SIZES = (97, 250, 648)


def plan(seconds: float, *, sizes: tuple[int, ...] = SIZES, replicates: int = 10, cost: Calibration = COST) -> Growth:
    return plan_growth("all", cost, seconds=seconds, sizes=sizes, replicates=replicates, judged=160)


def told(made: Growth) -> tuple[int, int, dict[str, int]]:
    return len(made.sizes), made.replicates, dict(made.epochs)


def training(n: int, epochs: int, cost: Calibration = COST) -> float:
    """Both rows cost the same: seconds of one of them."""
    step = (1 - STOP_SHARE) * cost.step["all"] + STOP_SHARE * cost.forward
    return START + 160 * cost.forward + epochs * n * step


@settings(max_examples=200)
@given(
    seconds=st.floats(-100, 50_000),
    step=st.floats(1e-4, 0.1),
    replicates=st.integers(1, 20),
    sizes=st.lists(st.integers(10, 5000), max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
)
def test_a_plan_keeps_to_its_budget(seconds: float, step: float, replicates: int, sizes: tuple[int, ...]) -> None:
    cost = Calibration(step / 4, {"all": step, "scratch": step}, 1e-3)
    made = plan(seconds, sizes=sizes, replicates=replicates, cost=cost)
    assert sum(unit.seconds for unit in made.units) <= max(0.0, SAFETY * seconds) + 1e-6
    assert len(made.units) == len(made.sizes) * made.replicates * len(made.epochs)
    assert made.sizes == sizes[len(sizes) - len(made.sizes) :]
    assert made.replicates <= min(replicates, MOST_REPLICATES)
    assert all(each >= FEWEST_EPOCHS for each in made.epochs.values())
    assert made.epochs.get("all", 0) <= MOST_EPOCHS and made.epochs.get("scratch", 0) <= MOST_SCRATCH_EPOCHS
    assert bool(made.epochs) == bool(made.units) and (made.units or made.notes)
    assert made == plan(seconds, sizes=sizes, replicates=replicates, cost=cost)


def test_more_time_buys_the_largest_size_then_smaller_ones_then_replicates_and_epochs() -> None:
    largest, middle, smallest = (2 * training(n, FEWEST_EPOCHS) / SAFETY for n in reversed(SIZES))
    alone, fewest = {"all": FEWEST_EPOCHS}, {"all": FEWEST_EPOCHS, "scratch": FEWEST_EPOCHS}
    for seconds, expected in (
        (0.499 * largest, (0, 0, {})),
        (0.501 * largest, (1, 1, alone)),
        (1.001 * largest, (1, 1, fewest)),
        (2.001 * largest, (1, 2, fewest)),
        (2.001 * (largest + middle), (2, 2, fewest)),
        (2.001 * (largest + middle + smallest), (3, 2, fewest)),
        (3.001 * (largest + middle + smallest), (3, 3, fewest)),
    ):
        assert told(plan(seconds)) == expected
    several, replicates, epochs = told(plan(5 * (largest + middle + smallest)))
    assert (several, replicates) == (3, MIDDLE_REPLICATES) and epochs["all"] > FEWEST_EPOCHS
    assert told(plan(1e6)) == (3, MOST_REPLICATES, {"all": MOST_EPOCHS, "scratch": MOST_SCRATCH_EPOCHS})


def test_the_largest_size_is_trained_first_and_pairs_stand_together() -> None:
    keys = [unit.key for unit in plan(1e6, replicates=2).units]
    assert keys[:5] == [
        "training/all/648/0",
        "training/scratch/648/0",
        "training/all/648/1",
        "training/scratch/648/1",
        "training/all/250/0",
    ]


def test_what_cannot_be_told_is_said() -> None:
    assert "no curve and no crossing" in plan(1e6, sizes=(40,)).notes[0]
    assert "level off" in plan(1e6, sizes=(20, 40)).notes[0]
    assert (
        "budget is too small for training from scratch" in plan(1.01 * training(648, FEWEST_EPOCHS) / SAFETY).notes[0]
    )
    assert "which the budget does not hold" in plan(1.0).notes[0]
    assert "fewer than two labels a class" in plan(1e6, sizes=()).notes[0]
    assert plan(1e6).notes == ()


def test_sizes_hold_two_labels_a_class() -> None:
    assert trained_sizes((60, 97, 155, 250, 403, 648), classes=60) == (250, 648)
    assert trained_sizes((2, 3, 5), classes=3) == ()
