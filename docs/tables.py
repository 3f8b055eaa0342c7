"""Writes the table of strategies into the pages that show it: `make docs` runs it, and a test holds the pages to it."""

from __future__ import annotations

import re
from pathlib import Path

from headstart.strategies import TABLE

FREEZING = Path(__file__).parent / "freezing.md"
PLACE = re.compile(r"(?<=<!-- begin: strategies -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def strategies() -> str:
    """Markdown: every row, what trains, what is particular to it and where it comes from."""
    lines = ["| `--strategy` | what trains | how | source |", "|---|---|---|---|"]
    for row in TABLE.values():
        name = f"`{row.name}`" + (", `last_2`, `last_3` and so on" if row.blocks else "")
        lines.append(f"| {name} | {row.moves} | {row.how} | {row.paper} |")
    return "\n".join(lines)


def filled(page: str) -> str:
    """The page with the table as it is now."""
    return PLACE.sub(lambda _: strategies(), page)


if __name__ == "__main__":
    FREEZING.write_text(filled(FREEZING.read_text(encoding="utf-8")), encoding="utf-8")
