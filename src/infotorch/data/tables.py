"""Variables in people's files: .npy, .npz, csv and parquet, with columns by name. Told apart by what they hold."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from infotorch.data.reading import LARGEST, check_file, explained, shown
from infotorch.numerics.extras import require
from infotorch.numerics.frames import read_table
from infotorch.numerics.near_misses import suggest

_NUMPY, _ZIP, _PARQUET = b"\x93NUMPY", b"PK\x03\x04", b"PAR1"
#: Files that are nothing else when their first bytes are not those of their kind.
_BINARY = (".npy", ".npz", ".parquet")
#: Files that are nothing else when they are not UTF-8.
_TEXTS = (".csv", ".tsv", ".txt")


class _Refused(Exception):
    """What an array is that no estimator takes; never leaves this file."""


@dataclass(frozen=True, eq=False)
class Variable:
    """The samples of one variable.

    Args:
        values: one sample a row, shape (n,) or (n, ...): integers of whole numbers and of symbols.
        symbols: whether the file says that values have no order: words and a table's booleans. Dates and times do have
            one, and are real numbers. None where it does not tell, as of numbers.
    """

    values: np.ndarray
    symbols: bool | None


def read_variable(path: Path, columns: Sequence[str] = (), *, content: bytes | None = None) -> Variable:
    r"""The array in a file, or some of its columns side by side. Pickled objects are refused: loading them runs code.

    Args:
        path: a .npy, .npz, parquet or csv file, this one in UTF-8; without a line of names it has columns "1", "2",
            ...; whole numbers are integers, a column of words becomes one integer a word, in alphabetical order, and
            dates by ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z, become seconds since 1970. The same of text
            in arrays; numpy's own dates keep their unit.
        columns: names of columns, or of arrays in a .npz file; all columns by default, and the only array.
        content: what the file holds, if it was read already; `path` is then its name in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, is damaged, does not hold rows of real numbers, or has no such column.
        ModuleNotFoundError: a parquet file, and pyarrow is not installed.

    Example:
        >>> found = read_variable(Path("-"), ["sex"], content=b"age,sex\n31,f\n42,m\n27,f\n")
        >>> found.values.tolist(), found.symbols
        ([0, 1, 0], True)
    """
    if content is not None:
        return _explaining(io.BytesIO(content), path, len(content), columns)
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder.")
    size = check_file(path, largest=None)
    with path.open("rb") as file:
        return _explaining(file, path, size, columns)


def _explaining(file: BinaryIO, path: Path, size: int, columns: Sequence[str]) -> Variable:
    start = file.read(len(_NUMPY))
    file.seek(0)
    # A header is a Python expression: numpy passes on whatever Python's parser stumbles over.
    try:
        if start.startswith(_NUMPY):
            if columns:
                raise _Refused(f"{path} is one array without names; leave out the column {columns[0]!r}.")
            return _read_array(file, path, size)
        if start.startswith(_ZIP):
            return _beside(list(_archived(file, path, columns)), path)
        if start.startswith(_PARQUET):
            return _beside(list(_from_parquet(file, path, columns)), path)
        if path.suffix in _BINARY:
            raise _Refused(f"{path} is not a {path.suffix} file{_ADVICE.get(path.suffix, '')}.")
        return _beside(list(_from_csv(file, path, size, columns)), path)
    except _Refused as error:
        raise ValueError(str(error)) from None
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged: {explained(error)}.") from error


_ADVICE = {".npy": "; save an array with numpy.save", ".npz": "; save arrays with numpy.savez"}


def _read_array(file: BinaryIO, path: Path | str, size: int) -> Variable:
    """The array, if its header asks for no more than the bytes that follow it; text is read as cells of a csv file."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    left = size - file.tell()
    if dtype.hasobject:
        raise _Refused(
            f"{path} holds Python objects, which are not loaded; save numbers, or words as fixed-width strings "
            "(numpy.array(words, dtype=str))."
        )
    if dtype.kind not in "fiubUSMm":
        raise _Refused(f"{path} must hold real numbers, words or dates, got dtype {str(dtype)[:60]}.")
    if not shape:
        raise _Refused(f"{path} must hold rows of samples, got a single number.")
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize > left:
        raise _Refused(f"{path} is damaged: its header asks for shape {shown(shape)}, and {left:,} bytes follow.")
    file.seek(0)
    values = np.load(file, allow_pickle=False)
    if dtype.kind in "US":
        columns = values.astype(str).reshape(len(values), -1).T
        return _beside([_of_cells(column.tolist(), str(path)) for column in columns], Path(path))
    if dtype.kind in "Mm":
        if bool(np.isnat(values).any()):
            raise _Refused(f"{path} must hold a date or a time in every row, got NaT.")
        return Variable(values.astype(np.float64), False)
    return Variable(values, None)


def _archived(file: BinaryIO, path: Path, columns: Sequence[str]) -> Iterator[Variable]:
    """The named arrays of a .npz file, or its only one."""
    with zipfile.ZipFile(file) as archive:
        if any(name.endswith("/data.pkl") for name in archive.namelist()):
            raise _Refused(f"{path} is a file of torch.save; save the tensor with numpy.save(path, tensor.numpy()).")
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if not columns and len(names) != 1:
            raise _Refused(f"{path} holds {len(names)} arrays; name the one to take: {_listed(names)}.")
        for name in _chosen(columns, names, path, "array"):
            info = archive.getinfo(name if name in archive.namelist() else f"{name}.npy")
            if info.file_size > LARGEST:
                raise _Refused(f"{path}: array {name!r} must have at most {LARGEST:,} bytes, got {info.file_size:,}.")
            with archive.open(info) as packed:
                content = packed.read(info.file_size)
            if not content.startswith(_NUMPY):
                raise _Refused(f"{path}: {name!r} is not an array; save arrays with numpy.savez.")
            yield _read_array(io.BytesIO(content), f"{path}: array {name!r}", len(content))


def _from_parquet(file: BinaryIO, path: Path, columns: Sequence[str]) -> Iterator[Variable]:
    pa = require("parquet", "pyarrow", f"reading {path}")
    table = require("parquet", "pyarrow.parquet", f"reading {path}").ParquetFile(file)
    unpacked = sum(table.metadata.row_group(place).total_byte_size for place in range(table.num_row_groups))
    if unpacked > LARGEST:
        raise _Refused(f"{path} is too large: it must hold at most {LARGEST:,} bytes, got {unpacked:,}.")
    wanted = _chosen(columns, list(table.schema_arrow.names), path)
    found = table.read(columns=list(dict.fromkeys(wanted)))
    for name in wanted:
        column, kind = found.column(name), found.schema.field(name).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if column.null_count:
            raise _Refused(f"{path}: column {name!r} must have a value in every row, got {column.null_count} without.")
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield _words(column.to_pylist())
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            yield Variable(column.to_numpy(), None)
        elif pa.types.is_boolean(kind):
            yield Variable(column.to_numpy(), True)
        elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
            ticks = read_table(column, where=str(path), name=name)[0].values
            yield Variable(ticks.astype(np.float64), False)
        else:
            raise _Refused(f"{path}: column {name!r} must hold numbers, dates, booleans or words, got {kind}.")


def _from_csv(file: BinaryIO, path: Path, size: int, columns: Sequence[str]) -> Iterator[Variable]:
    if size > LARGEST:
        raise _Refused(f"{path} is too large: it must have at most {LARGEST:,} bytes, got {size:,}.")
    text = _text(file.read(), path)
    head = text.lstrip().partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows = ([cell.strip() for cell in line] for line in lines if line)
    first = next(rows)
    named = all(_number(cell) is None for cell in first)
    names = first if named else [str(place) for place in range(1, len(first) + 1)]
    wanted = _chosen(columns, names, path)
    places = [names.index(name) for name in wanted]
    cells: list[list[str]] = [[] for _ in places]
    for count, row in enumerate(rows if named else _again(first, rows), start=1):
        if len(row) != len(names):
            raise _Refused(f"{path}: row {count} must have {len(names)} cells, as the first line, got {len(row)}.")
        for column, place in zip(cells, places, strict=True):
            column.append(row[place])
    for name, column in zip(wanted, cells, strict=True):
        yield _of_cells(column, f"{path}: column {name!r}")


def _text(content: bytes, path: Path) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if path.suffix.lower() not in _TEXTS:
            text = "\0"
        else:
            byte, line = error.object[error.start], error.object[: error.start].count(b"\n") + 1
            raise _Refused(f"{path} is not UTF-8 (byte 0x{byte:02x} in line {line}); save it as UTF-8.") from None
    if "\0" in text or not text.strip():
        what = "is empty" if not text else "is no .npy, .npz, parquet or csv file in UTF-8"
        raise _Refused(f"{path} {what}.")
    return text


def _again(first: list[str], others: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from others


def _of_cells(cells: list[str], where: str) -> Variable:
    """Integers if every cell is one, or reals if every cell is a number, or dates or words if none is."""
    if not cells:
        raise _Refused(f"{where} must have rows of samples, got none.")
    found = [_number(cell) for cell in cells]
    wrong = [place for place, value in enumerate(found) if value is None]
    for place in (place for place in wrong if not cells[place] or _DECIMAL_COMMA.fullmatch(cells[place])):
        raise _Refused(f"{where} must have a number or a word in every row, got {cells[place]!r} in row {place + 1}.")
    if len(wrong) == len(cells):
        return _dates_or_words(cells, where)
    if wrong:
        raise _Refused(
            f"{where} must hold numbers alone or words alone, got {cells[wrong[0]]!r} in row {wrong[0] + 1}."
        )
    whole = all(isinstance(value, int) and abs(value) < 2**63 for value in found)
    return Variable(np.array(found, dtype=np.int64 if whole else np.float64), None)


def _dates_or_words(cells: list[str], where: str) -> Variable:
    seconds = [_seconds(cell) for cell in cells]
    words = [place for place, value in enumerate(seconds) if value is None]
    if 0 < len(words) < len(cells):
        place = words[0]
        raise _Refused(f"{where} must hold dates alone or words alone, got {cells[place]!r} in row {place + 1}.")
    return _words(cells) if words else Variable(np.array(seconds, dtype=np.float64), False)


#: More is a date by ISO 8601, such as 2026W05; such words are codes as often.
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _seconds(cell: str) -> float | None:
    """A date, or a date and a time, in seconds since 1970, in UTC where no zone is told; or None."""
    try:
        moment = datetime.fromisoformat(cell) if _DATE.match(cell) else None
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


def _number(cell: str) -> float | None:
    """A cell as an integer, a real, or None; Python's underscores are no part of a number."""
    if "_" not in cell:
        for kind in (int, float):
            try:
                return kind(cell)
            except ValueError:
                continue
    return None


def _chosen(columns: Sequence[str], names: Sequence[str], path: Path, what: str = "column") -> list[str]:
    for name in columns:
        if name not in names:
            raise _Refused(f"{path} has no {what} {name!r}; {suggest(name, names[:20])}")
        if names.count(name) > 1:
            raise _Refused(f"{path} has {names.count(name)} {what}s that are called {name!r}.")
    if not columns and len(set(names)) < len(names):
        raise _Refused(f"{path} has {what}s of the same name: {_listed(names)}.")
    return list(columns) or list(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


def _beside(found: list[Variable], path: Path) -> Variable:
    """Columns side by side. Whole numbers, which may be either, are symbols beside symbols."""
    kinds = {column.symbols for column in found}
    if True in kinds and any(column.values.dtype.kind == "f" for column in found):
        raise _Refused(f"{path}: columns of words and of real numbers are no one variable; name columns of one kind.")
    symbols = True if True in kinds else kinds.pop() if len(kinds) == 1 else None
    columns = [column.values for column in found]
    if len(columns) == 1:
        return Variable(columns[0], symbols)
    if len({len(column) for column in columns}) > 1:
        raise _Refused(f"{path}: arrays must have as many rows as each other, got {[len(one) for one in columns]}.")
    return Variable(np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1), symbols)


def _words(words: list[str]) -> Variable:
    """The places of the sorted ones."""
    places = {word: place for place, word in enumerate(sorted(set(words)))}
    return Variable(np.array([places[word] for word in words], dtype=np.int64), True)
