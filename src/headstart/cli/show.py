"""What a run says while it works: rich tables and bars on a terminal, next to nothing in a pipe."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from headstart.records import Record
    from headstart.runs.run import Run


INTERRUPTED = 130
"""What a command exits with that was stopped by Ctrl-C."""


class Terminal:
    """Shows progress and records.

    Parameters
    ----------
    quiet : show no tables (a program reads stdout); messages go to stderr.
    """

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        # Without a terminal a line ends where its text ends: nothing is folded or cut to a width.
        wide = None if (sys.stderr if quiet else sys.stdout).isatty() else 10_000
        self.console = Console(stderr=quiet, highlight=False, markup=False, soft_wrap=wide is not None, width=wide)
        self.tables = not quiet and self.console.is_terminal
        self._bars: Any = None
        self._task: Any = None
        self._stage = ""
        self._shown: list[Record] = []
        self._stopped = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._stop)
        if self.console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        return self

    def _stop(self, *_: object) -> None:
        self._stopped = True
        raise KeyboardInterrupt

    def _stop_if_asked(self) -> None:
        """Where a Ctrl-C fell into a call back from C or into a finaliser, Python printed it there and went on."""
        if self._stopped:
            raise KeyboardInterrupt

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        self._stop_bars()
        if error is not None and not isinstance(error, SystemExit):
            raise SystemExit(explain(error)) from None

    def _stop_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        """A bar for the stage at work, with its rate and the time left."""
        self._stop_if_asked()
        if self._bars is None:
            return
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._stage, self._started, self._earlier = stage, time.monotonic(), done
            self._task = self._bars.add_task(stage, total=total, rate="")
        # What an earlier process had done before it was interrupted took none of this time.
        elapsed, own = time.monotonic() - self._started, done - self._earlier
        rate = f"{own / elapsed:.0f}/s" if elapsed > 1 and own > 1 else ""
        self._bars.update(self._task, completed=done, total=total, rate=rate)

    def show(self, record: Record) -> None:
        """Print what a record is worth on a terminal, and nothing elsewhere."""
        self._stop_if_asked()
        self._shown.append(record)
        if not self.tables:
            return
        from headstart.report import terminal

        if record.what in ("plan", "ranking"):
            self.console.print(terminal.plan_table(record))
        elif record.what == "data":
            self.console.print(terminal.data_table(record))
        elif record.what == "rung":
            self.console.print(terminal.rung_table(record))
        elif record.what in ("screened", "probed"):
            probes = [r for r in self._shown if r.what == "probe" and r.backbone == record.backbone]
            table = terminal.cut_table if record.what == "screened" else terminal.head_table
            self.console.print(table(probes))
        elif record.what == "epoch" and "rank" in record.metrics:
            self.console.print(terminal.epoch_line(record), markup=False)
        elif record.what == "domains":
            from headstart.report.adapted_terminal import domains_table

            self.console.print(domains_table(record))
        elif record.what == "verdict" and "kind" in record.detail:
            candidates = [r for r in self._shown if r.what == "candidate"]
            self.console.print(terminal.candidate_table(candidates, verdict=record))
            if record.detail.get("ladder"):
                self.console.print(terminal.ladder_table(record, candidates))
        if record.what in ("rung", "probed", "candidate") and record.detail.get("note"):
            self.console.print(record.detail["note"], markup=False)

    def close(self, run: Run, *, as_json: bool) -> None:
        """The end of a fit: verdict, test, spending, and where the page is."""
        self._stop_bars()
        if as_json:
            sys.stdout.write(json.dumps(summary(run), ensure_ascii=False) + "\n")
            return
        from headstart.report import terminal

        verdict, test, retained, spent = (run.records.get(key) for key in ("verdict", "test", "retained", "spent"))
        sources = run.records.of("source")
        assert verdict is not None and spent is not None
        if self.tables:
            self.console.print(terminal.verdict_panel(verdict, test, retained, sources))
            self.console.print(terminal.spent_table(spent))
        else:
            for line in terminal.verdict_lines(verdict, test, retained, sources):
                self.console.print(line)
        self.console.print(f"The page: {run.report}")

    def say_path(self, name: str, path: Path, *, as_json: bool) -> None:
        """Say where something was written."""
        if as_json:
            sys.stdout.write(json.dumps({name: str(path)}) + "\n")
        else:
            self.console.print(str(path))


def summary(run: Run) -> dict[str, Any]:
    """A finished run as one JSON document."""
    verdict, data, retained, spent = (run.records.get(key) for key in ("verdict", "data", "retained", "spent"))
    sources = run.records.of("source")
    return {
        "run": str(run.folder),
        "report": str(run.report),
        "verdict": verdict.detail if verdict else None,
        "test": run.metrics,
        **({"retained": retained.metrics | retained.detail} if retained else {}),
        **({"sources": [record.detail for record in sources]} if sources else {}),
        "rungs": [{"images": r.metrics["n"], **r.cost, **r.detail} for r in run.records.of("rung")],
        "candidates": [
            {"strategy": r.strategy, "backbone": r.backbone, "cut": r.cut, "recipe": r.recipe, **r.metrics, **r.cost}
            for r in run.records.of("candidate")
        ],
        "data": data.metrics if data else None,
        "spent": spent.detail if spent else None,
    }


def explain(error: BaseException) -> int:
    """Say on stderr what ended a command, and give its exit code; no traceback for a user's mistake."""
    from headstart.errors import HeadstartError, InternalError

    if isinstance(error, KeyboardInterrupt):
        _say("Stopped. The same command goes on where it was.")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # The reader of the pipe has gone; what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, MemoryError):
        _say("The machine's memory is used up.\nClose other programs, or choose a smaller --size or backbone.")
        return 2
    if isinstance(error, HeadstartError) and not isinstance(error, InternalError):
        _say(f"{error.fact}\n{error.remedy}".strip())
        return 2
    _say("".join(traceback.format_exception(error)).rstrip())
    _say("This is a fault of headstart's own. Please report it to the project, with the lines above.")
    return 1


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
