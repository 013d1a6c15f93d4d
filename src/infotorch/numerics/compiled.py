"""Where the compiled loops are used, and how their rows are shared among threads."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


@functools.cache
def compiled_loops() -> ModuleType | None:
    """The loops that numba compiles, or None without numba (extra `fast`): the same numbers come more slowly."""
    try:
        return importlib.import_module("infotorch.numerics.loops")
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        return None


def loops_for(device: torch.device) -> ModuleType | None:
    """The compiled loops where they can be used: for tensors in the computer's own memory."""
    return compiled_loops() if device.type == "cpu" else None


def in_threads(task: Callable[[Piece], Result], pieces: list[Piece], *, threads: int | None = None) -> list[Result]:
    """The task's result for every piece, in order; the task should release the interpreter's lock.

    Example:
        >>> in_threads(abs, [-1, 2])
        [1, 2]
    """
    threads = min(len(pieces), torch.get_num_threads() if threads is None else threads)
    if threads <= 1:
        return [task(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(task, pieces))
