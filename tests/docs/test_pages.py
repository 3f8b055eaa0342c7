"""The pages agree with the program, with the table of strategies, and with one another."""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from pathlib import Path

import pytest

from headstart.evidence.label_free import VALIDATORS
from headstart.evidence.transferability import SCORES, Score
from headstart.strategies import (
    ADAPTATIONS,
    DEEP_ADAPTATIONS,
    FAMILIES,
    SURROGATES,
    TABLE,
    Adaptation,
    DeepAdaptation,
    Strategy,
    SurrogateTask,
)

COMMANDS = (
    "fit",
    "adapt",
    "joint",
    "pretrain",
    "predict",
    "rank",
    "compare",
    "report",
    "explain",
    "labels",
    "study",
    "backbones",
    "cache",
    "demo",
)
GROUPS = {"cache": ("prune",), "study": ("ranking", "surrogates", "transferability")}
CALLED = (
    "adapt",
    "compare",
    "fit",
    "joint",
    "labels",
    "load",
    "pretrain",
    "rank",
    "study.ranking",
    "study.surrogates",
    "study.transferability",
    "TransferClassifier",
)
PAGES = (
    "README.md",
    "docs/index.md",
    "docs/quickstart.md",
    "docs/command-line.md",
    "docs/backbones.md",
    "docs/which-network.md",
    "docs/next-task.md",
    "docs/joint-tasks.md",
    "docs/pretraining.md",
    "docs/transferability.md",
    "docs/adapting.md",
    "docs/comparing.md",
)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@cache
def options(command: str) -> frozenset[str]:
    """Return the options that `headstart COMMAND --help` names, with those of the commands of a group."""
    known = frozenset[str]()
    for words in ([command], *([command, name] for name in GROUPS.get(command, ()))):
        done = subprocess.run(
            [Path(sys.executable).with_name("headstart"), *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        )
        known |= frozenset(OPTION.findall(done.stdout + done.stderr))
    return known


@pytest.mark.parametrize("page", PAGES)
def test_pages_use_only_options_that_exist(page: str, fences: Callable[[str], list[tuple[str, str]]]) -> None:
    lines = [line for _, text in fences(page) for line in text.splitlines() if line.startswith("$ headstart ")]
    for line in lines:
        _, _, command, *words = shlex.split(line)
        assert command in COMMANDS, line
        assert set(OPTION.findall(" ".join(words))) <= options(command), line


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/quickstart.md",
        "docs/python.md",
        "docs/which-network.md",
        "docs/comparing.md",
        "docs/joint-tasks.md",
    ],
)
def test_pages_call_python_with_arguments_that_exist(page: str, fences: Callable[[str], list[tuple[str, str]]]) -> None:
    import headstart

    for call in [node for language, text in fences(page) if language == "python" for node in ast.walk(ast.parse(text))]:
        if isinstance(call, ast.Call):
            name = ast.unparse(call.func).removeprefix("headstart.")
            if name in CALLED:
                known = inspect.signature(attrgetter(name)(headstart)).parameters
                assert {keyword.arg for keyword in call.keywords} <= set(known), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str, root: Path) -> None:
    page = (root / "docs/command-line.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {command}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert options(command) - {"--help"} <= set(OPTION.findall(section[1]))


@pytest.mark.parametrize("name", sorted({*TABLE, *FAMILIES}))
def test_every_strategy_is_documented(name: str, root: Path) -> None:
    assert f"| `{name}` |" in (root / "docs/command-line.md").read_text(encoding="utf-8")


def test_the_table_of_strategies_on_its_page_is_that_of_the_program(root: Path) -> None:
    page = (root / "docs/freezing.md").read_text(encoding="utf-8")
    tables = runpy.run_path(str(root / "docs/tables.py"))
    assert tables["filled"](page) == page, "python docs/tables.py writes it"
    assert tables["filled"](page.replace("as `all` (BitFit)", "by magic")) == page


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_every_strategy_is_explained_with_its_paper(row: Strategy, root: Path) -> None:
    page = (root / "docs/freezing.md").read_text(encoding="utf-8")
    tables = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("|")]
    (cells,) = [cells for cells in tables if f"`{row.name}`" in cells[1]]
    paper = cells[4]
    assert paper.startswith(row.paper) and bool(paper) is bool(row.paper)


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_every_score_is_documented_with_its_paper(score: Score, root: Path) -> None:
    page = (root / "docs/which-network.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{score.name}` \|.*$", page, re.MULTILINE)
    assert score.paper in row and f"| {score.needs} |" in row


@pytest.mark.parametrize("row", DEEP_ADAPTATIONS.values(), ids=DEEP_ADAPTATIONS)
def test_every_way_to_train_towards_a_domain_is_documented_with_its_paper(row: DeepAdaptation, root: Path) -> None:
    page = (root / "docs/training-towards-a-domain.md").read_text(encoding="utf-8")
    (cells,) = re.findall(rf"^\| `{row.name}` \|(.*)$", page, re.MULTILINE)
    *_, kind, begins, sees, paper, _ = (cell.strip(" `") for cell in cells.split("|"))
    assert (kind, paper) == (row.kind, row.paper)
    assert begins == ("a fitted head" if row.begins == "head" else row.begins)
    assert sees == ("both" if row.sees_source and row.sees_target else "source" if row.sees_source else "target")


@pytest.mark.parametrize("row", [row for row in ADAPTATIONS.values() if not row.training], ids=lambda row: row.name)
def test_every_way_to_adapt_is_documented_with_its_paper(row: Adaptation, root: Path) -> None:
    page = (root / "docs/adapting.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^\| `{row.name}` \|.*$", page, re.MULTILINE)
    assert row.paper in found and f"| {row.kind} |" in found


@pytest.mark.parametrize("row", SURROGATES.values(), ids=SURROGATES)
def test_every_surrogate_is_documented_with_its_paper(row: SurrogateTask, root: Path) -> None:
    page = (root / "docs/pretraining.md").read_text(encoding="utf-8")
    (cells,) = re.findall(rf"^\| `{row.name}` \|(.*)$", page, re.MULTILINE)
    needs, _, paper, _ = (cell.strip() for cell in cells.split("|"))
    assert (needs, paper) == (row.needs, row.paper)
    assert f"`{row.name}`" in (root / "docs/command-line.md").read_text(encoding="utf-8")


def test_every_validator_is_documented_with_its_paper(root: Path) -> None:
    page = (root / "docs/adapting.md").read_text(encoding="utf-8")
    assert all(f"| `{one.name}` |" in page and one.paper in page for one in VALIDATORS.values())


def test_every_exception_is_documented(root: Path) -> None:
    import headstart.errors as errors

    page = (root / "docs/python.md").read_text(encoding="utf-8")
    public = [name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")]
    assert [name for name in public if f"`{name}`" not in page and f".{name}`" not in page] == []


def test_the_index_of_decisions_is_complete(root: Path) -> None:
    folder = root / "docs/decisions"
    index = (folder / "index.md").read_text(encoding="utf-8")
    notes = sorted(folder.glob("[0-9]*.md"))
    assert [note.name for note in notes if f"]({note.name})" not in index] == []
    assert [note.name[:4] for note in notes] == [f"{number:04d}" for number in range(1, len(notes) + 1)]
    assert all(len(note.read_text(encoding="utf-8").splitlines()) <= 25 for note in notes)


def test_the_documentation_builds_without_a_warning_and_asks_no_network(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link)[^>]+(?:src|href)="(https?://[^"]+)', page.read_text(encoding="utf-8")
        )
        assert loaded == [], page


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_front_pages_lead_somewhere(page: str, root: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (root / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (root / target).exists()] == []
