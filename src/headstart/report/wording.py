"""How numbers and names read: one wording for the page, the model card and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "—"

CONTROLS = ("scratch", "frozen_random")

HEADS_ONLY = ("probe", "frozen_random")

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}

COUNTS = {
    "images": "images",
    "classes": "classes",
    "broken": "broken files",
    "duplicates": "exact duplicates",
    "near_duplicates": "near duplicates",
    "aside": "left aside",
}

STRATEGIES = {
    "probe": "Frozen backbone, fitted head",
    "last_block": "Fine-tune the last block",
    "upper_half": "Fine-tune the upper half",
    "all": "Fine-tune everything",
    "scratch": "From scratch",
    "frozen_random": "Frozen random network",
}

KINDS = {
    "freeze": "Freeze",
    "finetune": "Fine-tune",
    "train_all": "Train everything",
    "no_transfer": "No transfer",
    "cannot_tell": "Cannot tell",
}

TRANSFER = {
    "helps": "Transfer helps",
    "neutral": "Transfer is neutral",
    "hurts": "Transfer hurts",
    "cannot_tell": "Whether transfer helps cannot be told",
}

FATES = {
    "left": "goes on",
    "worse": "dropped: shown to be worse than the best",
    "lower": "dropped: ranked lower, not shown to be worse",
    "yielded": "dropped: its place went to one that can be fine-tuned",
}
"""What becomes of a network at a rung."""

PARTS = {"train": "out of fold, training part", "val": "validation part", "folds": "out of fold", "test": "test part"}


def share(value: float | None) -> str:
    """A share 0..1 as per cent with one decimal.

    >>> share(0.793)
    '79.3 %'
    """
    return MISSING if value is None else f"{100 * value:.1f} %"


def fraction(part: float | None, whole: float | None) -> str:
    """A part of a whole as per cent; a part that is something never reads as nought, nor as all.

    >>> fraction(3, 10_000), fraction(1, 8)
    ('< 0.1 %', '12.5 %')
    """
    if part is None or not whole:
        return MISSING
    if 0 < part / whole < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= part / whole < 1 else share(part / whole)


def interval(low: float | None, high: float | None) -> str:
    """The ends of an interval of shares, in per cent; empty where there is none.

    >>> interval(0.761, 0.824)
    '76.1–82.4'
    """
    return "" if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def estimate(metrics: Mapping[str, Any]) -> str:
    """The chosen metric with its interval, from the metrics of a record.

    >>> estimate({"value": 0.793, "low": 0.761, "high": 0.824})
    '79.3 % (76.1–82.4)'
    """
    ends = interval(metrics.get("low"), metrics.get("high"))
    return share(metrics.get("value")) + (f" ({ends})" if ends else "")


def signed(difference: float | None) -> str:
    """A difference of shares in points, signed, without its unit; a rounded nought has no direction.

    >>> signed(-0.0341), signed(0.0002)
    ('−3.4', '±0.0')
    """
    if difference is None:
        return MISSING
    size = f"{abs(100 * difference):.1f}"
    return f"±{size}" if float(size) == 0 else f"{'+' if difference > 0 else '−'}{size}"


def points(
    difference: float | None, low: float | None = None, high: float | None = None, *, unit: str = " points"
) -> str:
    """A difference of shares in points, with its interval where there is one.

    >>> points(0.034, 0.012, 0.056)
    '+3.4 points (+1.2 to +5.6)'
    """
    if difference is None:
        return MISSING
    ends = "" if low is None or high is None else f" ({signed(low)} to {signed(high)})"
    return f"{signed(difference)}{unit}{ends}"


def seconds(value: float | None) -> str:
    """A duration in the two largest units that matter.

    >>> seconds(0.42), seconds(845), seconds(8040)
    ('0.4 s', '14 min 5 s', '2 h 14 min')
    """
    if value is None:
        return MISSING
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    for large, small, unit, part in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def size(value: float | None) -> str:
    """Bytes in decimal units.

    >>> size(1536), size(3_420_000_000)
    ('1.5 kB', '3.4 GB')
    """
    return MISSING if value is None else _scaled(value, ("B", "kB", "MB", "GB", "TB"))


def short(value: float | None) -> str:
    """A large count with three figures.

    >>> short(11_176_512)
    '11.2 M'
    """
    return MISSING if value is None else _scaled(value, ("", "k", "M", "G", "T")).strip()


def _scaled(value: float, units: tuple[str, ...]) -> str:
    step = min(len(units) - 1, int(math.log10(value) / 3 + 1e-12)) if value >= 1 else 0
    scaled = value / 1000**step
    return f"{scaled:.0f} {units[step]}" if step == 0 or scaled >= 100 else f"{scaled:.1f} {units[step]}"


def count(value: float | None) -> str:
    """A count with its thousands parted.

    >>> count(12345)
    '12,345'
    """
    return MISSING if value is None else f"{value:,.0f}"


def plural(value: float, noun: str) -> str:
    """A count and its noun.

    >>> plural(1, "image"), plural(2, "class"), plural(1200, "image")
    ('1 image', '2 classes', '1,200 images')
    """
    ending = "" if value == 1 else "es" if noun.endswith("s") else "s"
    return f"{count(value)} {noun}{ending}"


def decimal(value: float | None) -> str:
    """A number that is not a share: three decimals, or powers of ten where they would say nothing."""
    if value is None:
        return MISSING
    return f"{value:.3f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"


def metric(name: str) -> str:
    """A metric's name in a sentence."""
    return METRICS.get(name, name.replace("_", " "))


def strategy(name: str, title: str = "") -> str:
    """A strategy's title: its record's own, else the usual one."""
    return title[:1].upper() + title[1:] if title else STRATEGIES.get(name, name.replace("_", " "))


def cuts(cut: str) -> str:
    """A cut as people read it; many that are joined by their number.

    >>> cuts("layer3"), cuts("layer3+layer4"), cuts("stem+layer1+layer2+layer3")
    ('layer3', 'layer3 + layer4', '4 cuts together')
    """
    names = cut.split("+")
    return " + ".join(names) if len(names) < 4 else f"{len(names)} cuts together"


def place(backbone: str, cut: str) -> str:
    """Where a model was cut: ``resnet50 at layer3``; without a cut the backbone alone."""
    return f"{backbone} at {cuts(cut)}" if backbone and cut else backbone or cut


def kept(strategy: str, cut: str, block: str = "") -> str:
    """What of the network stayed as it was: ``frozen, read at layer4``, ``frozen up to layer3``, ``… but layer3``."""
    if block:
        return f"frozen but {block}"
    if strategy in HEADS_ONLY:
        return f"frozen, read at {cuts(cut)}"
    return f"frozen up to {cut}" if cut else "every layer trained"


def halved(fates: Sequence[str]) -> str:
    """How many networks a rung left, and how many of the others it showed to be worse.

    >>> halved(["left", "left", "lower", "worse"])
    '2 of 4 networks go on. Of the 2 dropped 1 is shown to be worse than the best: halving is a quota.'
    """
    left, worse = fates.count("left"), fates.count("worse")
    dropped = len(fates) - left
    shown = f"{worse or 'none'} {'are' if worse > 1 else 'is'} shown to be worse than the best"
    quota = ": halving is a quota" if worse < dropped else ""
    return f"{left} of {plural(len(fates), 'network')} go on. Of the {dropped} dropped {shown}{quota}."


def stopped(reason: object) -> str:
    """Why a training ended, in words; a reason that is a sentence already stays as it is."""
    if isinstance(reason, bool) or reason is None:
        return "stopped early" if reason else "ran to its last epoch"
    return str(reason).replace("_", " ").strip().rstrip(".")


def setting(value: object) -> str:
    """An option's value as one would type it."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={setting(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(setting(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def retained(metrics: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    """What is still known of the task that the network came from, in a sentence."""
    if not metrics:
        return str(detail["note"])
    paired = detail["difference"]
    change = points(paired["value"], paired["low"], paired["high"])
    of = f"{estimate(metrics)} of the {plural(metrics['n'], 'test image')} of {detail['run']}"
    return f"Retained: under its old head the network names {of} rightly, {share(detail['before'])} before ({change})."
