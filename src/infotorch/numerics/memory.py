"""How much memory is left, and a clear error before an allocation that would not fit."""

from __future__ import annotations

import os
from pathlib import Path

import torch

#: where Linux tells what is left, and what the limits are
_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def check_memory(needed: float, device: torch.device, *, where: str, what: str, instead: str) -> None:
    """Refuse what would not fit into the memory that is left; where that is not known, nothing is refused.

    Raises:
        MemoryError: it would not fit.

    Example:
        >>> check_memory(8e18, torch.device("cpu"), where="example", what="a matrix", instead="a smaller one")
        Traceback (most recent call last):
            ...
        MemoryError: example: a matrix needs 8e+09 GB of memory, and ... GB are free; use a smaller one.
    """
    free = free_memory(device)
    if free is not None and needed > free:
        raise MemoryError(
            f"{where}: {what} needs {needed / 1e9:,.3g} GB of memory, and {free / 1e9:,.3g} GB are free; use {instead}."
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where nobody tells.

    Example:
        >>> free_memory(torch.device("meta")) is None
        True
    """
    if device.type == "cuda":
        # What torch holds for later and does not use counts as free.
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + idle
    if device.type != "cpu":
        return None
    told = [free for free in (_of_machine(), *_of_groups(), _of_process()) if free is not None]
    return max(min(told), 0) if told else None


def _of_machine() -> int | None:
    """What the machine can give without writing to a disk, and its free swap; elsewhere than on Linux all it has."""
    left = _fields(_PROC / "meminfo")
    if "MemAvailable" in left:
        return 1024 * (left["MemAvailable"] + left.get("SwapFree", 0))
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_groups() -> list[int]:
    """What is left of the limits of the process's control groups (containers have such), version 1 and 2."""
    left = []
    for line in _lines(_PROC / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, used, cache = _GROUPS, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit = _GROUPS / "memory", "memory.limit_in_bytes"
            used, cache = "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        # Inside a container the path may be the host's, and only the root is there.
        parts = Path(path.strip("/")).parts
        for folder in (root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)):
            most, now = _number(folder / limit), _number(folder / used)
            if most is not None and now is not None:
                left.append(most - now + _fields(folder / "memory.stat").get(cache, 0))
    return left


def _of_process() -> int | None:
    """What is left of the process's own limit on addresses (`ulimit -v`)."""
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return None
    most, pages = resource.getrlimit(resource.RLIMIT_AS)[0], _lines(_PROC / "self" / "statm")
    if most == resource.RLIM_INFINITY or not pages:
        return None
    return most - int(pages[0].split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _fields(file: Path) -> dict[str, int]:
    """Of lines such as `MemFree:  512 kB` or `inactive_file 512` the words and the numbers."""
    words = [line.replace(":", " ").split() for line in _lines(file)]
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdigit()}


def _number(file: Path) -> int | None:
    lines = _lines(file)
    return int(lines[0]) if lines and lines[0].isdigit() else None
