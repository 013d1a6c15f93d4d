"""Requests to stop, Ctrl-C and SIGTERM: before training they interrupt, in training they wait for the end of a step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Asked:
    """Whether a stop was asked for: imports, of which a command makes thousands, may swallow an interrupt."""

    before_training = False


@contextmanager
def interrupting() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM interrupt as Ctrl-C does; yields what tells whether either has come.

    Example:
        >>> import os
        >>> try:
        ...     with interrupting():
        ...         os.kill(os.getpid(), signal.SIGTERM)
        ... except KeyboardInterrupt:
        ...     print("interrupted")
        interrupted
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _Asked.before_training = True
        raise KeyboardInterrupt

    told = sys.unraisablehook

    def unraisable(one: sys.UnraisableHookArgs) -> None:
        # In a callback of an import, or as an object goes: it is asked for again, and no traceback for a person.
        if not (_Asked.before_training and one.exc_type is KeyboardInterrupt):
            told(one)

    try:
        sys.unraisablehook = unraisable
        with _handled_by(interrupt):
            yield lambda: _Asked.before_training
    finally:
        sys.unraisablehook = told
        _Asked.before_training = False


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Set on the first Ctrl-C or SIGTERM, so that a run ends at a step boundary; a second Ctrl-C interrupts at once.

    Raises:
        KeyboardInterrupt: a stop has been asked for already.
    """
    from infotorch.numerics.ranks import is_first  # loads torch, which whoever trains has loaded

    stop = threading.Event()
    if _Asked.before_training:
        raise KeyboardInterrupt

    def request(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if is_first():
            print("stopping at the next step boundary ...", file=sys.stderr)

    with _handled_by(request):
        yield stop


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    kept = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
