"""How the inner loops of the neighbour searches are compiled, by numba (extra `fast`).

They work on float64 arrays and give what the torch and SciPy paths give, faster. Each loop releases the interpreter's
lock and writes some rows of its outputs alone, so the caller divides the rows among threads: numba's own threads abort
a process that forks or calls from two threads. Inner loops run over neighbouring entries of one column, which the
compiler turns into vector instructions. The first call after installation compiles for some seconds; the result is kept
on disk, until the file of a loop changes: a change to this one must touch those of the loops too.
"""

from __future__ import annotations

from typing import Any

from numba import njit


def compiled(function: Any) -> Any:
    """No NaN comes in and signed zeros are alike: with this said, max and min become vector instructions."""
    settings = {"nogil": True, "fastmath": {"nnan", "nsz"}}
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(**settings)(function)


@compiled
def insert(value, row, distance, index):
    """Put a value that is below the last one in its place of the ascending list."""
    p = len(distance) - 1
    while p > 0 and distance[p - 1] > value:
        distance[p], index[p] = distance[p - 1], index[p - 1]
        p -= 1
    distance[p], index[p] = value, row
