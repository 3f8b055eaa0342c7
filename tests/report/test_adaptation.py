"""The page, the card and the tables of an adaptation, from records alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.errors import RunError
from headstart.evidence.label_free import VALIDATORS
from headstart.records import Journal, Record
from headstart.report import draw
from headstart.report.adaptation import adaptation_card, draw_adaptation
from headstart.report.adapted_terminal import adapted_lines, domains_table, methods_table
from headstart.report.charts import NARROW, WIDE
from headstart.report.charts.clouds import clouds

EVIL = "<script>alert(1)</script>"


def method(name: str, **metrics: float) -> Record:
    """Return a method's record."""
    scores = dict.fromkeys(VALIDATORS, -0.5) | {
        "distance": 0.4,
        "held": 0.8,
        "kept": 0.7,
        "effective": 20.0,
        "overlap": 0.3,
    }
    detail = {
        "title": f"the method {name}",
        "kind": "feature",
        "paper": "A. Author 2020",
        "baseline": name == "source_only",
        "few": {},
    }
    return Record(
        f"method/{name}", "method", strategy=name, backbone="b", cut="top", metrics=scores | metrics, detail=detail,
        cost={"seconds": 1.0}, recipe={"penalty": 10.0},
    )  # fmt: skip


def oracle(name: str, key: str = "") -> Record:
    """Return what labels say of a method."""
    metrics = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 50, "gain": 0.1, "gain_low": 0.02, "gain_high": 0.18}
    what = "oracle_final" if key else "oracle"
    return Record(key or f"oracle/{name}", what, strategy=name, metrics=metrics, reads_target_labels=True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder with the records of an adaptation whose class and file names are hostile."""
    parts = {"train": 80, "held": 20, "adapted": 60, "judged": 50, "few": 0}
    verdict = {
        "chosen": "coral",
        "transfer": "helps",
        "sentence": "Adapting helps: CORAL, +10.0 points over the source's head. It is handed back.",
        "reasons": ["Five of five."],
        "rests_on": "built cases",
        "votes": {"coral": ["corr_c"]},
        "level": 0.9,
    }
    shown = [{"path": EVIL, "picture": "pictures/gone.png", "predicted": EVIL, "probability": 0.9, "before": "b"}]
    plane = {"source": [[0.0, 1.0], [1.0, 0.0]], "target": [[0.5, 0.5]]}
    examples = {"source": [], "target": [], "predicted": shown, "map": {"source_only": plane, "coral": plane}}
    options = {
        "data": "/s",
        "to": "/t",
        "backbones": ["b"],
        "seed": 0,
        "size": 64,
        "metric": "accuracy",
        "margin": 0.005,
    }
    plan = {"options": options | {"device": "auto"}, "units": [], "machine": {}, "notes": []}
    domains = {"source": "/s", "target": "/t", "classes": [EVIL, "b"], "parts": parts, "notes": [EVIL]}
    records = [
        Record("plan", "adaptation", detail=plan),
        Record("domains", "domains", data="f" * 32, detail=domains),
        method("source_only"),
        method("coral", corr_c=0.9),
        Record("verdict", "verdict", strategy="coral", metrics={"gain": 0.1, "low": 0.02, "high": 0.2}, detail=verdict),
        Record("final", "final", strategy="coral", metrics={"agreement": 0.98}),
        Record("examples", "examples", detail=examples),
    ]
    journal = Journal(tmp_path / "records.jsonl")
    for record in records:
        journal.append(record)
    return tmp_path


def test_the_page_is_drawn_from_records_and_escapes_what_is_foreign(run: Path) -> None:
    page = draw(run).read_text()
    assert "Adapting helps" in page and "98.0 %" in page and EVIL not in page and "&lt;script&gt;" in page
    assert "Oracle.</strong>" not in page and "headstart adapt /s" in page.replace("</span> <span>", " ")
    assert "not finished" in page  # nothing says what was spent
    assert draw_adaptation(run).read_text() == page


def test_what_read_labels_is_called_an_oracle_everywhere(run: Path) -> None:
    journal = Journal(run / "records.jsonl")
    for record in (oracle("coral", "oracle/final"), oracle("source_only"), oracle("coral")):
        journal.append(record)
    page = draw(run).read_text()
    assert "Oracle.</strong>" in page and "Oracle: accuracy on the target" in page
    assert "## Test (oracle)" in adaptation_card(run)


def unknown(n: int, **counts: int) -> Record:
    """Return how many of fifty judged images are of classes that the source does not have."""
    metrics, detail = {"n": n, "judged": 50}, {"counts": {**counts, EVIL: 1}}
    return Record("oracle/left_out", "oracle_left_out", metrics=metrics, detail=detail, reads_target_labels=True)


def test_classes_that_the_source_does_not_have_are_counted_and_named(run: Path) -> None:
    journal = Journal(run / "records.jsonl")
    verdict, some = journal.get("verdict"), unknown(7, wasp=6)
    assert verdict is not None
    said = "7 of the 50 judged images show classes that the source does not have (wasp 6, "
    assert said in adapted_lines(verdict, oracle("coral"), some)[-1].plain
    for record in (some, oracle("coral", "oracle/final"), oracle("source_only"), oracle("coral")):
        journal.append(record)
    page = draw(run).read_text()
    assert said in page and EVIL not in page and said in adaptation_card(run) and EVIL not in adaptation_card(run)
    many = adapted_lines(verdict, None, unknown(9, **{f"c{i}": 1 for i in range(8)}))[-1].plain
    assert "c0 1" in many and "c4 1 and 4 more classes" in many


def test_where_no_class_is_shared_the_oracle_says_so(run: Path) -> None:
    journal = Journal(run / "records.jsonl")
    journal.append(unknown(50, wasp=49))
    said = "All 50 judged images show classes that the source does not have (wasp 49, "
    page = draw(run).read_text()
    assert said in page and "Oracle: accuracy" not in page and said in adaptation_card(run)


def test_distances_stand_cut_by_cut_before_beside_after(run: Path) -> None:
    journal = Journal(run / "records.jsonl")
    assert "cut by cut" not in draw(run).read_text()
    journal.append(Record("start", "start", detail={"distances": {"stem": 0.5, "top": 0.25}}))
    trained = method("dan")
    journal.append(replace(trained, detail=trained.detail | {"training": {}, "distances": {"stem": 0.125, "top": 0.0}}))
    page = draw(run).read_text()
    found = re.findall(
        r">(Before|After \w+|stem|top|\d\.\d{3})<", page.partition("cut by cut")[2].partition("</table>")[0]
    )
    assert found == ["Before", "After dan", "stem", "0.500", "0.125", "top", "0.250", "0.000"]


def test_the_card_says_that_nothing_was_tested(run: Path) -> None:
    card = adaptation_card(run)
    assert "Nothing of the target was tested" in card and EVIL not in card and "Method: the method coral" in card


def test_tables_for_the_terminal(run: Path) -> None:
    from rich.console import Console

    journal = Journal(run / "records.jsonl")
    verdict, domains = journal.get("verdict"), journal.get("domains")
    assert verdict is not None and domains is not None
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(domains_table(domains))
    console.print(methods_table(journal.of("method"), verdict, [oracle("coral")]))
    for line in adapted_lines(verdict, oracle("coral")):
        console.print(line)
    told = console.export_text()
    assert "oracle: gain" in told and "0.900*" in told and "target, judged on" in told
    assert "Oracle: 90.0 % (80.0–95.0) over 50 judged images, +10.0 points" in told


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no adaptation"):
        draw_adaptation(tmp_path)


def test_clouds_are_the_same_for_the_same_points_and_fit_a_phone() -> None:
    points = [(float(i), float(i % 3)) for i in range(20)]
    panels = [("before", points, points[:5]), ("after", points, points[:5])]
    for width in (NARROW, WIDE):
        drawn = clouds(panels, name="clouds", title="t", width=width)
        assert drawn == clouds(panels, name="clouds", title="t", width=width)
        assert drawn.count("<circle") == 50 and f'width="{width}"' in drawn
