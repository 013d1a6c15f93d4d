"""Pickled data without pickled code: only arrays, sparse matrices, lists and dictionaries come through.

A pickle is a list of steps. Those that only move data are Python's own; those that name, call or fill something are
written here and know nothing else than the published CIFAR and Planetoid files need. numpy sees the bytes of an array
when its kind, its shape and their number agree, and only once: a second filling would free what others still show.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from infotorch.data.reading import explained, read_bytes

_MOVING = (
    "PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT LONG BININT BININT1 BININT2 LONG1 FLOAT BINFLOAT STRING BINSTRING "
    "SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST "
    "APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET "
    "LONG_BINGET GLOBAL STACK_GLOBAL"
)
_NUMBERS = re.compile(r"[biuf][1248]|[?bBhHiIlLqQefd]")  # never objects, texts, records or dates
_LARGEST_KEY = 2**60  # below it integers have hashes of their own, and a dictionary of them stays fast
_INDEX_PARTS = ("data", "indices", "indptr")


@dataclass(frozen=True)
class _Named:
    """A global of a pickle; never the thing itself."""

    name: str


@dataclass
class _Kind:
    """A numpy dtype on its way: the code of a number, and the order of its bytes."""

    code: str
    order: str = "="


class _Refused(Exception):
    """What is wrong, to follow the file's name; never leaves this file."""


# What the published files name, under the module paths of old and new libraries. Anything else could run code.
_KNOWN: dict[tuple[str, str], str] = {
    **{(f"numpy.{core}.multiarray", name): name for core in ("core", "_core") for name in ("_reconstruct", "scalar")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("scipy.sparse.csr", "csr_matrix"): "csr_matrix",
    ("scipy.sparse._csr", "csr_matrix"): "csr_matrix",
    ("collections", "defaultdict"): "defaultdict",
    ("__builtin__", "list"): "list",
    ("builtins", "list"): "list",
    ("_codecs", "encode"): "encode",
}


class _DataUnpickler(pickle._Unpickler):  # the one in Python: a number in a pickle never sizes its memory
    pop_mark: Callable[[], list[Any]]  # Python's own, which the stubs of its library leave out
    metastack: list[list[Any]]

    def __init__(self, content: bytes, encoding: str) -> None:
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._left = 2 * len(content)  # bytes that may be made of it: an array, and the text that it stood in
        self._empty: dict[int, Any] = {}  # arrays and matrices that wait to be filled

    def load(self) -> Any:
        found = super().load()
        if self._empty:
            raise ValueError("an array was never filled")
        return found

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            shown = "".join(c if c.isprintable() else "?" for c in f"{module}.{name}")[:100]
            raise _Refused(f"names {shown}, which data has no need of; it was not loaded.")
        return _Named(_KNOWN[module, name])

    def _call(self) -> None:
        arguments = self.stack.pop()
        named = self.stack.pop()
        if not isinstance(named, _Named) or named.name not in self._calls or type(arguments) is not tuple:
            raise ValueError("a call of what is no function of data")
        self.append(self._calls[named.name](self, *arguments))

    def _make_sparse(self) -> None:
        from scipy.sparse import csr_matrix

        arguments = self.stack.pop()
        if self.stack.pop() != _Named("csr_matrix") or arguments != ():
            raise ValueError("an object of a kind that data has no need of")
        self.append(self._waiting(csr_matrix.__new__(csr_matrix)))

    def _fill(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Kind):
            target.order = _order(state)
        elif self._empty.pop(id(target), None) is None:
            raise ValueError("a state for what has one, or takes none")
        elif isinstance(target, np.ndarray):
            target.__setstate__(self._array_state(state))
        else:
            self._fill_sparse(target, state)

    def _put_items(self) -> None:
        items = self.pop_mark()
        if len(items) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._put(key, value)

    def _put_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put(key, value)

    def _make_dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.metastack.append(self.stack)
        self.stack, self.append = items, items.append
        self._put_items()

    def _put(self, key: object, value: object) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise ValueError("a key and a value for what is no dictionary")
        # The hash of a tuple goes down to its innermost one: a deep one would end the interpreter.
        if not isinstance(key, str | bytes) and not (type(key) is int and abs(key) < _LARGEST_KEY):
            raise ValueError("a dictionary's key that is neither a text nor a number of a sample")
        target[key] = value

    def _waiting(self, target: Any) -> Any:
        self._empty[id(target)] = target
        return target

    def _make_array(self, kind: object, shape: object, code: object) -> np.ndarray:
        if kind != _Named("ndarray"):
            raise ValueError("an array of an unknown kind")
        return self._waiting(np.empty(0, np.uint8))

    def _make_scalar(self, kind: object, raw: object) -> Any:
        return np.frombuffer(self._bytes(raw, kind, (1,)), _dtype_of(kind))[0]

    def _make_kind(self, code: object, align: object = False, copy: object = True) -> _Kind:
        code = _text(code)
        if not _NUMBERS.fullmatch(code):
            raise _Refused("holds an array of other things than numbers; it was not loaded.")
        return _Kind(code)

    def _make_lists(self, factory: object = None) -> dict[Any, Any]:
        if factory != _Named("list"):
            raise ValueError("a dictionary of other things than lists")
        return {}

    def _encode(self, text: object, codec: object = None) -> bytes:
        if not isinstance(codec, str) or codec not in {"latin1", "latin-1"} or not isinstance(text, str):
            raise _Refused("asks for a codec other than latin1, which data has no need of; it was not loaded.")
        self._spend(len(text))
        return text.encode("latin1")

    def _array_state(self, state: Any) -> tuple[Any, ...]:
        """The arguments of `ndarray.__setstate__`, of which none is left to numpy to check."""
        shape, kind, by_columns, raw = state[-4:]
        if type(shape) is not tuple or len(shape) > 8 or not all(type(size) is int and 0 <= size for size in shape):
            raise ValueError("an array's shape that is none")
        raw = self._bytes(raw, kind, shape)
        return 1, shape, _dtype_of(kind), by_columns is True or by_columns == 1, raw

    def _bytes(self, raw: object, kind: object, shape: tuple[int, ...]) -> bytes:
        raw = raw.encode("latin1") if isinstance(raw, str) else raw  # as Python 2 wrote bytes
        needed = math.prod(shape) * _dtype_of(kind).itemsize
        if not isinstance(raw, bytes) or len(raw) != needed:
            raise ValueError("an array of other bytes than its shape needs")
        self._spend(needed)
        return raw

    def _fill_sparse(self, matrix: Any, state: Any) -> None:
        arrays, shape = [state[part] for part in _INDEX_PARTS], state["_shape"]
        if not all(type(array) is np.ndarray and array.ndim == 1 and id(array) not in self._empty for array in arrays):
            raise _Refused("holds a broken sparse matrix: its parts are not filled arrays of one axis.")
        if type(shape) is not tuple or len(shape) != 2 or not all(type(size) is int and size >= 0 for size in shape):
            raise _Refused("holds a broken sparse matrix: its shape is none.")
        _check_indices(arrays, shape)
        matrix.__init__(tuple(arrays), shape=shape)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("the same bytes again and again")

    _calls: ClassVar[dict[str, Callable[..., Any]]] = {
        "_reconstruct": _make_array,
        "scalar": _make_scalar,
        "dtype": _make_kind,
        "defaultdict": _make_lists,
        "encode": _encode,
    }
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **{getattr(pickle, step)[0]: pickle._Unpickler.dispatch[getattr(pickle, step)[0]] for step in _MOVING.split()},
        pickle.REDUCE[0]: _call,
        pickle.NEWOBJ[0]: _make_sparse,
        pickle.BUILD[0]: _fill,
        pickle.SETITEM[0]: _put_item,
        pickle.SETITEMS[0]: _put_items,
        pickle.DICT[0]: _make_dictionary,
    }


def _order(state: Any) -> str:
    """The byte order in the state of a dtype that has neither fields nor axes of its own."""
    order = _text(state[1])
    if order not in {"<", ">", "=", "|"} or any(part is not None for part in state[2:5]):
        raise ValueError("numbers of a kind that data has no need of")
    return order


def _dtype_of(kind: object) -> np.dtype[Any]:
    if not isinstance(kind, _Kind):
        raise ValueError("numbers of an unknown kind")
    return np.dtype(kind.code).newbyteorder(kind.order)  # pyright: ignore[reportArgumentType]


def _text(value: object) -> str:
    """As Python 2 wrote it: text, or its bytes."""
    if not isinstance(value, str | bytes):
        raise ValueError("a word that is none")
    return value if isinstance(value, str) else value.decode("ascii")


def _check_indices(arrays: list[np.ndarray], shape: tuple[int, int]) -> None:
    """What scipy's own loops rely on; its check skips the order of `starts` where the last one is 0."""
    (data, indices, starts), (rows, columns) = arrays, shape
    broken = (
        data.dtype.kind not in "biuf" or indices.dtype.kind != "i" or starts.dtype.kind != "i",
        len(starts) != rows + 1 or len(indices) != len(data),
        bool((starts[:1] != 0).any()) or bool((starts[-1:] != len(data)).any()),
        bool((starts[:-1] > starts[1:]).any()),
        bool((indices < 0).any()) or bool((indices >= columns).any()),
    )
    if any(broken):
        raise _Refused("holds a broken sparse matrix: its entries lie outside its shape.")


def load_pickle(path: Path, *, encoding: str = "ASCII") -> Any:
    """The content of a pickle that holds data only.

    Args:
        path: the file.
        encoding: how strings written by Python 2 are read: "bytes" for CIFAR, "latin1" for Planetoid.

    Returns:
        Arrays of numbers, sparse matrices in compressed rows, texts, bytes, numbers, lists, tuples and dictionaries; a
        `defaultdict` is read as a `dict`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the pickle names something that is not on the list of allowed globals, and nothing of it was
            called; or the file is damaged.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels"
        >>> _ = path.write_bytes(pickle.dumps({"labels": [1, 2]}))
        >>> load_pickle(path)
        {'labels': [1, 2]}
    """
    content = read_bytes(path)
    try:
        return _DataUnpickler(content, encoding).load()
    except _Refused as error:
        raise ValueError(f"{path} {error}") from None
    # Whatever a step stumbles over: a pickle may hold any bytes at all.
    except Exception as error:
        raise ValueError(f"{path} is not a complete pickle: {explained(error)}.") from error
