"""Odd models looked at: `diagnose`, planes, signals and range tests, each against what is computed by hand.

`USES` is name -> a function of an `Odd`, and of a twin of its model for the results by hand, that uses it and returns
what was wrong with the result, or None. An error that
infotorch itself raises, as one line that begins with a public name, is an answer where the model is one that cannot be
looked at (`REFUSED`); whatever happens, model, samples, optimizer and global state must be as before. `look` tries all.
"""

from __future__ import annotations

import math
import random
import signal as signals
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from campaign.held import Held, equal, is_ours
from campaign.odd_models import MODELS, TARGETS, Odd, odd
from campaign.part import Part
from infotorch.diagnostics import InformationPlane, diagnose
from infotorch.estimators import architecture_aware_mine, binned_mi, ksg, pairwise_bounds, ross
from infotorch.schedules import InformationSignal, lr_range_test, parameterised_layers

#: Seconds of a trial; all take less than three on a quiet core.
LIMIT = 60
#: Samples that signals draw of the 24.
DRAWN = 20


def outputs_by_hand(twin: nn.Module, x: Tensor, names: Sequence[str]) -> dict[str, list[Tensor]]:
    """What layers give in evaluation mode, each tensor as float32 columns, by plain hooks."""
    model = getattr(twin, "_orig_mod", twin).eval()
    kind = next(
        (weight.dtype for weight in model.parameters() if weight.is_floating_point() or weight.is_complex()), None
    )
    given = x.detach().to(kind) if kind and x.is_floating_point() else x.detach()
    found: dict[str, Any] = {}

    def note(name: str) -> Any:
        def hook(_layer: Any, _given: Any, result: Any) -> None:
            found[name] = _columns(result)

        return hook

    for name in names:
        if name != "output":
            model.get_submodule(name.removeprefix("_orig_mod.")).register_forward_hook(note(name))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = _columns(model(given.clone()))
    return found | ({"output": result} if "output" in names else {})


def _columns(result: Any) -> list[Tensor]:
    """Every tensor of a result that has a row for each sample, but for a recurrent layer's state."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], tuple):
        result = result[0]  # an LSTM
    is_state = lambda t: isinstance(t, Tensor) and t.ndim == 3 and len(t) == 1  # noqa: E731
    if isinstance(result, tuple) and len(result) == 2 and is_state(result[1]):
        result = result[0]  # a GRU
    several = list(result.values()) if isinstance(result, dict) else result
    tensors = [t for t in (several if isinstance(several, list | tuple) else [several]) if isinstance(t, Tensor)]
    flat = [t.flatten(1) if t.ndim > 1 else t[..., None] for t in tensors]
    return [(torch.cat([t.real, t.imag], dim=1) if t.is_complex() else t).float().clone() for t in flat]


def _near(found: float | None, wanted: float, tolerance: float = 1e-4) -> bool:
    return found is not None and math.isclose(found, wanted, rel_tol=tolerance, abs_tol=tolerance)


def _draws(thing: Odd) -> bool:
    return type(thing.model).__name__ == "Draws"


def _labels(thing: Odd) -> Tensor | None:
    return None if thing.y is None else torch.as_tensor(thing.y)


def plane(thing: Odd, twin: nn.Module) -> str | None:
    """Binned information of the output and of a layer, and that of the layers that it chooses itself."""
    InformationPlane(thing.model, (thing.x, thing.y), relative_noise=0.3)(0)
    x, y = torch.as_tensor(thing.x) if isinstance(thing.x, list) else thing.x, _labels(thing)
    looking = InformationPlane(thing.model, (thing.x, thing.y), [*thing.layers, "output"], num_bins=3, num_samples=24)
    points = {point.layer: point for point in looking(0)}
    if [point.mi_xt for point in looking(1)] != [point.mi_xt for point in points.values()]:
        return "a second look differs"
    for name, parts in {} if _draws(thing) else outputs_by_hand(twin, x, list(points)).items():
        t = torch.cat(parts, dim=1)
        if not bool(t.isfinite().all()):
            wanted = None
        else:
            wanted = float(binned_mi(torch.arange(len(t)), t, num_bins=3))
        if (points[name].mi_xt is not None) if wanted is None else not _near(points[name].mi_xt, wanted):
            return f"I(X; T) of {name!r} is {points[name].mi_xt}, by hand {wanted}"
        if wanted is None or y is None:
            continue
        wanted = float(binned_mi(t[y >= 0], y[y >= 0], num_bins=3))
        if not _near(points[name].mi_ty, wanted):
            return f"I(T; Y) of {name!r} is {points[name].mi_ty}, by hand {wanted}"
    return None


def _measured_by(thing: Odd, twin: nn.Module, looking: InformationSignal, names: Sequence[str]) -> str | None:
    again, found = looking(), looking()
    if again != found:
        return f"a second look gives {found} for {again}"
    values = found if isinstance(found, list) else [found]
    if _draws(thing):
        return None
    parts = outputs_by_hand(twin, looking.x, list(names))
    for name, value in zip(names, values, strict=True):
        t, y = parts[name][0], looking.y
        wanted = float(ksg(t, y.flatten(1) if y.ndim > 1 else y) if y.is_floating_point() else ross(t, y))
        if not _near(value, wanted):
            return f"the signal of {name!r} is {value}, by hand {wanted}"
    return None


def signal(thing: Odd, twin: nn.Module) -> str | None:
    """I(T; Y) of the output."""
    return _measured_by(thing, twin, InformationSignal(thing.model, (thing.x, thing.y), num_samples=DRAWN), ["output"])


def signal_of_layers(thing: Odd, twin: nn.Module) -> str | None:
    """I(T; Y) of the layers with weights."""
    names = parameterised_layers(thing.model) or list(thing.layers)
    looking = InformationSignal(thing.model, (thing.x, thing.y), num_samples=DRAWN, layers=names)
    return _measured_by(thing, twin, looking, names)


def signal_by_ksg(thing: Odd, twin: nn.Module) -> str | None:
    """KSG on one-hot columns, and its ceiling: finite, and the same twice."""
    looking = InformationSignal(thing.model, (thing.x, thing.y), num_samples=DRAWN, estimator="ksg", ceiling="estimate")
    found = looking()
    return None if math.isfinite(looking.ceiling) and found == looking() else f"ceiling {looking.ceiling}"


def diagnosis(thing: Odd, twin: nn.Module) -> str | None:
    """The estimate that it shows of each layer, and its columns."""
    x = torch.as_tensor(thing.x) if isinstance(thing.x, list) else thing.x
    found = diagnose(thing.model, (thing.x, thing.y), properties=False)
    names = [layer.name for layer in found]
    for name, parts in {} if _draws(thing) else outputs_by_hand(twin, x, names).items():
        t, layer = torch.cat(parts, dim=1).double(), found[name]
        if layer.columns != t.shape[1]:
            return f"{name!r} has {layer.columns} columns, by hand {t.shape[1]}"
        centred = t - t.mean(dim=0)
        spread = float(centred.square().sum(dim=1).mean().sqrt())
        # Of what is constant but for rounding the estimate is 0.
        wanted = float(pairwise_bounds(centred, 0.3 * spread)[1]) if spread > 1e-6 * float(t.abs().max()) else 0.0
        if not (_near(layer.evidence.noisy.value, wanted, 1e-3) or spread < 1e-4 * float(t.abs().max())):
            return f"the estimate of {name!r} is {layer.evidence.noisy.value}, by hand {wanted}"
    return None


def diagnosis_with_properties(thing: Odd, twin: nn.Module) -> str | None:
    """P1 to P4 too: every number is there and finite, the verdicts are the same."""
    layers = None if isinstance(thing.model, nn.DataParallel) else [*thing.layers[:1], "output"]
    found = diagnose(thing.model, (thing.x, thing.y), layers=layers)
    for layer in found:
        line = [number for number in layer.line().values() if isinstance(number, float)]
        if layer.compression is None or not all(math.isfinite(number) for number in line):
            return f"{layer.name!r} has no compression, or numbers that are not finite"
    alone = diagnose(thing.model, (thing.x, thing.y), layers=layers, properties=False)
    same = [layer.verdict for layer in found] == [layer.verdict for layer in alone]
    return None if same else "the verdicts depend on the properties"


def architecture(thing: Odd, twin: nn.Module) -> str | None:
    """The value that the same critic finds for what the encoder gives by hand."""
    settings = {"hidden": (8,), "max_steps": 20, "batch_size": 8}
    chance = [torch.Generator().manual_seed(0) for _ in range(2)]
    found = architecture_aware_mine(thing.model, thing.x, 1.0, generator=chance[0], **settings)
    if _draws(thing):
        return None if math.isfinite(float(found)) else f"it is {float(found)}"
    x = torch.as_tensor(thing.x) if isinstance(thing.x, list) else thing.x
    clean = outputs_by_hand(twin, x, ["output"])["output"][0]
    wanted = float(architecture_aware_mine(nn.Identity(), clean, 1.0, generator=chance[1], **settings))
    return None if _near(float(found), wanted) else f"it is {float(found)}, by hand {wanted}"


class _Trained:
    """A model in training by somebody's own loop, an optimizer with a state, and gradients left from a step."""

    def __init__(self, model: nn.Module, x: Any) -> None:
        self.model, self.x, self.epochs, self.raises_at = model, x, 0, math.inf
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        self.raised: BaseException | None = None

    def epoch(self) -> float:
        """One step on all samples; the loss is the output's square."""
        self.epochs += 1
        try:
            if self.epochs == self.raises_at:
                raise KeyboardInterrupt
            return self._step()
        except BaseException as error:
            self.raised = error
            raise

    def _step(self) -> float:
        weight = next(self.model.parameters())
        x = self.x.detach().clone() if isinstance(self.x, Tensor) else self.x
        result = self.model.train()(x.to(weight.dtype) if isinstance(x, Tensor) and x.is_floating_point() else x)
        while not isinstance(result, Tensor):
            result = next(iter(result.values() if isinstance(result, dict) else result))
        loss = (result.abs() - 1).float().square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def state(self) -> list[Tensor]:
        """Weights, buffers, gradients and the optimizer's state, copied."""
        kept = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [*self.model.parameters(), *self.model.buffers(), *kept]
        grads = [weight.grad for weight in self.model.parameters() if weight.grad is not None]
        return [t.detach().to_dense().clone() for t in (*tensors, *grads) if isinstance(t, Tensor) and not is_lazy(t)]


def range_test(thing: Odd, twin: nn.Module) -> str | None:
    """Weights, buffers, gradients and optimizer exactly as before it; also where it is stopped in between."""
    try:
        trained = _Trained(thing.model, thing.x)
    except ValueError:
        return None  # torch: nothing to optimize
    try:
        trained.epoch()
    except Exception:
        trained.optimizer.zero_grad()  # a model that its owner cannot train; the test must tell, and leave it alone
    before, held, hidden = trained.state(), Held(thing), trained.optimizer.param_groups[0]["lr"]
    for raises_at in (math.inf, trained.epochs + 4):
        trained.raises_at = raises_at
        try:
            _ranged(thing, trained)
        except (Exception, KeyboardInterrupt) as error:
            if error is not trained.raised and not is_ours(error):  # what the owner's epoch raised comes as it is
                return f"{type(error).__name__}: {error}"
        if not equal(before, trained.state()) or trained.optimizer.param_groups[0]["lr"] != hidden:
            return "weights, gradients or optimizer are not as before"
        if changed := held.changed():
            return f"changed {changed}"
    return None


def _ranged(thing: Odd, trained: _Trained) -> None:
    looking = None
    try:
        looking = InformationSignal(thing.model, (thing.x, thing.y), num_samples=DRAWN)
        looking()
    except (ValueError, TypeError):
        looking = None  # told by the other uses
    settings = {"signal": looking, "rates": [1e-3, 1e-2, 1e-1], "epochs": 2}
    try:
        lr_range_test(thing.model, trained.optimizer, trained.epoch, trials=2, **settings)
    except ValueError as error:
        if "give reset" not in str(error):
            raise
        lr_range_test(thing.model, trained.optimizer, trained.epoch, trials=1, **settings)


USES: dict[str, Callable[[Odd, nn.Module], str | None]] = {
    "InformationPlane": plane,
    "InformationSignal": signal,
    "InformationSignal of layers": signal_of_layers,
    "InformationSignal by KSG": signal_by_ksg,
    "diagnose": diagnosis,
    "diagnose with properties": diagnosis_with_properties,
    "architecture_aware_mine": architecture,
    "lr_range_test": range_test,
}

_NO_NUMBERS = {"lazy layers", "on meta", "a layer on meta", "samples on meta"}
_NOT_ONE_INPUT = {"takes a dict", "takes two tensors", "needs a keyword", "LSTM with time first"}
_DOES_NOT_RUN = {"layers of two precisions", "complex weights"}
_NO_ROWS = {"gives None", "gives a number", "fewer rows than it is given", "batch norm on one sample"}
_NO_LAYERS = {"scripted", "traced"}
_ALL = _NO_NUMBERS | _NOT_ONE_INPUT | _DOES_NOT_RUN | _NO_ROWS
_DIAGNOSED = _ALL | _NO_LAYERS | {"a weight that is not a number"}
_SIGNALLED = _ALL | {"gives a dict", "a weight that is not a number"}
#: Use -> the models that it may refuse; any other must have a right result. Of targets any may be refused.
REFUSED: dict[str, set[str]] = {
    "InformationPlane": _ALL | _NO_LAYERS,
    "InformationSignal": _SIGNALLED,
    "InformationSignal of layers": _SIGNALLED
    | _NO_LAYERS
    | {"no parameters", "no layers", "quantised", "lists and dicts of layers", "a parameter that forward never reads"},
    "InformationSignal by KSG": _SIGNALLED,
    "diagnose": _DIAGNOSED,
    "diagnose with properties": _DIAGNOSED,
    "architecture_aware_mine": _SIGNALLED
    | {"gives a tuple", "gives a named tuple", "gives a list", "LSTM", "complex output"},
    "lr_range_test": set(MODELS),
}


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """A context that a trial leaves within so many seconds, or by an error."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signals.signal(signals.SIGALRM, stop)
    signals.alarm(seconds)
    try:
        yield
    finally:
        signals.alarm(0)
        signals.signal(signals.SIGALRM, before)


def trial(name: str, use: str, seed: int) -> tuple[str, str | None]:
    """A model and a use of it: "right" or "refused", and what was wrong."""
    thing = odd(name, seed)
    held, kind, wrong = Held(thing), "right", None
    try:
        with within(LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = USES[use](thing, odd(name, seed).model)
    except Exception as error:
        kind = "refused"
        if not is_ours(error):
            wrong = f"{type(error).__name__}: {str(error)[:200]}"
        elif name in MODELS and name not in REFUSED[use]:
            wrong = f"refused: {error}"
    if wrong is None and use != "lr_range_test" and (changed := held.changed()):
        wrong = f"changed {', '.join(changed[:4])}"
    return kind, wrong


def look(part: Part, seed: int, scale: float) -> None:
    """Try every model and target in every use, or a share of them."""
    trials = [(name, use) for name in (*MODELS, *TARGETS) for use in USES]
    for name, use in random.Random(seed).sample(trials, max(1, round(min(scale, 1.0) * len(trials)))):
        kind, wrong = trial(name, use, seed)
        part.count(f"{use}: {'a right result' if kind == 'right' else 'one clear error'}")
        part.check(wrong is None, f"{use} of {name} (seed {seed}): {wrong}")
