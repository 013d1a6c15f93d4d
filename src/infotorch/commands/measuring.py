"""Mutual information of two .npy files: what stands behind `infotorch measure`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from infotorch.estimators.estimate import Estimate

AUTO = "auto"
_MOST_STEPS = 5000

# Those that need no assumption about the data: a bin width or a noise is the caller's to choose, in Python.
_ESTIMATORS = {
    AUTO: "by type and number of columns; says what it picked and why",
    "ksg": "continuous with continuous, nearest neighbours (Kraskov 2004), k = 3",
    "ksg-2": "the same by Kraskov's second algorithm",
    "ksg-ensemble": "continuous with continuous, KSG for k = 1, 2, 4, 8, weighted so that their biases cancel",
    "ross": "continuous with discrete, nearest neighbours within each class (Ross 2014), k = 3",
    "mixed-ksg": "mixtures of continuous and discrete, nearest neighbours (Gao 2017), k = 3",
    "discrete": "discrete with discrete, from counts, with Miller and Madow's correction",
    "gaussian": "exact where x and y are jointly Gaussian",
    "gaussian-copula": "the same after each column's ranks are mapped to a normal distribution",
    "neural": "many columns: a critic trained by InfoNCE, read on rows that were held out (seconds to minutes)",
    "renyi": "matrix-based Renyi information of order 1.01, kernel width by the 10 nearest rows; not Shannon's",
}

_MAGIC, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


def describe_estimators() -> dict[str, str]:
    """The names that `--estimator` takes, with one line on each. No torch.

    Example:
        >>> list(describe_estimators())[0]
        'auto'
    """
    return dict(_ESTIMATORS)


def measure_files(
    x: Path, y: Path, *, estimator: str = AUTO, show: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """Mutual information of the arrays in two .npy files, whose rows are paired samples.

    Args:
        x: shape (n,) or (n, ...); integers are discrete.
        y: the same number of rows.
        estimator: a name of `describe_estimators`.
        show: called with (what, done, total) while a critic is trained.

    Returns:
        Plain values that JSON can hold: `value_nats`, `value_bits`, `std_error_nats` (None: not known), `side`,
        `ceiling_nats` (None: there is none), `saturated`, `n`, `estimator`, `reason`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is not one array of numbers, or the arrays do not fit the estimator.
        TypeError: an array does not fit the estimator's kind of data.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "coin.npy"
        >>> np.save(file, np.arange(1000) % 2)
        >>> round(measure_files(file, file)["value_bits"], 2)
        1.0
    """
    if estimator not in _ESTIMATORS:
        raise ValueError(f"measure: estimator must be one of {', '.join(_ESTIMATORS)}, got {estimator!r}.")
    first, second = read_array(x), read_array(y)
    if len(first) != len(second):
        raise ValueError(f"{x} and {y} must be paired row by row, got {len(first)} and {len(second)} rows.")
    found = _function(estimator, show or (lambda *_: None))(first, second)
    return {
        "value_nats": float(found),
        "value_bits": found.bits,
        "std_error_nats": _finite(found.std_error),
        "side": found.side,
        "ceiling_nats": _finite(found.ceiling),
        "saturated": found.saturated,
        "n": found.n,
        "estimator": found.estimator,
        "reason": found.reason or "asked for by name",
    }


def read_array(path: Path) -> np.ndarray:
    """The array in a .npy file; pickled objects are refused, for loading them would run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a .npy file, is damaged, or does not hold rows of real numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder." if path.is_dir() else f"{path} does not exist.")
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start.startswith(_ZIP):
        raise ValueError(f"{path} is an archive (.npz) and not a .npy file; save one array with numpy.save.")
    if start != _MAGIC:
        raise ValueError(f"{path} is not a .npy file; save an array with numpy.save.")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError, SyntaxError, TokenError) as error:
        if "allow_pickle" in str(error):
            raise ValueError(f"{path} holds Python objects, and numbers are needed; they are not loaded.") from None
        raise ValueError(f"{path} is damaged: {error}.") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path} must hold real numbers, got dtype {array.dtype}.")
    if array.ndim == 0:
        raise ValueError(f"{path} must hold rows of samples, got a single number.")
    return array


def _function(estimator: str, show: Callable[[str, int, int], None]) -> Callable[[np.ndarray, np.ndarray], Estimate]:
    # Here and not above: the list of names must not wait for torch.
    from infotorch.estimators import choose, class_neighbours, discrete, ensemble, gaussian, kraskov, mixed, renyi

    by_name = {
        AUTO: choose.mutual_information,
        "ksg": kraskov.ksg,
        "ksg-2": lambda x, y: kraskov.ksg(x, y, variant=2),
        "ksg-ensemble": ensemble.ksg_ensemble,
        "ross": lambda x, y: (
            class_neighbours.ross(y, x)
            if x.dtype.kind in "iub" and y.dtype.kind == "f"
            else class_neighbours.ross(x, y)
        ),
        "mixed-ksg": mixed.mixed_ksg,
        "discrete": lambda x, y: discrete.discrete_mi(x, y, correction="miller-madow"),
        "gaussian": gaussian.gaussian_mi,
        "gaussian-copula": gaussian.gaussian_copula_mi,
        "neural": lambda x, y: _neural(x, y, show),
        "renyi": renyi.renyi_mi,
    }
    return by_name[estimator]


def _neural(x: np.ndarray, y: np.ndarray, show: Callable[[str, int, int], None]) -> Estimate:
    """The same split and the same critic at every call."""
    import torch

    from infotorch.estimators.neural import neural_mi

    return neural_mi(
        x,
        y,
        max_steps=_MOST_STEPS,
        generator=torch.Generator().manual_seed(0),
        on_check=lambda step, _: show("training a critic, most steps", step, _MOST_STEPS),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
