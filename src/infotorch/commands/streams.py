"""The two output streams of a command, which outlive who reads them."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class _Lasting(io.FileIO):
    """What a stream writes to; it is the null device from the first write on that meets no reader any more."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        # A terminal that was hung up says EIO; of a file that is a broken disk.
        self._gone = {errno.EPIPE, errno.EIO} if os.isatty(descriptor) else {errno.EPIPE}

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if error.errno not in self._gone:
                raise
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())  # the descriptor itself: processes that are started later inherit it
        os.close(null)
        return super().write(content)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """A context in which stdout and stderr drop what nobody reads, as once `| head` has left, and raise nothing.

    A character that a terminal does not know becomes a question mark. A stream that was closed is the null device.
    """
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = lasting = [_lasting(stream) for stream in kept]
    try:
        yield
    finally:
        for stream in lasting:
            with suppress(OSError):  # such as a full disk, of which the command has told
                stream.flush()
        sys.stdout, sys.stderr = kept


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="replace")
    raw: Any = getattr(stream.buffer, "raw", stream.buffer)  # the same with PYTHONUNBUFFERED
    if not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    lasting = _Lasting(raw.fileno())
    return io.TextIOWrapper(
        lasting if raw is stream.buffer else io.BufferedWriter(lasting),  # pyright: ignore[reportArgumentType]
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
