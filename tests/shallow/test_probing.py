import dataclasses

import numpy as np
import pytest

from headstart.errors import InternalError, OptionError
from headstart.shallow import HEADS, Probe, best, compete, fit_probe, probing, screen, shortlist
from headstart.shallow.ridge import RidgeHead

N, K = 150, 3
Y = np.arange(N) % K
FOLDS = [(np.flatnonzero(np.arange(N) // 3 % 5 != f), np.flatnonzero(np.arange(N) // 3 % 5 == f)) for f in range(5)]


def cuts(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    apart = {"stem": (4, 0.0), "low": (8, 0.6), "high": (10, 1.2), "top": (12, 0.3)}
    return {
        name: (rng.normal(size=(K, d))[Y] * a + rng.normal(size=(N, d))).astype(np.float32)
        for name, (d, a) in apart.items()
    }


def made(name: str, value: float, width: int) -> Probe:
    nothing = np.zeros(1)
    return Probe((name,), "ridge", 1.0, "accuracy", None, value, nothing, nothing, 1.0, width, 0.0)


def test_screening_ranks_the_cuts_and_reports_each() -> None:
    seen: list[Probe] = []
    screened = screen(cuts(), Y, FOLDS, progress=seen.append)
    assert [probe.cuts for probe in screened] == [("stem",), ("low",), ("high",), ("top",)]
    assert seen == screened
    assert best(screened).cuts == ("high",)
    assert screened[0].value < 0.5 < 0.9 < screened[2].value
    for probe in screened:
        assert probe.value == (probe.predicted == Y).mean()
        assert (probe.predicted == probe.logits.argmax(axis=1)).all()


def test_the_closed_form_is_a_loop_over_folds() -> None:
    z = cuts()["low"]
    probe = screen({"low": z}, Y, FOLDS)[0]
    for fit, held in FOLDS:
        expected = RidgeHead(probe.penalty).fit(z[fit], Y[fit]).decision_function(z[held])
        np.testing.assert_allclose(probe.logits[held], expected, atol=1e-5)


def test_one_factorisation_of_wide_features_ranks_penalties_as_a_loop_over_folds_does() -> None:
    rng = np.random.default_rng(3)
    z = (rng.normal(size=(K, 400))[Y] * 0.1 + rng.normal(size=(N, 400))).astype(np.float32)
    probe = screen({"wide": z}, Y, FOLDS)[0]
    values = {}
    for penalty in HEADS["ridge"].penalties:
        head = RidgeHead(penalty)
        values[penalty] = np.mean([head.fit(z[fit], Y[fit]).predict(z[held]) == Y[held] for fit, held in FOLDS])
    assert 0.5 < max(values.values()) < 1
    assert probe.value == pytest.approx(max(values.values()), abs=0.02)


def test_competition_measures_every_head_and_reuses_the_screening() -> None:
    z = cuts()
    screened = screen(z, Y, FOLDS)
    entries = [("top",), ("low",), ("high",), ("stem", "high")]
    probes = compete(z, Y, FOLDS, cuts=entries, screened=screened)
    cheap = [(entry, head) for entry in entries for head, row in HEADS.items() if not row.dear]
    assert [(p.cuts, p.head) for p in probes][: len(cheap)] == cheap
    won = best(probes[: len(cheap)]).cuts
    dear = [(entry, "logistic") for entry in entries if entry in (("top",), won, ("stem", "high"))]
    assert won in (("high",), ("stem", "high")) and [(p.cuts, p.head) for p in probes][len(cheap) :] == dear
    assert probes[0] is screened[3]
    assert {p.width for p in probes if p.cuts == ("stem", "high")} == {14}
    for probe in probes:
        assert probe.value > (0.8 if "high" in probe.cuts else 0.4)
        assert probe.penalty in HEADS[probe.head].penalties


def test_only_the_heads_that_are_asked_for_compete() -> None:
    probes = compete(cuts(), Y, FOLDS, cuts=[("low",), ("high",)], heads=("ridge", "logistic"))
    assert {probe.head for probe in probes} == {"ridge", "logistic"}


@pytest.mark.parametrize("head", HEADS)
def test_the_chosen_probe_is_fitted_with_its_penalty_and_temperature(head: str) -> None:
    z = cuts()
    probe = next(p for p in compete(z, Y, FOLDS, cuts=[("low", "high")]) if p.head == head)
    fitted = fit_probe(probe, z, Y)
    joined = np.hstack([z["low"], z["high"]])
    assert fitted.temperature == probe.temperature
    assert fitted.predict_proba(joined).shape == (N, K)
    assert fitted.score(joined, Y) > 0.85
    knob = HEADS[head].knob
    assert not knob or fitted.get_params()[knob] == probe.penalty


def test_same_input_same_probe() -> None:
    a, b = (compete(cuts(), Y, FOLDS, cuts=[("low",)]) for _ in range(2))
    for one, two in zip(a, b, strict=True):
        assert (one.logits == two.logits).all() and one.penalty == two.penalty


def test_class_wise_metrics_weigh_the_classes() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(N) < 0.1).astype(int)
    z = {"top": (y[:, None] * 1.0 + rng.normal(size=(N, 6))).astype(np.float32)}
    plain, balanced = (screen(z, y, FOLDS, class_weight=w)[0] for w in (None, "balanced"))
    assert (balanced.predicted == 1).sum() > (plain.predicted == 1).sum()
    assert fit_probe(balanced, z, y).get_params()["class_weight"] == "balanced"
    assert fit_probe(plain, z, y).get_params()["class_weight"] is None


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_class_may_be_missing_from_a_fold(metric: str) -> None:
    y = Y.copy()
    y[FOLDS[0][1][0]] = K
    for probe in compete(cuts(), y, FOLDS, cuts=[("high",)], metric=metric):
        assert probe.logits.shape == (N, K + 1) and np.isfinite(probe.logits).all()
        assert np.isfinite(probe.temperature)


def test_many_rows_are_thinned_evenly_and_keep_every_class() -> None:
    y = np.repeat([0, 1, 2], [100, 49, 1])
    rows = probing.evenly(np.arange(N), y, 30)
    assert len(rows) == len(set(rows)) == 30
    assert np.bincount(y[rows]).tolist() == pytest.approx([19, 10, 1], abs=1)
    assert len(probing.evenly(np.arange(N), y, None)) == N == len(probing.evenly(np.arange(N), y, N))


def test_heads_of_few_rows_still_predict_all(monkeypatch: pytest.MonkeyPatch) -> None:
    thin = {name: dataclasses.replace(row, rows=30) for name, row in HEADS.items() if name != "ridge"}
    monkeypatch.setattr(probing, "HEADS", thin)
    for probe in compete(cuts(), Y, FOLDS, cuts=[("high",)]):
        assert probe.value > 0.7
        assert fit_probe(probe, cuts(), Y).score(cuts()["high"], Y) > 0.7


def test_shortlist_takes_the_last_the_best_two_and_joins_them() -> None:
    screened = [made("stem", 0.2, 32), made("low", 0.8, 64), made("high", 0.9, 128), made("top", 0.7, 256)]
    everything = ("stem", "low", "high", "top")
    assert shortlist(screened, last="top") == [("top",), ("high",), ("low",), ("low", "high"), everything]
    assert shortlist(screened[2:], last="top") == [("top",), ("high",), ("high", "top")]
    assert shortlist(screened[3:], last="top") == [("top",)]


def test_the_joined_cuts_stay_within_a_width() -> None:
    screened = [made("a", 0.9, 2000), made("b", 0.8, 1000), made("c", 0.7, 500)]
    assert shortlist(screened, last="c")[-1] == ("a", "c")


def test_ties_go_to_the_cheaper_cut() -> None:
    early, late = made("low", 0.9, 64), made("top", 0.9, 1280)
    joined = dataclasses.replace(early, cuts=("low", "top"), width=10)
    assert best([joined, late, early]) is early
    assert best([dataclasses.replace(late, value=0.91), early]).cuts == ("top",)


def test_errors_name_the_fact() -> None:
    with pytest.raises(OptionError, match="no metric"):
        screen(cuts(), Y, FOLDS, metric="auc")
    with pytest.raises(InternalError, match="every row once"):
        screen(cuts(), Y, FOLDS[:-1])
    with pytest.raises(InternalError, match="fold 0"):
        screen(cuts(), Y, [(fit[1:], held) for fit, held in FOLDS])


def test_where_a_fold_leaves_one_class_the_ridge_competes_alone() -> None:
    y = (np.arange(N) == 7).astype(int)
    assert {probe.head for probe in compete(cuts(), y, FOLDS, cuts=[("top",)])} == {"ridge"}
    assert "logistic" in {probe.head for probe in compete(cuts(), Y, FOLDS, cuts=[("top",)])}
