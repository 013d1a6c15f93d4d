"""Mutual information of numbers by a network that was trained, once, on laws whose information is known."""

from __future__ import annotations

import functools
import importlib.resources
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor

from infotorch.estimators.amortised_inputs import CANDIDATES, ROW_WIDTH, Inputs, inputs_of, swapped
from infotorch.estimators.amortised_network import LEVELS, AmortisedNetwork, Batch
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.normal_scores import TIED, scores_of, tied
from infotorch.numerics.checks import check_rows, paired_samples
from infotorch.numerics.process import alone
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.typing import ArrayLike

#: What the network was trained on: samples, and columns on each side.
LEAST_SAMPLES, MOST_SAMPLES, MOST_COLUMNS = 50, 6000, 10
_REFUSED_BELOW = 20
#: Names of what `mutual_information` adds, in the order of `Beside`.
BESIDE = ("neighbours of ranks", "Gaussianisation", "the same without margins")
# On families that it was not trained on the network is surer than it may be: quantiles move away from the median by
# this factor, chosen on `tuning_suite` (n = 300 to 3,000).
_WIDENED = 1.35
# Half the width of the interval that holds 80 %, in nats, from which on an error above 0.2 is likely (`tuning_suite`).
_WIDE = 0.2


@dataclass(frozen=True)
class Beside:
    """Estimates that cost more than the network's own inputs; NaN where one was not made.

    Args:
        values: in nats, shape (3,), as `BESIDE` names them.
        shapes: of both Gaussianisations standard error, `complete` and `thin`, shape (6,).
    """

    values: np.ndarray
    shapes: np.ndarray

    @classmethod
    def nothing(cls) -> Beside:
        """None of them was made."""
        return cls(np.full(3, math.nan), np.full(6, math.nan))


def amortised_mi(x: ArrayLike, y: ArrayLike) -> Estimate:
    """Mutual information of continuous x and y, in nats, by a trained network, with an interval that counts bias.

    Thirteen cheap estimates (neighbours of ranks and of canonical columns for several k, what a normal law tells) are
    weighed, and moved, by a network that sees how they and the samples look: a set transformer of a million
    parameters, whose weights come with the package. `interval` gives the quantiles that it was trained to give, bias
    included. Columns are ranked first, so that no increasing map of a column changes the value.

    Args:
        x: shape (n,) or (n, ...), at least 20 samples.
        y: the same number of samples.

    Returns:
        No bound, not clamped. Computed in float32 on the CPU, of 6,000 samples at most. 0 where x or y is constant.
        `std_error` is half the width of the central 68 %. `reliable` is False where the interval is wide, where there
        are ties, and for fewer than 50 samples or more than ten columns on a side, which the network was not trained
        on; `reason` says which.

    Raises:
        ValueError: samples not paired, fewer than 20, NaN or infinite values.
        TypeError: x or y is not made of real numbers.

    Source: ours, see `infotorch.estimators.amortised_network`; trained by `benchmarks/amortised`, which measures it on
        families of laws that it was not trained on.

    Example:
        >>> noise = torch.randn(2, 1000, 2, generator=torch.Generator().manual_seed(2))
        >>> estimate = amortised_mi(noise[0], noise[0] + noise[1])  # 0.693 nats
        >>> low, high = estimate.interval(0.95)
        >>> abs(float(estimate) - 0.693) < 0.1, low < 0.693 < high
        (True, True)
    """
    xs, ys = paired_samples(x, y, where="amortised_mi")
    check_rows(xs, where="amortised_mi", name="x", at_least=_REFUSED_BELOW)
    xs, ys = xs.detach().double().cpu(), ys.detach().double().cpu()
    tied_columns = tied(xs) or tied(ys)
    a, b = scores_of(xs, ys)
    n = min(len(a), MOST_SAMPLES)
    if 0 in (a.shape[1], b.shape[1]):
        return _estimate(np.zeros(len(LEVELS)), n, xs, "")
    a, b = shuffled(a, b)
    quantiles = quantiles_of(inputs_of(a, b), n, Beside.nothing())
    doubts = [
        doubt for doubt in (_outside(len(a), a.shape[1], b.shape[1]), _ties(tied_columns), wide(quantiles)) if doubt
    ]
    return _estimate(quantiles, n, xs, "; ".join(doubts))


def shuffled(a: Tensor, b: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Samples that stand in the order of their values, in one of no meaning, 6,000 at most."""
    drawn = np.random.default_rng(derive_seed(0, "amortised")).permutation(len(a))[:MOST_SAMPLES]
    return a.cpu().numpy()[drawn], b.cpu().numpy()[drawn]


def quantiles_of(inputs: Inputs, n: int, beside: Beside) -> np.ndarray:
    """Quantiles at `LEVELS` in nats, shape (7,): the mean of those of (x, y) and of (y, x)."""
    both = [inputs, swapped(inputs)]

    def stacked(*values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.stack(values).astype(np.float32))

    batch = Batch(
        stacked(*(np.concatenate([one.candidates, beside.values]) for one in both)),
        stacked(*(np.concatenate([one.shapes, beside.shapes]) for one in both)),
        stacked(*(one.scores for one in both)),
        stacked(*(one.columns for one in both)),
        stacked(*(one.rows.clip(-60, 60) for one in both)),
        torch.ones(2, len(inputs.scores), dtype=torch.bool, device="cpu"),
        torch.full((2,), float(n), dtype=torch.float32, device="cpu"),
    )
    # A model that another thread traces would take these calls for its own.
    with alone(), torch.inference_mode():
        quantiles = _network(inputs.shapes.size)(batch).mean(dim=0).double().numpy()
    quantiles = middle(quantiles) + _WIDENED * (quantiles - middle(quantiles))
    # All three err low where they err: what each of them tells is there.
    return raised_to(quantiles, float(np.min(beside.values)))


def raised_to(quantiles: np.ndarray, least: float) -> np.ndarray:
    """The median at least that, and what is above it moved as far; as they are of NaN."""
    missing = least - middle(quantiles)
    return quantiles + missing * (np.array(LEVELS) >= 0.5) if missing > 0 else quantiles


@functools.cache
def _network(shapes: int) -> AmortisedNetwork:
    stored = importlib.resources.files("infotorch.estimators").joinpath("amortised.safetensors").read_bytes()
    with torch.device("meta"):  # draws nothing: the caller's random numbers stay as they are
        network = AmortisedNetwork(len(CANDIDATES) + len(BESIDE), shapes + 6, ROW_WIDTH).eval()
    network.load_state_dict({name: values.float() for name, values in load(stored).items()}, assign=True)
    return network


def wide(quantiles: Sequence[float] | np.ndarray) -> str:
    """What a wide interval says, "" of a narrow one."""
    low, high = quantiles[LEVELS.index(0.1)], quantiles[LEVELS.index(0.9)]
    return f"80 % of such samples come from {low:.2g} to {high:.2g} nats" * bool(high - low > 2 * _WIDE)


def middle(quantiles: np.ndarray) -> float:
    """The median."""
    return float(quantiles[LEVELS.index(0.5)])


def paired_with_levels(quantiles: np.ndarray) -> tuple[tuple[float, float], ...]:
    """As `Estimate.quantiles` has them."""
    return tuple(zip(LEVELS, quantiles.tolist(), strict=True))


def trained_for(n: int, d_x: int, d_y: int) -> bool:
    """Whether the network saw sets of so many samples and columns."""
    return n >= LEAST_SAMPLES and 0 < min(d_x, d_y) and max(d_x, d_y) <= MOST_COLUMNS


def _outside(n: int, d_x: int, d_y: int) -> str:
    if n < LEAST_SAMPLES:
        return f"fewer than {LEAST_SAMPLES} samples, which the network was not trained on"
    return "more columns than the network was trained on" * (max(d_x, d_y) > MOST_COLUMNS)


def _ties(tied_columns: bool) -> str:
    return f"more than {TIED:.0%} of a column's samples are tied, which the network was not trained on" * tied_columns


def _estimate(quantiles: np.ndarray, n: int, like: Tensor, doubts: str) -> Estimate:
    return Estimate(
        torch.tensor(middle(quantiles), dtype=torch.float64, device=like.device),
        side="none",
        n=n,
        estimator="amortised_mi",
        reason=doubts,
        reliable=not doubts,
        quantiles=paired_with_levels(quantiles),
    )
