"""Messages between two processes, in their order, none of which is waited for: plain values with tensors beside.

They go through host memory by gloo, whatever the device. Who sends keeps what is under way; who receives has a thread
that takes each message as it comes, so that a sender never waits for a receiver that computes.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

#: Messages under way to one process before the oldest is waited for; its receiver takes them at once.
_UNDER_WAY = 2


@dataclass(frozen=True)
class Message:
    """What came from a process.

    Args:
        source: the number of that process.
        content: what it sent; an `Exception` where its connection has broken.
        tensors: those that it sent beside, on the CPU.
    """

    source: int
    content: Any
    tensors: Sequence[Tensor] = ()


@dataclass(frozen=True)
class Last:
    """What is sent last.

    Args:
        failed: the number of a process that has failed and what it said, or None for a good end.
        yielded: the last step that the sender has taken part in.
    """

    failed: tuple[int, str] | None = None
    yielded: int = -1


@dataclass
class Outbox:
    """The way to one process.

    Args:
        to: its number.
        group: of torch.distributed, by gloo.

    Attributes:
        sent_bytes: so far.
    """

    to: int
    group: Any
    sent_bytes: int = 0
    _under_way: deque[list[tuple[Any, Tensor]]] = field(default_factory=deque)

    def send(self, content: Any, tensors: Sequence[Tensor] = ()) -> None:
        """Send a picklable value, and tensors with their shapes, strides and types.

        Raises:
            RuntimeError: the other process is gone.
        """
        layouts = [(tuple(tensor.shape), _strides(tensor), tensor.dtype) for tensor in tensors]
        packed = torch.frombuffer(bytearray(pickle.dumps((content, layouts))), dtype=torch.uint8)
        parts = [torch.tensor([len(packed)]), packed, *(as_bytes(tensor) for tensor in tensors if tensor.numel())]
        self._under_way.append([(dist.isend(part, self.to, group=self.group), part) for part in parts])
        self.sent_bytes += sum(part.nbytes for part in parts)
        self.flush(_UNDER_WAY)

    def flush(self, left: int = 0) -> None:
        """Wait until no more than so many messages are under way.

        Raises:
            RuntimeError: the other process is gone.
        """
        while len(self._under_way) > left:
            for work, _ in self._under_way.popleft():
                work.wait()


class Inbox:
    """What one process sends, put into a queue as it comes, up to its `Last`, or an exception in its place.

    Args:
        source: the number of that process.
        group: see `Outbox`.
        queue: where messages are put.
    """

    def __init__(self, source: int, group: Any, queue: SimpleQueue[Message]) -> None:
        self.source, self.group, self.queue = source, group, queue
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self) -> None:
        try:
            while True:
                length = self._next(torch.empty(1, dtype=torch.int64))
                packed = self._next(torch.empty(int(length), dtype=torch.uint8))
                content, layouts = pickle.loads(packed.numpy().tobytes())
                tensors = [self._tensor(*layout) for layout in layouts]
                self.queue.put(Message(self.source, content, tensors))
                if isinstance(content, Last):
                    return
        except Exception as error:  # the thread that waits for messages has to hear of it
            self.queue.put(Message(self.source, error))

    def _next(self, tensor: Tensor) -> Tensor:
        dist.recv(tensor, self.source, group=self.group)
        return tensor

    def _tensor(self, shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        # An allocation of its own for each: the kernels of some libraries round by how memory is aligned.
        tensor = torch.empty(shape, dtype=dtype)
        if tensor.numel():
            self._next(as_bytes(tensor))
        return tensor if tensor.stride() == strides else torch.empty_strided(shape, strides, dtype=dtype).copy_(tensor)


def as_bytes(tensor: Tensor) -> Tensor:
    """The values of a tensor, on the CPU, row by row."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """As the tensor's own, where no two of its values share a place."""
    own = tensor.stride()
    shared = any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, own, strict=True))
    return torch.empty(tensor.shape, device="meta").stride() if shared else own
