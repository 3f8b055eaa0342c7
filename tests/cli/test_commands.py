"""What the commands print, and where."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from headstart.bundle.predictor import Predictor
from headstart.cli.main import app
from headstart.cli.show import Terminal
from headstart.data import RowStore
from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report.explaining import UNEXPLAINED
from headstart.runs.run import Recorded, Run

QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--budget", "40s", "--strategy", "probe")
COMMANDS = ("fit", "joint", "predict", "rank", "report", "explain", "labels", "study", "backbones", "cache", "demo")
HEAVY = ("torch", "torchvision", "timm", "sklearn", "scipy", "openvino", "numpy", "PIL", "jinja2")


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def document(text: str) -> Any:
    """Return the one JSON document that `text` is."""
    assert text.endswith("\n") and text.count("\n") == 1
    return json.loads(text)


PROBE = """
import sys
sys.argv = ["headstart", *sys.argv[1:]]
from headstart.cli import main
try:
    main()
finally:
    print([name for name in %r if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        *((name, "--help") for name in COMMANDS),
        ("cache", "prune", "--help"),
        ("cache", "verify", "--help"),
        ("study", "ranking", "--help"),
    ],
)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    code = [sys.executable, "-c", PROBE % (HEAVY,), *words]
    done = subprocess.run(code, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_help_names_every_command() -> None:
    said = invoke("--help").stdout
    assert all(name in said for name in COMMANDS)
    assert invoke("fit", "--help").stdout.isascii()


@pytest.mark.slow
def test_fit_prints_one_json_document(made: Any) -> None:
    said = document(made.stdout)
    journal = Journal(made.folder / "records.jsonl")
    test, verdict = journal.get("test"), journal.get("verdict")
    assert test is not None and verdict is not None
    assert said["test"] == test.metrics == json.loads((made.folder / "metrics.json").read_text())
    assert said["verdict"] == verdict.detail
    assert [one["strategy"] for one in said["candidates"]] == ["probe", "frozen_random"]
    assert Path(said["report"]).is_file() and said["run"] == str(made.folder)
    assert "\x1b" not in made.stderr and "Traceback" not in made.stderr


@pytest.mark.slow
def test_the_same_command_again_returns_at_once(headstart: Any, made: Any, _digits: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in made.folder.rglob("*")}
    done = headstart("fit", _digits, "--out", made.folder, *QUICK)
    assert done.returncode == 0 and done.stderr == ""
    assert "report.html" in done.stdout and "Test:" in done.stdout
    assert "\x1b" not in done.stdout
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in made.folder.rglob("*")} == before


@pytest.mark.slow
def test_predict_in_every_form(made: Any, _digits: Path) -> None:
    files = sorted((_digits / "0").glob("*.png"))[:3]
    expected = Predictor(made.folder).predict_proba(files)
    names = Predictor(made.folder).classes

    rows = document(invoke("predict", made.folder, *files, "--json", "--top", "2").stdout)
    assert [one["path"] for one in rows] == [str(path) for path in files]
    for one, shares in zip(rows, expected, strict=True):
        assert one["error"] is None
        assert [top["class"] for top in one["top"]] == [names[i] for i in np.argsort(-shares)[:2]]
        assert one["top"][0]["probability"] == pytest.approx(shares.max(), abs=1e-5)

    table = list(csv.DictReader(io.StringIO(invoke("predict", made.folder, *files, "--csv").stdout)))
    assert [set(row) for row in table] == [{"path", "class", "probability"}] * 3
    assert [row["class"] for row in table] == [names[i] for i in expected.argmax(1)]
    assert [float(row["probability"]) for row in table] == pytest.approx(expected.max(1).tolist(), abs=1e-5)

    everything = list(csv.reader(io.StringIO(invoke("predict", made.folder, _digits, "--csv", "--top", "99").stdout)))
    assert len(everything) == 1 + 120 * len(names)

    said = invoke("predict", made.folder, *files).stdout
    assert all(path.name in said for path in files) and "%" in said


@pytest.mark.slow
def test_predict_names_what_it_cannot_read(headstart: Any, made: Any, digits_folder: Path) -> None:
    folder = digits_folder / "1"
    good = len(list(folder.iterdir()))
    (folder / "cut.png").write_bytes(next(folder.glob("*.png")).read_bytes()[:50])
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("dear diary")
    broken = {"cut.png", "empty.png", "notes.txt"}

    done = headstart("predict", made.folder, folder, "--csv")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == good + 3
    assert {Path(row["path"]).name for row in rows if not row["class"]} == broken
    assert all(name in done.stderr for name in broken) and f"3 of {good + 3}" in done.stderr
    assert "Traceback" not in done.stderr

    rows = document(headstart("predict", made.folder, folder, "--json").stdout)
    assert {Path(row["path"]).name for row in rows if row["error"]} == broken
    table = headstart("predict", made.folder, folder)
    assert all(name in table.stdout for name in broken) and "\x1b" not in table.stdout


@pytest.mark.slow
def test_predict_reads_odd_images(made: Any, _digits: Path, tmp_path: Path) -> None:
    picture = Image.open(next((_digits / "0").glob("*.png"))).resize((48, 48))
    plain = tmp_path / "plain.png"
    picture.save(plain)
    picture.convert("P").save(tmp_path / "palette.png")
    picture.convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(np.asarray(picture, np.uint16) * 257).save(tmp_path / "sixteen.png")
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    rows = document(invoke("predict", made.folder, tmp_path, "--json", "--top", "5").stdout)
    assert len(rows) == 6 and not any(row["error"] for row in rows)
    shares = {
        Path(row["path"]).stem: [top["probability"] for top in sorted(row["top"], key=lambda top: top["class"])]
        for row in rows
    }
    for name in ("palette", "alpha", "sixteen", "cmyk", "turned"):
        assert shares[name] == pytest.approx(shares["plain"], abs=0.02), name


@pytest.mark.slow
def test_a_run_works_elsewhere_without_what_it_does_not_need(
    headstart: Any, run: Path, made: Any, _digits: Path
) -> None:
    moved = run.parent / "ein anderer Ort"
    run.rename(moved)
    for name in ("work", "pictures"):
        shutil.rmtree(moved / name, ignore_errors=True)
    for name in ("records.jsonl", "split.json", "report.html", "README.md", "metrics.json"):
        (moved / name).unlink()
    before, after = (headstart("predict", folder, _digits / "0", "--csv") for folder in (made.folder, moved))
    assert after.returncode == 0 and after.stdout == before.stdout


@pytest.mark.slow
def test_report_is_drawn_from_the_records_alone(headstart: Any, run: Path) -> None:
    drawn = (run / "report.html").read_text()
    (run / "report.html").unlink()
    shutil.rmtree(run / "work")
    done = headstart("report", run, "--json")
    assert done.returncode == 0, done.stderr
    assert document(done.stdout) == {"report": str(run / "report.html")}
    assert (run / "report.html").read_text() == drawn
    assert headstart("report", run).stdout.strip() == str(run / "report.html")


@pytest.mark.slow
def test_a_page_that_could_not_be_drawn_is_drawn_by_the_same_command(headstart: Any, run: Path, _digits: Path) -> None:
    """A kill between the last record and the page leaves a run without a page."""
    for name in ("report.html", "README.md"):
        (run / name).unlink()
    assert headstart("fit", _digits, "--out", run, *QUICK).returncode == 0
    assert (run / "report.html").exists() and (run / "README.md").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"backbones": ("random/resnet18", "packaged/efficientnet_lite1"), "strict": True, "margin": 0.015},
        {"split": (0.333333, 0.333333, 0.333333), "budget": 95.5, "class_weight": "balanced", "metric": "macro_f1"},
        {"strategy": "last_block", "seed": 7, "size": 96, "device": "cpu", "max_pixels": 1000, "memory": 4 * 10**9},
    ],
)
def test_the_command_on_the_page_asks_the_same_question(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.report import again
    from headstart.runs import fit, options

    asked = options.Options(
        **{
            "data": str(tmp_path / "meine Bilder"),
            "backbones": ("packaged/efficientnet_lite0",),
            "strategy": "auto",
            "budget": 480.0,
            "seed": 0,
            "size": 128,
            "split": (0.6, 0.2, 0.2),
            "metric": "accuracy",
            "margin": 0.005,
            "class_weight": "none",
            "device": "auto",
            "strict": False,
        }
        | changed
    )
    heard = []

    def hear(**resolved: Any) -> None:
        heard.append(options.Options(**resolved))
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "Options", hear)
    words = shlex.split(" ".join(again.fit(asked.to_json())))
    assert words[:2] == ["headstart", "fit"]
    assert invoke(*words[1:]).exit_code == 130
    assert heard == [asked]


def test_explain_says_what_trains(headstart: Any, run: Path) -> None:
    said = headstart("explain", run)
    assert said.returncode == 0, said.stderr
    assert "the frozen network: random/test_resnet (handed back)" in said.stdout
    models = json.loads(headstart("explain", run, "--json").stdout)
    assert [model["strategy"] for model in models] == ["probe", "frozen_random"]
    assert models == Run(run).explain()
    for model in models:
        assert {part["state"] for part in model["parts"][:-1]} <= {"frozen", "nothing to train"}
        assert model["parts"][-1]["cut"] == "head" and model["parts"][-1]["state"] == "fitted"


def test_explain_refuses_what_it_cannot_know(headstart: Any, run: Path, tmp_path: Path) -> None:
    nothing = headstart("explain", tmp_path / "nowhere")
    assert nothing.returncode == 2 and "holds no records.jsonl" in nothing.stderr
    path = run / "records.jsonl"
    path.write_text(path.read_text().replace('"parts": [{"cut"', '"former": [{"cut"'))
    old = headstart("explain", run)
    assert old.returncode == 2 and "do not say what trained" in old.stderr and "Traceback" not in old.stderr
    path.write_text("".join(line for line in path.read_text().splitlines(True) if '"candidate"' not in line))
    early = headstart("explain", run)
    assert early.returncode == 2 and "holds no candidate yet" in early.stderr


@pytest.mark.parametrize("kind", sorted(UNEXPLAINED))
def test_explain_and_the_run_itself_refuse_in_the_same_words(headstart: Any, kind: str, tmp_path: Path) -> None:
    Journal(tmp_path / "records.jsonl").append(Record("plan", kind, detail={}))
    with pytest.raises(RunError) as caught:
        Recorded(tmp_path).explain()
    assert UNEXPLAINED[kind] in caught.value.fact
    said = headstart("explain", tmp_path)
    assert said.returncode == 2 and said.stderr == f"{caught.value.fact}\n{caught.value.remedy}\n"


def test_rank(headstart: Any, _digits: Path) -> None:
    words = ("rank", _digits, "--backbone", "random/test_resnet", "--backbone", "random/test_vit", "--size", "32")
    done = headstart(*words, "--scores", "loo_ridge, logme", "--json")
    assert done.returncode == 0, done.stderr
    found = document(done.stdout)
    assert found["scores"] == ["loo_ridge", "logme"]
    assert found["best"] == found["standings"][0]["backbone"] in found["tied"]
    said = headstart(*words).stdout
    assert "random/test_resnet" in said and "the test part was not read" in said and "\x1b" not in said


def test_backbones(headstart: Any) -> None:
    done = headstart("backbones", "--json")
    rows = {row["name"]: row for row in document(done.stdout)}
    assert rows["packaged/efficientnet_lite0"]["at_hand"] is True
    said = headstart("backbones").stdout
    assert all(name in said for name in rows) and "random/ARCHITECTURE" in said and "\x1b" not in said


def test_an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "none"))
    assert document(invoke("cache", "--json").stdout) == {
        "folder": str(tmp_path / "none"),
        "bytes": 0,
        "entries": [],
    }
    assert "0 entries" in invoke("cache").stdout
    assert document(invoke("cache", "prune", "--json").stdout) == {"removed": [], "bytes": 0}
    assert "Removed 0" in invoke("cache", "prune").stdout
    assert document(invoke("cache", "verify", "--json").stdout) == {"entries": 0, "damaged": [], "changed": []}
    assert "all whole" in invoke("cache", "verify").stdout


def test_verifying_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    store = RowStore(tmp_path / "features" / "net")
    store.put(["a"], {"top": np.zeros((1, 2), "f4")})
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said = invoke("cache", "verify")
    assert f"{path} was damaged and is removed" in said.stdout and said.exit_code == 0
    assert document(invoke("cache", "verify", "--json").stdout)["damaged"] == []
    assert not (tmp_path / "none").exists()


def test_pruning_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    for name in ("a", "b"):
        (tmp_path / "features" / name).mkdir(parents=True)
        (tmp_path / "features" / name / "0").write_bytes(b"x" * 1000)
    said = document(invoke("cache", "--json").stdout)
    assert said["bytes"] == 2000 and [e["name"] for e in said["entries"]] == ["a", "b"]
    assert "features" in invoke("cache").stdout
    assert document(invoke("cache", "prune", "--to", "1KB", "--json").stdout) == {"removed": ["a"], "bytes": 1000}
    assert "Removed 1" in invoke("cache", "prune").stdout


@pytest.mark.slow
def test_demo_fits_its_digits(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.runs import fit

    asked: dict[str, Any] = {}

    def stand_in(data: Path, out: Path, **options: Any) -> Run:
        asked.update(options, data=data, out=out)
        return Run(made.folder)

    monkeypatch.setattr(fit, "fit", stand_in)
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    done = invoke("demo", "--json", "--budget", "3m", "--out", tmp_path / "demo")
    assert document(done.stdout)["test"]
    assert (asked["budget"], asked["out"]) == ("3m", tmp_path / "demo")
    assert len(list(asked["data"].glob("*/*.png"))) == 1797
    assert len(list(asked["data"].iterdir())) == 10


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_fault_of_our_own_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart import backbones
    from headstart.errors import InternalError

    for error in (ZeroDivisionError("by zero"), InternalError("A frozen part moved.")):
        monkeypatch.setattr(backbones, "names", failing(error))
        done = invoke("backbones")
        assert done.exit_code == 1
        assert done.stdout == ""
        assert str(error) in done.stderr and "Traceback" in done.stderr
        assert "report it" in done.stderr.splitlines()[-1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finaliser_swallowed_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Swallows:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as stopped, Terminal(quiet=True) as terminal:
        swallows = Swallows()
        del swallows
        terminal.progress("heads", 1, 2)
    assert stopped.value.code == 130
    assert "goes on where it was" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart import backbones

    monkeypatch.setattr(backbones, "names", failing(MemoryError()))
    done = invoke("backbones")
    assert done.exit_code == 2
    assert "memory" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_fault() -> None:
    words = f"{sys.executable} -m headstart backbones --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert done.returncode in (0, 141)
    assert done.stderr == ""
