"""Devices and precision, through Lightning Fabric."""

from __future__ import annotations

import difflib
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

import torch
from lightning_fabric import Fabric
from torch import nn

import infotorch
from infotorch.numerics.checks import shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.process import alone
from infotorch.numerics.ranks import leave_at_exit
from infotorch.records.commit import commit_of

#: float32, float64, or float32 weights whose forward passes run in bfloat16.
Precision = Literal["32-true", "64-true", "bf16-mixed"]
PRECISIONS = get_args(Precision)


def resolve_device(device: str) -> torch.device:
    """The device of that name: "auto" takes the first accelerator there is, else the CPU.

    Raises:
        ValueError: an unknown name, or a device that is not there.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if device == "auto":
        return _accelerator() or torch.device("cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError:
        near = difflib.get_close_matches(device, ("auto", "cpu", "cuda", "mps"), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"device: must be auto, cpu, cuda, cuda:N or mps, got {shown(device)}{hint}") from None
    if wanted.type == "cpu":
        return wanted
    there = _accelerator()
    if there is None or there.type != wanted.type or (wanted.index or 0) >= torch.accelerator.device_count():
        raise ValueError(f"device: {device} is not there; available: cpu{f', {there.type}' if there else ''}.")
    return wanted


def _accelerator() -> torch.device | None:
    # Not check_available=True, which torch 2.6 does not know.
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None


def launch(device: str = "auto", precision: Precision = "32-true", *, together: bool = False) -> Fabric:
    """A Fabric of this process on one device.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "32-true"; "bf16-mixed" runs forward passes in bfloat16 autocast; "64-true" for checks.
        together: of all processes, where this one has joined others (`join`): they train one model.

    Warns:
        UserWarning: bfloat16 on a processor without instructions for it; once a process.

    Raises:
        ValueError: an unknown precision or device; a numbered one for several processes.

    Example:
        >>> launch("cpu").device
        device(type='cpu')
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: must be one of {', '.join(PRECISIONS)}, got {shown(precision)}.")
    chosen = resolve_device(device)
    if precision == "bf16-mixed" and chosen.type == "cpu" and not _has_bfloat16():
        _warn_of_bfloat16()
    distributed = torch.distributed
    if together and distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        return _joined(chosen, precision)
    with alone(), warnings.catch_warnings(), _without_news("lightning_fabric"):
        warnings.simplefilter("ignore")  # Fabric advises on hardware that the caller has just chosen
        return Fabric(
            accelerator=chosen.type,
            devices=1 if chosen.type == "cpu" or chosen.index is None else [chosen.index],
            precision=precision,
        )


def _has_bfloat16() -> bool:
    """Whether products of bfloat16 on this processor are oneDNN's; torch's own way without them is a plain loop."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@cache
def _warn_of_bfloat16() -> None:
    warnings.warn(
        "precision=bf16-mixed: torch computes bfloat16 many times slower than float32 on this processor, which has no "
        "instructions for it, or none that torch uses; 32-true is faster here.",
        stacklevel=3,
    )


def _joined(device: torch.device, precision: Precision) -> Fabric:
    distributed = torch.distributed
    count = distributed.get_world_size() if distributed.is_initialized() else int(os.environ["WORLD_SIZE"])
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(count)))
    if device.index is not None:
        raise ValueError(f"device: {device} is one, and there are {count} processes; give {device.type}, or auto.")
    if device.type != "cpu" and here > torch.accelerator.device_count():
        there = torch.accelerator.device_count()
        raise ValueError(f"device: {here} processes need as many of {device.type}, got {there}; give fewer, or cpu.")
    with alone(), warnings.catch_warnings(), _without_news("lightning_fabric"):
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=device.type, devices=here, num_nodes=count // here, strategy="ddp", precision=precision
        )
        fabric.launch()
    leave_at_exit()
    return fabric


def join(device: str = "auto") -> None:
    """Join this process to the others that a launcher has started; each calls it once, before they share anything.

    Args:
        device: as in `launch`, without a number.

    Raises:
        ValueError: a numbered device, or fewer than there are processes on this machine.
    """
    _joined(resolve_device(device), "32-true")


@contextmanager
def _without_news(logger: str) -> Iterator[None]:
    """A context in which a logger tells warnings alone: it would repeat the precision that was asked for."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)


def move(
    model: nn.Module, device: str | torch.device | None, precision: Precision | None, *, where: str
) -> Fabric | None:
    """Bring a model to a device and a precision, and give the Fabric that trains it there; None where both are None.

    Args:
        model: moved in place.
        device: as in `launch`; None: where the model is.
        precision: as in `launch`; None: as the weights are.
        where: for messages.

    Raises:
        TypeError: the name of a device, or a precision, is no text.
        ValueError: an unknown precision or device, or one that is not there.
    """
    if device is None and precision is None:
        return None
    check_kind(device, (str, torch.device, NoneType), where=where, name="device", said='a name such as "cpu"')
    check_kind(precision, (str, NoneType), where=where, name="precision", said=f"one of {', '.join(PRECISIONS)}")
    weight = next(model.parameters(), torch.empty(0))
    try:
        fabric = launch(str(weight.device if device is None else device), precision or "32-true")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    model.to(fabric.device, {None: None, "64-true": torch.float64}.get(precision, torch.float32))
    return fabric


def reset_peak_device_bytes(device: torch.device) -> None:
    """Begin to measure anew: the runs of a table share a process, and each has a peak of its own."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_device_bytes(device: torch.device) -> int | None:
    """The most memory that tensors held on an accelerator since the reset; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


@cache
def _commit() -> dict[str, Any] | None:
    """The commit of this package, as it was when a run was first begun: what a process has loaded stays."""
    return commit_of(Path(infotorch.__file__).parent)


def environment(device: torch.device, precision: Precision) -> dict[str, Any]:
    """The content of environment.json; no names of people, machines or folders."""
    return {
        "infotorch": infotorch.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": precision,
        **_processes(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processes() -> dict[str, Any]:
    """How many processes share the run's batches, where there are several."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return {}
    return {"processes": distributed.get_world_size(), "backend": distributed.get_backend()}
