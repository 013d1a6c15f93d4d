"""The samples that an information signal is measured on: what users give, checked, and those that are drawn of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.data.graphs import GraphSamples
from infotorch.data.looks import GraphNodes, Held, flat_rows
from infotorch.data.splits import stratified_samples
from infotorch.data.targets import Targets, fully_labelled, kind_of_targets, read_targets
from infotorch.numerics.checks import as_tensor, check_paired
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import SeedStreams, seed_streams

_WHERE = "InformationSignal"
#: Deviation of the noise that breaks ties of an estimated ceiling (Vasudevan 2020, Sec. 4).
JITTER = math.exp(-10)


def inputs_and_targets(data: Any, model: nn.Module, targets: Targets) -> tuple[Any, Tensor]:
    """The checked pair of samples of any kind and targets, arrays as tensors where the network is.

    Raises:
        TypeError: no pair, or no numbers.
        ValueError: rows that do not pair, or targets that are not what `targets` says.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"{_WHERE}: data must be a pair (x, y), got {type(data).__name__}.")
    x: Any
    y: Any
    x, y = data
    if isinstance(x, NamedTensors | GraphSamples | GraphNodes):
        y = None if y is None else as_tensor(y, where=_WHERE, name="y").to(x.device)
    else:
        x, y = _as_tensor(x, model, "x"), _as_tensor(y, model, "y")
    _check_targets(y)
    check_paired(x, y, where=_WHERE)
    return x, y if targets == "auto" else read_targets(y, targets, where=_WHERE)


def numbers(x: Any) -> list[Tensor]:
    """The tensors whose values must be finite; those of graphs were checked as they were read."""
    if isinstance(x, GraphSamples | GraphNodes):
        return []
    return x.values() if isinstance(x, NamedTensors) else [x]


def _as_tensor(values: Any, model: nn.Module, name: str) -> Any:
    """An array as a tensor where the network is; pictures on disk and tensors as they are."""
    if isinstance(values, list | tuple | Mapping):
        several = "; wrap a model of several inputs in one whose forward takes a single tensor and splits it"
        raise TypeError(
            f"{_WHERE}: {name} must be a tensor or an array, got {type(values).__name__}{several * (name == 'x')}."
        )
    if not isinstance(values, np.ndarray):
        # Complex inputs are for complex weights; what is sparse or on the meta device has no rows to draw.
        is_complex = isinstance(values, Tensor) and values.is_complex()
        return as_tensor(values, where=_WHERE, name=name) if isinstance(values, Tensor) and not is_complex else values
    tensor = as_tensor(values, where=_WHERE, name=name)
    weight = next((weight for weight in model.parameters() if not weight.is_meta), tensor)
    return tensor.to(weight.device, weight.dtype if tensor.is_floating_point() else torch.long)


def jittered(x: Held) -> Tensor:
    """The rows with a little noise: pixels come in steps, and ties would carry KSG above H(Y)."""
    flat = flat_rows(x).double()
    noise = torch.randn(flat.shape, generator=SeedStreams(0).generator("jitter"), dtype=flat.dtype)
    return flat + JITTER * noise.to(flat.device)


def _check_targets(y: Any) -> None:
    if y is None:
        raise TypeError(f"{_WHERE}: information about Y needs y, class labels or real targets, got None.")
    if not isinstance(y, Tensor) or y.is_complex():
        got = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"{_WHERE}: y must be a tensor of class labels or real targets, got {got}.")
    if kind_of_targets(y) is None:
        raise ValueError(f"{_WHERE}: y must be classes (n,), or labels (n, labels), got {tuple(y.shape)}.")


def drawn(y: Tensor, n: int, seed: int, discrete: bool) -> Tensor:
    """Numbers of n samples that have all of their targets; of classes in equal proportions.

    Raises:
        ValueError: there are not so many.
    """
    generator = seed_streams(seed).generator("information")
    if not discrete:
        known = fully_labelled(y).nonzero().flatten()
        if n > len(known):
            raise ValueError(
                f"{_WHERE}: num_samples must be at most the number of samples with a target, {len(known)}, got {n}."
            )
        return known[torch.randperm(len(known), generator=generator)[:n].to(y.device)]
    known = (y >= 0).nonzero().flatten()
    if not len(known):
        raise ValueError(f"{_WHERE}: y holds no label: all {len(y)} are -1, and information about Y needs some.")
    if n > len(known):
        raise ValueError(
            f"{_WHERE}: num_samples must be at most the number of labelled samples, {len(known)}, got {n}."
        )
    return known[stratified_samples(y[known].cpu(), n, generator).to(y.device)]
