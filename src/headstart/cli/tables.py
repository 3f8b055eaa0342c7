"""Tables of the small commands, for people, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.backbones import Listing
    from headstart.bundle import Prediction
    from headstart.bundle.predictor import Likeliest
    from headstart.evidence.backtest import Estimate
    from headstart.report import Explained
    from headstart.runs.caching import Entry, Verified
    from headstart.runs.ranked import Ranked
    from headstart.runs.study.backtested import Backtested


def print_predictions(terminal: Terminal, found: Sequence[Prediction], *, form: str) -> None:
    """One line for each image (of several tasks: image and task) and class; what could not be read says why."""
    several = any(one.tasks for one in found)
    if form == "json":
        _json([_told(one, several=several) for one in found])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["path", *(["task"] if several else []), "class", "probability"])
        for one in found:
            writer.writerows([one.path, *task, name, f"{share:.6f}"] for task, name, share in _named(one))
            if one.error:
                writer.writerow([one.path, *([""] if several else []), "", ""])
    else:
        table = _table("image", *(["task"] if several else []), "class", "probability")
        for one in found:
            for task, name, share in _named(one):
                table.add_row(one.path, *task, name, f"{100 * share:.1f} %")
            if one.error:
                table.add_row(one.path, *([""] if several else []), one.error, "")
        terminal.console.print(table)
    broken = [one for one in found if one.error]
    for one in broken:
        sys.stderr.write(f"{one.path} was left out: {one.error}\n")
    if broken:
        sys.stderr.write(f"{len(broken)} of {len(found)} files could not be read.\n")


def _named(one: Prediction) -> list[tuple[list[str], str, float]]:
    """Task (in a list, which is empty where there is one task alone), class and probability."""
    alone: list[tuple[list[str], str, float]] = [([], name, share) for name, share in one.top]
    return [*alone, *(([task], name, share) for task, top in one.tasks for name, share in top)]


def _told(one: Prediction, *, several: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"path": one.path, "error": one.error or None}
    if several:
        return row | {"tasks": {task: _likeliest(top) for task, top in one.tasks}}
    return row | {"top": _likeliest(one.top)}


def _likeliest(top: Likeliest) -> list[dict[str, Any]]:
    return [{"class": name, "probability": share} for name, share in top]


def print_explained(terminal: Terminal, models: Sequence[Explained], *, as_json: bool) -> None:
    """What trains in each candidate of a run, from the image to the head."""
    if as_json:
        _json(models)
        return
    from headstart.report.explaining import FITTED

    for model in models:
        table = _table("cut", "what happens to it", "parameters")
        table.title = f"{model['title']}: {model['backbone']}" + (" (handed back)" if model["chosen"] else "")
        table.title_justify = "left"
        # A fitted shallow head keeps its numbers in buffers: no gradient ever reaches them.
        fitted = {part["cut"]: part["buffers"] for part in model["parts"] if part["state"] == FITTED}
        numbers = [part["parameters"] + fitted.get(part["cut"], 0) for part in model["parts"]]
        for part, number in zip(model["parts"], numbers, strict=True):
            table.add_row(part["cut"], part["state"], f"{number:>11,}")
        training = sum(part["training"] for part in model["parts"])
        moved = f"{sum(fitted.values()):,} fitted" if fitted else f"{training:,} train"
        table.add_row("in all", moved, f"{sum(numbers):>11,}")
        terminal.console.print(table)
        for number, found in enumerate(model["blocks"], 1):
            replicate = f" (training {number} of {len(model['blocks'])})" if len(model["blocks"]) > 1 else ""
            norms = ", ".join(f"{cut} {norm:.2g}" for cut, norm in found["gradients"].items())
            terminal.console.print(f"{found['block']} has the largest gradient beside its weights{replicate}: {norms}")
        if model["note"]:
            terminal.console.print(model["note"], markup=False)
        terminal.console.print()


def print_backbones(terminal: Terminal, listings: Sequence[Listing], *, as_json: bool) -> None:
    """Names that are known beforehand, and how the others are written."""
    if as_json:
        _json([asdict(one) for one in listings])
        return
    table = _table("name", "architecture", "weights", "")
    for one in listings:
        table.add_row(one.name, one.architecture, "at hand" if one.at_hand else "not here", one.note)
    terminal.console.print(table)
    terminal.console.print(
        "\nAlso: timm/NAME (any pretrained network of timm's; downloads once), file:PATH@ARCHITECTURE\n"
        "(.safetensors or .pth), run:DIR (what an earlier run handed back), random/ARCHITECTURE (the control)."
    )


def print_ranked(terminal: Terminal, ranked: Ranked, *, as_json: bool) -> None:
    """The backbones in order, the scores behind it, and what follows."""
    if as_json:
        _json(ranked.to_json())
        return
    order = _table("", "backbone", "mean rank", "90 % interval", "may be the best")
    scores = _table("score", *(f"#{i}" for i in range(1, len(ranked.standings) + 1)))
    for i, one in enumerate(ranked.standings, start=1):
        interval = "unknown" if one.low is None else f"{one.low:.1f} to {one.high:.1f}"
        order.add_row(f"#{i}", one.backbone, f"{one.mean_rank:.1f}", interval, "yes" if one.tied else "no")
    for name in ranked.scores:
        scores.add_row(name, *(_with_error(one.scores[name], one.errors[name]) for one in ranked.standings))
    terminal.console.print(order, "", scores, "", ranked.sentence, sep="\n")
    terminal.console.print(f"Scored on {ranked.images:,} training images; the test part was not read.")
    for note in ranked.notes:
        terminal.console.print(note, markup=False)


def print_backtested(terminal: Terminal, found: Backtested, *, as_json: bool) -> None:
    """The networks as fine-tuned, what each score was worth, and what follows."""
    if as_json:
        _json(found.to_json())
        return
    networks = _table("backbone", "fine-tuned, % right", "best probe")
    for one in found.networks:
        networks.add_row(one.backbone, _range(one.accuracy, 100, ".1f"), f"{100 * one.probe:.1f}")
    apart = any(score.tau_among for score in found.scores.values())
    scores = _table(
        "score",
        "weighted tau",
        *(["of the pretrained"] if apart else []),
        "regret@1, points",
        "against the probe, points",
        "best kept",
        "of tied",
    )
    for name, score in found.scores.items():
        scores.add_row(
            name,
            _range(score.tau, 1, ".2f"),
            *([_range(score.tau_among, 1, ".2f")] if score.tau_among else []),
            _range(score.regret, 100, ".1f"),
            _range(score.against, 100, "+.1f") if score.against else "",
            _range(score.kept, 100, ".0f"),
            f"{score.tied:.1f}",
        )
    blank = [""] * (2 if apart else 1)
    scores.add_row("a blind draw", *blank, _range(found.blind, 100, ".1f"), "", "", "")
    known = found.blind.low is not None
    spread = f"{100 * found.level:.0f} % intervals" if known else "no interval, for the images are one group"
    terminal.console.print(networks, "", scores, "", found.sentence, sep="\n", markup=False)
    images = f"{min(found.images):,}" + (f" to {max(found.images):,}" if len(set(found.images)) > 1 else "")
    terminal.console.print(
        f"Fine-tuned by {found.strategy} for at most {found.epochs} epochs, judged on {images} validation images; "
        f"in brackets: {spread}. The test part was not read.",
        markup=False,
    )
    for note in found.notes:
        terminal.console.print(note, markup=False)


def print_cache(terminal: Terminal, folder: Path, listed: Sequence[Entry], *, as_json: bool) -> None:
    """What the cache holds."""
    if as_json:
        entries = [{"room": e.room, "name": e.name, "bytes": e.bytes, "used": e.used} for e in listed]
        _json({"folder": str(folder), "bytes": sum(e.bytes for e in listed), "entries": entries})
        return
    from headstart.report.wording import size

    table = _table("what", "entry", "size")
    for entry in listed:
        table.add_row(entry.room, entry.name, size(entry.bytes))
    if listed:
        terminal.console.print(table)
    terminal.console.print(f"{folder}: {len(listed)} entries, {size(sum(e.bytes for e in listed))}")


def print_pruned(terminal: Terminal, removed: Sequence[Entry], *, as_json: bool) -> None:
    """What was removed."""
    if as_json:
        _json({"removed": [e.name for e in removed], "bytes": sum(e.bytes for e in removed)})
        return
    from headstart.report.wording import size

    terminal.console.print(f"Removed {len(removed)} entries, {size(sum(e.bytes for e in removed))}.")


def print_verified(terminal: Terminal, found: Verified, *, as_json: bool) -> None:
    """What was damaged and has been removed, and which images changed unnoticed."""
    if as_json:
        _json({"entries": found.entries, "damaged": [str(p) for p in found.damaged], "changed": list(found.changed)})
        return
    for path in found.damaged:
        terminal.console.print(f"{path} was damaged and is removed; it is computed anew when it is wanted.")
    for name in found.changed:
        terminal.console.print(f"{name} has changed although its times have not; it is read anew when it is wanted.")
    whole = "" if found.damaged or found.changed else ": all whole"
    terminal.console.print(f"Read {found.entries} entries{whole}.")


def _table(*columns: str) -> Table:
    """A plain table that folds what does not fit and never cuts it off."""
    return Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False)


def _with_error(value: float, error: float | None) -> str:
    """A score with as many digits as its standard error has anything to say about."""
    if error is None:
        return f"{value:.4g}"
    digits = 3 if error == 0 else max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _range(found: Estimate, scale: float, form: str) -> str:
    """A value with its interval, where it has one."""
    said = f"{scale * found.value:{form}}"
    if found.low is None or found.high is None:
        return said
    return f"{said} ({scale * found.low:{form}} to {scale * found.high:{form}})"


def _json(document: object) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
