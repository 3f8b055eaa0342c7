"""What `headstart labels --finetune` prints, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from headstart.cli.growth import sentences
from headstart.evidence.learning_curves import Forecast
from headstart.runs.grown import Frozen, Labels, Meeting, Trained, Trainings

Command = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--replicates", "1", "--more", "30", "--finetune")


def test_trained_curves_as_sentences_and_as_one_document(
    headstart: Command, digits_folder: Path, tmp_path: Path
) -> None:
    told = headstart("labels", digits_folder, *QUICK, "--out", tmp_path / "run", "--budget", "28s")
    assert told.returncode == 0, told.stderr
    assert "Instead, fine-tuning everything brings " in told.stdout or "the budget does not hold" in told.stdout
    again = headstart("labels", digits_folder, *QUICK, "--out", tmp_path / "run", "--budget", "28s", "--json")
    assert again.returncode == 0 and again.stdout.count("\n") == 1
    trained = json.loads(again.stdout)["trained"]
    for curve in trained["curves"]:
        assert f"{100 * curve['points'][-1]['value']:.1f} %" in told.stdout
    drawn = headstart("report", tmp_path / "run")
    assert drawn.returncode == 0 and drawn.stdout.strip() == str(tmp_path / "run" / "curves.svg")


def test_labels_refuses_what_would_not_be_kept(headstart: Command, digits_folder: Path) -> None:
    done = headstart("labels", digits_folder, *QUICK)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.endswith("Give --out RUN.\n")


def found(*, replicates: int, at: Forecast | None) -> Labels:
    known = Forecast(0.7, 0.68, 0.72)
    gain = Forecast(0.015, 0.009, 0.021)
    frozen = Frozen("net", "top", (known, known))
    over = Forecast(0.04, 0.03, 0.05) if replicates > 1 else Forecast(0.04, None, None)
    curve = Trained("all", "fine-tuning everything", 8, (80, 640), (known, known), over, known, gain, 1)
    other = Trained("scratch", "training from scratch", 8, (80, 640), (known, known), over, known, gain, 0)
    meetings = (
        Meeting("probe", "all", at, "all", measured=640, searched=6400),
        Meeting("all", "scratch", None, "all", measured=640, searched=6400),
    )
    trained = Trainings(replicates, (curve, other), meetings, 60.0, ("A note.",))
    return Labels(800, (80, 640), frozen, frozen, None, known, 200, gain, gain, 0, trained)


def test_what_fine_tuning_brings_in_words() -> None:
    said = sentences(found(replicates=3, at=Forecast(120, 90, 160)))
    assert "Another 200 labels would bring +1.5 points (+0.9 to +2.1)." in said
    start = "Instead, fine-tuning everything brings +4.0 points (+3.0 to +5.0)"
    assert f"{start}, with 640 labels and on the same images." in said
    curves = "The curves of the frozen network and of fine-tuning everything"
    assert f"{curves} cross at about 120 labels (90 to 160): from there on fine-tuning everything is ahead." in said
    never = "The curves of fine-tuning everything and of training from scratch do not cross up to 6,400 labels"
    assert f"{never}: fine-tuning everything is ahead throughout." in said
    assert any("In 1 of 6 trainings (fine-tuning everything) the last of 8 epochs was the best" in one for one in said)
    assert "A note." in said


def test_what_has_no_interval_is_said_to_have_none() -> None:
    said = sentences(found(replicates=1, at=Forecast(900, None, None)))
    assert any("cross at about 900 labels, beyond what was measured: from there on" in one for one in said)
    assert any("stands on 1 replicate: without an interval" in one for one in said)
    said = sentences(found(replicates=3, at=Forecast(900, None, None)))
    assert any("no interval: replicates do not agree that they cross" in one for one in said)
