"""How many rows a measured I(X; Y) needs: mean and spread over samples of several sizes, Vasudevan's Figure 1."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean, stdev

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.data.loading import load
from infotorch.data.sets import Dataset
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import discrete_entropy
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.kraskov import ksg
from infotorch.figures.demonstration import Curves
from infotorch.numerics.checks import check_count
from infotorch.numerics.seeds import SeedStreams
from infotorch.schedules.signal_samples import JITTER
from infotorch.theory.demonstration import Demonstrated

_WHERE = "sample_size"
SIZES = (100, 200, 500, 1000, 2000)
#: By the paper.
CHOSEN = 1000


def sample_size(name: str, *, draws: int = 5, largest: int = SIZES[-1]) -> Demonstrated:
    """I(X; Y) of a data set's inputs and classes, in nats, on samples of 100 to 2,000 training samples.

    By KSG as in the paper (k = 3, the largest coordinate as the distance, against one-hot classes, with its jitter),
    by Ross's estimator, which `InformationSignal` takes for classes and which counts ties, and the ceiling H(Y).

    Args:
        name: of a data set with classes; pixels lie in [0, 1].
        draws: samples of each size, drawn from the training samples by a fixed seed; at least 2.
        largest: no size above it.

    Returns:
        Mean and standard deviation over the samples, by estimator and size, the paper's choice first; and the figure.

    Raises:
        TypeError: a count is no integer.
        ValueError: fewer than two draws, no size up to `largest`, too few rows, or a data set without classes.

    Source: Vasudevan 2020, Fig. 1: the paper chose 1,000 rows by it.

    Example:
        >>> found = sample_size("digits", draws=3, largest=200)
        >>> found.metrics["ross_200_nats"] > found.metrics["ross_100_nats"]
        True
    """
    check_count(draws, where=_WHERE, name="draws")
    check_count(largest, where=_WHERE, name="largest")
    sizes = [size for size in SIZES if size <= largest]
    dataset = load(name)
    if not isinstance(dataset, Dataset) or dataset.train.y.is_floating_point():
        raise ValueError(f"{_WHERE}: {name} has no classes.")
    train = dataset.train
    if draws < 2 or not sizes or sizes[-1] > len(train):
        raise ValueError(
            f"{_WHERE}: needs two draws or more of {SIZES[0]} rows or more, and {largest} of {len(train)} rows."
        )
    values: dict[str, list[list[float]]] = {label: [] for label in _ESTIMATORS}
    for size in sizes:
        drawn = [_sample(len(train), size, number) for number in range(draws)]
        for label, estimate in _ESTIMATORS.items():
            values[label].append([float(estimate(train.x[rows].flatten(1), train.y[rows])) for rows in drawn])
    metrics = {
        f"{key}_{size}{kind}_nats": statistic(values[label][sizes.index(size)])
        for size in sorted(sizes, key=lambda size: abs(size - CHOSEN))
        for key, label in (("ksg", _KSG), ("ross", _ROSS), ("entropy_y", _CEILING))
        for kind, statistic in (("", fmean), ("_sd", stdev))
    }
    figure = Curves(
        title=f"I(X; Y) of {name} against the number of rows, mean and standard deviation of {draws} samples",
        x_label="rows",
        y_label="I(X; Y), nats",
        lines={label: (sizes, [fmean(found) for found in by_size]) for label, by_size in values.items()},
        spreads={label: [stdev(found) for found in by_size] for label, by_size in values.items()},
        log_x=True,
        note=f"KSG breaks ties by normal noise of deviation e^-10 = {JITTER:.2g} on pixels in [0, 1] and on classes.",
    )
    return Demonstrated(metrics, (), (figure,))


def _sample(rows: int, size: int, number: int) -> Tensor:
    generator = SeedStreams(0).generator("sample", size, number)
    return torch.randperm(rows, generator=generator)[:size]


def _jittered(values: Tensor, name: str) -> Tensor:
    """In float64, which holds the noise to many digits."""
    generator = SeedStreams(0).generator(f"jitter {name}")
    return values + JITTER * torch.randn(values.shape, generator=generator, dtype=torch.float64)


def _ksg(x: Tensor, y: Tensor) -> Estimate:
    with unexamined():  # as the paper has it, pixels against one-hot columns
        return ksg(_jittered(x, "x"), _jittered(F.one_hot(y), "y"))


def _entropy(_x: Tensor, y: Tensor) -> Estimate:
    return discrete_entropy(y)


_KSG, _ROSS, _CEILING = "KSG against one-hot classes", "Ross", "H(Y)"
_ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Estimate]] = {_KSG: _ksg, _ROSS: ross, _CEILING: _entropy}
