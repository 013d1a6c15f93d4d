"""What belongs to the whole process is changed by one thread at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()


@contextmanager
def alone() -> Iterator[None]:
    """A context that one thread at a time is in: it moves global random states, warnings' filters or BLAS's threads.

    Without it eight threads that train would draw each other's dropout, and the last to leave would put back what
    another one had set. A thread may enter again.

    Example:
        >>> with alone(), alone():
        ...     pass
    """
    with _LOCK:
        yield


def _start_afresh() -> None:
    # Another thread's lock would never be opened in a process that was forked meanwhile.
    global _LOCK
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
