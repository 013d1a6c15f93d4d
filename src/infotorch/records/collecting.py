"""Run directories -> the table's file: merged so that doing it twice changes nothing, or refused as a whole."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infotorch.records.factored import same
from infotorch.records.files import parse_json, write_together
from infotorch.records.finding import find_runs
from infotorch.records.run_record import RunRecord
from infotorch.records.searches import searches_bytes, searches_of
from infotorch.records.table_file import TableFile, key_of, table_bytes

_FINISHED = frozenset({"completed", "diverged"})


@dataclass(frozen=True)
class Collected:
    """What became of one table.

    Args:
        path: the table's file.
        added: how many runs it did not have before.
        kept: how many it had.
    """

    path: Path
    added: int
    kept: int


def collect(
    places: Sequence[Path], *, out: Path = Path("results"), into: Path | None = None, without: Collection[str] = ()
) -> list[Collected]:
    """Merge runs into tables' files, `<out>/<table>.json` with its curves beside it.

    Args:
        places: run directories, directories above them, or tables' files.
        out: the directory of the tables' files; it is made where it is missing.
        into: the table's file, in place of one in `out`; the runs must then be of one table.
        without: names of runs' files that are left out, such as "embeddings.json".

    Returns:
        What became of each table. Where all runs were there already no file is touched.

    Raises:
        FileNotFoundError: a place does not exist.
        ValueError: a run is not finished, a file is damaged, the table holds another run of the same variant, seed and
            settings, or `into` is given for several tables. Nothing has been written then.

    Example:
        >>> import tempfile
        >>> from infotorch.records.outcome import Outcome
        >>> folder = Path(tempfile.mkdtemp())
        >>> record = RunRecord(folder / "run")
        >>> record.begin({"name": "demo", "variant": "bp", "seed": 0}, {"python": "3.11"})
        >>> record.finish(Outcome("completed", "", "demo", "bp", 0, {"test_accuracy": 0.9}))
        >>> for _ in range(2):
        ...     [table] = collect([folder / "run"], out=folder)
        ...     print(table.path.name, table.added, table.kept)
        demo.json 1 0
        demo.json 0 1
    """
    tables: dict[str, list[RunRecord]] = {}
    for record in find_runs(*places):
        _check_finished(record)
        tables.setdefault(str(record.recipe().get("name")), []).append(record)
    if into is not None and len(tables) > 1:
        raise ValueError(f"collect: --into takes one table, got runs of {', '.join(sorted(tables))}; give --out.")
    files: dict[Path, bytes] = {}
    collected = []
    for name, records in tables.items():
        path = into or out / f"{name}.json"
        one, contents = _merge(path, name, records, without)
        collected.append(one)
        files |= contents
    changed = {path: text for path, text in files.items() if not path.exists() or path.read_bytes() != text}
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_together(changed)
    return collected


def _merge(
    path: Path, name: str, records: Iterable[RunRecord], without: Collection[str]
) -> tuple[Collected, dict[Path, bytes]]:
    """A table with more runs, and its files."""
    held = TableFile(path).runs() if path.exists() else []
    if any(run.recipe().get("name") != name for run in held):
        raise ValueError(f"collect: {path} is of table {held[0].recipe().get('name')}, got runs of {name}.")
    runs = {key_of(run.recipe()): _files(run) for run in held}
    searches = {}
    for record in records:
        key, found = key_of(record.recipe()), _files(record, without)
        if key in runs:
            _check_same(runs[key], found, f"{path} holds {key[0]}, seed {key[2]}", record)
        runs[key] = {**found, **runs.get(key, {})}
        searches |= searches_of(record)
    contents = table_bytes(path, runs.values()) | searches_bytes(path, searches)
    return Collected(path, len(runs) - len(held), len(held)), contents


def _check_finished(record: RunRecord) -> None:
    outcome = record.outcome()
    status = "it has no outcome.json" if outcome is None else f"its status is {outcome.status!r}"
    if outcome is None or outcome.status not in _FINISHED:
        raise ValueError(
            f"collect: {record.directory} is not finished: {status}. Go on with --resume, or leave it out."
        )
    record.environment()
    metrics = record.read("metrics.jsonl")
    if metrics is None or (metrics and not metrics.endswith(b"\n")):
        raise ValueError(f"collect: {record.directory / 'metrics.jsonl'} is {'cut short' if metrics else 'missing'}.")
    for number, line in enumerate(metrics.split(b"\n")[:-1], start=1):
        parse_json(line, where=Path(f"{record.directory / 'metrics.jsonl'}, line {number},"))


def _files(record: RunRecord, without: Collection[str] = ()) -> dict[str, bytes]:
    found = {name: record.read(name) for name in record.files() if name not in without}
    for name, content in found.items():
        if content is not None and name.endswith(".json"):
            parse_json(content, where=record.directory / name)
    return {name: content for name, content in found.items() if content is not None}


def _check_same(held: Mapping[str, bytes], found: Mapping[str, bytes], where: str, record: RunRecord) -> None:
    """Refuse another run in place of the one that a table holds; a file that only one of them has is no difference."""
    for name in sorted(set(held) & set(found)):
        if held[name] != found[name] and not (name.endswith(".json") and _same_json(held[name], found[name])):
            raise ValueError(
                f"collect: {where} with these settings already, and {record.directory} is another run: "
                f"its {name} differs. Keep one of the two."
            )


def _same_json(a: bytes, b: bytes) -> bool:
    return same(json.loads(a), json.loads(b))
