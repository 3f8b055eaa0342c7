"""Frozen dataclasses from what JSON made of them: what a record's detail holds, read back typed."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


def restored(kind: type[_T], told: Mapping[str, Any]) -> _T:
    """Inverse of `dataclasses.asdict` after a way through JSON, for fields of numbers, text, tuples and dataclasses.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Cut:
    ...     name: str
    ...     ends: tuple[float, ...] | None
    >>> restored(Cut, {"name": "top", "ends": [0.1, 0.2]})
    Cut(name='top', ends=(0.1, 0.2))
    """
    hints = get_type_hints(kind)
    fields = dataclasses.fields(cast(Any, kind))
    return kind(**{field.name: _value(hints[field.name], told[field.name]) for field in fields})


def _value(hint: Any, told: Any) -> Any:
    if told is None:
        return None
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _value(next(each for each in inner if each is not type(None)), told)
    if origin is tuple:
        kinds = inner[:1] * len(told) if inner[-1] is Ellipsis else inner
        return tuple(_value(each, value) for each, value in zip(kinds, told, strict=True))
    if origin is dict:
        return {key: _value(inner[1], value) for key, value in told.items()}
    return restored(cast(type, hint), told) if dataclasses.is_dataclass(hint) else told
