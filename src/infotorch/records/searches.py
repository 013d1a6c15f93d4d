"""The record of a table's searches of settings: a trial a line, beside the table's file.

    <table>.searches.jsonl   {"search": "bp", "trial": 0, "settings": {...}, "scores": {"1000": 0.97}, "mean": 0.97}

The search of a variant has the variant's name; one that was not taken is named after it, such as "bp, four epochs".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infotorch.records.files import parse_json, parse_json_lines, read_regular
from infotorch.records.run_record import RunRecord


def searches_file(path: Path) -> Path:
    """Where the searches of a table lie, beside the table's file."""
    return path.with_name(f"{path.stem}.searches.jsonl")


def read_searches(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Name of a search -> its trials in order; empty where the table has none.

    Args:
        path: the table's file.

    Raises:
        ValueError: the record is damaged; the message names it.
    """
    log = searches_file(path)
    found: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate((read_regular(log) or b"").splitlines(), start=1):
        trial = parse_json(line, where=Path(f"{log}, line {number},"))
        if not isinstance(trial.get("search"), str):
            raise ValueError(f"{log}, line {number}, is damaged: it names no search.")
        found.setdefault(trial.pop("search"), []).append(trial)
    return found


def searches_of(record: RunRecord) -> dict[str, list[dict[str, Any]]]:
    """The search that a run made for itself, under the name of its variant; empty where it made none."""
    log = record.directory / "tuning" / "trials.jsonl"
    trials = parse_json_lines(read_regular(log) or b"", where=log)
    return {str(record.recipe().get("variant")): trials} if trials else {}


def searches_bytes(path: Path, searches: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[Path, bytes]:
    """The record of a table's searches with more of them, and where it lies; empty without any.

    Raises:
        ValueError: the record holds other trials of a search already.
    """
    held = read_searches(path)
    for name, trials in searches.items():
        if name in held and held[name] != trials:
            raise ValueError(f"collect: {searches_file(path)} holds another search of {name}; rename one of the two.")
    both = dict(sorted({**held, **searches}.items()))
    lines = [
        json.dumps({"search": name, **trial}, ensure_ascii=False) for name, trials in both.items() for trial in trials
    ]
    return {searches_file(path): "".join(f"{line}\n" for line in lines).encode()} if lines else {}
