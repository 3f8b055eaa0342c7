"""The commands on pages are ones that the command line takes, and they ask the same."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import pytest
import typer

from headstart.cli.main import app
from headstart.report import again

COMMON = {"seed": 3, "size": 96, "device": "cpu", "max_pixels": 1000}


def parsed(pieces: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of a command: its parameters by name."""
    words = shlex.split(" ".join(pieces))
    assert words.pop(0) == "headstart"
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return command.make_context("headstart", words).params


def test_the_command_can_be_typed_again_whatever_the_folder_is_called() -> None:
    options = {
        "data": "my 'pics'; rm -rf x",
        "backbones": ["a/b", "c"],
        "strict": True,
        "margin": 0.01,
        "budget": 1200.0,
    }
    words = shlex.split(" ".join(again.fit(options)))
    assert words[:5] == ["headstart", "fit", "my 'pics'; rm -rf x", "--out", "again"]
    assert words[5:] == ["--backbone", "a/b", "--backbone", "c", "--budget", "20m", "--margin", "1", "--strict"]
    assert again.fit({"data": "arrays"}) == []
    told = {"data": "d", "backbones": ["run:my run", "a/b", "run:other"]}
    words = shlex.split(" ".join(again.fit(told, ["my run"])))
    assert words[5:] == ["--from", "my run", "--backbone", "a/b", "--backbone", "run:other"]


def test_an_adaptation() -> None:
    options = COMMON | {"data": "my 'pics'", "to": "b", "backbones": ["x/y"], "metric": "macro_f1", "margin": 0.01}
    told = parsed(again.adapt(options | {"methods": ["coral", "dan"], "labels": 3, "oracle": True, "pairs": "names"}))
    assert (str(told["source"]), str(told["to"]), told["backbone"]) == ("my 'pics'", "b", "x/y")
    assert (told["method"], told["labels"], told["oracle"], told["pairs"]) == (["coral", "dan"], 3, True, "names")
    assert (told["seed"], told["size"], told["metric"], told["margin"]) == (3, 96, "macro_f1", 1.0)
    assert not parsed(again.adapt(options | {"methods": ["auto"]}))["method"]
    assert again.adapt(options | {"to": "arrays"}) == again.adapt({}) == []


def test_several_tasks() -> None:
    options = COMMON | {"data": "t.csv", "labels": ["kind", "of wood"], "backbones": ["x/y"], "epochs": 4}
    told = parsed(again.joint(options | {"split": (0.5, 0.25, 0.25), "metric": "accuracy"}))
    assert told["label"] == ["kind", "of wood"] and told["epochs"] == 4 and told["split"] == "50/25/25"


def test_a_comparison() -> None:
    options = COMMON | {"source": "a", "target": "b", "backbone": "x/y", "tolerance": 7.5, "pairs": "none"}
    told = parsed(again.compare(options | {"mapping": {"Cats": "cat", "Dogs": "d og"}, "target_labels": False}))
    assert told["mapping"] == ["Cats=cat", "Dogs=d og"] and told["unlabelled"] and told["tolerance"] == 7.5


@pytest.mark.parametrize(("backbone", "begun"), [("random/resnet18", ("resnet18", "")), ("x/y", ("resnet10t", "x/y"))])
def test_a_pretraining(backbone: str, begun: tuple[str, str]) -> None:
    options = COMMON | {"data": "d", "method": "slow", "backbones": [backbone], "poses": "", "probe": "p q"}
    options |= {"classes": 0, "clusters": 0, "every": 2, "apart": 10, "epochs": None, "seen": 500, "budget": 90.0}
    told = parsed(again.pretrain(options))
    assert (told["architecture"], told["start"]) == begun
    assert (str(told["probe"]), told["every"], told["apart"], told["seen"]) == ("p q", 2, 10, 500)
    assert (told["budget"], told["by"], told["epochs"]) == ("90s", "slow", None)
    assert again.pretrain(options | {"data": "arrays"}) == again.pretrain(options | {"probe": "arrays"}) == []


def test_studies() -> None:
    options = COMMON | {"data": "d", "labels": "l", "methods": ["exemplar", "slow"], "backbones": []}
    options |= {"architecture": "a", "images": 100, "per_class": [5, 10], "poses": "", "finetune": False, "repeats": 3}
    told = parsed(again.study_surrogates(options | {"every": 3, "apart": 7}))
    assert (told["every"], told["apart"]) == (3, 7)
    told = parsed(again.study_surrogates(options | {"every": 1, "apart": 10}))
    assert (told["every"], told["apart"]) == (1, 10)
    assert again.study_surrogates(options | {"data": "arrays"}) == []
    assert (told["by"], told["against"], told["per_class"]) == (["exemplar", "slow"], ["none"], "5,10")
    assert not told["finetune"] and told["repeats"] == 3
    options = COMMON | {"data": "d", "architecture": "a", "splits": ["random", "h.csv"], "seeds": 2, "cuts": ["c"]}
    options |= {"labels": [5, 10], "epochs": 7, "budget": 3600.0, "reference": "x/y"}
    told = parsed(again.study_transferability(options))
    assert (told["split"], told["labels"], told["cut"]) == (["random", "h.csv"], "5,10", ["c"])
    assert (told["budget"], told["backbone"], told["reference"], told["epochs"]) == ("60m", "a", "x/y", 7)
