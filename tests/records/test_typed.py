import json
from dataclasses import asdict, dataclass

from headstart.records.typed import restored


@dataclass(frozen=True)
class Inner:
    name: str
    value: float | None


@dataclass(frozen=True)
class Outer:
    one: Inner
    several: tuple[Inner, ...]
    pair: tuple[str, int]
    pairs: tuple[tuple[str, str], ...]
    counts: dict[str, int]
    maybe: Inner | None
    sides: tuple[int, ...] | None


def test_there_and_back() -> None:
    inner = Inner("a", None)
    whole = Outer(inner, (inner, Inner("b", 1.5)), ("x", 2), (("a", "b"),), {"cat": 3}, None, (1, 2, 3))
    assert restored(Outer, json.loads(json.dumps(asdict(whole)))) == whole
    bare = Outer(inner, (), ("x", 2), (), {}, inner, None)
    assert restored(Outer, json.loads(json.dumps(asdict(bare)))) == bare
