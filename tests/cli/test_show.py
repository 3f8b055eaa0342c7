"""What is shown while a command works."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from headstart.cli import show
from headstart.cli.show import Terminal


def test_the_rate_is_of_what_this_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that is gone on with at 500 of 1,000, and is at 600 ten seconds later."""
    now = [0.0]
    monkeypatch.setattr(show.time, "monotonic", lambda: now[0])
    terminal, bars = Terminal(quiet=True), Progress()
    terminal._bars = bars
    terminal.progress("pretraining, sets", 500, 1000)
    now[0] = 10.0
    terminal.progress("pretraining, sets", 600, 1000)
    (task,) = bars.tasks
    assert (task.fields["rate"], task.completed, task.total) == ("10/s", 600, 1000)
