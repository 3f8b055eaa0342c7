"""The command that asks the same again, from the resolved options of a plan.

Each function gives the command's pieces, a flag with its value each, quoted for a shell; joined by spaces they are the
command. There are none where images were given as arrays, which a shell cannot name, or where the plan is missing. The
answer goes into a folder of its own, since in the run's own there would be nothing left to do.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headstart.report import wording

Options = Mapping[str, Any]
OUT = ["--out", "again"]


def fit(options: Options, sources: Sequence[str] = ()) -> list[str]:
    """`headstart fit`; `sources` are the folders of the earlier runs that it was told to start from."""
    if options.get("data") in (None, "arrays"):
        return []
    models = {f"run:{folder}" for folder in sources}
    return _quoted(
        ["headstart", "fit", options["data"]],
        OUT,
        *_each("--from", sources),
        *_each("--backbone", (name for name in options.get("backbones", ()) if name not in models)),
        *_typed(options, *(name for name in TYPED if name in options)),
        *([["--strict"]] if options.get("strict") else []),
    )


def adapt(options: Options) -> list[str]:
    """`headstart adapt`."""
    if not options or "arrays" in (options["data"], options["to"]):
        return []
    methods = list(options.get("methods", ()))
    return _quoted(
        ["headstart", "adapt", options["data"]],
        ["--to", options["to"]],
        OUT,
        *_each("--backbone", options.get("backbones", ())),
        *_given(options, "labels"),
        *([["--oracle"]] if options.get("oracle") else []),
        *_each("--method", methods if methods != ["auto"] else ()),
        *_given(options, "epochs"),
        *([["--pairs", options["pairs"]]] if options.get("pairs", "auto") != "auto" else []),
        *_each("--map", (f"{one}={other}" for one, other in (options.get("mapping") or {}).items())),
        *_typed(options, "seed", "size", "metric", "margin", "device"),
    )


def joint(options: Options) -> list[str]:
    """`headstart joint`."""
    if not options:
        return []
    return _quoted(
        ["headstart", "joint", options["data"]],
        *_each("--label", options["labels"]),
        OUT,
        *_each("--backbone", options["backbones"]),
        *_given(options, "epochs"),
        *_typed(options, "seed", "size", "split", "metric", "device", "max_pixels"),
    )


def compare(options: Options) -> list[str]:
    """`headstart compare`."""
    if not options or "arrays" in (options["source"], options["target"]):
        return []
    return _quoted(
        ["headstart", "compare", options["source"]],
        [options["target"]],
        OUT,
        *_typed(options, "backbone"),
        ["--tolerance", wording.setting(options["tolerance"])],
        *_typed(options, "pairs", "seed", "size", "max_pixels"),
        *_each("--map", (f"{one}={other}" for one, other in options["mapping"].items())),
        *([] if options["target_labels"] else [["--unlabelled"]]),
    )


def pretrain(options: Options) -> list[str]:
    """`headstart pretrain`."""
    if not options or "arrays" in (options["data"], options["probe"]):
        return []
    scheme, _, architecture = str(options["backbones"][0]).partition("/")
    began = ["--architecture", architecture] if scheme == "random" else ["--from", options["backbones"][0]]
    return _quoted(
        ["headstart", "pretrain", options["data"]],
        ["--by", options["method"]],
        OUT,
        began,
        *_given(options, "poses", "probe", "classes", "clusters"),
        *_steps(options),
        *_given(options, "epochs", "seen"),
        *_typed(options, "budget", "seed", "size", "device", "max_pixels"),
    )


def study_surrogates(options: Options) -> list[str]:
    """`headstart study surrogates`."""
    if not options or options["data"].split(" ")[0] == "arrays":
        return []
    return _quoted(
        ["headstart", "study", "surrogates", options["data"]],
        ["--labels", options["labels"]],
        OUT,
        *_each("--by", options["methods"]),
        *_each("--against", options["backbones"] or ["none"]),
        *_typed(options, "architecture", "images"),
        ["--per-class", wording.setting(options["per_class"])],
        *_given(options, "poses"),
        *_steps(options),
        *([] if options["finetune"] else [["--no-finetune"]]),
        *_typed(options, "repeats", "seed", "size", "device", "max_pixels"),
    )


def study_transferability(options: Options) -> list[str]:
    """`headstart study transferability`."""
    if not options:
        return []
    return _quoted(
        ["headstart", "study", "transferability", options["data"]],
        OUT,
        ["--backbone", options["architecture"]],
        *_each("--split", options["splits"]),
        *_typed(options, "seeds"),
        *_each("--cut", options["cuts"]),
        *([["--labels", wording.setting(options["labels"])]] if options["labels"] else []),
        *_given(options, "epochs"),
        *_typed(options, "budget", "reference", "seed", "size", "device", "max_pixels"),
    )


def _quoted(*pieces: Iterable[Any]) -> list[str]:
    return [shlex.join(map(str, piece)) for piece in pieces]


def _each(flag: str, values: Iterable[Any]) -> list[list[Any]]:
    return [[flag, value] for value in values]


def _typed(options: Options, *names: str) -> list[list[Any]]:
    return [["--" + name.replace("_", "-"), TYPED.get(name, str)(options[name])] for name in names]


def _given(options: Options, *names: str) -> list[list[Any]]:
    """Those that are neither missing nor empty, which is what stands for the command's own choice."""
    return _typed(options, *(name for name in names if options.get(name)))


def _steps(options: Options) -> list[list[Any]]:
    """How frames are taken, where it is not the usual way."""
    usual = {"every": 1, "apart": 10}
    return _typed(options, *(name for name, value in usual.items() if options.get(name, value) != value))


def _duration(value: float) -> str:
    """Whole minutes as ``20m``, else seconds as ``90s``."""
    return f"{value / 60:g}m" if value >= 60 and value % 60 == 0 else f"{value:g}s"


def _shares(parts: Sequence[float]) -> str:
    return "/".join(f"{100 * part:g}" for part in parts)


TYPED: dict[str, Callable[[Any], str]] = {
    "budget": _duration,
    "strategy": str,
    "seed": str,
    "size": str,
    "split": _shares,
    "metric": str,
    "margin": lambda share: f"{100 * share:g}",
    "class_weight": str,
    "rate": str,
    "device": str,
    "max_pixels": str,
    "memory": lambda size: f"{size / 1e9:g}GB" if size % 10**7 == 0 else str(size),
}
"""How each option's resolved value is typed; those of `fit`, in its order."""
