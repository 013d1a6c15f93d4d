"""A run in several processes: the first one keeps the run directory, the others train beside it and keep nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from torch import distributed as dist

from infotorch.numerics.ranks import lost_another, several
from infotorch.records.lock import LOCK
from infotorch.records.outcome import Outcome

if TYPE_CHECKING:
    from infotorch.numerics.ranks import Ranks
    from infotorch.runs.setup import Setup
    from infotorch.training.division import Division

T = TypeVar("T")

#: How a run has ended in a process that another one has left.
LOST = "another process of this run has ended; --resume goes on"
#: What a run that goes on reads of its directory.
_GOES_ON = ("recipe.json", "environment.json", "metrics.jsonl", "checkpoint/*")


@contextmanager
def together() -> Iterator[None]:
    """A context before training in which processes wait for each other; that one is gone is told in a line.

    Raises:
        ConnectionError: it is.

    Example:
        >>> with together():
        ...     raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection closed by peer")
        Traceback (most recent call last):
        ConnectionError: another process of this run has ended; --resume goes on
    """
    try:
        yield
    except Exception as error:
        if not lost_another(error):
            raise
        raise ConnectionError(LOST) from error


def tell_others(directory: Path, outcome: Outcome | None) -> None:
    """Let the others begin, with what they need to go on from; or end, where the run had ended already."""
    files = {
        str(path.relative_to(directory)): path.read_bytes()
        for pattern in _GOES_ON
        for path in directory.glob(pattern)
        if path.is_file() and path.name != LOCK
    }
    with together():
        dist.broadcast_object_list([outcome, {} if outcome else files], 0)


@contextmanager
def refusing_for_all() -> Iterator[None]:
    """A context of the first process, while the others wait to hear from it: what it refuses, they refuse as well."""
    try:
        yield
    except Exception as error:
        if several():
            dist.broadcast_object_list([str(error), {}], 0)
        raise


@contextmanager
def ending(steps: Generator[T, None, None]) -> Iterator[Generator[T, None, None]]:
    """A context of a loop over `steps`, which end with it, and hear of what fails in the loop.

    A pipeline then tells the other processes at once: one that only left its loop waits for them, and they may be
    waiting for it.

    Raises:
        Exception: the loop has failed, or another process, of which this failure came.
        KeyboardInterrupt: Ctrl-C came in the loop.

    Example:
        >>> with ending(number for number in range(3)) as steps:
        ...     print(next(steps))
        0
        >>> list(steps)
        []
    """
    with closing(steps):
        try:
            yield steps
        except (Exception, KeyboardInterrupt) as error:
            steps.throw(error)
            raise


@contextmanager
def beside_the_first(kept: Path) -> Iterator[tuple[Path, Outcome | None]]:
    """A directory of this process's own, with what the first one goes on from, and its outcome if it had ended.

    The directory is gone afterwards: all that a run is, the first process keeps.

    Args:
        kept: the run directory of the first process, which messages name.

    Raises:
        ConnectionError: the first process has ended.
        ValueError: it has refused, or this one does.
    """
    # Where there is a process that started all of them, it removes what a killed one leaves.
    with tempfile.TemporaryDirectory(prefix="infotorch-", dir=os.environ.get("INFOTORCH_SCRATCH")) as folder:
        told: list = [None, None]
        with together():
            dist.broadcast_object_list(told, 0)
        outcome, files = told
        if isinstance(outcome, str):
            raise ValueError(outcome)
        directory = Path(folder) / "run"
        for name, content in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)
        try:
            yield directory, outcome
        except ValueError as error:
            raise ValueError(str(error).replace(str(directory), str(kept))) from error


def divided(setup: Setup, ranks: Ranks) -> Division | None:
    """Which modules each process of a pipeline trains; None where there is no pipeline.

    Raises:
        ConnectionError: another process has ended.
        ValueError: fewer trained modules than processes.
    """
    if setup.plan.order != "pipelined":
        return None
    from infotorch.training.division import measured_division

    plan, batches, parts = setup.plan, setup.batches, setup.recipe.micro_batches
    with together():
        return measured_division(plan, batches, ranks, seed=setup.seed, fabric=setup.fabric, micro_batches=parts)
