"""`headstart cache`, with `prune` and `verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.cli.options import Json
from headstart.cli.show import Terminal


def cache_command(context: typer.Context, as_json: Json = False) -> None:
    """What is kept between runs: pixels, features, compiled graphs (HEADSTART_CACHE moves it)."""
    if context.invoked_subcommand is not None:
        return
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_cache
        from headstart.runs.caching import entries
        from headstart.runs.machine import cache_folder

        print_cache(terminal, cache_folder(), entries(cache_folder()), as_json=as_json)


def prune_command(
    to: Annotated[str, typer.Option("--to", help="Size to shrink to, like 1GB; 0 empties the cache.")] = "0",
    as_json: Json = False,
) -> None:
    """Remove the least recently used entries."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_pruned
        from headstart.runs.caching import prune
        from headstart.runs.machine import cache_folder
        from headstart.runs.options import parse_bytes

        print_pruned(terminal, prune(cache_folder(), to=parse_bytes(to)), as_json=as_json)


def verify_command(as_json: Json = False) -> None:
    """Read everything that is kept; remove, and name, what was damaged or has changed."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_verified
        from headstart.runs.caching import verify
        from headstart.runs.machine import cache_folder

        print_verified(terminal, verify(cache_folder(), progress=terminal.progress), as_json=as_json)
