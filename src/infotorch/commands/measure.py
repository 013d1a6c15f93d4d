"""`infotorch measure X.npy Y.npy`: its arguments, and the mutual information of two files."""

from __future__ import annotations

import inspect
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from infotorch.commands.usage import pick
from infotorch.commands.view import print_columns
from infotorch.data.reading import check_file, explained, shown
from infotorch.estimators.registry import Entry, describe_estimators, named
from infotorch.records.progress import Progress, show_progress

if TYPE_CHECKING:
    import numpy as np

    from infotorch.estimators.estimate import Estimate

_MAGIC, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


def measure(
    x: Annotated[Path, typer.Argument(metavar="X.npy", help="an array, one sample a row.")],
    y: Annotated[Path, typer.Argument(metavar="Y.npy", help="an array with as many rows.")],
    estimator: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, ksg, ross, discrete, neural ...: `infotorch list estimators`."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; null where a number is not known.")] = False,
) -> None:
    """Mutual information of two arrays; integers are discrete."""
    pick(estimator, list(describe_estimators()), what="estimator")
    with show_progress() as show, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they tell is in the reason, which is shown
        found = measure_files(x, y, estimator=estimator, show=show)
    if as_json:
        print(json.dumps(found))
        return
    shown = {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in found.items()}
    words = {None: "none", True: "yes", False: "no"}
    print_columns([(name, words.get(value, str(value))) for name, value in shown.items()])


def measure_files(x: Path, y: Path, *, estimator: str = "auto", show: Progress | None = None) -> dict[str, Any]:
    """Mutual information of the arrays in two .npy files, whose rows are paired samples.

    Args:
        x: shape (n,) or (n, ...); integers are discrete.
        y: the same number of rows.
        estimator: a name of `infotorch.estimators.registry.describe_estimators`.
        show: called with (what, done, total) while a critic is trained.

    Returns:
        Plain values that JSON can hold: `value_nats`, `value_bits`, `std_error_nats` (None: not known), `side`,
        `ceiling_nats` (None: there is none), `saturated`, `reliable`, `n`, `estimator`, `reason`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is not one array of numbers, or the arrays do not fit the estimator.
        TypeError: an array does not fit the estimator's kind of data.

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
    first, second = read_array(x), read_array(y)
    if len(first) != len(second):
        raise ValueError(f"{x} and {y} must be paired row by row, got {len(first)} and {len(second)} rows.")
    found = _measured(named(estimator, where="measure"), first, second, show or (lambda *_: None))
    return {
        "value_nats": float(found),
        "value_bits": found.bits,
        "std_error_nats": _finite(found.std_error),
        "side": found.side,
        "ceiling_nats": _finite(found.ceiling),
        "saturated": found.saturated,
        "reliable": found.reliable,
        "n": found.n,
        "estimator": found.estimator,
        "reason": found.reason if estimator == "auto" else "; ".join(filter(None, ("asked for by name", found.reason))),
    }


def read_array(path: Path) -> np.ndarray:
    """The array in a .npy file; pickled objects are refused, for loading them would run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a .npy file, is damaged, or does not hold rows of real numbers.
    """
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder.")
    size = check_file(path, largest=None)
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
        if start.startswith(_ZIP):
            raise ValueError(f"{path} is an archive (.npz) and not a .npy file; save one array with numpy.save.")
        if start != _MAGIC:
            raise ValueError(f"{path} is not a .npy file; save an array with numpy.save.")
        file.seek(0)
        # A header is a Python expression: numpy passes on whatever Python's parser stumbles over.
        try:
            return _read_numbers(file, path, size)
        except _Refused as error:
            raise ValueError(str(error)) from None
        except Exception as error:
            raise ValueError(f"{path} is damaged: {explained(error)}.") from error


class _Refused(Exception):
    """What an array is that no estimator takes; never leaves this file."""


def _read_numbers(file: BinaryIO, path: Path, size: int) -> np.ndarray:
    """The array, if its header asks for no more than the bytes that follow it."""
    import numpy as np  # here, as every command loads this file

    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    left = size - file.tell()
    if dtype.hasobject:
        raise _Refused(f"{path} holds Python objects, and numbers are needed; they are not loaded.")
    if dtype.kind not in "fiub":
        raise _Refused(f"{path} must hold real numbers, got dtype {str(dtype)[:60]}.")
    if not shape:
        raise _Refused(f"{path} must hold rows of samples, got a single number.")
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize > left:
        raise _Refused(f"{path} is damaged: its header asks for shape {shown(shape)}, and {left:,} bytes follow.")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _measured(entry: Entry, x: np.ndarray, y: np.ndarray, show: Progress) -> Estimate:
    """By what the function takes: a critic has the same split and the same start at every call."""
    import torch

    function = entry.load()
    takes, options = inspect.signature(function).parameters, {}
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
