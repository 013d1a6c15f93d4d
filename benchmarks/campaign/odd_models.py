"""Models that people have, and targets that people have, each with samples to go with it.

`MODELS` and `TARGETS` are name -> a function without arguments that gives an `Odd`; `odd(name, seed)` calls it with
seeded weights and leaves torch's generator where it was. What is written here needs no compiler and no network.
"""

from __future__ import annotations

import warnings
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from campaign.odd_layers import (
    Apply,
    Backbone,
    CallableAttribute,
    CountsInABuffer,
    CountsInANumber,
    CountsInPlace,
    DataDependent,
    Draws,
    KeepsHidden,
    KeepsState,
    LateBuffer,
    NeedsKeywords,
    RunningMean,
    TakesDict,
    TakesTwo,
    Tied,
    Twice,
    WeightsAsBuffers,
    WithContainers,
)

SAMPLES, COLUMNS, CLASSES = 24, 6, 3
Pair = namedtuple("Pair", ["scores", "hidden"])


@dataclass
class Odd:
    """A model and samples for it.

    Args:
        model: as somebody might hand it over; its own mode and device.
        x: samples, mostly a tensor (24, 6).
        y: classes (24,), or what somebody might give in their place.
        layers: names of layers that can be looked at, or where the model can be cut; none: the model's own children.
    """

    model: nn.Module
    x: Any = field(default_factory=lambda: vectors())
    y: Any = field(default_factory=lambda: classes())
    layers: tuple[str, ...] = ()


def vectors(samples: int = SAMPLES) -> Tensor:
    """Standard normal samples (n, 6)."""
    return torch.randn(samples, COLUMNS, generator=torch.Generator().manual_seed(1))


def classes(samples: int = SAMPLES) -> Tensor:
    """One of three classes that the vectors tell, each there at least once."""
    return vectors(samples)[:, :CLASSES].argmax(dim=1)


def images() -> Tensor:
    """(24, 2, 6, 6)."""
    return torch.randn(SAMPLES, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def sequences(*, batch_first: bool = True) -> Tensor:
    """(24, 4, 6), or (4, 24, 6)."""
    x = torch.randn(SAMPLES, 4, COLUMNS, generator=torch.Generator().manual_seed(1))
    return x if batch_first else x.transpose(0, 1).contiguous()


def tokens() -> Tensor:
    """(24, 4), of 11."""
    return torch.randint(11, (SAMPLES, 4), generator=torch.Generator().manual_seed(1))


def mlp(*between: nn.Module) -> nn.Sequential:
    """6 - 8 - 8 - 3; what is given stands behind the second layer."""
    return nn.Sequential(
        nn.Linear(COLUMNS, 8), nn.Tanh(), nn.Linear(8, 8), *(between or (nn.Tanh(),)), nn.Linear(8, CLASSES)
    )


def _changed(change: Callable[[nn.Sequential], object]) -> nn.Module:
    """The perceptron after something was done to it."""
    model = mlp()
    change(model)
    return model


def _scripted(model: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and people have it
        return torch.jit.script(model)


def _traced(model: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(model, vectors())


def _quantised(model: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


def _frozen(model: nn.Module) -> nn.Module:
    return model.requires_grad_(False)


def _under_inference() -> nn.Module:
    with torch.inference_mode():
        return mlp()


def _poisoned(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters())[0, 0] = float("nan")


def _hooked(model: nn.Sequential) -> None:
    model[1].register_forward_hook(lambda layer, given, output: output.mul(2))
    model[2].register_forward_pre_hook(lambda layer, given: (given[0] + 1,))
    model[2].register_full_backward_hook(lambda layer, given, output: None)


def _old_norms(model: nn.Sequential) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(model[0])
        torch.nn.utils.spectral_norm(model[2])


def _deep() -> nn.Module:
    layers = [part for _ in range(100) for part in (nn.Linear(COLUMNS, COLUMNS), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(COLUMNS, CLASSES))


def _convolutions() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, CLASSES))


def _encoder() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.TransformerEncoderLayer(COLUMNS, 2, 12, batch_first=True)
        return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(4 * COLUMNS, CLASSES))


_ONE = ("2",)  # the perceptron's second layer
_Made = Callable[[], Odd]

#: What people have done to an ordinary network.
_CHANGED: dict[str, _Made] = {
    "a plain perceptron": lambda: Odd(mlp(), layers=_ONE),
    "pruned weights": lambda: Odd(_changed(lambda m: prune.l1_unstructured(m[2], "weight", 0.5)), layers=_ONE),
    "pruned neurons": lambda: Odd(_changed(lambda m: prune.ln_structured(m[0], "weight", 0.5, 2, 0)), layers=_ONE),
    "spectral norm": lambda: Odd(_changed(lambda m: parametrizations.spectral_norm(m[2])), layers=_ONE),
    "weight norm": lambda: Odd(_changed(lambda m: parametrizations.weight_norm(m[2])), layers=_ONE),
    "orthogonal weights": lambda: Odd(_changed(lambda m: parametrizations.orthogonal(m[2])), layers=_ONE),
    "weight and spectral norm of old": lambda: Odd(_changed(_old_norms), layers=_ONE),
    "lazy layers": lambda: Odd(nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(CLASSES)), layers=_ONE),
    "compiled": lambda: Odd(torch.compile(mlp(), backend="eager")),  # pyright: ignore[reportArgumentType]
    "compiled in place": lambda: Odd(_changed(lambda m: m.compile(backend="eager")), layers=_ONE),
    "a compiled layer": lambda: Odd(mlp(torch.compile(nn.Tanh(), backend="eager")), layers=_ONE),  # pyright: ignore[reportArgumentType]
    "data parallel": lambda: Odd(nn.DataParallel(mlp()), layers=("module.2",)),
    "quantised": lambda: Odd(_quantised(mlp()), layers=_ONE),
    "scripted": lambda: Odd(_scripted(mlp()), layers=_ONE),
    "traced": lambda: Odd(_traced(mlp()), layers=_ONE),
    "a graph module": lambda: Odd(fx.symbolic_trace(mlp()), layers=_ONE),
    "half": lambda: Odd(mlp().half(), layers=_ONE),
    "bfloat16": lambda: Odd(mlp().bfloat16(), layers=_ONE),
    "double": lambda: Odd(mlp().double(), vectors().double(), layers=_ONE),
    "double, and samples in single": lambda: Odd(mlp().double(), layers=_ONE),
    "layers of two precisions": lambda: Odd(_changed(lambda m: m[2].double()), layers=_ONE),
    "on meta": lambda: Odd(mlp().to("meta"), layers=_ONE),
    "a layer on meta": lambda: Odd(_changed(lambda m: m[2].to("meta")), layers=_ONE),
    "samples on meta": lambda: Odd(mlp(), vectors().to("meta"), layers=_ONE),
    "made under inference_mode": lambda: Odd(_under_inference(), layers=_ONE),
    "evaluation mode": lambda: Odd(mlp(nn.BatchNorm1d(8), nn.Dropout(0.5)).eval(), layers=_ONE),
    "hooks": lambda: Odd(_changed(_hooked), layers=_ONE),
    "a frozen layer": lambda: Odd(_changed(lambda m: m[0].requires_grad_(False)), layers=_ONE),
    "all layers frozen": lambda: Odd(_frozen(mlp()), layers=_ONE),
    "a weight that is not a number": lambda: Odd(_changed(_poisoned), layers=_ONE),
    "on an input that requires a gradient": lambda: Odd(mlp(), vectors().requires_grad_(), layers=_ONE),
}

#: Other layers, and other ways to hold and to call them.
_BUILT: dict[str, _Made] = {
    "no parameters": lambda: Odd(nn.Flatten()),
    "no layers": lambda: Odd(nn.Sequential()),
    "one layer": lambda: Odd(nn.Linear(COLUMNS, CLASSES)),
    "activations in place": lambda: Odd(mlp(nn.ReLU(inplace=True)), layers=_ONE),
    "an activation in place first": lambda: Odd(nn.Sequential(nn.ReLU(inplace=True), *mlp()), layers=("3",)),
    "changes its input": lambda: Odd(nn.Sequential(Apply(lambda x: x.mul_(2)), *mlp()), layers=("3",)),
    "batch norm and dropout": lambda: Odd(mlp(nn.BatchNorm1d(8), nn.Dropout(0.5)), layers=_ONE),
    "batch norm on one sample": lambda: Odd(mlp(nn.BatchNorm1d(8)), vectors(1), classes(1), layers=_ONE),
    "convolutions": lambda: Odd(_convolutions(), images(), layers=("4",)),
    "channels last": lambda: Odd(
        _convolutions().to(memory_format=torch.channels_last),  # pyright: ignore[reportCallIssue]
        images().contiguous(memory_format=torch.channels_last),
        layers=("4",),
    ),
    "200 layers": lambda: Odd(_deep(), layers=("100",)),
    "lists and dicts of layers": lambda: Odd(WithContainers(), layers=("blocks.1",)),
    "a layer used twice": lambda: Odd(Twice(), layers=("middle",)),
    "tied weights": lambda: Odd(Tied(), layers=("second",)),
    "weights as buffers": lambda: Odd(WeightsAsBuffers(), layers=("last",)),
    "complex weights": lambda: Odd(
        nn.Sequential(nn.Linear(COLUMNS, 8, dtype=torch.cfloat), Apply(torch.abs), nn.Linear(8, CLASSES)), layers=_ONE
    ),
    "sparse gradients": lambda: Odd(
        nn.Sequential(nn.Embedding(11, 5, sparse=True), nn.Flatten(), nn.Linear(20, CLASSES)), tokens(), layers=_ONE
    ),
    "tokens": lambda: Odd(
        nn.Sequential(nn.Embedding(11, 5), nn.Flatten(), nn.Linear(20, CLASSES)), tokens(), layers=_ONE
    ),
    "recomputed in backward": lambda: Odd(
        mlp(Apply(lambda x: checkpoint(torch.tanh, x, use_reentrant=False))), layers=_ONE
    ),
    "transformer encoder": lambda: Odd(_encoder(), sequences(), layers=("0", "2")),
    "a branch that depends on the data": lambda: Odd(DataDependent(), layers=("second",)),
    "noise drawn in forward": lambda: Odd(Draws(), layers=("second",)),
    "a layer that is a plain function": lambda: Odd(CallableAttribute(), layers=("last",)),
    "a parameter that forward never reads": lambda: Odd(Backbone(), layers=("second",)),
}

#: Models that remember something from call to call.
_REMEMBERING: dict[str, _Made] = {
    "a buffer reassigned in forward": lambda: Odd(CountsInABuffer(), layers=("last",)),
    "a buffer changed in place": lambda: Odd(CountsInPlace(), layers=("last",)),
    "a running mean reassigned in forward": lambda: Odd(RunningMean(), layers=("last",)),
    "a buffer that is None at first": lambda: Odd(LateBuffer(), layers=("last",)),
    "a number counted in forward": lambda: Odd(CountsInANumber(), layers=("last",)),
    "a hidden value kept on the model": lambda: Odd(KeepsHidden(), layers=("last",)),
    "a recurrent state kept on the model": lambda: Odd(KeepsState(), layers=("last",)),
}

#: Inputs and outputs that are not one tensor with a gradient.
_SHAPED: dict[str, _Made] = {
    "takes a dict": lambda: Odd(TakesDict(), {"left": vectors(), "right": vectors()}, layers=("last",)),
    "takes two tensors": lambda: Odd(TakesTwo(), (vectors(), vectors()), layers=("last",)),
    "needs a keyword": lambda: Odd(NeedsKeywords(), layers=("last",)),
    "gives a dict": lambda: Odd(mlp().append(Apply(lambda h: {"scores": h})), layers=_ONE),
    "gives a tuple": lambda: Odd(mlp().append(Apply(lambda h: (h, h.tanh()))), layers=_ONE),
    "gives a named tuple": lambda: Odd(mlp().append(Apply(lambda h: Pair(h, h.tanh()))), layers=_ONE),
    "gives a list": lambda: Odd(mlp().append(Apply(lambda h: list(h.unbind(1)))), layers=_ONE),
    "gives None": lambda: Odd(mlp().append(Apply(lambda h: None)), layers=_ONE),
    "gives a number": lambda: Odd(mlp().append(Apply(lambda h: h.sum())), layers=_ONE),
    "gives classes and not scores": lambda: Odd(mlp().append(Apply(lambda h: h.argmax(1))), layers=_ONE),
    "an output that was detached": lambda: Odd(mlp().append(Apply(torch.detach)), layers=_ONE),
    "a hidden layer that was detached": lambda: Odd(mlp(Apply(torch.detach)), layers=_ONE),
    "an output through numpy": lambda: Odd(mlp().append(Apply(lambda h: torch.tensor(h.tolist()))), layers=_ONE),
    "fewer rows than it is given": lambda: Odd(mlp().append(Apply(lambda h: h[:-1])), layers=_ONE),
    "complex output": lambda: Odd(mlp().append(Apply(lambda h: torch.complex(h, h))), layers=_ONE),
    "LSTM": lambda: Odd(nn.LSTM(COLUMNS, CLASSES, batch_first=True), sequences()),
    "GRU within a Sequential": lambda: Odd(
        nn.Sequential(nn.GRU(COLUMNS, 8, batch_first=True), Apply(lambda out: out[0][:, -1]), nn.Linear(8, CLASSES)),
        sequences(),
        layers=_ONE,
    ),
    "LSTM with time first": lambda: Odd(
        nn.Sequential(nn.LSTM(COLUMNS, 8), Apply(lambda out: out[0][-1]), nn.Linear(8, CLASSES)),
        sequences(batch_first=False),
        layers=_ONE,
    ),
}

MODELS: dict[str, _Made] = _CHANGED | _BUILT | _REMEMBERING | _SHAPED


def _labelled(y: Callable[[], Any], samples: int = SAMPLES) -> _Made:
    return lambda: Odd(mlp(), vectors(samples), y(), layers=_ONE)


#: An ordinary network, and targets that are not classes 0, 1, 2.
TARGETS: dict[str, _Made] = {
    "a class absent from training": _labelled(lambda: classes().clamp(max=1)),
    "the middle class absent": _labelled(lambda: 2 * (classes() > 0).long()),
    "one class alone": _labelled(lambda: torch.zeros(SAMPLES, dtype=torch.int64)),
    "half of them unlabelled": _labelled(lambda: torch.where(torch.arange(SAMPLES) % 2 == 0, classes(), -1)),
    "all unlabelled": _labelled(lambda: torch.full((SAMPLES,), -1)),
    "a label of 2**62": _labelled(lambda: classes().index_fill(0, torch.tensor([3]), 2**62)),
    "a label of -2**63": _labelled(lambda: classes().index_fill(0, torch.tensor([3]), -(2**63))),
    "a label of -100": _labelled(lambda: classes().index_fill(0, torch.tensor([3]), -100)),
    "a label of 7": _labelled(lambda: classes().index_fill(0, torch.tensor([3]), 7)),
    "float labels": _labelled(lambda: classes().float()),
    "labels that are not numbers": _labelled(lambda: classes().float() + float("nan")),
    "real targets": _labelled(lambda: vectors()[:, :CLASSES]),
    "one-hot labels": _labelled(lambda: F.one_hot(classes(), CLASSES)),
    "one-hot labels in floats": _labelled(lambda: F.one_hot(classes(), CLASSES).float()),
    "a column of labels": _labelled(lambda: classes()[:, None]),
    "bool labels": _labelled(lambda: classes() > 0),
    "labels of one byte": _labelled(lambda: classes().to(torch.uint8)),
    "half-precision labels": _labelled(lambda: classes().half()),
    "names of classes": _labelled(lambda: ["cat", "dog", "cow", "cat"] * (SAMPLES // 4)),
    "labels in a dict": _labelled(lambda: {"y": classes()}),
    "one label for all": _labelled(lambda: torch.tensor(1)),
    "fewer labels than samples": _labelled(lambda: classes()[:-1]),
    "no labels": _labelled(lambda: None),
    "no samples": lambda: Odd(mlp(), vectors()[:0], classes()[:0], layers=_ONE),
    "one sample": lambda: Odd(mlp(), vectors(1), classes(1), layers=_ONE),
    "two samples": lambda: Odd(mlp(), vectors(2), classes(2), layers=_ONE),
    "samples without columns": lambda: Odd(mlp(), vectors()[:, :0], classes(), layers=_ONE),
    "samples with too few columns": lambda: Odd(mlp(), vectors()[:, :5], classes(), layers=_ONE),
    "samples that are integers": lambda: Odd(mlp(), vectors().long(), classes(), layers=_ONE),
    "samples that are not finite": lambda: Odd(mlp(), vectors() / 0, classes(), layers=_ONE),
    "complex samples": lambda: Odd(mlp(), vectors().to(torch.cfloat), classes(), layers=_ONE),
    "sparse samples": lambda: Odd(mlp(), vectors().to_sparse(), classes(), layers=_ONE),
    "samples in lists": lambda: Odd(mlp(), vectors().tolist(), classes().tolist(), layers=_ONE),
}


def odd(name: str, seed: int = 0) -> Odd:
    """One of `MODELS` or `TARGETS`, its weights drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (MODELS | TARGETS)[name]()
