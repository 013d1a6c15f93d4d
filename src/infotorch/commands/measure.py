"""`infotorch measure X Y`: its arguments, and the mutual information of two files, or of columns of one."""

from __future__ import annotations

import inspect
import json
import math
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infotorch.commands.options import Quiet
from infotorch.commands.usage import pick
from infotorch.commands.view import print_columns
from infotorch.data.reading import LARGEST
from infotorch.estimators.registry import Entry, describe_estimators, named
from infotorch.records.progress import Progress, show_progress

if TYPE_CHECKING:
    import numpy as np

    from infotorch.data.tables import Variable
    from infotorch.estimators.estimate import Estimate

#: What stands for the standard input in place of a file.
_STDIN = Path("-")


def measure(
    x: Annotated[
        Path,
        typer.Argument(
            metavar="X", help="a .npy, .npz, csv or parquet file, one sample a row, or - for what is piped in."
        ),
    ],
    y: Annotated[
        Path | None,
        typer.Argument(metavar="Y", help="a file with as many rows; left out: X, of which --x and --y name columns."),
    ] = None,
    x_columns: Annotated[
        list[str] | None, typer.Option("--x", metavar="NAME", help="Column of X, or array of a .npz; repeatable.")
    ] = None,
    y_columns: Annotated[
        list[str] | None, typer.Option("--y", metavar="NAME", help="Column of Y, or array of a .npz; repeatable.")
    ] = None,
    estimator: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, ksg, ross, discrete, neural ...: `infotorch list estimators`."),
    ] = "auto",
    discrete_x: Annotated[
        bool | None,
        typer.Option(
            "--discrete-x/--no-discrete-x",
            help="Values of X are symbols without order, or numbers; auto tells by type.",
        ),
    ] = None,
    discrete_y: Annotated[
        bool | None, typer.Option("--discrete-y/--no-discrete-y", help="The same of Y; with --estimator auto.")
    ] = None,
    effort: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fast, default or thorough (up to a minute); with --estimator auto."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; null where a number is not known.")] = False,
    quiet: Quiet = False,
) -> None:
    """Mutual information of two variables in files.

    Words are symbols, integers too unless nearly all differ; other numbers, and dates as 2026-01-31, are continuous.
    """
    pick(estimator, list(describe_estimators()), what="estimator")
    with show_progress() as show, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they tell is in the reason, which is shown
        found = measure_files(
            x,
            y,
            x_columns or (),
            y_columns or (),
            estimator=estimator,
            discrete_x=discrete_x,
            discrete_y=discrete_y,
            effort=effort,
            show=show,
        )
    if as_json:
        print(json.dumps(found))
        return
    print_columns([(name, _in_words(value)) for name, value in found.items()])


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return " to ".join("open" if end is None else _in_words(end) for end in value)
    if isinstance(value, bool) or value is None:
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def measure_files(
    x: Path,
    y: Path | None,
    x_columns: Sequence[str] = (),
    y_columns: Sequence[str] = (),
    *,
    estimator: str = "auto",
    discrete_x: bool | None = None,
    discrete_y: bool | None = None,
    effort: str | None = None,
    show: Progress | None = None,
) -> dict[str, Any]:
    """Mutual information of the arrays in two files, or in columns of one, whose rows are paired samples.

    Args:
        x: a .npy, .npz, csv or parquet file, or - for the standard input. Words are symbols and dates are numbers, as
            in a table that `mutual_information` reads.
        y: the same number of rows; None for other columns of `x`.
        x_columns: names of columns of `x`; all by default.
        y_columns: names of columns of `y`.
        estimator: a name of `infotorch.estimators.registry.describe_estimators`.
        discrete_x: see `mutual_information`, which alone takes it; None: the type of x decides.
        discrete_y: the same of y.
        effort: see `mutual_information`, which alone takes it; None: its default.
        show: called with (what, done, total) while a critic is trained.

    Returns:
        Plain values that JSON can hold: `value_nats`, `value_bits`, `std_error_nats` (None: not known),
        `interval_95_nats` (both ends; None: open, or not known), `side`, `ceiling_nats` (None: there is none),
        `saturated`, `reliable`, `n`, `estimator`, `reason`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is not one array of numbers, has no such column, the arrays do not fit the estimator, no word
            occurs again, or a type or effort is set where an estimator is named.
        TypeError: an array does not fit the estimator's kind of data, or words are said to be numbers.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "coin.npy"
        >>> np.save(file, np.arange(1000) % 2)
        >>> round(measure_files(file, file)["value_bits"], 2)
        1.0
    """
    names = describe_estimators()
    if estimator not in names:
        raise ValueError(f"measure: estimator must be one of {', '.join(names)}, got {estimator!r}.")
    settings = {"discrete_x": discrete_x, "discrete_y": discrete_y, "effort": effort}
    forced = {name: value for name, value in settings.items() if value is not None}
    if forced and estimator != "auto":
        raise ValueError(
            f"measure: {' and '.join(forced)} must be left out where an estimator is named, got {estimator!r}."
        )
    first, second = _read(x, y, x_columns, y_columns)
    rows = len(first.values), len(second.values)
    if rows[0] != rows[1]:
        raise ValueError(f"{x} and {y or x} must be paired row by row, got {rows[0]} and {rows[1]} rows.")
    if estimator == "auto":
        forced |= _told(discrete_x=(discrete_x, first), discrete_y=(discrete_y, second))
    found = _measured(named(estimator, where="measure"), first.values, second.values, show or (lambda *_: None), forced)
    return {
        "value_nats": float(found),
        "value_bits": found.bits,
        "std_error_nats": _finite(found.std_error),
        "interval_95_nats": [_finite(end) for end in found.interval()],
        "side": found.side,
        "ceiling_nats": _finite(found.ceiling),
        "saturated": found.saturated,
        "reliable": found.reliable,
        "n": found.n,
        "estimator": found.estimator,
        "reason": found.reason if estimator == "auto" else "; ".join(filter(None, ("asked for by name", found.reason))),
    }


def _told(**sides: tuple[bool | None, Variable]) -> dict[str, bool]:
    """Whether each side is symbols, where the caller or the file says so."""
    import numpy as np

    told = {}
    for name, (wanted, variable) in sides.items():
        if variable.symbols and wanted is False:
            raise TypeError(
                f"measure: {name} must be True or left out, as words and booleans have no order, got False."
            )
        n, side = len(variable.values), name.removeprefix("discrete_").upper()
        if variable.symbols and len(np.unique(variable.values, axis=0)) == n:
            raise ValueError(
                f"measure: words of {side} must occur again, got {n} different ones in {n} rows; merge some."
            )
        told[name] = variable.symbols if wanted is None else wanted
    return {name: symbols for name, symbols in told.items() if symbols is not None}


def _read(x: Path, y: Path | None, x_columns: Sequence[str], y_columns: Sequence[str]) -> list[Variable]:
    """Both variables; the standard input is read once, for both."""
    from infotorch.data.tables import read_variable  # here, as every command loads this file

    if y is None and not (x_columns and y_columns):
        raise ValueError("measure: Y is missing: a second file, or --x and --y, which name columns of one.")
    if x == y == _STDIN:
        raise ValueError("measure: X and Y cannot both be -; give it once, and name columns by --x and --y.")
    content = _standard_input() if _STDIN in (x, y) else None
    files = [(x, x_columns), (y or x, y_columns)]
    return [
        read_variable(Path("standard input"), names, content=content) if path == _STDIN else read_variable(path, names)
        for path, names in files
    ]


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("measure: - stands for what is piped in, and nothing is.")
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"measure: standard input is too large: it must have at most {LARGEST:,} bytes; save it.")
    return content


def _measured(entry: Entry, x: np.ndarray, y: np.ndarray, show: Progress, forced: dict[str, object]) -> Estimate:
    """By what the function takes: a critic has the same split and the same start at every call."""
    import torch

    function = entry.load()
    takes, options = inspect.signature(function).parameters, dict[str, Any](forced)
    if "generator" in takes:
        options["generator"] = torch.Generator().manual_seed(0)
    if "on_check" in takes:
        most = takes["max_steps"].default
        options["on_check"] = lambda step, _: show("training a critic, most steps", step, most)
    if entry.y == "labels" and x.dtype.kind in "iub" and y.dtype.kind == "f":
        x, y = y, x
    return function(x, y, **options)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
