"""What the command line prints, read from a console that records it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from headstart.records import Journal, Record
from headstart.report import terminal

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def journal(make_run: Make) -> Journal:
    return Journal(make_run() / "records.jsonl")


def one(journal: Journal, key: str) -> Record:
    record = journal.get(key)
    assert record is not None
    return record


def printed(renderable: RenderableType, *, width: int = 120) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_plan(journal: Journal) -> None:
    text = printed(terminal.plan_table(one(journal, "plan")))
    assert "Fine-tune everything" in text
    assert "in all" in text
    assert "10 min" in text
    assert "Budget: 20 min." in text


def test_the_data(journal: Journal) -> None:
    text = printed(terminal.data_table(one(journal, "data")))
    assert "bellflower" in text
    assert "1 broken, 4 exact duplicates, 6 near duplicates, 1 leak, 1 conflict." in text


def test_a_rung(make_run: Make) -> None:
    record = one(Journal(make_run(halved=True) / "records.jsonl"), "rung/0")
    lines = printed(terminal.rung_table(record), width=160).splitlines()
    assert lines[0].startswith("9 networks on 250 images, out of fold")
    rows = {line.split()[0]: line for line in lines if "/" in line}
    assert rows["packaged/efficientnet_lite0"].rstrip().endswith("goes on")
    assert rows["random/resnet50"].rstrip().endswith("dropped: shown to be worse than the best")
    assert "−18.0 points (−28.0 to −8.0)" in rows["random/resnet26"]
    assert rows["random/resnet26"].rstrip().endswith("dropped: ranked lower, not shown to be worse")
    assert lines[-1].startswith("5 of 9 networks go on.")


def test_cuts_and_heads_have_bars(journal: Journal) -> None:
    competing = next(r.backbone for r in journal.of("probe") if not r.detail["screen"])
    probes = [r for r in journal.of("probe") if r.backbone == competing]
    screened = [r for r in probes if r.detail["screen"]]
    cuts = printed(terminal.cut_table(probes))
    best = max(screened, key=lambda record: record.metrics["value"])
    assert best.backbone in cuts.replace("\n", "")
    assert f"{100 * best.metrics['value']:.1f} %" in cuts
    assert cuts.count("━─") == len(screened)
    heads = [r for r in probes if not r.detail["screen"]]
    shown = printed(terminal.head_table(probes))
    assert shown.count("━─") == len({r.cut for r in heads})
    winner = max(heads, key=lambda record: record.metrics["value"])
    assert f"{100 * winner.metrics['value']:.1f} %" in shown and str(winner.recipe["head"]) in shown
    assert "━" * 16 + "─" * 4 in cuts + shown


def test_the_candidates_with_and_without_a_verdict(journal: Journal) -> None:
    records = journal.of("candidate")
    assert "+0.9 points (−1.0 to +2.7)" in printed(terminal.candidate_table(records, verdict=one(journal, "verdict")))
    alone = printed(terminal.candidate_table(records))
    assert "Against the chosen" not in alone
    assert alone.index("Everything fine-tuned") < alone.index("From scratch")


def test_the_steps_of_the_ladder(journal: Journal) -> None:
    text = printed(terminal.ladder_table(one(journal, "verdict"), journal.of("candidate")))
    rows = [line for line in text.splitlines() if "points" in line]
    assert "+0.9 points (−1.0 to +2.7)" in rows[0] and rows[0].rstrip().endswith("3 min 8 s")
    assert "−1.6 points (−4.0 to +1.0)" in rows[1] and rows[1].rstrip().endswith("6 min 52 s")


def test_the_verdict(journal: Journal) -> None:
    text = printed(terminal.verdict_panel(one(journal, "verdict"), one(journal, "test")))
    assert "Freeze the backbone" in text
    assert "Transfer helps." in text and "– Labels: 1,200 images" in text
    assert "over 327 images, read once." in text


def test_a_verdict_beside_random_features_alone_says_so(journal: Journal) -> None:
    record = one(journal, "verdict")
    compared = [pair for pair in record.detail["comparisons"] if "scratch" not in (pair["a"], pair["b"])]
    alone = replace(record, detail=record.detail | {"comparisons": compared})
    assert "Transfer helps beside random features." in printed(terminal.verdict_panel(alone))


def test_what_was_spent(journal: Journal) -> None:
    text = printed(terminal.spent_table(one(journal, "spent")))
    assert "13 min 48 s" in text
    assert "3.4 GB" in text


@pytest.mark.parametrize("width", [40, 80])
def test_names_are_not_read_as_markup_and_narrow_terminals_do(make_run: Make, width: int) -> None:
    record = one(Journal(make_run(classes=["[red]r[/red]", "[/]", "\x1b[31mx"]) / "records.jsonl"), "data")
    text = printed(terminal.data_table(record), width=width)
    assert "[red]" in text
    assert "\x1b[31m" not in text


def test_nothing_measured_is_an_empty_table() -> None:
    assert printed(terminal.cut_table([]))
    assert printed(terminal.head_table([]))
    assert printed(terminal.candidate_table([]))
    assert printed(terminal.spent_table(Record("spent", "spent")))
