"""`headstart joint`, and `predict` with what it hands back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headstart.cli.main import app

QUICK = ("--backbone", "random/test_efficientnet", "--size", "32", "--epochs", "2")


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    """Return a table of 120 real digits with 'digit', 'even' (every third cell empty) and 'one', which is one class."""
    rows = ["path,digit,even,one"]
    for i, path in enumerate(sorted(_digits.rglob("*.png"))):
        digit = int(path.parent.name)
        rows.append(f"{path},{digit},{'' if i % 3 == 0 else digit % 2},x")
    out = tmp_path_factory.mktemp("table") / "digits.csv"
    out.write_text("\n".join(rows) + "\n")
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, table: Path) -> tuple[Path, Result]:
    """Return a finished run and what its command said."""
    folder = tmp_path_factory.mktemp("joint") / "run"
    return folder, invoke("joint", table, "--label", "digit", "--label", "even", "--out", folder, *QUICK, "--json")


def test_one_document_says_it_all(made: tuple[Path, Result]) -> None:
    folder, done = made
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["run"] == str(folder) and Path(found["report"]).exists()
    assert set(found["verdict"]["tasks"]) == set(found["test"]) == {"digit", "even"}
    assert [way["way"] for way in found["ways"]] == ["frozen", "alone/digit", "alone/even", "joint"]
    assert found["costs"]["separate"]["parameters"] > found["costs"]["one"]["joint"]["parameters"]


def test_people_read_every_task_and_the_verdict(made: tuple[Path, Result], table: Path) -> None:
    done = invoke("joint", table, "--label", "digit", "--label", "even", "--out", made[0], *QUICK)
    assert done.exit_code == 0, done.output
    assert "handed back" in done.stdout and "Test, even:" in done.stdout
    assert json.loads(made[1].stdout)["verdict"]["sentence"] in done.stdout


def test_predict_names_a_class_of_each_task(made: tuple[Path, Result], _digits: Path, tmp_path: Path) -> None:
    image, broken = next((_digits / "3").glob("*.png")), tmp_path / "broken.png"
    broken.write_text("no image")
    found = json.loads(invoke("predict", made[0], image, broken, "--json", "--top", "2").stdout)
    assert [set(one) for one in found] == [{"path", "error", "tasks"}] * 2 and found[1]["tasks"] == {}
    assert {task: [one["class"] for one in top] for task, top in found[0]["tasks"].items()}.keys() == {"digit", "even"}
    assert {one["class"] for one in found[0]["tasks"]["even"]} == {"0", "1"}
    assert sum(one["probability"] for one in found[0]["tasks"]["even"]) == pytest.approx(1, abs=1e-4)
    rows = list(csv.reader(io.StringIO(invoke("predict", made[0], image, broken, "--csv").stdout)))
    assert rows[0] == ["path", "task", "class", "probability"]
    assert [row[1] for row in rows[1:]] == ["digit", "even", ""]
    plain = invoke("predict", made[0], image)
    assert "digit" in plain.stdout and "even" in plain.stdout


def test_the_page_is_redrawn_and_what_trained_is_explained(made: tuple[Path, Result]) -> None:
    before = (made[0] / "report.html").read_bytes()
    (made[0] / "report.html").unlink()
    assert invoke("report", made[0]).exit_code == 0
    assert (made[0] / "report.html").read_bytes() == before
    assert "Trained together" in invoke("explain", made[0]).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "digit", "--label", "colour"), "named colour; it has digit, even, one"),
        (("--label", "digit"), "headstart fit"),
        (("--label", "digit", "--label", "digit"), "named twice"),
        (("--label", "digit", "--label", "one"), "one class, x"),
        (("--label", "digit", "--label", "even", "--epochs", "0"), "0 epochs"),
        (("--label", "digit", "--label", "even", "--metric", "luck"), "no metric luck"),
        (("--label", "digit", "--label", "even", "--backbone", "packaged/*"), "backbones"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing(
    table: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = invoke("joint", table, "--out", tmp_path / "out", *QUICK, *words)
    assert done.exit_code == 2 and done.stdout == ""
    fact, *remedy = done.stderr.strip().splitlines()
    assert said in done.stderr and fact.endswith(".") and remedy
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_none_is_refused(table: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("path,a,b\n")
    for given, said in (
        (tmp_path / "empty.csv", "has no images"),
        (tmp_path, "is a folder"),
        (tmp_path / "x.csv", "no table"),
    ):
        done = invoke("joint", given, "--label", "a", "--label", "b", "--out", tmp_path / "out", *QUICK)
        assert done.exit_code == 2 and said in done.stderr, done.output
