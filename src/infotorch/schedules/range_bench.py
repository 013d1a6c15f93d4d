"""A model on the bench of a range test: probes of rates from a known start, and everything back afterwards."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.networks.model_state import ModelState
from infotorch.numerics.checks import shown
from infotorch.numerics.nested import tensors_in
from infotorch.numerics.seeds import derive_seed
from infotorch.schedules.range_choice import Probe
from infotorch.schedules.rates import set_rate
from infotorch.schedules.stuck import NOTHING

_WHERE = "lr_range_test"
#: What one epoch reports: its mean loss, and any other numbers by name, of which more is better.
Report = float | Mapping[str, float]
#: What a signal gives: I(T; Y) of the output, or of each layer.
Signal = Callable[[], float | Tensor | Sequence[float | Tensor]]
# A value has fallen suddenly when it lost this share of what it had gained, or of its first value where that is more.
_SUDDEN = 0.5


@dataclass(frozen=True)
class Work:
    """What a range test was given: one object, so that a copy of it holds together. See `lr_range_test`."""

    model: nn.Module
    optimizer: Optimizer
    train_epoch: Callable[[], Report]
    signal: Signal | None
    stop_dead: bool
    generators: Sequence[torch.Generator]
    reset: Callable[[], None] | None
    seed: int


@dataclass
class _Run:
    """A probe on its way: what it has reported, and where it stands."""

    values: dict[str, list[float]]
    state: dict[str, Any]


class Bench:
    """Probes candidate rates; a probe is a function of (start, trial, rate, epochs) alone, in whatever order they come.

    A context, after which everything is as it was, gradients and modes included.

    Args:
        work: what is trained.
        told: called with (trial, rate, 1) after every epoch.
    """

    #: Candidates that are probed at once.
    width = 1

    def __init__(self, work: Work, told: Callable[[int, float, int], None] | None = None) -> None:
        self.work, self.told = work, told
        self.trial, self.trains = 0, False
        self.rates = [group["lr"] for group in work.optimizer.param_groups]
        self.gradients = [(parameter, parameter.grad) for parameter in _trained(work)]
        self.before = self._state()
        self.start = _Run({}, self.before)
        self.paused: dict[float, _Run] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._restore(self.before)
        for parameter, gradient in self.gradients:
            parameter.grad = gradient

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Collection[float] = ()) -> list[Probe]:
        """Train at each rate from the trial's start until so many epochs are done, or on from where its probe paused.

        Args:
            trial: its number; another one than before begins with weights of its own.
            rates: the candidates.
            epochs: in all, those before the pause included.
            alive: the candidates whose probes may go on; the others' are forgotten.

        Raises:
            TypeError: a report, or a value of the signal, that is no number.
            ValueError: a layer with weights cannot reset itself, and nobody says how; the first epoch takes no step of
                the optimizer, or one moves its rate by a schedule; or what the signal refuses, other than a model whose
                numbers are no longer finite: its information is NaN.
        """
        if trial != self.trial:
            self._begin(trial)
        return [self._probe(rate, epochs, alive) for rate in rates]

    def _probe(self, rate: float, epochs: int, alive: Collection[float]) -> Probe:
        run = self._resumed(rate)
        self.paused = {known: kept for known, kept in self.paused.items() if known in alive}
        crashed = dead = False
        for _ in range(epochs - len(run.values.get("loss", ()))):
            self._epoch(run.values)
            crashed = _has_crashed(run.values)
            dead = not crashed and self.work.stop_dead and _is_dead(run.values)
            if self.told is not None:
                self.told(self.trial, rate, 1)
            if crashed or dead:
                break
        if rate in alive and not crashed and not dead:
            self.paused[rate] = _Run(run.values, self._state())
        return Probe(self.trial, rate, {name: tuple(past) for name, past in run.values.items()}, crashed, dead)

    def _begin(self, trial: int) -> None:
        """The start of a trial: the caller's own weights, or others that are a function of the seed and the trial."""
        self._restore(self.before)
        if trial:
            torch.manual_seed(derive_seed(self.work.seed, "range-test", trial))
            for reset in [self.work.reset] if self.work.reset else resets_of(self.work.model):
                reset()
            if self.work.reset is None:
                self._put_back_frozen()
        self.trial, self.start, self.paused = trial, _Run({}, self._state()), {}

    def _put_back_frozen(self) -> None:
        """Frozen weights keep their values also in a layer that draws them together with others."""
        frozen = {id(weight) for weight in self.work.model.parameters() if not weight.requires_grad}
        with torch.no_grad():
            for tensor, value in self.before["tensors"]:
                if id(tensor) in frozen:
                    tensor.copy_(value)

    def _resumed(self, rate: float) -> _Run:
        run = self.paused.pop(rate, None) or self._fresh()
        self._restore(run.state)
        for group in self.work.optimizer.param_groups:
            set_rate(group, rate)
        return run

    def _fresh(self) -> _Run:
        """The trial's start with the signal's value there, which is the same for all candidates: measured once."""
        if not self.start.values:
            self._restore(self.start.state)
            values: dict[str, list[float]] = {}
            self._measure(values)
            self.start = _Run(values, self._state())  # with what the signal drew
        return _Run({name: list(past) for name, past in self.start.values.items()}, self.start.state)

    def _epoch(self, values: dict[str, list[float]]) -> None:
        rates = _rates(self.work.optimizer)
        report = _as_report(self.work.train_epoch() if self.trains else train_watched(self.work))
        _check_kept(self.work.optimizer, rates)
        self.trains = True
        for name, value in {**report, "loss": -report["loss"]}.items():
            values.setdefault(name, []).append(value)
        self._measure(values)

    def _measure(self, values: dict[str, list[float]]) -> None:
        """Add the signal's own values."""
        if self.work.signal is None:
            return
        try:
            found = self.work.signal()
        except ValueError:
            if not _overflows(self.work.model, self.work.signal):
                raise
            found = [math.nan] * max(1, len([name for name in values if name.startswith("information")]))
        listed = found if isinstance(found, list | tuple) else [found]
        numbers = _as_numbers(listed, "signal must give a number, or a list of them", found)
        for number, value in enumerate(numbers):
            name = f"information {number}" if len(numbers) > 1 else "information"
            values.setdefault(name, []).append(value)

    def _state(self) -> dict[str, Any]:
        tensors = {id(tensor): tensor for tensor in (*_trained(self.work), *self.work.model.buffers())}.values()
        return {
            "model": ModelState(self.work.model),
            "tensors": [(tensor, tensor.detach().clone()) for tensor in tensors],
            "optimizer": copy.deepcopy(self.work.optimizer.state_dict()),
            "of other types": _of_other_types(self.work.optimizer),
            "random": random_state(self.work),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        state["model"].restore()
        with torch.no_grad():
            for tensor, value in state["tensors"]:
                tensor.copy_(value)
        for parameter in _trained(self.work):
            parameter.grad = None
        # An optimiser that had no state yet gets an empty one again.
        self.work.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        for parameter, name, value in state["of other types"]:
            self.work.optimizer.state[parameter][name] = value.clone()
        for group, own in zip(self.work.optimizer.param_groups, self.rates, strict=True):
            if isinstance(own, Tensor):  # others may hold this very tensor, as a compiled step does
                own.copy_(group["lr"])
                group["lr"] = own
        set_random_state(self.work, state["random"])


def _trained(work: Work) -> list[Tensor]:
    """The model's parameters, and others that the optimizer moves."""
    moved = (parameter for group in work.optimizer.param_groups for parameter in group["params"])
    return list({id(parameter): parameter for parameter in (*work.model.parameters(), *moved)}.values())


def _of_other_types(optimizer: Optimizer) -> list[tuple[Any, str, Tensor]]:
    """What an optimizer keeps in another type than its weight has: `load_state_dict` casts it to that one."""
    return [
        (parameter, name, value.clone())
        for parameter, kept in optimizer.state.items()
        if isinstance(parameter, Tensor) and isinstance(kept, dict)  # optimizers may keep more under other keys
        for name, value in kept.items()
        if isinstance(value, Tensor) and value.dtype != parameter.dtype
    ]


def resets_of(model: nn.Module) -> list[Callable[[], Any]]:
    """Every layer's own `reset_parameters`, in the order of the layers, but of those whose weights are all frozen.

    Raises:
        ValueError: a layer with weights to train has none, or one that does not draw them; the message names it.
    """
    resets, way_out = [], "give reset, which draws new initial weights, freeze the layer, or choose trials=1"
    frozen: set[nn.Module] = set()
    for name, layer in model.named_modules():
        if layer in frozen or _is_frozen(layer):
            frozen.update(layer.modules())  # also those without weights, such as a batch norm that only counts
            continue
        own = getattr(layer, "reset_parameters", None)
        weights = [weight for weight, tensor in layer.named_parameters(recurse=False) if tensor.requires_grad]
        if callable(own):
            for weight in weights:
                # As pruning and the weight norm of old leave it: "weight" is computed from "weight_orig".
                if isinstance(vars(layer).get(computed := weight.rpartition("_")[0]), Tensor):
                    raise ValueError(
                        f"{_WHERE}: layer {name or 'network'} computes its {computed} from {weight}, which its "
                        f"reset_parameters does not draw; {way_out}."
                    )
            resets.append(own)
        elif weights:
            raise ValueError(f"{_WHERE}: layer {name or 'network'} has no reset_parameters; {way_out}.")
    return resets


def _is_frozen(layer: nn.Module) -> bool:
    weights = list(layer.parameters())
    return bool(weights) and not any(weight.requires_grad for weight in weights)


def train_watched(work: Work) -> Report:
    """One epoch, and a look whether it trains by the optimizer that it came with, and not by another one.

    Raises:
        ValueError: it took no step of it.
    """
    steps: list[int] = []
    versions = [parameter._version for parameter in work.model.parameters()]
    handle = work.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    try:
        report = work.train_epoch()
    finally:
        handle.remove()
    # A wrapper's step may go without torch's hooks; whether weights moved is all that is known then.
    has_hooks = getattr(type(work.optimizer).step, "hooked", False)
    moved = versions != [parameter._version for parameter in work.model.parameters()]
    if steps or (moved and not has_hooks):
        return report
    raise ValueError(
        f"{_WHERE}: train_epoch took no step of the optimizer that it was given with, so that no rate reaches what it "
        "trains. Give the model and the optimizer that it trains. In a worker process a name at the top of a module is "
        "another object: hand both over by functools.partial, or as attributes of an object whose method train_epoch "
        "is; or choose workers=1."
    )


def _rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _check_kept(optimizer: Optimizer, rates: list[float]) -> None:
    """Refuse an epoch that a schedule's rates were trained in; an optimizer may move its rate by itself.

    Raises:
        ValueError: the rates are others than these, and a schedule of torch's was made for the optimizer.
    """
    for before, now in zip(rates, _rates(optimizer), strict=True):
        if now != before and hasattr(optimizer.step, "_wrapped_by_lr_sched"):
            raise ValueError(
                f"{_WHERE}: train_epoch moved the optimizer's rate from {before:.3g} to {now:.3g} by a schedule, so "
                "that no candidate trains at its own rate; make the schedule after the test, and leave its step out."
            )


def _overflows(model: nn.Module, signal: Signal) -> bool:
    """Whether weights, or what a layer gives while the signal is measured, are not finite: nothing tells of Y then."""
    seen = [bool(tensor.isfinite().all()) for tensor in (*model.parameters(), *model.buffers())]

    def look(given: Any) -> None:
        seen.extend(bool(tensor.isfinite().all()) for tensor in tensors_in(given))

    # The error is the one that is being explained, and raised again.
    with suppress(ValueError), FeatureExtractor(model, [name for name, _ in model.named_modules()], keep=look):
        signal()
    return not all(seen)


def random_state(work: Work) -> tuple[list[Tensor], Any, Any]:
    """The state of every random generator that training may draw from: torch's and the caller's, NumPy's, Python's."""
    return [one.get_state() for one in _generators(work)], np.random.get_state(), random.getstate()  # noqa: NPY002


def set_random_state(work: Work, state: tuple[list[Tensor], Any, Any]) -> None:
    """Put back what `random_state` gave."""
    for generator, known in zip(_generators(work), state[0], strict=True):
        generator.set_state(known)
    np.random.set_state(state[1])  # noqa: NPY002 the caller's loader may draw from it
    random.setstate(state[2])


def _generators(work: Work) -> list[torch.Generator]:
    devices = sorted({weight.device.index for weight in work.model.parameters() if weight.device.type == "cuda"})
    return [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices), *work.generators]


def _as_report(given: Any) -> dict[str, float]:
    """What an epoch reported, by name."""
    named = dict(given) if isinstance(given, Mapping) else {"loss": given}
    if "loss" not in named:
        raise TypeError(f"{_WHERE}: train_epoch must report its mean loss, got {', '.join(named) or 'nothing'}.")
    return dict(zip(named, _as_numbers(list(named.values()), "train_epoch must report numbers", given), strict=True))


def _as_numbers(values: Sequence[Any], rule: str, given: object) -> list[float]:
    try:
        if not values or any(isinstance(value, str) for value in values):
            raise TypeError("no number")
        return [float(value) for value in values]
    except (TypeError, ValueError, RuntimeError) as error:  # the last: a tensor of several
        raise TypeError(f"{_WHERE}: {rule}, got {shown(given)}.") from error


def _has_crashed(values: Mapping[str, list[float]]) -> bool:
    """Whether a last value is not finite, or all have fallen suddenly; accuracy alone may dip for some steps."""
    if not all(math.isfinite(past[-1]) for past in values.values()):
        return True
    return all(_has_fallen(past) for past in values.values())


def _has_fallen(values: list[float]) -> bool:
    """Whether the last value has lost half of all that was gained; both may be negative."""
    before = max(values[:-1], default=values[-1])
    gained = before - values[0]
    return gained > 0 and before - values[-1] > max(_SUDDEN * gained, _SUDDEN * abs(values[0]))


def _is_dead(values: Mapping[str, list[float]]) -> bool:
    """Whether the output no longer depends on the input: no information at all, or numbers that stand still."""
    information = [past[-1] for name, past in values.items() if name.startswith("information")]
    if information:
        return abs(information[-1]) < NOTHING
    return all(len(past) > 2 and len(set(past[-3:])) == 1 for past in values.values())
