"""A network on the bench of a range test: a few epochs at a rate from a known start, and everything back afterwards."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infotorch.schedules.decay import set_rate
from infotorch.schedules.range_choice import Probe

_WHERE = "lr_range_test"
#: What one epoch reports: its mean loss, and any other numbers by name, of which more is better.
Report = float | Mapping[str, float]
# A value has fallen suddenly when it lost this share of what it had gained, or of its first value where that is more.
_SUDDEN = 0.5


class Bench:
    """The caller's network, optimiser and function for an epoch, and how they were before.

    Args:
        network: what is trained.
        optimizer: its optimiser.
        train_epoch: trains for one epoch and reports.
        signal: measures I(T; Y), or None.
        epochs: of a probe.
        stop_dead: end a probe whose network has died.
        generators: further generators of the data's order.
        progress: told about every epoch.

    Attributes:
        done: epochs trained so far; total: epochs expected, for progress.
        total: see done.
        start: where every probe of the trial starts.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        train_epoch: Callable[[], Report],
        signal: Callable[[], Any] | None,
        epochs: int,
        stop_dead: bool,
        generators: Sequence[torch.Generator],
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        self.network, self.optimizer, self.train_epoch = network, optimizer, train_epoch
        self.signal, self.epochs, self.stop_dead = signal, epochs, stop_dead
        self.generators, self.progress = generators, progress
        self.done = self.total = 0
        self.start = self._state()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """A context after which everything is as it was, gradients and modes included."""
        before = self.start
        gradients = [parameter.grad for parameter in self.network.parameters()]
        modes = [(layer, layer.training) for layer in self.network.modules()]
        try:
            yield
        finally:
            self._restore(before)
            for parameter, gradient in zip(self.network.parameters(), gradients, strict=True):
                parameter.grad = gradient
            for layer, training in modes:
                layer.training = training

    def reset(self, reset: Callable[[], None] | None, seed: int) -> None:
        """Other initial weights, a function of the seed alone.

        Raises:
            ValueError: a layer with weights cannot reset itself, and nobody says how.
        """
        self._restore(self.start)
        torch.manual_seed(seed)
        (reset or self._reset_layers)()
        self.start = self._state()

    def _reset_layers(self) -> None:
        for name, layer in self.network.named_modules():
            own = getattr(layer, "reset_parameters", None)
            if callable(own):
                own()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise ValueError(f"{_WHERE}: layer {name or 'network'} has no reset_parameters; give reset.")

    def probe(self, trial: int, rate: float) -> Probe:
        """A few epochs at one rate, from the trial's start."""
        self._restore(self.start)
        for group in self.optimizer.param_groups:
            set_rate(group, rate)
        values: dict[str, list[float]] = self._informed({})
        loss_first = None
        crashed = dead = False
        for _ in range(self.epochs):
            report = _as_numbers(self.train_epoch())
            loss_first = report["loss"] if loss_first is None else loss_first
            # Of a loss its fall counts, which is 0 where nothing is learnt, whatever the loss's sign.
            now = {**report, "loss": loss_first - report["loss"]}
            for name, value in now.items():
                values.setdefault(name, []).append(value)
            values = self._informed(values)
            self.done += 1
            if self.progress is not None:
                self.progress(f"trial {trial}, rate {rate:.3g}", self.done, self.total)
            crashed = any(_has_crashed(past) for past in values.values())
            dead = not crashed and self.stop_dead and self._is_dead(values)
            if crashed or dead:
                break
        return Probe(trial, rate, {name: tuple(past) for name, past in values.items()}, crashed, dead)

    def _informed(self, values: dict[str, list[float]]) -> dict[str, list[float]]:
        """The values with the signal's own added."""
        if self.signal is None:
            return values
        try:
            found = self.signal()
        except ValueError:  # an output that is not finite has no information
            found = [math.nan] * max(1, len([name for name in values if name.startswith("information")]))
        several = isinstance(found, list | tuple) and len(found) > 1
        listed = list(found) if isinstance(found, list | tuple) else [found]
        for number, value in enumerate(listed):
            values.setdefault(f"information {number}" if several else "information", []).append(float(value))
        return values

    def _is_dead(self, values: dict[str, list[float]]) -> bool:
        """Whether the output no longer depends on the input: no information at all, or numbers that stand still."""
        information = [past[-1] for name, past in values.items() if name.startswith("information")]
        if information:
            return information[-1] == 0.0
        return all(len(past) > 2 and len(set(past[-3:])) == 1 for past in values.values())

    def _state(self) -> dict[str, Any]:
        devices = sorted({t.device for t in self.network.parameters() if t.device.type == "cuda"}, key=str)
        return {
            "tensors": [(tensor, tensor.detach().clone()) for tensor in _tensors(self.network)],
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
            "random": torch.get_rng_state(),
            "devices": [(device, torch.cuda.get_rng_state(device)) for device in devices],
            "generators": [generator.get_state() for generator in self.generators],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for tensor, value in state["tensors"]:
                tensor.copy_(value)
        # An optimiser that had no state yet gets an empty one again.
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        torch.set_rng_state(state["random"])
        for device, random in state["devices"]:
            torch.cuda.set_rng_state(random, device)
        for generator, random in zip(self.generators, state["generators"], strict=True):
            generator.set_state(random)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _as_numbers(report: Report) -> dict[str, float]:
    named = dict(report) if isinstance(report, Mapping) else {"loss": report}
    if "loss" not in named:
        raise TypeError(f"{_WHERE}: train_epoch must report its mean loss, got {', '.join(named) or 'nothing'}.")
    try:
        return {name: float(value) for name, value in named.items()}
    except (TypeError, ValueError) as error:
        raise TypeError(f"{_WHERE}: train_epoch must report numbers, got {report!r}.") from error


def _has_crashed(values: list[float]) -> bool:
    """Whether the last value is not finite, or has lost half of all that was gained; both may be negative."""
    if not math.isfinite(values[-1]):
        return True
    before = max(values[:-1], default=values[-1])
    gained = before - values[0]
    return gained > 0 and before - values[-1] > max(_SUDDEN * gained, _SUDDEN * abs(values[0]))
