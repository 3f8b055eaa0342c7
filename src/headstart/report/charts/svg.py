"""The pieces every chart is put together from: elements, text that fits, scales and ticks."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

COLOURS = 6
"""How many series colours the style sheet defines, as ``--c0`` and on."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, attributes: Mapping[str, object], *children: object) -> Markup:
    """One element; children that are not markup are escaped, numbers keep one decimal."""
    written = "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items() if value is not None)
    inner = "".join(str(c) if isinstance(c, Markup) else str(escape(clean(str(c)))) for c in children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def _attribute(value: object) -> str:
    return _short(value) if isinstance(value, float) else str(escape(clean(str(value))))


def _short(value: float) -> str:
    return f"{value + 0.0:.1f}".removesuffix(".0")


def clean(text: str) -> str:
    """`text` without the characters that no XML document may hold (file names may hold them)."""
    return _NOT_XML.sub("\ufffd", text)


def group(children: Iterable[Markup], attributes: Mapping[str, object] | None = None) -> Markup:
    """A `g` around `children`."""
    return element("g", attributes or {}, *children)


def label(x: float, y: float, text: str, *, anchor: str = "start", style: str = "") -> Markup:
    """Text with its baseline at (x, y); `style` names classes of the style sheet."""
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": style or None}, text)


def line(start: tuple[float, float], end: tuple[float, float], *, style: str, colour: str | None = None) -> Markup:
    """A straight line from `start` to `end`."""
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    return element("line", {**ends, "class": style, "stroke": colour})


def colour(index: int) -> str:
    """The colour of series `index`, as the style sheet has it for light and for dark."""
    return f"var(--c{index % COLOURS})"


def marker(index: int, centre: tuple[float, float], *, size: float = 4.5, hollow: bool = False) -> Markup:
    """The mark of series `index`: its shape tells it apart where colour cannot."""
    x, y = centre
    paint = {"fill": "var(--paper)" if hollow else colour(index), "stroke": colour(index), "stroke-width": 2}
    shape = index % 4
    if shape == 0:
        return element("circle", {"cx": x, "cy": y, "r": size, **paint})
    if shape == 1:
        side = 1.8 * size
        return element("rect", {"x": x - side / 2, "y": y - side / 2, "width": side, "height": side, **paint})
    reach = 1.3 * size
    corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
    if shape == 3:
        corners = [(x, y - reach), (x + reach, y + size), (x - reach, y + size)]
    return element("polygon", {"points": path(corners), **paint})


def path(points: Sequence[tuple[float, float]]) -> str:
    """Coordinates as `points` of a polyline."""
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in points)


def narrow(width: int) -> bool:
    """Whether a figure of this width is the one for a phone."""
    return width < 500


def canvas(
    name: str, width: int, children: Iterable[Markup], *, height: float, title: str, desc: str, outgrown: float = 0.0
) -> Markup:
    """The whole figure, announced as one picture with a title and a description.

    `name` is the figure's own on its page; the title's and the description's ids are made from it.
    `outgrown` is the width that it takes where that is more than the `width` it was asked for.
    """
    unique = f"{name}-{width}"
    across = math.ceil(max(width, outgrown))
    head = {
        "class": "chart narrow" if narrow(width) else "chart wide",
        "role": "img",
        "aria-labelledby": f"{unique}-t {unique}-d",
        "viewBox": f"0 0 {across} {math.ceil(height)}",
        "width": across,
        "height": math.ceil(height),
    }
    words = [element("title", {"id": f"{unique}-t"}, title), element("desc", {"id": f"{unique}-d"}, desc)]
    return element("svg", head, *words, *children)


def advance(text: str, *, size: float = 12) -> float:
    """About how wide `text` is in pixels; no font is at hand to measure, so a little too wide."""
    units = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.57 for c in text)
    return units * size


def fit(text: str, room: float, *, size: float = 12) -> str:
    """`text`, cut with an ellipsis where it is wider than `room` pixels."""
    text = " ".join(clean(text).split())
    if advance(text, size=size) <= room:
        return text
    while text and advance(text + "…", size=size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


@dataclass(frozen=True)
class Scale:
    """Numbers low..high onto pixels start..stop."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The pixel of `value`; what lies outside stands at the edge."""
        spread = self.high - self.low
        part = 0.5 if spread == 0 else (value - self.low) / spread
        return self.start + min(1.0, max(0.0, part)) * (self.stop - self.start)


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round numbers covering low..high: steps of 1, 2 or 5 times a power of ten, at most `most` steps."""
    if high <= low:
        high = low + (abs(low) or 1.0) * 1e-3
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def share_ticks(values: Sequence[float], *, most: int = 5) -> list[float]:
    """Ticks for shares, inside 0..1 and never closer together than half a per cent."""
    low, high = min(values), max(values)
    if high - low < 0.02:
        low, high = max(0.0, low - 0.01), min(1.0, high + 0.01)
    return [tick for tick in ticks(low, high, most=most) if -1e-9 <= tick <= 1 + 1e-9]


def per_cent(value: float, step: float) -> str:
    """A tick's label, with as many decimals as its step needs."""
    return f"{100 * value:.{0 if step >= 0.00999 else 1}f} %"
