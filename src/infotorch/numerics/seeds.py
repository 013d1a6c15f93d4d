"""Named, independent random streams: every random number of a run is a function of (seed, name, position).

Nothing lives in an iterator and nothing touches the global generator, so a diagnostic that draws numbers cannot move a
training curve, and a run resumed at any step draws what the uninterrupted run would have drawn.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from infotorch.numerics.process import alone


def derive_seed(seed: int, name: str, *position: int) -> int:
    """A 63-bit seed for the stream `name` at `position`.

    BLAKE2 spreads neighbouring seeds and positions, which small generators such as Mersenne Twister need.

    Example:
        >>> derive_seed(0, "noise", 1, 2) == derive_seed(0, "noise", 1, 2)
        True
        >>> derive_seed(0, "noise", 1, 2) == derive_seed(0, "noise", 2, 1)
        False
    """
    key = ":".join([str(seed), name, *map(str, position)]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1


def _global_generators(device: torch.device | str) -> list[torch.Generator]:
    """The CPU's, and the device's where it has its own: torch.cuda.manual_seed would seed the current device's."""
    where = torch.device(device)
    if where.type != "cuda":
        return [torch.default_generator]
    torch.cuda.init()
    index = torch.cuda.current_device() if where.index is None else where.index
    return [torch.default_generator, torch.cuda.default_generators[index]]


def global_states(device: torch.device | str = "cpu") -> list[torch.Tensor]:
    """Where torch's global generators stand, for another process or moment that is to draw on from there.

    Example:
        >>> with SeedStreams(0).as_global("dropout"):
        ...     states = global_states()
        ...     first = torch.rand(2)
        ...     set_global_states(states)
        ...     torch.equal(first, torch.rand(2))
        True
    """
    return [generator.get_state() for generator in _global_generators(device)]


def set_global_states(states: Sequence[torch.Tensor], device: torch.device | str = "cpu") -> None:
    """Let torch's global generators draw on from `global_states` of the same kind of device."""
    for generator, state in zip(_global_generators(device), states, strict=True):
        generator.set_state(state)


@dataclass(frozen=True)
class SeedStreams:
    """The random streams of one run.

    Example:
        >>> streams = SeedStreams(0)
        >>> a = torch.rand(2, generator=streams.generator("data", 3))
        >>> b = torch.rand(2, generator=streams.generator("data", 3))
        >>> bool((a == b).all())
        True
    """

    seed: int

    def generator(self, name: str, *position: int, device: torch.device | str = "cpu") -> torch.Generator:
        """A fresh generator at the start of stream `name` at `position`."""
        return torch.Generator(device=device).manual_seed(derive_seed(self.seed, name, *position))

    @contextmanager
    def as_global(self, name: str, *position: int, device: torch.device | str = "cpu") -> Iterator[None]:
        """Code inside (dropout, `nn.init`) draws from this stream; torch's global generators come back afterwards.

        One thread at a time is inside: the generators belong to the process.
        """
        seed, generators = derive_seed(self.seed, name, *position), _global_generators(device)
        with alone():
            saved = [generator.get_state() for generator in generators]
            for generator in generators:
                generator.manual_seed(seed)
            try:
                yield
            finally:
                for generator, state in zip(generators, saved, strict=True):
                    generator.set_state(state)

    @contextmanager
    def as_global_everywhere(self, name: str, *position: int, device: torch.device | str = "cpu") -> Iterator[None]:
        """`as_global` for code that may draw from `random` or `numpy.random` too, as any network may.

        It takes about a tenth of a millisecond, ten times what `as_global` takes in every step of a training.
        """
        with alone(), self.as_global(name, *position, device=device):
            state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 what the network draws from
            # Seeds of their own: both are Mersenne twisters, and would draw the same bits.
            random.seed(derive_seed(self.seed, f"{name}, random", *position))
            words = derive_seed(self.seed, f"{name}, numpy.random", *position)
            np.random.seed([words & 0xFFFFFFFF, words >> 32])  # noqa: NPY002
            try:
                yield
            finally:
                random.setstate(state)
                np.random.set_state(numpy_state)  # noqa: NPY002


def seed_streams(seed: int) -> SeedStreams:
    """The named streams of a run.

    Args:
        seed: any integer >= 0.

    Raises:
        TypeError: seed is not an integer.
        ValueError: seed is negative.

    Example:
        >>> seed_streams(7).seed
        7
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed_streams: seed must be an integer, got {type(seed).__name__}.")
    if seed < 0:
        raise ValueError(f"seed_streams: seed must be at least 0, got {seed}.")
    return SeedStreams(seed)


def as_generator(
    generator: torch.Generator | None, *, where: str, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The caller's generator, or for None a new one: the one rule behind every `generator=None`.

    None takes fresh entropy from the operating system, so that two calls differ; torch's global generators are neither
    read nor moved. A seeded generator makes a value repeatable.

    Args:
        generator: what the caller gave.
        where: named in the error.
        device: of the new generator.

    Raises:
        TypeError: generator is something else, such as a seed.

    Example:
        >>> given = torch.Generator().manual_seed(0)
        >>> as_generator(given, where="example") is given
        True
    """
    if generator is None:
        generator = torch.Generator(device=device)
        generator.seed()
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"{where}: generator must be a torch.Generator or None, got {type(generator).__name__}.")
    return generator


def streams_from(generator: torch.Generator | None, *, where: str) -> SeedStreams:
    """Random streams that one draw from the caller's generator decides; None as in `as_generator`.

    Raises:
        TypeError: generator is something else.

    Example:
        >>> one, other = (streams_from(torch.Generator().manual_seed(0), where="example") for _ in range(2))
        >>> one == other
        True
    """
    given = as_generator(generator, where=where)
    return SeedStreams(int(torch.randint(2**62, (), generator=given, device=given.device)))
