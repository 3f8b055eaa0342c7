"""The case named in both taxonomies, and what is ruled on the methods."""

from dataclasses import replace

import pytest

from headstart.advice.case import name_case
from headstart.advice.methods import METHODS, ORDER, REQUIREMENTS, rule, rulings
from headstart.advice.situation import Judgement, Situation, judge, shifts

SAME = Situation("same", "same", "same", "same", "same", "same", 5, True, True, True)
COVARIATE = replace(SAME, marginal="different", given_class="different")
UNLABELLED = replace(
    COVARIATE, prior="unknown", conditional="unknown", label_space="unknown", shared=0, target_labels=False
)


@pytest.mark.parametrize(
    ("found", "pan", "zhuang", "space", "named"),
    [
        (SAME, "traditional", "inductive", "homogeneous", ()),
        (COVARIATE, "none", "inductive", "homogeneous", ("covariate shift",)),
        (UNLABELLED, "transductive", "transductive", "unknown", ("shift of P(X)",)),
        (replace(COVARIATE, conditional="cannot tell"), "none", "inductive", "homogeneous", ("shift of P(X)",)),
        (
            replace(COVARIATE, conditional="different"),
            "inductive",
            "inductive",
            "homogeneous",
            ("shift of P(X)", "concept shift"),
        ),
        (replace(SAME, conditional="different"), "inductive", "inductive", "homogeneous", ("concept shift",)),
        (replace(SAME, marginal="different", prior="different"), "none", "inductive", "homogeneous", ("prior shift",)),
        (replace(SAME, label_space="partial"), "inductive", "inductive", "heterogeneous", ("label-space shift",)),
        (
            replace(SAME, feature_space="different", marginal="unknown", given_class="unknown", conditional="unknown"),
            "none",
            "inductive",
            "heterogeneous",
            ("feature-space shift",),
        ),
        (replace(UNLABELLED, source_labels=False), "unsupervised", "unsupervised", "unknown", ("shift of P(X)",)),
        (replace(SAME, source_labels=False, label_space="unknown"), "inductive", "inductive", "unknown", ()),
        (
            replace(SAME, label_space="disjoint", shared=0, marginal="different", given_class="unknown"),
            "inductive",
            "inductive",
            "heterogeneous",
            ("label-space shift",),
        ),
    ],
)
def test_the_case_is_named(found: Situation, pan: str, zhuang: str, space: str, named: tuple[str, ...]) -> None:
    case = name_case(found)
    assert (case.pan_yang, case.zhuang, case.space, case.shifts) == (pan, zhuang, space, named)
    assert shifts(found) == named
    assert case.sentence.endswith(".") and case.disagreement.endswith(".")


@pytest.mark.parametrize(("prior", "named"), [("same", "covariate shift"), ("unknown", "covariate or prior shift")])
def test_what_the_classes_may_explain_is_left_open(prior: Judgement, named: str) -> None:
    assert shifts(replace(SAME, marginal="different", given_class="cannot tell", prior=prior)) == (named,)


@pytest.mark.parametrize(
    ("conditional", "headline"),
    [
        ("same", "Covariate shift"),
        ("cannot tell", "Shift of P(X) (covariate shift, if P(Y|X) is the same)"),
        ("unknown", "Shift of P(X) (covariate shift, if P(Y|X) is the same)"),
        ("different", "Shift of P(X) and concept shift"),
    ],
)
def test_covariate_shift_is_said_only_where_the_conditional_is_the_same(conditional: Judgement, headline: str) -> None:
    case = name_case(replace(COVARIATE, conditional=conditional))
    assert case.sentence.partition(": ")[0] == headline
    assert ("covariate shift" in case.shifts) == (conditional == "same")


def test_what_neither_the_classes_nor_the_conditional_tell() -> None:
    found = replace(SAME, marginal="different", given_class="cannot tell", prior="unknown", conditional="cannot tell")
    headline = name_case(found).sentence.partition(": ")[0]
    assert headline == "Shift of P(X) (covariate or prior shift, if P(Y|X) is the same)"


def test_a_size_is_judged_by_its_whole_interval() -> None:
    assert judge(0.551, 0.7, chance=0.5, tolerance=0.05) == "different"
    assert judge(0.51, 0.549, chance=0.5, tolerance=0.05) == "same"
    assert judge(0.51, 0.551, chance=0.5, tolerance=0.05) == "cannot tell"
    assert judge(0.51, None, chance=0.5, tolerance=0.05) == "unknown"


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_row_of_the_table(method) -> None:  # type: ignore[no-untyped-def]
    assert set(method.needs) <= set(REQUIREMENTS) and method.needs and method.paper and method.title
    best = replace(COVARIATE, prior="same")
    if "a shift of P(Y)" in method.needs:
        best = replace(SAME, prior="different")
    if "two feature spaces" in method.needs:
        best = replace(SAME, feature_space="different")
    assert rule(method, best).verdict == "applies" and rule(method, best).reasons == ()
    worst = replace(UNLABELLED, source_labels=False, images=False)
    assert rule(method, worst).verdict == "refused" and rule(method, worst).reasons


@pytest.mark.parametrize(
    ("name", "found", "verdict", "word"),
    [
        ("dann", UNLABELLED, "assumes", "same classes"),
        ("dann", replace(COVARIATE, label_space="partial", shared=3), "restricted", "3 shared classes"),
        ("dann", replace(COVARIATE, label_space="disjoint", shared=0), "refused", "no class"),
        ("dann", replace(COVARIATE, conditional="different"), "refused", "P(Y|X)"),
        ("coral", replace(COVARIATE, prior="different"), "restricted", "weighed"),
        ("kmm", replace(COVARIATE, overlap=False), "refused", "overlap"),
        ("kmm", SAME, "idle", "P(X)"),
        ("tradaboost", UNLABELLED, "refused", "target labels"),
        ("finetune", replace(COVARIATE, label_space="disjoint", conditional="different"), "applies", ""),
        ("bbse", replace(COVARIATE, prior="different"), "refused", "P(X|Y)"),
        ("coral", replace(COVARIATE, feature_space="different"), "refused", "feature spaces"),
        ("shot", replace(COVARIATE, images=False), "refused", "network"),
        ("l2sp", UNLABELLED, "assumes", "same classes"),
        ("l2sp_towards_source", UNLABELLED, "refused", "target labels"),
    ],
)
def test_what_is_ruled_and_why(name: str, found: Situation, verdict: str, word: str) -> None:
    ruling = rule(METHODS[name], found)
    assert ruling.verdict == verdict and word in " ".join(ruling.reasons)


def test_rulings_stand_from_what_applies_to_what_does_not() -> None:
    order = [ORDER.index(one.verdict) for one in rulings(UNLABELLED)]
    assert order == sorted(order) and len(order) == len(METHODS)
