"""Who probes the candidates of a range test: this process, or several, each with a copy of everything."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any, Protocol

import torch
from torch import nn

from infotorch.schedules.range_bench import Bench, Report, Work, random_state, set_random_state
from infotorch.schedules.range_choice import Probe

_WHERE = "lr_range_test"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NO_COPY = (
    "worker processes need a copy of network, optimizer, train_epoch, signal and reset together. Lambdas and functions "
    "within functions cannot be copied: use functools.partial of a function at the top of a module, or a method of an "
    "object that holds network and optimizer; or workers=1"
)


class Probing(Protocol):
    """Who probes candidates.

    Attributes:
        width: candidates that are probed at once.
    """

    width: int

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Sequence[float] = ()) -> list[Probe]:
        """The probes of some candidates of a trial, in their order; see `Bench.probe`."""
        ...


class Here:
    """Probes in this process, one candidate after the other.

    Args:
        bench: the caller's own network.
    """

    width = 1

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Sequence[float] = ()) -> list[Probe]:
        """See `Probing`."""
        return [self.bench.probe(trial, rate, epochs, alive) for rate in rates]


class Workers:
    """Probes in processes of their own, each with its copy of the work, its random states and as many threads.

    Where there are several GPUs and the network is on one, the processes take turns at them. A candidate always goes to
    the same process, which keeps its paused probe. A context: the processes end with it.

    Args:
        work: what is trained; it is copied as it is now.
        rates: all candidates.
        count: number of processes.
        told: called with (trial, rate, number of epochs) when a probe ends.

    Raises:
        TypeError: the work cannot be copied.
    """

    def __init__(self, work: Work, rates: Sequence[float], count: int, told: Callable[[int, float, int], None]) -> None:
        self.width = min(count, len(rates))
        self.told = told
        self.home = {rate: number % self.width for number, rate in enumerate(rates)}
        copied = _packed(work)
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Any] = []
        self.processes: list[Any] = []
        place = _place(work.model)
        for number in range(self.width):
            ours, theirs = context.Pipe()
            # No daemon: the caller's loader may start processes of its own.
            process = context.Process(target=_serve, args=(theirs, copied, torch.get_num_threads()))
            try:
                with _seeing(place, number):
                    process.start()
            except BaseException:
                self.__exit__()
                raise
            theirs.close()  # so that its end is heard of
            self.pipes.append(ours)
            self.processes.append(process)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Sequence[float] = ()) -> list[Probe]:
        """See `Probing`.

        Raises:
            RuntimeError: a process ended on its own.
            Exception: whatever the caller's functions raised there.
        """
        for rate in rates:
            self.pipes[self.home[rate]].send((trial, rate, epochs, tuple(alive)))
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
    """The number of the one GPU that the network is on, where there are others beside it."""
    tensors = (*model.parameters(), *model.buffers())
    places = {tensor.device.index for tensor in tensors if tensor.device.type == "cuda"}
    return places.pop() if len(places) == 1 and torch.cuda.device_count() > 1 else None


@contextmanager
def _seeing(place: int | None, number: int) -> Iterator[None]:
    """While a process starts: what it will know as the network's GPU is that GPU, the next one, and so on.

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
        torch.save((work, random_state(work.model)), buffer)
    except Exception as error:  # pickle's own, and whatever an object's own pickling raises
        raise TypeError(f"{_WHERE}: {_NO_COPY} ({error}).") from error
    return buffer.getvalue()


def _serve(pipe: Any, packed: bytes, threads: int) -> None:
    """A worker's life: unpack, then probe what is asked for, until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends us
    torch.set_num_threads(threads)  # sums depend on them
    bench, epochs = None, 0

    def count(_trial: int, _rate: float, more: int) -> None:
        nonlocal epochs
        epochs += more

    with suppress(EOFError, BrokenPipeError):  # the parent has gone
        while True:
            task = pipe.recv()
            try:
                bench = bench or _unpacked(packed, count)
                epochs = 0
                probe = bench.probe(*task)
                pipe.send((probe, epochs))
            except Exception as error:
                pipe.send(_portable(error))


def _unpacked(packed: bytes, told: Callable[[int, float, int], None]) -> Bench:
    try:
        work, random = torch.load(io.BytesIO(packed), weights_only=False)
    except Exception as error:
        raise TypeError(f"{_WHERE}: {_NO_COPY} ({error}).") from error
    set_random_state(random)
    return Bench(replace(work, train_epoch=Watched(work)), told)


class Watched:
    """The caller's epoch, and a look whether it trains by the optimiser that it came with, and not by another one.

    Args:
        work: what is trained.
    """

    def __init__(self, work: Work) -> None:
        self.work, self.trains = work, False

    def __call__(self) -> Report:
        """Train for one epoch and report.

        Raises:
            ValueError: the first epoch took no step of the optimiser.
        """
        if self.trains:
            return self.work.train_epoch()
        steps: list[int] = []
        model, optimizer = self.work.model, self.work.optimizer
        versions = [parameter._version for parameter in model.parameters()]
        handle = optimizer.register_step_post_hook(lambda *_: steps.append(1))
        try:
            report = self.work.train_epoch()
        finally:
            handle.remove()
        # A wrapper's step may go without torch's hooks; whether weights moved is all that is known then.
        is_heard = getattr(type(optimizer).step, "hooked", False)
        moved = versions != [parameter._version for parameter in model.parameters()]
        self.trains = bool(steps) or (moved and not is_heard)
        if not self.trains:
            raise ValueError(
                f"{_WHERE}: train_epoch took no step of the optimizer that it was given with, so that no rate reaches "
                "what it trains. Give the network and the optimizer that it trains. In a worker process a name at the "
                "top of a module is another object: hand both over by functools.partial, or as attributes of an object "
                "whose method train_epoch is; or choose workers=1."
            )
        return report


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
