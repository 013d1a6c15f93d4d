"""The collected table: many runs of one table in two files that a repository can hold.

    <table>.json              settings, environment and outcome of every run, what runs share written once; a run a line
    <table>.curves.jsonl.gz   their lines of metrics as they were written, and the data of their figures
    <table>.<run>.png         pictures, where runs made any

Every file of a run is given back: JSON as the same object, lines of metrics byte for byte. Two lists of the same runs
make the same bytes, in whatever order they come.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infotorch.records.factored import own_part, readable_json, same, shared_part, with_shared
from infotorch.records.files import LARGEST, parse_json, read_json, read_regular
from infotorch.records.forms import COUNT, TEXT, check_form
from infotorch.records.outcome import parse_outcome
from infotorch.records.run_record import ENVIRONMENT, RunRecord, check_recipe

#: The first thing in a table's file.
FORMAT = "infotorch table 1"

#: What a recipe says of itself and of its search: it decides nothing in a run.
WORDS = frozenset({"title", "description", "source", "published", "search", "changed"})

PICTURE = "denoised.png"
_SETTLED = ("recipe", "environment", "outcome")  # in the table's file; all others are curves or pictures
# These stand with each run even where a row's runs happen to share them.
_EACH = {"recipe": ("seed",), "environment": ("started",), "outcome": ("metrics", "seconds")}
_FIRST = ("name", "variant", "seed")
# An outcome repeats these of its recipe.
_REPEATED = {"recipe": "name", "variant": "variant", "seed": "seed", "published": "published"}


def key_of(recipe: Mapping[str, Any]) -> tuple[str, str, int]:
    """What tells one run of a table from another: its variant, the settings that decide it, as text, and its seed.

    Example:
        >>> key_of({"name": "demo", "variant": "bp", "seed": 3, "title": "Digits", "epochs": 5})
        ('bp', '{"epochs": 5, "name": "demo"}', 3)
    """
    deciding = {name: value for name, value in recipe.items() if name not in WORDS | {"seed", "variant"}}
    return str(recipe.get("variant")), json.dumps(deciding, sort_keys=True), int(recipe.get("seed") or 0)


@dataclass(frozen=True)
class CollectedRun(RunRecord):
    """One run of a collected table, read as its directory would be; nothing can be written to it.

    Args:
        directory: no directory, but its name for people: `<table>.json/<variant>/seed-<seed>`.
        table: the file that holds the run.
        label: the run's name in the table.
        settled: "recipe", "environment" and "outcome" -> the content of that file.
    """

    table: TableFile
    label: str
    settled: Mapping[str, dict[str, Any]]

    def files(self) -> list[str]:
        """Names of the run's files that hold what happened, in order."""
        found = {*(f"{name}.json" for name in _SETTLED), *self.table.curves.get(self.label, {})}
        return sorted(found | ({PICTURE} if picture_file(self.table.path, self.label).exists() else set()))

    def read(self, name: str) -> bytes | None:
        """A file of the run, or None where there is none.

        Raises:
            ValueError: the curves are damaged, or not those of the table.
        """
        if name.removesuffix(".json") in _SETTLED:
            return json.dumps(self.settled[name.removesuffix(".json")], ensure_ascii=False).encode()
        if name == PICTURE:
            return read_regular(picture_file(self.table.path, self.label))
        return self.table.curves.get(self.label, {}).get(name)


@dataclass(frozen=True)
class TableFile:
    """A table's file, whose curves are read when they are first asked for."""

    path: Path

    def runs(self) -> list[CollectedRun]:
        """Every run of the table, in the order in which they were started.

        Raises:
            ValueError: the file is damaged, or is no table.
        """
        try:
            settled = list(_settled(self._content))
            for run in settled:
                check_recipe(run["recipe"], where=self.path)
                check_form(run["environment"], ENVIRONMENT, where=self.path)
                parse_outcome(run["outcome"], where=self.path)
            labels = label_runs([run["recipe"] for run in settled])
            runs = [
                CollectedRun(self.path / label, self, label, run) for label, run in zip(labels, settled, strict=True)
            ]
            return sorted(runs, key=lambda run: _started(run.settled))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is damaged: {type(error).__name__}: {error}.") from error

    @cached_property
    def _content(self) -> dict[str, Any]:
        content = read_json(self.path)
        if content.get("format") != FORMAT:
            raise ValueError(f"{self.path} is not a table's file: its format must be {FORMAT!r}.")
        return content

    @cached_property
    def curves(self) -> dict[str, dict[str, bytes]]:
        """Label of a run -> its files that are not in the table's.

        Raises:
            ValueError: the curves are missing, damaged, or not those of the table.
        """
        path = curves_file(self.path)
        text = _unzipped(path)
        if text is None:
            raise ValueError(f"{path} is missing: it holds the curves of {self.path.name}.")
        if hashlib.sha256(text).hexdigest() != self._content.get("curves"):
            raise ValueError(f"{path} is damaged, or not of the same runs as {self.path.name}.")
        return _parse_curves(text, path)


def is_table(path: Path) -> bool:
    """Whether a file begins as a table's does."""
    if not path.is_file() or path.suffix != ".json":
        return False
    with path.open("rb") as file:
        return FORMAT.encode() in file.read(64)


def curves_file(path: Path) -> Path:
    """Where the curves of a table lie."""
    return path.with_name(f"{path.stem}.curves.jsonl.gz")


def picture_file(path: Path, label: str) -> Path:
    """Where the picture of a run of a table lies."""
    return path.with_name(f"{path.stem}.{label.replace('/', '-')}.png")


def label_runs(recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each run in a table: "bp/seed-0", and "bp-2/seed-0" for the second settings of a variant.

    Example:
        >>> label_runs([{"variant": "bp", "epochs": 10}, {"variant": "bp", "epochs": 50}, {"variant": "best"}])
        ['bp/seed-0', 'bp-2/seed-0', 'best/seed-0']
    """
    labels, settings = [], {}
    for recipe in recipes:
        variant, deciding, seed = key_of(recipe)
        known = settings.setdefault(variant, [])
        known += [] if deciding in known else [deciding]
        number = known.index(deciding) + 1
        labels.append(f"{variant}{f'-{number}' if number > 1 else ''}/seed-{seed}")
    return labels


def table_bytes(path: Path, runs: Iterable[Mapping[str, bytes]]) -> dict[Path, bytes]:
    """The files of a table.

    Args:
        path: the table's file.
        runs: of each run its files by name.

    Returns:
        Path -> content, of all files that the table needs.

    Raises:
        ValueError: a file of a run is damaged; the message names it.
    """
    loaded = [
        ({name: parse_json(run[f"{name}.json"], where=Path(f"{name}.json")) for name in _SETTLED}, run) for run in runs
    ]
    groups: dict[tuple[str, str], list[Any]] = {}
    for settled, run in sorted(loaded, key=lambda pair: key_of(pair[0]["recipe"])):
        groups.setdefault(key_of(settled["recipe"])[:2], []).append((settled, run))
    ordered = sorted(groups.items(), key=lambda item: (min(_started(settled) for settled, _ in item[1]), item[0]))
    flat = [pair for _, group in ordered for pair in group]
    labels = label_runs([settled["recipe"] for settled, _ in flat])
    curves = b"".join(_curve_lines(label, run) for label, (_, run) in zip(labels, flat, strict=True))
    head = {"format": FORMAT, "table": flat[0][0]["recipe"]["name"], "curves": hashlib.sha256(curves).hexdigest()}
    body = _factored([[_without_repeats(settled) for settled, _ in group] for _, group in ordered])
    files = {path: (readable_json(head | body) + "\n").encode(), curves_file(path): _zipped(curves_file(path), curves)}
    pictures = {
        picture_file(path, label): run[PICTURE] for label, (_, run) in zip(labels, flat, strict=True) if PICTURE in run
    }
    return files | pictures


def _started(settled: Mapping[str, Any]) -> str:
    return str(settled["environment"].get("started", ""))


def _factored(groups: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """What all runs share, then what the runs of a row share, then each run."""
    common = shared_part([_without_each(run) for group in groups for run in group])
    rows = []
    for group in groups:
        own = shared_part([_without_each(run) for run in group])
        rows.append({**own_part(own, common), "runs": [own_part(run, own) for run in group]})
    return {"shared": common, "rows": rows}


def _settled(content: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """What `_factored` was given, with what outcomes repeat."""
    for row in content["rows"]:
        own = with_shared(content["shared"], {name: part for name, part in row.items() if name != "runs"})
        for part in row["runs"]:
            run = with_shared(own, part)
            recipe = run["recipe"]
            repeated = {name: recipe[key] for name, key in _REPEATED.items() if key in recipe}
            yield {**run, "outcome": {**repeated, **run["outcome"]}}


def _without_each(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        part: {name: value for name, value in content.items() if name not in _EACH[part]}
        for part, content in run.items()
    }


def _without_repeats(run: Mapping[str, Any]) -> dict[str, Any]:
    recipe = run["recipe"]
    outcome = {
        name: value
        for name, value in run["outcome"].items()
        if not (name in _REPEATED and _REPEATED[name] in recipe and same(value, recipe[_REPEATED[name]]))
    }
    return {**{part: _ordered(run[part]) for part in ("recipe", "environment")}, "outcome": _ordered(outcome)}


def _ordered(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same, its keys in an order that does not hang on who wrote it; metrics keep theirs, which people read."""
    names = sorted(content, key=lambda name: (name not in _FIRST, name))
    return {
        name: _ordered(content[name]) if isinstance(content[name], dict) and name != "metrics" else content[name]
        for name in names
    }


def _curve_lines(label: str, run: Mapping[str, bytes]) -> bytes:
    """A line that names the file, then the file: metrics line by line, another one as the content of its line."""
    text = b""
    for name in sorted(run):
        if name.removesuffix(".json") in _SETTLED or name == PICTURE:
            continue
        head: dict[str, Any] = {"run": label, "file": name}
        if name.endswith(".jsonl"):
            text += _line({**head, "lines": run[name].count(b"\n")}) + run[name]
        else:
            text += _line({**head, "content": parse_json(run[name], where=Path(label) / name)})
    return text


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _parse_curves(text: bytes, where: Path) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    lines = text.split(b"\n")[:-1]
    at = 0
    while at < len(lines):
        head = parse_json(lines[at], where=Path(f"{where}, line {at + 1},"))
        check_form(head, {"run": TEXT, "file": TEXT}, where=where)
        files = found.setdefault(head["run"], {})
        at += 1
        if "content" in head:
            files[head["file"]] = json.dumps(head["content"], ensure_ascii=False).encode()
        else:
            check_form(head, {"lines": COUNT}, where=where)
            files[head["file"]] = b"".join(line + b"\n" for line in lines[at : at + head["lines"]])
            at += head["lines"]
    return found


def _unzipped(path: Path) -> bytes | None:
    """What a compressed file holds, or None where there is none.

    Raises:
        ValueError: it is damaged, or holds more than `LARGEST` bytes.
    """
    content = read_regular(path)
    if content is None:
        return None
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            text = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    if len(text) > LARGEST:
        raise ValueError(f"{path} is too large: it must hold at most {LARGEST:,} bytes.")
    return text


def _zipped(path: Path, text: bytes) -> bytes:
    """The text compressed, without a date; the file that is there where it holds the same, whatever zlib made it."""
    try:
        if _unzipped(path) == text:
            return read_regular(path) or b""
    except ValueError:
        pass  # damaged: it is replaced
    return gzip.compress(text, 9, mtime=0)
