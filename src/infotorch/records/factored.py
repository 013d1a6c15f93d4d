"""Nested settings of many runs: what they share once, and of each what is its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Columns of a line of `readable_json`, as wide as the code.
WIDTH = 120


def shared_part(contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The keys that all contents have with the same value, at every depth.

    Args:
        contents: JSON objects, at least one.

    Example:
        >>> shared_part([{"epochs": 5, "data": {"name": "mnist", "limit": 10}}, {"epochs": 5, "data": {"limit": 20}}])
        {'epochs': 5, 'data': {}}
    """
    first, *others = contents
    found: dict[str, Any] = {}
    for key, value in first.items():
        if not all(key in other for other in others):
            continue
        values = [value, *(other[key] for other in others)]
        if all(isinstance(one, Mapping) for one in values):
            found[key] = shared_part(values)
        elif all(same(one, value) for one in values):
            found[key] = value
    return found


def own_part(content: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What `with_shared` adds to the shared part to give the content again.

    Example:
        >>> own_part({"epochs": 5, "data": {"name": "mnist", "limit": 10}}, {"epochs": 5, "data": {"name": "mnist"}})
        {'data': {'limit': 10}}
    """
    own: dict[str, Any] = {}
    for key, value in content.items():
        if key not in shared:
            own[key] = value
        elif isinstance(value, Mapping) and (inner := own_part(value, shared[key])):
            own[key] = inner
    return own


def with_shared(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The content of which `shared` is the shared part and `own` its own.

    Example:
        >>> with_shared({"epochs": 5, "data": {"name": "mnist"}}, {"data": {"limit": 10}})
        {'epochs': 5, 'data': {'name': 'mnist', 'limit': 10}}
    """
    both = {
        key: with_shared(value, own.get(key, {})) if isinstance(value, Mapping) else value
        for key, value in shared.items()
    }
    return both | {key: value for key, value in own.items() if key not in shared}


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are the same text: 1, 1.0 and true are three values.

    Example:
        >>> same({"a": 1, "b": 2}, {"b": 2, "a": 1}), same(1, 1.0)
        (True, False)
    """
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def readable_json(value: Any, *, indent: int = 0, before: str = "") -> str:
    """JSON with a line for whatever fits on one, so that a change of one number is a change of one line.

    Args:
        value: of JSON.
        indent: spaces before the line.
        before: what else stands there.

    Example:
        >>> print(readable_json({"runs": [{"seed": 0}], "words": "x" * 100}))
        {
         "runs": [{"seed": 0}],
         "words": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        }
    """
    line = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or indent + len(before) + len(line) <= WIDTH:
        return before + line
    if isinstance(value, dict):
        items = [(f"{json.dumps(key, ensure_ascii=False)}: ", item) for key, item in value.items()]
    else:
        items = [("", item) for item in value]
    parts = [" " * (indent + 1) + readable_json(item, indent=indent + 1, before=key) for key, item in items]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([before + opening, ",\n".join(parts), " " * indent + closing])
