"""Several processes that probe the candidates of a range test at once, each with a copy of everything."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import nn

from infotorch.schedules.range_bench import Bench, Work, random_state, set_random_state
from infotorch.schedules.range_choice import Probe

_WHERE = "lr_range_test"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NO_COPY = (
    "worker processes need a copy of model, optimizer, train_epoch, signal and reset together. Lambdas and functions "
    "within functions cannot be copied: use functools.partial of a function at the top of a module, or a method of an "
    "object that holds model and optimizer; or workers=1"
)


class Workers:
    """Probes in processes of their own, each with its copy of the work, its random states and as many threads.

    Where there are several GPUs and the model is on one, the processes take turns at them. A candidate always goes to
    the same process, which keeps its paused probe. A context: the processes begin and end with it.

    Neither joblib nor `concurrent.futures` does this: a candidate must find its paused probe, a stopped test must end
    its processes at once, and processes whose parent was killed must end too.

    Args:
        work: what is trained; it is copied as it is now.
        rates: all candidates.
        count: number of processes.
        told: called with (trial, rate, number of epochs) when a probe ends.

    Raises:
        TypeError: the work cannot be copied.
    """

    def __init__(self, work: Work, rates: Sequence[float], count: int, told: Callable[[int, float, int], None]) -> None:
        self.width, self.told = min(count, len(rates)), told
        self.home = {rate: number % self.width for number, rate in enumerate(rates)}
        self.packed, self.place = _packed(work), _place(work.model)
        self.pipes: list[Any] = []
        self.processes: list[BaseProcess] = []

    def __enter__(self) -> Workers:
        context = multiprocessing.get_context("spawn")
        try:
            for number in range(self.width):
                ours, theirs = context.Pipe()
                # No daemon: the caller's loader may start processes of its own.
                process = context.Process(target=_serve, args=(theirs, self.packed, torch.get_num_threads()))
                with _seeing(self.place, number):
                    process.start()
                theirs.close()  # so that the end of the process ends the pipe
                self.pipes.append(ours)
                self.processes.append(process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()
        for pipe in self.pipes:
            pipe.close()

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Collection[float] = ()) -> list[Probe]:
        """See `Bench.probe`; several at once.

        Raises:
            RuntimeError: a process ended on its own.
            Exception: whatever the caller's functions raised there.
        """
        for rate in rates:
            self.pipes[self.home[rate]].send((trial, [rate], epochs, tuple(alive)))
        found: dict[float, Probe] = {}
        while len(found) < len(rates):
            for pipe in wait(self.pipes):
                probe, trained = self._received(pipe)
                found[probe.rate] = probe
                self.told(trial, probe.rate, trained)
        return [found[rate] for rate in rates]

    def _received(self, pipe: Any) -> tuple[Probe, int]:
        """A probe, and the number of epochs that it took now."""
        try:
            answer = pipe.recv()
        except EOFError:
            raise RuntimeError(
                f"{_WHERE}: a worker process ended on its own. Memory may be short, or a script starts the test "
                "without `if __name__ == '__main__':`; or choose workers=1."
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _place(model: nn.Module) -> int | None:
    """The number of the one GPU that the model is on, where there are others beside it."""
    tensors = (*model.parameters(), *model.buffers())
    places = {tensor.device.index for tensor in tensors if tensor.device.type == "cuda"}
    return places.pop() if len(places) == 1 and torch.cuda.device_count() > 1 else None


@contextmanager
def _seeing(place: int | None, number: int) -> Iterator[None]:
    """While a process starts: what it will know as the model's GPU is that GPU, the next one, and so on.

    CUDA numbers devices by the order of CUDA_VISIBLE_DEVICES, so that nothing in the copy has to be moved or renamed.
    """
    before = os.environ.get(_VISIBLE)
    if place is not None:
        count = torch.cuda.device_count()
        order = before.split(",")[:count] if before else [str(device) for device in range(count)]
        other = (place + number) % count
        order[place], order[other] = order[other], order[place]
        os.environ[_VISIBLE] = ",".join(order)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_VISIBLE] = before
        elif place is not None:
            del os.environ[_VISIBLE]


def _packed(work: Work) -> bytes:
    """The work and the random states in one piece, so that its parts refer to each other in the copy as here."""
    buffer = io.BytesIO()
    try:
        torch.save((work, random_state(work)), buffer)
    except Exception as error:  # pickle's own, and whatever an object's own pickling raises
        raise TypeError(f"{_WHERE}: {_NO_COPY} ({error}).") from error
    return buffer.getvalue()


def _serve(pipe: Any, packed: bytes, threads: int) -> None:
    """A worker's life: unpack, then probe what is asked for, until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends us
    torch.set_num_threads(threads)  # sums depend on them
    bench, epochs = None, []
    with suppress(EOFError, BrokenPipeError):  # the parent has gone
        while True:
            task = pipe.recv()
            epochs.clear()
            try:
                bench = bench or _unpacked(packed, lambda *told: epochs.append(told))
                (probe,) = bench.probe(*task)
                pipe.send((probe, len(epochs)))
            except Exception as error:
                pipe.send(_portable(error))


def _unpacked(packed: bytes, told: Callable[[int, float, int], None]) -> Bench:
    try:
        work, random = torch.load(io.BytesIO(packed), weights_only=False)
    except Exception as error:
        raise TypeError(f"{_WHERE}: {_NO_COPY} ({error}).") from error
    set_random_state(work, random)
    return Bench(work, told)


def _portable(error: Exception) -> Exception:
    """The error as it can be sent, with where it happened."""
    error.add_note("in a worker process:\n" + traceback.format_exc())
    buffer = io.BytesIO()
    try:
        torch.save(error, buffer)
        torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
