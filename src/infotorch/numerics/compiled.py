"""Where the compiled loops are used, and how their rows are shared among threads."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


@functools.cache
def _loops(name: str) -> ModuleType | None:
    try:
        importlib.import_module("numba")
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != "numba":
            # It is there, and refuses (a numpy newer than it knows, for one): slower, but no reason to give up.
            warnings.warn(f"infotorch searches neighbours without numba, several times slower: {error}", stacklevel=2)
        return None
    return importlib.import_module(f"infotorch.numerics.{name}")


def tree_loops() -> ModuleType | None:
    """The compiled k-d tree, or None without numba (extra `fast`): the same numbers come more slowly."""
    return _loops("tree_loops")


def plane_loops() -> ModuleType | None:
    """The compiled search in the plane; None without numba."""
    return _loops("plane_loops")


def block_loops(device: torch.device) -> ModuleType | None:
    """The compiled loops over blocks of distances, for tensors in the computer's own memory; None without numba."""
    return _loops("block_loops") if device.type == "cpu" else None


def in_threads(
    task: Callable[[Piece], Result],
    pieces: list[Piece],
    *,
    threads: int | None = None,
    stop: Callable[[], object] = lambda: None,
) -> list[Result]:
    """The task's result for every piece, in order; the task should release the interpreter's lock.

    Args:
        task: what is done.
        pieces: to what.
        threads: how many at most; None: as many as torch uses.
        stop: called when the user interrupts or a task fails, so that the others may end early: they are waited for.

    Example:
        >>> in_threads(abs, [-1, 2])
        [1, 2]
    """
    threads = min(len(pieces), torch.get_num_threads() if threads is None else threads)
    if threads <= 1:
        return [task(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(task, pieces))
        except BaseException:
            stop()
            raise
