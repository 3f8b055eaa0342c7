"""A budget becomes a plan: never more than the budget, dropped in a known order, always the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.advice import Above, Calibration, Plan, Rung, Unit, make_plan
from headstart.advice.costs import FEWEST_EPOCHS, MOST_STORED, START, STOP_SHARE, VIEWS
from headstart.advice.halving import REOPENED
from headstart.advice.plan import FOLDS, JUDGED
from headstart.advice.shares import MOST_EPOCHS, MOST_SCRATCH_EPOCHS, MOST_TRIALS
from headstart.strategies import TABLE, chosen
from headstart.training import GRADIENT_IMAGES
from headstart.training.rate import STEPS as RATE_STEPS

AUTO = chosen("auto")
STEPS = {"last_block": 0.012, "upper_half": 0.02, "all": 0.03, "scratch": 0.03}
COST = {"net": Calibration(0.01, STEPS, 1e-3)}


def plan(
    budget: float, *, counts: tuple[int, int, int] = (600, 250, 150), name: str = "auto", spent: float = 0
) -> Plan:
    return make_plan(chosen(name), COST, budget=budget, spent=spent, counts=counts, classes=10)


def seconds(made: Plan) -> float:
    return sum(unit.seconds for unit in made.units)


def again_seconds(made: Plan, cost: Calibration, counts: tuple[int, int, int], share: dict[str, int]) -> float:
    """The dearest training that may be handed back, once more on training and validation images together."""
    again = [cost.step[row] * share[row] for row in share if TABLE[row].pretrained or made.folds]
    return START + max(again) * (counts[0] + counts[1]) if again else 0.0


calibrations = st.builds(
    lambda forward, ratios: Calibration(
        forward, {row: forward * r for row, r in zip(STEPS, ratios, strict=True)}, 1e-3
    ),
    st.floats(1e-4, 0.1),
    st.tuples(*[st.floats(1, 8)] * 4),
)


def test_so_many_last_blocks_are_planned_or_said_to_be_too_dear() -> None:
    costs = {"net": Calibration(0.01, {"last_2": 0.015}, 1e-3)}
    for budget, epochs in ((5000, {"last_2": MOST_EPOCHS}), (60, {})):
        made = make_plan(chosen("last_2"), costs, budget=budget, spent=0, counts=(600, 250, 150), classes=10)
        assert made.epochs["net"] == epochs
        assert made.notes == (() if epochs else (f"The budget is too small to try: {TABLE['last_2'].title}.",))


def test_what_was_named_and_has_room_is_tried_where_what_stands_beside_it_has_none() -> None:
    costs = {"net": Calibration(0.01, {"last_2": 0.015, "last_3": 0.02, "all": 0.5}, 1e-3)}
    kept: list[tuple[str, ...]] = []
    for budget in range(20_000, 0, -10):
        made = make_plan(chosen("all,last_3,last_2"), costs, budget=budget, spent=0, counts=(600, 250, 150), classes=10)
        if tuple(made.epochs["net"]) not in kept[-1:]:
            kept.append(tuple(made.epochs["net"]))
    assert kept == [("last_2", "last_3", "all"), ("last_3", "all"), ("all",), ("last_2", "last_3"), ("last_2",), ()]


@settings(max_examples=300)
@given(
    costs=st.lists(calibrations, min_size=1, max_size=3),
    budget=st.floats(0, 20_000),
    spent=st.floats(0, 300),
    counts=st.tuples(st.integers(4, 20_000), st.integers(2, 3000), st.integers(2, 3000)),
    name=st.sampled_from(["auto", "probe", "finetune", "all", "last_block", "scratch"]),
)
def test_what_trains_is_paid_for(
    costs: list[Calibration], budget: float, spent: float, counts: tuple[int, int, int], name: str
) -> None:
    by_name = {f"net{i}": cost for i, cost in enumerate(costs)}
    rows = chosen(name)
    made = make_plan(rows, by_name, budget=budget, spent=spent, counts=counts, classes=10)
    assert made == make_plan(rows, by_name, budget=budget, spent=spent, counts=counts, classes=10)
    for backbone, share in made.epochs.items():
        assert all(epochs >= FEWEST_EPOCHS for epochs in share.values())
        assert all(epochs <= (MOST_SCRATCH_EPOCHS if r == "scratch" else MOST_EPOCHS) for r, epochs in share.items())
        # Whichever backbone is fine-tuned in the end, the probes of all of them and its training fit in.
        fixed = sum(u.seconds for u in made.units if u.key.startswith("probe/") or "random" in u.key)
        fixed += 12 + (counts[2] + min(counts[0], 2000)) * max(by_name[one].forward for one in made.epochs)
        assert set(share) <= {row.name for row in rows if row.trains}
        if share:
            training = sum(epoch_seconds(row, by_name[backbone], counts) * n for row, n in share.items())
            training += START * len(share) * (made.folds or 1)
            final = next(u.seconds for u in made.units if u.key == "final")
            again = again_seconds(made, by_name[backbone], counts, dict(share))
            if len(made.epochs) == 1:
                assert final > again
            assert spent + fixed + training + again <= budget
    if any(unit.key.removeprefix("candidate/") in STEPS for unit in made.units):
        assert spent + seconds(made) <= budget
    assert [u.key for u in made.units if u.key.startswith("probe/")] == [f"probe/{n}" for n in made.epochs]
    if left_out := [by_name[one].forward for one in by_name if one not in made.epochs]:
        assert min(left_out) >= max(by_name[one].forward for one in made.epochs)
        assert len(made.epochs) == 1 or spent + seconds(made) <= budget
    assert made.units[-1].key == "final" and all(unit.seconds > 0 for unit in made.units)


def epoch_seconds(row: str, cost: Calibration, counts: tuple[int, int, int]) -> float:
    """An epoch of training and its early-stopping check; out-of-fold, each of 3 models sees two thirds of the pool."""
    images = counts[0] if counts[1] >= 200 else 2 * (counts[0] + counts[1])
    return images * ((1 - STOP_SHARE) * cost.step[row] + STOP_SHARE * cost.forward)


@pytest.mark.parametrize("budget", [0, 1, 20, 40])
def test_too_small_a_budget_keeps_the_probe_and_says_so(budget: float) -> None:
    made = plan(budget)
    assert made.epochs == {"net": {}}
    assert [unit.key for unit in made.units] == ["probe/net", "candidate/frozen_random", "final"]
    left_out, alone = made.notes
    titles = [TABLE[row].title for row in STEPS]
    assert alone.startswith("Features and heads alone should take 58 seconds, the budget is")
    assert left_out == f"The budget is too small to try: {', '.join(titles)}."


def test_strategies_are_dropped_in_a_known_order_as_the_budget_shrinks() -> None:
    kept: list[tuple[str, ...]] = []
    for budget in range(3000, 0, -2):
        tried = tuple(plan(budget).epochs["net"])
        if not kept or kept[-1] != tried:
            kept.append(tried)
    assert kept == [
        ("last_block", "upper_half", "all", "scratch"),
        ("upper_half", "all", "scratch"),
        ("upper_half", "scratch"),
        ("upper_half",),
        (),
    ]


def test_what_is_left_out_is_noted_and_what_is_tried_is_not() -> None:
    made = next(m for m in (plan(b) for b in range(3000, 0, -2)) if "last_block" not in m.epochs["net"])
    assert made.notes == (f"The budget is too small to try: {TABLE['last_block'].title}.",)
    assert plan(3000).notes == ()


def test_epochs_are_equal_and_training_from_scratch_gets_what_is_left_over() -> None:
    for budget in (500, 600, 1000, 2000):
        share = plan(budget).epochs["net"]
        tuned = {epochs for row, epochs in share.items() if row != "scratch"}
        assert len(tuned) == 1
        assert share["scratch"] >= max(tuned)
    assert dict(plan(100_000).epochs["net"]) == {
        **dict.fromkeys(("last_block", "upper_half", "all"), MOST_EPOCHS),
        "scratch": MOST_SCRATCH_EPOCHS,
    }
    assert any(MOST_EPOCHS < plan(b).epochs["net"]["scratch"] < MOST_SCRATCH_EPOCHS for b in range(600, 3000, 20))


def test_more_budget_never_means_fewer_strategies() -> None:
    sizes = [len(plan(budget).epochs["net"]) for budget in range(0, 2000, 10)]
    assert sizes == sorted(sizes) and sizes[0] == 0 and sizes[-1] == 4


def test_time_that_is_gone_is_not_planned_again() -> None:
    assert plan(700, spent=200).epochs == plan(500).epochs
    assert plan(700, spent=690).epochs == {"net": {}}


@pytest.mark.parametrize(("n_val", "folds"), [(2, FOLDS), (199, FOLDS), (200, None), (3000, None)])
def test_few_validation_images_are_judged_out_of_fold(n_val: int, folds: int | None) -> None:
    made = plan(50_000, counts=(600, n_val, 150))
    assert made.folds == folds
    assert [note for note in made.notes if "out-of-fold" in note] == (
        [
            f"{n_val} validation images are few: candidates are compared out-of-fold over 3 folds "
            "of training and validation part, drawn 3 times."
        ]
        if folds
        else []
    )


def test_units_cost_what_their_epochs_cost() -> None:
    for counts in ((600, 250, 150), (300, 60, 60)):
        made = plan(3000, counts=counts)
        for unit in made.units:
            row = unit.key.removeprefix("candidate/")
            if row in STEPS:
                epochs = made.epochs["net"][row]
                trainings = made.folds or 1
                expected = START * trainings + epochs * epoch_seconds(row, COST["net"], counts)
                assert unit.seconds == pytest.approx(made.repeats * expected)
                assert unit.name == f"{TABLE[row].title}, at most {epochs} epochs"


def test_each_backbone_gets_the_epochs_that_it_can_afford() -> None:
    slow = Calibration(0.1, {row: 10 * step for row, step in STEPS.items()}, 1e-3)
    made = make_plan(AUTO, COST | {"slow": slow}, budget=1500, spent=0, counts=(600, 250, 150), classes=10)
    assert len(made.epochs["net"]) == 4 > len(made.epochs["slow"])


def test_heads_that_cost_more_leave_less_for_training() -> None:
    dear = {"net": Calibration(0.01, STEPS, 5e-3)}
    made = make_plan(AUTO, dear, budget=1000, spent=0, counts=(600, 250, 150), classes=10)
    assert made.epochs["net"]["all"] < plan(1000).epochs["net"]["all"]
    (probe,) = [unit for unit in made.units if unit.key == "probe/net"]
    assert probe.seconds == pytest.approx(5 + (1000 / 2 + JUDGED) * 0.01 + 1 + 600 * 10 * 5e-3)


STORED = {"last_block": Above(0.009, 0.001, 30_000), "upper_half": Above(0.005, 0.015, 30_000)}


def test_training_from_stored_activations_is_planned_where_it_pays() -> None:
    cost = {"net": Calibration(0.01, STEPS, 1e-3, STORED)}
    made = make_plan(AUTO, cost, budget=1200, spent=0, counts=(600, 250, 150), classes=10)
    assert dict(made.views["net"]) == {"last_block": VIEWS, "upper_half": 0, "all": 0, "scratch": 0}
    units = {unit.key.removeprefix("candidate/"): unit for unit in made.units}
    epochs = made.epochs["net"]["last_block"]
    stored = (VIEWS + 1) * 850 * 0.009
    tried = made.trials["net"]["last_block"]
    assert units["last_block"].seconds == pytest.approx(START + stored + tried * epochs * 600 * 0.001)
    assert f"at most {epochs} epochs, on {VIEWS} stored views" in units["last_block"].name
    assert made.epochs["net"]["all"] >= plan(1200).epochs["net"]["all"]


def test_views_are_stored_once_for_all_folds() -> None:
    cost = {"net": Calibration(0.01, STEPS, 1e-3, STORED)}
    made = make_plan(AUTO, cost, budget=3000, spent=0, counts=(300, 60, 60), classes=10)
    assert made.folds == FOLDS
    (unit,) = [unit for unit in made.units if unit.key == "candidate/last_block"]
    epochs = made.epochs["net"]["last_block"]
    steps = made.trials["net"]["last_block"] * epochs * 2 * 360
    once = START * FOLDS + (VIEWS + 1) * 360 * 0.009 + steps * 0.001
    assert unit.seconds == pytest.approx(made.repeats * once)


def test_what_is_left_over_at_last_goes_to_drawing_the_folds_again() -> None:
    budgets = range(200, 12_000, 100)
    made = [plan(budget, counts=(300, 60, 60)) for budget in budgets]
    repeats = [one.repeats for one in made]
    assert repeats == sorted(repeats) and {1, 2, 3} == set(repeats)
    for budget, one in zip(budgets, made, strict=True):
        assert seconds(one) <= budget or not one.epochs["net"]
        assert one.repeats == 1 or all(one.epochs["net"].get(row, 0) >= MOST_EPOCHS for row in STEPS)
    assert {plan(budget).repeats for budget in budgets} == {1}  # one validation part, which is judged once


@pytest.mark.parametrize("budget", range(100, 3000, 60))
def test_what_is_left_over_goes_to_learning_rates_where_activations_are_stored(budget: int) -> None:
    cost = {"net": Calibration(0.01, STEPS, 1e-3, STORED)}
    rows = [row for row in AUTO if row.name in ("probe", "last_block")]
    made = make_plan(rows, cost, budget=budget, spent=0, counts=(600, 250, 150), classes=10)
    tried = made.trials["net"].get("last_block", 0)
    assert set(made.trials["net"]) == set(made.epochs["net"]) and 0 <= tried <= MOST_TRIALS
    assert made.epochs["net"].get("last_block", 0) == MOST_EPOCHS or tried <= 1
    assert sum(unit.seconds for unit in made.units) <= budget or not tried
    (unit,) = [unit for unit in made.units if unit.key == "candidate/last_block"] or [None]
    assert unit is None or (f"{tried} learning rates" in unit.name) == (tried > 1)
    if budget > 2000:
        assert tried == MOST_TRIALS


def test_trainings_on_images_are_tried_with_one_recipe() -> None:
    assert set(plan(9000).trials["net"].values()) == {1}


def test_a_budget_that_features_and_heads_alone_exceed_is_told() -> None:
    counts = (6000, 2500, 1500)
    for names, said in (
        (["net"], "12.9 minutes, the budget is 5.0 minutes: fewer images"),
        (["run:a", "run:b"], "18.9 minutes, the budget is 5.0 minutes: fewer backbones or"),
    ):
        dear = {name: Calibration(0.01, STEPS, 5e-3) for name in names}
        told = make_plan(AUTO, dear, budget=300, spent=10, counts=counts, classes=10)
        assert told.notes[-1].startswith(f"Features and heads alone should take {said}") and [*told.epochs] == names
        enough = make_plan(AUTO, dear, budget=3000, spent=10, counts=counts, classes=10)
        assert not any("alone" in note for note in enough.notes)


@pytest.mark.parametrize(("budget", "left"), [(2000, "abc"), (150, "ac"), (100, "a"), (1, "a")])
def test_the_dearest_backbones_have_no_room_in_a_small_budget(budget: float, left: str) -> None:
    costs = {name: Calibration(forward, STEPS, 1e-3) for name, forward in (("a", 0.01), ("b", 0.04), ("c", 0.02))}
    made = make_plan(AUTO, costs, budget=budget, spent=10, counts=(600, 250, 150), classes=10)
    assert "".join(made.epochs) == left
    dropped = [name for name in costs if name not in left]
    said = f"The budget has no room for the features of {', '.join(dropped)}."
    assert (said in made.notes) is bool(dropped)


def test_activations_that_have_no_room_are_not_stored() -> None:
    room = MOST_STORED // ((VIEWS + 1) * 850)
    for size, views in ((room, VIEWS), (room + 1, 0)):
        cost = {"net": Calibration(0.01, STEPS, 1e-3, {"last_block": Above(0.009, 0.001, size)})}
        made = make_plan(AUTO, cost, budget=1200, spent=0, counts=(600, 250, 150), classes=10)
        assert made.views["net"]["last_block"] == views


def test_a_probe_alone_plans_no_training() -> None:
    made = plan(1000, name="probe")
    assert made.epochs == {"net": {}} and made.notes == ()


def test_what_is_found_before_a_training_is_paid_for() -> None:
    counts, rows = (600, 250, 150), chosen("all")
    plain, found = (
        make_plan(rows, COST, budget=5000, spent=0, counts=counts, classes=10, find_rate=find) for find in (False, True)
    )
    # A sweep of so many batches of 32 images, before the candidate's training and before the last one.
    sweep = 2 * RATE_STEPS * 32 * STEPS["all"]
    units = [{unit.key: unit.seconds for unit in made.units} for made in (plain, found)]
    assert plain.epochs == found.epochs
    assert units[1]["candidate/all"] - units[0]["candidate/all"] == pytest.approx(sweep)
    assert units[1]["final"] - units[0]["final"] == pytest.approx(sweep)
    cost = {"net": Calibration(0.01, {"surgical": 0.03}, 1e-3)}
    surgical = make_plan(chosen("surgical"), cost, budget=5000, spent=0, counts=counts, classes=10)
    seconds = {unit.key: unit.seconds for unit in surgical.units}
    assert seconds["candidate/surgical"] - units[0]["candidate/all"] == pytest.approx(GRADIENT_IMAGES * 0.03)
    assert surgical.views == {"net": {"surgical": 0}}


@pytest.mark.parametrize("budget", [100, 300, 1000, 3000])
def test_with_sweeps_a_plan_stays_within_its_budget(budget: float) -> None:
    made = make_plan(AUTO, COST, budget=budget, spent=0, counts=(600, 250, 150), classes=10, find_rate=True)
    assert seconds(made) <= budget or not made.epochs["net"]


def test_of_many_networks_the_rungs_and_the_dearest_that_may_be_left_are_planned() -> None:
    slow = {f"net{i}": Calibration(0.01 * (i + 1), {row: 4 * s for row, s in STEPS.items()}, 1e-3) for i in range(9)}
    made = make_plan(AUTO, slow, budget=9000, spent=0, counts=(600, 250, 150), classes=10)
    assert made.rungs == (Rung(9, 250, 5), Rung(5, 300, 4))
    keys = [unit.key for unit in made.units]
    assert keys[:3] == ["rung/0", "rung/1", "finalists"] and not any(key.startswith("probe/") for key in keys)
    names = [unit.name for unit in made.units[:3]]
    assert names[0] == "halving 9 networks on 250 images" and names[2] == "features and heads of the 4 that are left"
    each = [REOPENED + (1000 - 300) / 2 * 0.01 * (i + 1) + 1 + 600 * 10 * 1e-3 for i in range(5, 9)]
    assert made.units[2].seconds == pytest.approx(sum(each))
    assert set(made.epochs) == set(slow) and seconds(made) <= 9000
    whole = sum(5 + (1000 / 2 + JUDGED) * c.forward + 1 + 600 * 10 * 1e-3 for c in slow.values())
    assert sum(unit.seconds for unit in made.units[:3]) < whole


@pytest.mark.parametrize("networks", [1, 4])
def test_of_few_networks_each_is_planned_by_itself(networks: int) -> None:
    costs = {f"net{i}": COST["net"] for i in range(networks)}
    made = make_plan(AUTO, costs, budget=3000, spent=0, counts=(600, 250, 150), classes=10)
    assert made.rungs == () and [unit.key for unit in made.units[:networks]] == [f"probe/{name}" for name in costs]


def test_what_comes_last_is_counted_and_its_time_is_not_given_away() -> None:
    last = (Unit("card", "comparing", 100.0),)
    counts, rows = (600, 250, 150), chosen("auto")
    with_it = make_plan(rows, COST, budget=700, spent=0, counts=counts, classes=10, last=last)
    less = make_plan(rows, COST, budget=600, spent=0, counts=counts, classes=10)
    assert with_it.units[-1] == last[0] and with_it.units[:-1] == less.units and with_it.epochs == less.epochs
    assert seconds(with_it) <= 700 and less.epochs != plan(700).epochs
