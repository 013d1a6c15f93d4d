"""A device as the tests of this folder see it: where it is, and when Python waited for it."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from tests.devices.cpu_draws import CpuDraws
from tests.devices.stand_in import DEVICE, StandIn
from torch import Tensor


class StandInPlace:
    """The device of `stand_in`."""

    device = DEVICE
    #: Its numbers are the CPU's own; sums of copies in another layout may round otherwise.
    accuracy = 1e-12

    def __init__(self, mode: StandIn) -> None:
        self._mode = mode

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """A context whose list has a line of ours for each wait in it."""
        self._mode.waits.clear()
        found: list[str] = []
        yield found
        found += self._mode.waits

    def copies(self, run: Callable[[], object]) -> dict[str, int]:
        """How often numbers went there, and came back, while something ran."""
        with self.watched() as waits:
            run()
        back = ("[_local_scalar_dense]", "[copied to the CPU]")
        return {
            "there": sum("[copied to the device]" in wait for wait in waits),
            "back": sum(wait.endswith(back) for wait in waits),
        }

    def drawing_alike(self) -> AbstractContextManager[object]:
        """A context in which it draws the CPU's random numbers, as it always does."""
        return nullcontext()


class Cuda:
    """The first CUDA device."""

    device = torch.device("cuda", 0)
    #: In float64: sums in another order, of ill-conditioned matrices at worst.
    accuracy = 1e-6

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """A context whose list has a line of ours for each operation that synchronised in it."""
        found: list[str] = []

        def seen(message: Warning | str, *_: Any, **__: Any) -> None:
            if "synchronizing" in str(message):
                found.append(line_of_ours())

        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = seen
                yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)

    def copies(self, run: Callable[[], object]) -> dict[str, int]:
        """How often numbers went there, and came back, while something ran, by torch's profiler."""
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as profile:
            run()
            torch.cuda.synchronize()
        events = [event.name for event in profile.events() or ()]
        return {
            "there": sum("Memcpy HtoD" in name for name in events),
            "back": sum("Memcpy DtoH" in name for name in events),
        }

    def drawing_alike(self) -> AbstractContextManager[object]:
        """A context in which it draws the CPU's random numbers."""
        return CpuDraws("cuda")


def line_of_ours() -> str:
    """The innermost line of the library that is being run, as "stage.py: if not math.isfinite(...)"."""
    frames = [frame for frame in traceback.extract_stack() if "infotorch" in Path(frame.filename).parts]
    return f"{Path(frames[-1].filename).name}: {frames[-1].line}" if frames else "elsewhere"


def moved(value: Any, device: torch.device | str) -> Any:
    """Tensors, in lists, tuples and dicts too, on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(one, device) for key, one in value.items()}
    return type(value)(moved(one, device) for one in value) if isinstance(value, list | tuple) else value
