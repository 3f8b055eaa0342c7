"""A run says which images its weights have learned from, and so does what starts from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.bundle.learned import LEARNED, learned_by, write_learned


def test_what_a_start_had_learned_from_is_passed_on(tmp_path: Path) -> None:
    first, second, frozen = (tmp_path / name for name in ("first", "second", "frozen"))
    write_learned(first, ["b", "a", "b"], start="packaged/efficientnet_lite0")
    assert learned_by(f"run:{first}") == learned_by(f"file:{first}") == {"a", "b"}
    write_learned(second, ["c"], start=f"run:{first}")
    assert learned_by(f"run:{second}") == {"a", "b", "c"}
    write_learned(frozen, [], start=f"run:{first}")
    assert learned_by(f"run:{frozen}") == {"a", "b"}


@pytest.mark.parametrize("name", ["packaged/efficientnet_lite0", "random/resnet18", "file:weights.pth@resnet18"])
def test_other_networks_have_learned_from_none_of_these(name: str) -> None:
    assert learned_by(name) == frozenset()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": 3}'])
def test_a_run_that_does_not_say_is_not_taken_for_one_that_learned_nothing(text: str, tmp_path: Path) -> None:
    assert learned_by(f"run:{tmp_path}") is None
    (tmp_path / LEARNED).write_text(text)
    assert learned_by(f"run:{tmp_path}") is None
    (tmp_path / "next").mkdir()
    write_learned(tmp_path / "next", ["c"], start=f"run:{tmp_path}")
    assert learned_by(f"run:{tmp_path / 'next'}") is None
