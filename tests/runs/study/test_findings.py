"""What is said of a laboratory, end to end: journals are built with known effects, and read as a study's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs.study.test_transferability import OPTIONS

from headstart.advice.transferability import FINDINGS, judge_plateau
from headstart.evidence.transplants import Transplant
from headstart.records import Journal, Record
from headstart.report.transferability import draw_transferability
from headstart.runs.study.findings import findings_record

CUTS = {1: "layers.conv1", 2: "layers.conv2", 4: "layers.conv4", 6: "layers.fc6", 7: "layers.fc7"}
N = np.array(list(CUTS))
NAMES = [one.name for one in FINDINGS]
LOWER, SPECIALISE, DIP, MORE, STEEPER, DISTANT, GAIN, BEYOND = NAMES
AS_IN_THE_PAPER = dict.fromkeys(NAMES, 1.0)
DISTANCES = {"random": 1.0, "dissimilar": 1.4, "similar": 0.8}
FLAT, RISING = (0.0, 0.3, 0.5, 0.59, 0.598, 0.6), (0.0, 0.1, 0.2, 0.4, 0.5, 0.6)
Effects = dict[str, np.ndarray]


def planted(holds: Mapping[str, float]) -> dict[str, Effects]:
    """By kind of halves the effects at each n: a finding is as in the paper (1), absent (0), or turned round (−1)."""
    dip = holds[DIP] * np.array([0.0, -0.03, -0.05, -0.03, 0.0])
    special = -0.03 + holds[SPECIALISE] * np.array([0.03, 0.02, 0.0, -0.03, -0.09])
    more = -0.06 * holds[MORE] - 0.02 * holds[STEEPER] * (N - N.mean())
    over_random = np.array([0.05 * holds[LOWER], 0.07, 0.12, 0.2, 0.3])
    gain, beyond = np.full(len(N), 0.03 * holds[GAIN]), np.full(len(N), 0.02 * holds[BEYOND])
    distant = holds[DISTANT] * np.array([0.03, 0.05, 0.08, 0.1, 0.15])
    plus = {"BnB": dip, "AnB+": gain, "BnB+": gain - beyond}
    near, far = ({**plus, "AnB": dip + lost} for lost in (special, special + more))
    near["random"], far["random"] = near["AnB"] - over_random, far["AnB"] - distant
    # Nothing is asked of similar halves: were they mistaken for others, findings would turn round.
    similar = {"BnB": -dip, "AnB": 0.2 + 0 * dip, "BnB+": 0 * dip, "AnB+": -gain, "random": 0.3 + 0 * dip}
    return {"random": near, "dissimilar": far, "similar": similar}


def journal(
    path: Path,
    kinds: Mapping[str, Effects],
    *,
    seeds: int = 5,
    distances: Mapping[str, float] = DISTANCES,
    curve: Sequence[float] = FLAT,
    labels: Mapping[int, float] | None = None,
) -> Journal:
    """A study's records: both directions, bases of a level of their own, noise on every network.

    Parameters
    ----------
    distances : of the halves, by kind; random ones differ by seed, all others are one pair.
    labels : by number of labels beside all (0), what is lost more with so many, at every n and by every treatment.
    """
    # Of eight effects that are absent one is shown by chance in a third of all draws: not in this one.
    rng, records = np.random.default_rng(2), []
    for kind, effects in kinds.items():
        for seed in range(seeds):
            drawn = seed if kind == "random" else 0
            halves = {letter: [f"{kind} {letter}{drawn}"] for letter in "AB"}
            distance = distances[kind] + 0.01 * drawn
            key, metrics = f"halves/{kind}/{seed}", {"distance": distance}
            records.append(Record(key, "halves", seed=seed, strategy=kind, metrics=metrics, detail=halves))
            for k, fewer in ({0: 0.0} | dict(labels or {})).items():
                for target in "AB":
                    base = 0.7 + rng.normal(0, 0.05)
                    records.append(_cell(kind, seed, target, k, 0, "base", base, curve))
                    for treatment, by_n in effects.items():
                        for n, effect in zip(CUTS, by_n, strict=True):
                            value = base + effect - fewer + rng.normal(0, 0.002)
                            records.append(_cell(kind, seed, target, k, n, treatment, value, curve))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(record.to_json() + "\n" for record in records))
    return Journal(path)


def _cell(
    kind: str, seed: int, target: str, labels: int, n: int, treatment: str, value: float, curve: Sequence[float]
) -> Record:
    told = {"kind": kind, "target": target, "labels": labels, "n": n, "curve": [(0.0, each) for each in curve]}
    key = f"cell/{kind}/{seed}/{target}/{labels}/{n}/{treatment}"
    return Record(key, "cell", strategy=treatment, seed=seed, metrics={"value": value, "n": 100}, detail=told)


def found(path: Path, holds: Mapping[str, float], **built: Any) -> dict[str, Any]:
    """What is found where these findings are planted."""
    return findings_record(journal(path / "records.jsonl", planted(holds), **built), seed=0).detail


@pytest.mark.parametrize(
    ("beyond", "curve", "seeds", "word"),
    [
        (1.5, FLAT, 5, "plateau"),
        (1.0, FLAT, 5, "more training helps"),
        (1.0, RISING, 5, "more training helps"),
        (1.5, RISING, 5, "still learning"),
        (1.0, FLAT, 2, "not known"),
    ],
)
def test_bases_had_come_to_a_plateau_only_where_more_steps_are_not_shown_to_help(
    beyond: float, curve: Sequence[float], seeds: int, word: str, tmp_path: Path
) -> None:
    kinds = {
        kind: effects for kind, effects in planted(AS_IN_THE_PAPER | {BEYOND: beyond}).items() if kind != "similar"
    }
    detail = findings_record(journal(tmp_path / "records.jsonl", kinds, seeds=seeds, curve=curve), seed=0).detail
    plateau = detail["plateau"]
    assert plateau["word"] == word
    assert plateau["late"] == pytest.approx(0.002 if curve is FLAT else 0.1)
    assert plateau["value"] == pytest.approx(0.03 - 0.02 * beyond, abs=0.002)
    assert ("come to a plateau:" in plateau["says"]) == (word == "plateau")
    assert plateau["says"] in detail["reasons"]
    if word == "more training helps":
        assert "judged against BnB+" in plateau["says"] and "+1.0 points (+" in plateau["says"]


@pytest.mark.parametrize(("by_seed", "word"), [((-5, 6, -3, 5, 0), "not known"), ((-0.1, 0.2, 0, 0.1, 0), "plateau")])
def test_an_interval_that_is_wide_is_no_plateau(by_seed: Sequence[float], word: str) -> None:
    cells = [
        Transplant(n, target, "BnB+", 1, 0.9 + gain / 100, 0.9) for n, gain in enumerate(by_seed) for target in "AB"
    ]
    assert judge_plateau(0.0, [cells]).word == word


def test_without_bases_that_were_trained_on_no_plateau_is_claimed(tmp_path: Path) -> None:
    effects = {name: by_n for name, by_n in planted(AS_IN_THE_PAPER)["random"].items() if name != "BnB+"}
    detail = findings_record(journal(tmp_path / "records.jsonl", {"random": effects}), seed=0).detail
    assert detail["plateau"]["word"] == "not known" and detail["plateau"]["value"] is None


def page(path: Path, **built: Any) -> str:
    """The page of a finished study."""
    found = journal(path / "records.jsonl", **built)
    options = replace(OPTIONS, splits=("random",))
    detail = {"options": options.to_json(), "cuts": {cut: n for n, cut in CUTS.items()}, "seeds": [0], "networks": {}}
    found.append(Record("plan", "transferability", detail=detail))
    found.append(findings_record(found, seed=0))
    return draw_transferability(path).read_text()


@pytest.mark.parametrize("beyond", [1.0, 1.5])
def test_the_page_says_of_the_bases_what_the_verdict_does(beyond: float, tmp_path: Path) -> None:
    told = page(tmp_path, kinds={"random": planted(AS_IN_THE_PAPER | {BEYOND: beyond})["random"]})
    assert ("<strong>More training still helps the bases" in told) == (beyond == 1.0)
    assert ("<p>The bases had come to a plateau" in told) == (beyond == 1.5)


def test_findings_that_are_planted_as_in_the_paper_all_hold(tmp_path: Path) -> None:
    detail = found(tmp_path, AS_IN_THE_PAPER)
    assert {one["name"]: one["word"] for one in detail["findings"]} == dict.fromkeys(NAMES, "holds")
    assert (detail["near"], detail["far"]) == ("random", "dissimilar")
    value = {one["name"]: one["value"] for one in detail["findings"]}
    assert value[MORE] == pytest.approx(-0.06, abs=0.003) and value[STEEPER] == pytest.approx(-0.02, abs=0.001)


@pytest.mark.parametrize(("holds", "word"), [(0.0, "not shown"), (-1.0, "opposite")])
@pytest.mark.parametrize("name", NAMES)
def test_a_finding_that_is_not_planted_is_not_found_and_the_others_are(
    name: str, holds: float, word: str, tmp_path: Path
) -> None:
    detail = found(tmp_path, AS_IN_THE_PAPER | {name: holds})
    assert {one["name"]: one["word"] for one in detail["findings"]} == dict.fromkeys(NAMES, "holds") | {name: word}


@pytest.mark.parametrize(("distance", "far"), [(1.4, "by_hand"), (0.9, "")])
def test_a_table_of_halves_counts_as_dissimilar_where_they_are_further_apart(
    distance: float, far: str, tmp_path: Path
) -> None:
    kinds = planted(AS_IN_THE_PAPER)
    kinds = {"random": kinds["random"], "by_hand": kinds["dissimilar"]}
    built = journal(tmp_path / "records.jsonl", kinds, distances={"random": 1.0, "by_hand": distance})
    detail = findings_record(built, seed=0).detail
    assert detail["far"] == far and len(detail["findings"]) == (8 if far else 6)


def test_the_loss_rises_with_the_distance_as_it_was_planted(tmp_path: Path) -> None:
    kinds = planted(AS_IN_THE_PAPER)
    lost = {"random": 0.1, "dissimilar": 0.3, "similar": 0.0}  # 0.5 by 1 of distance
    kinds = {kind: {**effects, "AnB": np.full(len(N), -lost[kind])} for kind, effects in kinds.items()}
    found = findings_record(journal(tmp_path / "records.jsonl", kinds), seed=0).detail["by_distance"]
    assert found["value"] == pytest.approx(0.5, abs=0.05) and found["low"] < 0.5 < found["high"]
    assert (found["n"], found["pairs"]) == (7, 7)


def test_one_pair_of_halves_is_one_point_however_many_seeds_share_it(tmp_path: Path) -> None:
    kinds = {kind: one for kind, one in planted(AS_IN_THE_PAPER).items() if kind != "random"}
    found = findings_record(journal(tmp_path / "records.jsonl", kinds), seed=0).detail["by_distance"]
    assert found["pairs"] == 2 and found["value"] > 0 and found["low"] is None


def test_of_one_distance_and_one_number_of_labels_nothing_is_said(tmp_path: Path) -> None:
    kinds = {"dissimilar": planted(AS_IN_THE_PAPER)["dissimilar"]}
    detail = findings_record(journal(tmp_path / "records.jsonl", kinds), seed=0).detail
    assert detail["by_distance"] is None and detail["by_labels"] == {}
    told = page(tmp_path / "page", kinds=kinds)
    assert "of distance" not in told and "− all" not in told


def test_few_labels_are_held_against_all_of_them(tmp_path: Path) -> None:
    kinds = {kind: one for kind, one in planted(AS_IN_THE_PAPER).items() if kind != "similar"}
    detail = findings_record(journal(tmp_path / "records.jsonl", kinds, labels={10: 0.04}), seed=0).detail
    for kind in kinds:
        fewer = detail["by_labels"][kind]["10"]
        for part in ("loss", "gain"):
            assert fewer[part]["value"] == pytest.approx(-0.04, abs=0.003)
            assert fewer[part]["low"] < -0.03 and fewer[part]["high"] > -0.05
        assert fewer["over_random"]["low"] < 0 < fewer["over_random"]["high"]
    # Findings are asked of the networks with all labels.
    value = {one["name"]: one["value"] for one in detail["findings"]}
    assert value[GAIN] == pytest.approx(0.03, abs=0.003)


def test_the_page_shows_the_slope_and_the_contrast_of_labels(tmp_path: Path) -> None:
    kinds = {kind: one for kind, one in planted(AS_IN_THE_PAPER).items() if kind != "similar"}
    told = page(tmp_path, kinds=kinds, labels={10: 0.04})
    assert "Over 6 pairs of halves, base − AnB at n = 7" in told and "with every 0.1 of distance" in told
    assert told.count("10 − all") == 2
