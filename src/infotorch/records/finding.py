"""Runs at or below a place: run directories and tables' files."""

from __future__ import annotations

from pathlib import Path

from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import CollectedRun, TableFile, is_table, key_of


def find_runs(*places: Path) -> list[RunRecord]:
    """Every run of tables' files, and at or below directories; trials of a search are left out.

    Runs of one place come as they were started, which is the order of the table that made them, then by path. A run
    that a directory and a table's file in the same place both hold comes once.

    Args:
        places: directories, which may hold tables' files too, and tables' files.

    Raises:
        FileNotFoundError: a place does not exist.
        ValueError: a place holds no run, or a table's file is damaged.
    """
    found: dict[Path, RunRecord] = {}
    for place in places:
        records = _below(place) if place.is_dir() else _inside(place)
        found.update((record.directory.resolve(), record) for record in sorted(records, key=_started))
    return list(found.values())


def _inside(path: Path) -> list[RunRecord]:
    if not path.exists():
        raise FileNotFoundError(f"{path} is not a directory, and no table's file.")
    return [*TableFile(path).runs()]


def holds_runs(directory: Path) -> bool:
    """Whether a directory holds a run directory, at any depth, or a table's file."""
    return any(directory.rglob("recipe.json")) or any(map(is_table, directory.glob("*.json")))


def _below(directory: Path) -> list[RunRecord]:
    here = [path.parent for path in sorted(directory.rglob("recipe.json"))]
    records = [RunRecord(path) for path in here if "tuning" not in path.relative_to(directory).parts]
    collected = [run for path in sorted(directory.glob("*.json")) if is_table(path) for run in TableFile(path).runs()]
    if not records and not collected:
        beside = f", but trials of a search{_instead(directory)}" if here else ""
        raise ValueError(f"{directory} holds no run: no recipe.json at or below it{beside}.")
    if collected:
        known = set(map(_identity, records))
        return [*records, *(run for run in collected if _identity(run) not in known)]
    return [*records]


def _instead(directory: Path) -> str:
    """What can be done with a sweep at or below a directory, which has no run to read."""
    sweep = next((path.parent for path in sorted(directory.rglob("sweep.json"))), None)
    if sweep is None:
        return ""
    best = f", and {sweep / 'best.json'} runs as a recipe" if (sweep / "best.json").is_file() else ""
    return f"; `infotorch log {sweep}` has their curves{best}"


def trials_of(sweep: Path) -> list[RunRecord]:
    """The runs of a sweep's trials, by trial and seed: they count as no runs of their own, but have metrics.

    Args:
        sweep: a directory with a sweep.json.

    Raises:
        ValueError: no trial has begun.
    """
    records = [RunRecord(path.parent) for path in sorted((sweep / "tuning").glob("trial-*/seed-*/recipe.json"))]
    if not records:
        raise ValueError(f"{sweep} holds no trial: no process has begun one yet.")
    return records


def collected_runs(directory: Path, name: str) -> list[CollectedRun]:
    """The runs in the file of a table in a directory, as they were started; none where there is no such file.

    Raises:
        ValueError: the file is damaged.
    """
    path = directory / f"{name}.json"
    return TableFile(path).runs() if is_table(path) else []


def _identity(record: RunRecord) -> tuple[object, ...]:
    recipe = record.recipe()
    return recipe.get("name"), *key_of(recipe), _started(record)


def _started(record: RunRecord) -> str:
    try:
        return str(record.environment().get("started", ""))
    except FileNotFoundError:
        return ""
