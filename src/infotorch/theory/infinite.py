"""Infinite information: noise that goes to 0, a sample that grows, and a bijection that changes all but information."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from infotorch.diagnostics.dimension import information_dimension
from infotorch.diagnostics.simplicity import decisions
from infotorch.distributions.maps import Spiral
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.channel import pairwise_bounds
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import plug_in_mi
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.kraskov import ksg
from infotorch.figures.demonstration import Curves
from infotorch.numerics.checks import check_count, check_positive
from infotorch.numerics.symbols import symbols
from infotorch.theory.demonstration import Claim, Demonstrated, in_bits, shown
from infotorch.theory.pieces import Piece, Pieces

#: Neurons on X even on [0, 1]: f(x - 1/2), for each activation what becomes of the two halves of X.
NEURONS = {
    "leaky ReLU": Pieces([Piece(0.5, -0.05, 0.0, 0), Piece(0.5, 0.0, 0.5, 1)]),
    "ReLU": Pieces([Piece(0.5, 0.0, 0.0, 0), Piece(0.5, 0.0, 0.5, 1)]),
    "step": Pieces([Piece(0.5, 0.0, 0.0, 0), Piece(0.5, 1.0, 1.0, 1)]),
}
# Rows of the estimate that stands beside the truth.
_ROWS = 1000
#: Noise that means nothing beside what a float can tell, and noise that one could mean, in units of L's deviation.
TINY, USEFUL = 1e-7, 0.3
#: Noise on the layer of `bijection`, in units of its spread.
_LEVELS = (0.02, 0.05, 0.1, 0.2)


def noise_to_zero(*, halvings: int = 20) -> Demonstrated:
    """I(X; L + noise) of a neuron while uniform noise is halved again and again.

    Args:
        halvings: of a noise that starts at a half width of 1; at least 16, so that the slope has settled.

    Raises:
        ValueError: fewer halvings, or more than 40.
        TypeError: not an integer.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Theorem 1 and eq. 18: the slope is the information dimension.

    Example:
        >>> found = noise_to_zero().metrics
        >>> [round(found[f"{name}_bits_a_halving"], 4) for name in ("leaky_relu", "relu", "step")]
        [1.0, 0.5, 0.0]
    """
    check_count(halvings, where="noise_to_zero", name="halvings")
    if not 16 <= halvings <= 40:
        raise ValueError(f"noise_to_zero: halvings must be from 16 to 40, got {halvings}.")
    widths = [2.0**-n for n in range(halvings + 1)]
    exact = {name: [in_bits(law.noisy_information(h)) for h in widths] for name, law in NEURONS.items()}
    slopes = {name: values[-1] - values[-2] for name, values in exact.items()}
    rows = torch.nn.functional.leaky_relu((torch.arange(_ROWS, dtype=torch.float64) + 0.5) / _ROWS - 0.5, 0.1)
    # Gaussian noise of the same deviation; an upper bound on what these rows could tell.
    estimate = [in_bits(float(pairwise_bounds(rows, h / math.sqrt(3))[1])) for h in widths]
    metrics: dict[str, float] = {}
    for name, values in exact.items():
        key = name.lower().replace(" ", "_")
        metrics |= {f"{key}_least_noise_mi_xt_bits": values[-1], f"{key}_bits_a_halving": slopes[name]}
    metrics["leaky_relu_estimate_bits"] = estimate[-1]
    lines = {name: (widths, values) for name, values in exact.items()}
    lines[f"leaky ReLU by pairwise_bounds, n = {_ROWS}"] = (widths, estimate)
    title = "Information as the noise goes to 0"
    figure = Curves(title, "half width of the noise", "I(X; L + noise), bits", lines, log_x=True)
    return Demonstrated(metrics, _noise_claims(exact, slopes, estimate[-1]), (figure,))


def _noise_claims(exact: dict[str, list[float]], slopes: dict[str, float], estimate: float) -> list[Claim]:
    smooth, relu, step = exact.values()
    return [
        Claim(
            "X with a density, leaky ReLU: I(X; L) is infinite",
            "Theorem 1",
            f"{smooth[-1]:.2f} bits at the least noise, {slopes['leaky ReLU']:.4f} more with every halving",
            abs(slopes["leaky ReLU"] - 1) < 1e-3 and all(b > a for a, b in pairwise(smooth)),
        ),
        Claim(
            "a density in a share p of the mass has dimension p d, and is infinite: ReLU, dead on half of X",
            "Sec. 8, eq. 18",
            f"{relu[-1]:.2f} bits, {slopes['ReLU']:.4f} more with every halving",
            abs(slopes["ReLU"] - 0.5) < 1e-3,
        ),
        Claim(
            "step activations: it may be finite",
            "Sec. 4.1",
            f"{step[-1]:.4f} bits, {slopes['step']:.4f} more with every halving",
            abs(slopes["step"]) < 1e-9 and abs(step[-1] - 1) < 1e-9,
        ),
        Claim(
            "an estimate from data then says more of the estimator and the data than of the information",
            "Sec. 4.1",
            f"truth {smooth[-1]:.2f} bits, estimate {estimate:.2f}, log2 {_ROWS} = {math.log2(_ROWS):.2f}",
            abs(estimate - math.log2(_ROWS)) < 1e-3 < smooth[-1] - estimate,
        ),
    ]


def neuron(x: Tensor) -> Tensor:
    """A tanh neuron, tanh(3 x - 3/2): one-to-one, so that I(X; L) is infinite and H(X) on a data set."""
    return torch.tanh(3 * x - 1.5)


def _estimates(n: int, generator: torch.Generator) -> dict[str, float]:
    """I(X; L), or of L with noise, in nats by several estimators on n rows."""
    x = torch.rand(n, 1, generator=generator, dtype=torch.float64)
    rows = neuron(x)
    spread = float(rows.std())
    with unexamined():  # that all of them fail is what is shown
        return _each_estimate(x, rows, spread)


def _each_estimate(x: Tensor, rows: Tensor, spread: float) -> dict[str, float]:
    n = len(x)
    return {
        "plug-in": float(plug_in_mi(symbols(x), symbols(rows), None, name="plug-in")),
        "binned, width 1e-7": float(binned_mi(torch.arange(n), rows, bin_width=TINY)),
        "ksg": float(ksg(x, rows)),
        "pairwise_bounds, tiny noise": float(pairwise_bounds(rows, TINY * spread)[1]),
        "pairwise_bounds, noise 0.3": float(pairwise_bounds(rows, USEFUL * spread)[1]),
    }


def saturation(*, doublings: int = 6) -> Demonstrated:
    """Estimates of the infinite I(X; L) of a tanh neuron from more and more rows.

    Args:
        doublings: of 50 rows; 2 to 7.

    Raises:
        ValueError: another number of doublings.
        TypeError: not an integer.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Secs. 4.1, 4.2 and 5.4.

    Example:
        >>> found = saturation(doublings=2).metrics
        >>> abs(found["plug_in_bits"] - found["log_n_bits"]) < 1e-9
        True
    """
    check_count(doublings, where="saturation", name="doublings")
    if not 2 <= doublings <= 7:
        raise ValueError(f"saturation: doublings must be from 2 to 7, got {doublings}.")
    counts = [50 * 2**n for n in range(doublings + 1)]
    generator = torch.Generator().manual_seed(0)  # a demonstration draws what it always drew
    found = [{name: in_bits(value) for name, value in _estimates(n, generator).items()} for n in counts]
    lines = {name: ([float(n) for n in counts], [bits[name] for bits in found]) for name in found[0]}
    lines["log2 n"] = ([float(n) for n in counts], [math.log2(n) for n in counts])
    growth = {name: (ys[-1] - ys[0]) / doublings for name, (_, ys) in lines.items()}
    plug_in, binned, neighbours, tiny, useful, _ = lines
    keys = dict(zip(lines, ("plug_in", "binned", "ksg", "tiny_noise", "useful_noise", "log_n"), strict=True))
    metrics = {f"{keys[name]}_bits": ys[-1] for name, (_, ys) in lines.items()}
    metrics |= {f"{keys[name]}_bits_a_doubling": slope for name, slope in growth.items()}
    late = abs(lines[useful][1][-1] - lines[useful][1][-2])
    claims = [
        Claim(
            "on a data set I(X; L) = log |D|, for all weights that keep the rows apart",
            "Sec. 4.2",
            f"n = {counts[-1]}: {lines[plug_in][1][-1]:.4f} bits, log2 n = {math.log2(counts[-1]):.4f}",
            all(abs(y - math.log2(n)) < 1e-9 for n, y in zip(*lines[plug_in], strict=True)),
        ),
        Claim(
            "the true value is infinite: estimates follow the number of rows, and each its own way",
            "Sec. 4.1",
            "bits more with every doubling of n: "
            + ", ".join(f"{name} {growth[name]:.3f}" for name in (binned, neighbours, tiny)),
            all(0.9 < growth[name] < 1.1 for name in (binned, neighbours, tiny)),
        ),
        Claim(
            "with noise that follows the layer the quantity is finite, and the estimate settles",
            "Sec. 5.4",
            f"{lines[useful][1][-1]:.4f} bits, {late:.4f} from that on half as many rows",
            late < 0.05 and growth[useful] < 0.1,
        ),
    ]
    note = "The true value is infinite; with noise 0.3 of the deviation it is not."
    figure = Curves("Estimates from n rows", "rows n", "estimate of I(X; L), bits", lines, log_x=True, note=note)
    return Demonstrated(metrics, claims, (figure,))


def bars(num_samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two bars of the plane, -1 < x1 < 1 and 0.1 < |x2| < 0.9, the class being the sign of x2."""
    places = torch.rand(num_samples, 2, generator=generator, dtype=torch.float64)
    y = torch.arange(num_samples) % 2
    side = (2 * y - 1).double()
    return torch.stack([2 * places[:, 0] - 1, side * (0.1 + 0.8 * places[:, 1])], dim=1), y


def bijection(*, num_samples: int = 2000, speed: float = 3.0) -> Demonstrated:
    """A layer L = X, and the same behind a smooth bijection of the plane that winds it up.

    Args:
        num_samples: drawn evenly from the two bars; at least 100.
        speed: of the winding, radians for each unit of squared length.

    Raises:
        ValueError: fewer samples, or a speed that is not positive.
        TypeError: num_samples is no integer, or speed no number.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Secs. 4.3 and 5.3.

    Example:
        >>> found = bijection(num_samples=200).metrics
        >>> found["before_mi_xt_bits"] == found["after_mi_xt_bits"], found["before_linear_accuracy"]
        (True, 1.0)
    """
    check_count(num_samples, where="bijection", name="num_samples")
    check_positive(speed, where="bijection", name="speed")
    if num_samples < 100:
        raise ValueError(f"bijection: num_samples must be at least 100, got {num_samples}.")
    generator = torch.Generator().manual_seed(0)  # a demonstration draws what it always drew
    x, y = bars(num_samples, generator)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    layers = {"before": x, "after": Spiral(speed)(x)}
    metrics: dict[str, float] = {}
    noisy: dict[str, list[float]] = {}
    for name, layer in layers.items():
        found = decisions(layer, y)
        assert found is not None  # both classes have half of the rows
        # The bijection keeps every length, so that one unit of noise serves both.
        with unexamined():
            noisy[name] = [in_bits(float(ross(layer + scale * noise, y))) for scale in _LEVELS]
        metrics |= {
            f"{name}_mi_xt_bits": in_bits(float(plug_in_mi(symbols(x), symbols(layer), None, name="plug-in"))),
            f"{name}_information_dimension": information_dimension(layer),
            f"{name}_mi_ty_bits": in_bits(found.neighbour_information),
            f"{name}_linear_accuracy": found.linear.accuracy,
            f"{name}_neighbours_accuracy": found.neighbours.accuracy,
            f"{name}_class_distance": float(torch.cdist(layer[y == 0], layer[y == 1]).min()),
            f"{name}_noisy_mi_ty_bits": noisy[name][-1],
        }
    lines = {name: (_LEVELS, values) for name, values in noisy.items()}
    figure = Curves(
        "What noise leaves of the class", "deviation of Gaussian noise on L", "I(Y; L + noise), bits", lines
    )
    return Demonstrated(metrics, _bijection_claims(metrics, num_samples), (figure,))


def _bijection_claims(metrics: dict[str, float], num_samples: int) -> list[Claim]:
    def both(name: str) -> tuple[float, float]:
        return metrics[f"before_{name}"], metrics[f"after_{name}"]

    xt, ty, noisy = both("mi_xt_bits"), both("mi_ty_bits"), both("noisy_mi_ty_bits")
    linear, near = both("linear_accuracy"), both("class_distance")
    dimensions = both("information_dimension")
    return [
        Claim(
            "a bijection changes neither I(X; L) nor I(Y; L)",
            "Sec. 4.3",
            f"on {num_samples} rows I(X; L): {shown(*xt)}; I(Y; L) by neighbours: {shown(*ty)}; dimension "
            f"{dimensions[0]:.2f} and {dimensions[1]:.2f}, both infinite",
            xt[0] == xt[1]
            and abs(xt[0] - math.log2(num_samples)) < 1e-9
            and abs(ty[0] - ty[1]) < 0.05
            and min(dimensions) > 1,
        ),
        Claim(
            "it decides whether a simple decision is enough",
            "Sec. 4.3",
            f"accuracy of a linear decision: {100 * linear[0]:.1f} and {100 * linear[1]:.1f} %",
            linear[0] > linear[1] + 0.1,
        ),
        Claim(
            "and how robust the representation is",
            "Sec. 4.3",
            f"least distance between the classes: {near[0]:.3f} and {near[1]:.3f}",
            near[0] > 2 * near[1],
        ),
        Claim(
            "noise on L makes the functional see the difference",
            "Sec. 5.3",
            f"I(Y; L + noise), deviation {_LEVELS[-1]:g}: {shown(*noisy)}",
            noisy[0] > noisy[1] + 0.1,
        ),
    ]
