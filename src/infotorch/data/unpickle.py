"""Pickled data without pickled code: only arrays, sparse matrices, lists and dictionaries come through."""

from __future__ import annotations

import codecs
import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def _csr_matrix() -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix


# What the published CIFAR and Planetoid files name, under the module paths of old and new libraries. Anything else
# could run code. Values are looked up when asked for, so that scipy loads only for sparse matrices.
_ALLOWED: dict[tuple[str, str], Callable[[], Any]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): lambda: np.empty(0).__reduce__()[0] for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): lambda: np.float64(0).__reduce__()[0] for core in ("core", "_core")},
    ("numpy", "ndarray"): lambda: np.ndarray,
    ("numpy", "dtype"): lambda: np.dtype,
    ("scipy.sparse.csr", "csr_matrix"): _csr_matrix,
    ("scipy.sparse._csr", "csr_matrix"): _csr_matrix,
    ("collections", "defaultdict"): lambda: collections.defaultdict,
    ("__builtin__", "list"): lambda: list,
    ("builtins", "list"): lambda: list,
    ("_codecs", "encode"): lambda: codecs.encode,
}
_DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)


class _Forbidden(Exception):
    """A global that is not on the list; never leaves this file."""


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]()
        except KeyError:
            raise _Forbidden(f"{module}.{name}") from None


def load_pickle(path: Path, *, encoding: str = "ASCII") -> Any:
    """The content of a pickle that holds data only.

    Args:
        path: the file.
        encoding: how strings written by Python 2 are read: "bytes" for CIFAR, "latin1" for Planetoid.

    Raises:
        ValueError: the pickle names something that is not on the list of allowed globals, and nothing of it was
            called; or the file is damaged.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels"
        >>> _ = path.write_bytes(pickle.dumps({"labels": [1, 2]}))
        >>> load_pickle(path)
        {'labels': [1, 2]}
    """
    with path.open("rb") as stream:
        return _load(stream, path, encoding)


def _load(stream: BinaryIO, path: Path, encoding: str) -> Any:
    try:
        return _RestrictedUnpickler(stream, encoding=encoding).load()
    except _Forbidden as error:
        raise ValueError(f"{path} names {error}, which data has no need of; it was not loaded.") from None
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a complete pickle: {type(error).__name__}: {error}.") from error
