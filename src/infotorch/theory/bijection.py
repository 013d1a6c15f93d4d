"""One network before and after a bijection: the same information, another decision, another robustness."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.diagnostics.dimension import information_dimension
from infotorch.diagnostics.simplicity import Decisions, decisions
from infotorch.distributions.maps import Spiral
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import discrete_mi
from infotorch.numerics.checks import check_count, check_positive
from infotorch.numerics.symbols import symbols
from infotorch.theory.demonstrated import Claim, Curves, Demonstrated, in_bits, shown

#: Noise on L, in units of its spread.
_NOISES = (0.02, 0.05, 0.1, 0.2)


def bars(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two bars of the plane, -1 < x1 < 1 and 0.1 < |x2| < 0.9, the class being the sign of x2."""
    places = torch.rand(rows, 2, generator=generator, dtype=torch.float64)
    y = torch.arange(rows) % 2
    side = (2 * y - 1).double()
    return torch.stack([2 * places[:, 0] - 1, side * (0.1 + 0.8 * places[:, 1])], dim=1), y


def bijection(*, rows: int = 2000, speed: float = 3.0) -> Demonstrated:
    """A layer L = X, and the same behind a smooth bijection of the plane that winds it up.

    Args:
        rows: drawn evenly from the two bars; at least 100.
        speed: of the winding, radians for each unit of squared length.

    Raises:
        ValueError: fewer rows, or a speed that is not positive.
        TypeError: rows is no integer, or speed no number.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Secs. 4.3 and 5.3.

    Example:
        >>> found = bijection(rows=200).metrics
        >>> found["before_mi_xt_bits"] == found["after_mi_xt_bits"], found["before_linear_accuracy"]
        (True, 1.0)
    """
    check_count(rows, where="bijection", name="rows")
    check_positive(speed, where="bijection", name="speed")
    if rows < 100:
        raise ValueError(f"bijection: rows must be at least 100, got {rows}.")
    generator = torch.Generator().manual_seed(0)  # a demonstration draws what it always drew
    x, y = bars(rows, generator)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    layers = {"before": x, "after": Spiral(speed)(x)}
    judged: dict[str, Decisions] = {}
    metrics: dict[str, float] = {}
    noisy: dict[str, list[float]] = {}
    for name, layer in layers.items():
        found = judged[name] = _judged(layer, y)
        # The bijection keeps every length, so that one unit of noise serves both.
        noisy[name] = [in_bits(float(ross(layer + scale * noise, y))) for scale in _NOISES]
        metrics |= {
            f"{name}_mi_xt_bits": in_bits(float(discrete_mi(symbols(x), symbols(layer)))),
            f"{name}_information_dimension": information_dimension(layer),
            f"{name}_mi_ty_bits": in_bits(found.neighbour_information),
            f"{name}_linear_accuracy": found.linear.accuracy,
            f"{name}_neighbours_accuracy": found.neighbours.accuracy,
            f"{name}_class_distance": float(torch.cdist(layer[y == 0], layer[y == 1]).min()),
            f"{name}_noisy_mi_ty_bits": noisy[name][-1],
        }
    lines = {name: (_NOISES, values) for name, values in noisy.items()}
    figure = Curves(
        "What noise leaves of the class", "deviation of Gaussian noise on L", "I(Y; L + noise), bits", lines
    )
    return Demonstrated(metrics, _claims(metrics, rows), (figure,))


def _judged(layer: Tensor, y: Tensor) -> Decisions:
    found = decisions(layer, y)
    assert found is not None  # both classes have half of the rows
    return found


def _claims(metrics: dict[str, float], rows: int) -> list[Claim]:
    def both(name: str) -> tuple[float, float]:
        return metrics[f"before_{name}"], metrics[f"after_{name}"]

    xt, ty, noisy = both("mi_xt_bits"), both("mi_ty_bits"), both("noisy_mi_ty_bits")
    linear, near = both("linear_accuracy"), both("class_distance")
    dimensions = both("information_dimension")
    return [
        Claim(
            "a bijection changes neither I(X; L) nor I(Y; L)",
            "Sec. 4.3",
            f"on {rows} rows I(X; L): {shown(*xt)}; I(Y; L) by neighbours: {shown(*ty)}; dimension "
            f"{dimensions[0]:.2f} and {dimensions[1]:.2f}, both infinite",
            xt[0] == xt[1]
            and abs(xt[0] - math.log2(rows)) < 1e-9
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
            f"I(Y; L + noise), deviation {_NOISES[-1]:g}: {shown(*noisy)}",
            noisy[0] > noisy[1] + 0.1,
        ),
    ]
