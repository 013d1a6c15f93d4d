"""Figure 3 of Amjad & Geiger 2019: two networks of one ReLU neuron, of equal functional and unequal robustness.

X lies evenly on [0, 1/2] x [0, epsilon] for Y = 0 and on [0, epsilon] x [1/2, 1] for Y = 1, each of probability 1/2.
L1 = relu(x1 + x2), decided at 1/2; L2 = relu(x2), decided at 3/8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from infotorch.figures.demonstration import Curves
from infotorch.numerics.checks import check_number, check_positive
from infotorch.theory.demonstration import Claim, Demonstrated, in_bits, shown
from infotorch.theory.pieces import entropy

#: Where the decisions are taken; Sec. 4.3 takes the second at 1/4.
THRESHOLDS = (0.5, 3 / 8)
#: A noisy input of class 1, as the figure's blue dot is; its place is ours.
DOT = (0.05, 0.42)


def sum_below(intervals: Sequence[tuple[float, float]], t: float) -> float:
    """P(U1 + U2 + ... <= t), each U even on its interval and independent; an interval of no width is a number.

    Source: the volume of a box cut by a plane, by inclusion and exclusion of its corners.

    Example:
        >>> sum_below([(0.0, 1.0), (0.0, 1.0)], 0.5), sum_below([(0.0, 1.0), (2.0, 2.0)], 2.25)
        (0.125, 0.25)
    """
    widths = [high - low for low, high in intervals if high > low]
    rest = t - sum(low for low, _ in intervals)
    if not widths:
        return float(rest >= 0)
    volume = sum(
        (-1) ** count * max(rest - sum(chosen), 0.0) ** len(widths)
        for count in range(len(widths) + 1)
        for chosen in combinations(widths, count)
    )
    return min(max(volume / (math.factorial(len(widths)) * math.prod(widths)), 0.0), 1.0)


def errors(epsilon: float, noise: float) -> tuple[float, float]:
    """Shares of wrong decisions of both networks, with noise even on [-noise, noise] on each input; 0 for none.

    Example:
        >>> errors(0.0, 0.0), errors(0.0, 0.1)[1]
        ((0.0, 0.0), 0.0)
    """
    short, long, far, shift = (0.0, epsilon), (0.0, 0.5), (0.5, 1.0), (-noise, noise)
    first, second = THRESHOLDS
    of_first = (1 - sum_below([long, short, shift, shift], first)) + sum_below([short, far, shift, shift], first)
    of_second = (1 - sum_below([short, shift], second)) + sum_below([far, shift], second)
    return tuple(error / 2 if error > 1e-12 else 0.0 for error in (of_first, of_second))  # pyright: ignore[reportReturnType]


def precisions(epsilon: float) -> tuple[float, float]:
    """I(Y; L1) and I(Y; L2) in nats: L1 loses epsilon / 2, where the classes overlap, and L2 nothing.

    Between 1/2 and 1/2 + epsilon the density of class 0 falls evenly from 2 to 0 and that of class 1 rises from 0 to
    2; the mean entropy of a coin of even probability is half a nat.

    Example:
        >>> [round(in_bits(value), 4) for value in precisions(0.01)]
        [0.9928, 1.0]
    """
    return math.log(2) - epsilon / 2, math.log(2)


def decided(epsilon: float) -> tuple[float, float]:
    """I(Y; Yhat) of both decisions without noise, in nats: the first names a share epsilon of class 0 wrongly."""
    above = (1 + epsilon) / 2
    return entropy([above, 1 - above]) - entropy([epsilon, 1 - epsilon]) / 2, math.log(2)


def figure_3(*, epsilon: float = 0.01, noise: float = 0.1) -> Demonstrated:
    """Functional and robustness of the two networks.

    Args:
        epsilon: width of the strips, 0 to 1/4; 0 for lines.
        noise: half the width of the uniform noise on each input.

    Raises:
        ValueError: epsilon outside [0, 1/4], or a noise that is not positive.
        TypeError: an argument is no number.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Fig. 3, Secs. 4.3 and 5.1.

    Example:
        >>> found = figure_3().metrics
        >>> round(found["first_noisy_error"], 4), found["second_noisy_error"]
        (0.0668, 0.0)
    """
    check_number(epsilon, where="figure_3", name="epsilon")
    check_positive(noise, where="figure_3", name="noise")
    if not 0 <= epsilon <= 0.25:
        raise ValueError(f"figure_3: epsilon must be from 0 to 1/4, got {epsilon}.")
    told, hard = ([in_bits(value) for value in values] for values in (precisions(epsilon), decided(epsilon)))
    clean, noisy = errors(epsilon, 0.0), errors(epsilon, noise)
    metrics: dict[str, float] = {}
    for place, name in enumerate(("first", "second")):
        metrics |= {f"{name}_mi_ty_bits": told[place], f"{name}_hard_mi_ty_bits": hard[place]}
        metrics |= {f"{name}_error": clean[place], f"{name}_noisy_error": noisy[place]}
    return Demonstrated(metrics, _claims(epsilon, told, hard, noisy), (_figure(epsilon),))


def _claims(epsilon: float, told: Sequence[float], hard: Sequence[float], noisy: Sequence[float]) -> list[Claim]:
    first, second = DOT[0] + DOT[1], DOT[1]
    gap = f"at epsilon = {epsilon:g}; equal at 0"
    return [
        Claim(
            "both networks have identical precision and compression terms",
            "Sec. 4.3",
            f"I(X; L): {shown(math.inf, math.inf)}; I(Y; L): {shown(*told)} {gap}",
            abs(told[0] - told[1]) < 1e-9,
        ),
        Claim(
            "their hard decisions are identical",
            "Sec. 5.1",
            f"I(Y; Yhat): {shown(*hard)} {gap}",
            abs(hard[0] - hard[1]) < 1e-9,
        ),
        Claim(
            "the second is the more robust one",
            "Sec. 4.3",
            f"wrong decisions under noise on X: {noisy[0]:.4g} and {noisy[1]:.4g}",
            noisy[1] < noisy[0],
        ),
        Claim(
            "a noisy input of class 1 lies among class 0 for the first network, and not for the second",
            "Sec. 4.3",
            f"({DOT[0]:g}, {DOT[1]:g}): L1 = {first:g} where class 0 reaches {0.5 + epsilon:g}, L2 = {second:g} where "
            f"it reaches {epsilon:g}",
            first <= 0.5 + epsilon and THRESHOLDS[1] < second and second > epsilon,
        ),
    ]


def _figure(epsilon: float) -> Curves:
    noises = [0.01 * n for n in range(51)]
    found = [errors(epsilon, noise) for noise in noises]
    lines = {
        name: (noises, [pair[place] for pair in found]) for place, name in enumerate(("relu(x1 + x2)", "relu(x2)"))
    }
    return Curves("Wrong decisions under noise on X", "half width of the noise", "share of wrong decisions", lines)
