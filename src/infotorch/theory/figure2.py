"""Figure 2 of Amjad & Geiger 2019: six functions of one input, of equal information and of very different use.

X lies evenly on four intervals S1 to S4 of probability 1/4; Y is 0 on S1 and S3, 1 on S2 and S4. The figure's
coordinates stand in no text; these are chosen once so that every sentence about the figure can be put to the test:

    disc'    a level for each interval, 0, 2/3, 1/3 and 1: the classes lie on either side of 1/2
    disc''   0, 1/3, 2/3, 1: a staircase, on which the classes alternate
    disc'''  disc' on the intervals, and the other class's side of 1/2 right behind their borders
    cont'    each interval spread evenly over a quarter of [0, 1], in the order of the levels of disc'
    cont''   likewise in the order of disc''
    cont'''  S1 and S3 both over [0, 1/4], S2 and S4 over [3/4, 1]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from infotorch.figures.demonstration import Curves
from infotorch.numerics.checks import check_positive
from infotorch.theory.demonstration import Claim, Demonstrated, in_bits, shown
from infotorch.theory.pieces import Piece, Pieces, PiecewiseLinear

#: S1 to S4.
INTERVALS = ((0.05, 0.2), (0.3, 0.45), (0.55, 0.7), (0.8, 0.95))
LABELS = (0, 1, 0, 1)
#: What each interval is spread over.
_LEVELS = {"disc1": (0, 2 / 3, 1 / 3, 1), "disc2": (0, 1 / 3, 2 / 3, 1), "disc3": (0, 2 / 3, 1 / 3, 1)}
_SPREADS = {"cont1": (0, 2 / 4, 1 / 4, 3 / 4), "cont2": (0, 1 / 4, 2 / 4, 3 / 4), "cont3": (0, 3 / 4, 0, 3 / 4)}
#: The paper's names.
NAMES = {f"{kind}{primes}": kind + "'" * primes for kind in ("disc", "cont") for primes in (1, 2, 3)}
# How wide the jump is of a function that jumps.
_JUMP = 0.01
#: Borders of the quantisers: the decision, and four cells.
HALVES, QUARTERS = (0.5,), (0.25, 0.5, 0.75)


def functions() -> dict[str, PiecewiseLinear]:
    """The six functions.

    Example:
        >>> functions()["cont2"](0.5)
        0.5
    """
    found = {name: _stairs(levels, sharp=name == "disc3") for name, levels in _LEVELS.items()}
    for name, starts in _SPREADS.items():
        at = [end for interval in INTERVALS for end in interval]
        found[name] = PiecewiseLinear(at, [height for start in starts for height in (start, start + 0.25)])
    return found


def _stairs(levels: tuple[float, ...], *, sharp: bool) -> PiecewiseLinear:
    """A level on each interval; between two of them one jump half-way, or a visit to the wrong sides of 1/2."""
    knots = [(INTERVALS[0][0] - 2 * _JUMP, levels[0])]
    if sharp:
        knots = [(INTERVALS[0][0] - _JUMP, 1.0), (INTERVALS[0][0], levels[0])]
    for ((_, left), (right, _)), (low, high) in zip(pairwise(INTERVALS), pairwise(levels), strict=True):
        middle = (left + right) / 2
        wrong = [float(low < 0.5), float(high < 0.5)]
        outer = [(left + _JUMP, wrong[0]), (right - _JUMP, wrong[1])] if sharp else []
        inner = wrong if sharp else [low, high]
        jump = [(middle - _JUMP / 2, inner[0]), (middle + _JUMP / 2, inner[1])]
        knots += [(left, low), *outer[:1], *jump, *outer[1:], (right, high)]
    end = INTERVALS[-1][1]
    knots += [(end, levels[-1]), (end + _JUMP, 0.0)] if sharp else [(end, levels[-1])]
    return PiecewiseLinear([at for at, _ in knots], [height for _, height in knots])


def output(function: PiecewiseLinear) -> Pieces:
    """The law of f(X), with the classes; f is straight on each interval."""
    ends = (
        (*sorted((function(low), function(high))), label) for (low, high), label in zip(INTERVALS, LABELS, strict=True)
    )
    return Pieces(Piece(0.25, low, high, label) for low, high, label in ends)


def decision_error(function: PiecewiseLinear, noise: float) -> float:
    """Probability that f(X + noise) lies on the other side of 1/2 than Y says, noise uniform on [-noise, noise].

    Example:
        >>> decision_error(functions()["disc1"], 0.02), decision_error(functions()["disc3"], 0.02) > 0.03
        (0.0, True)
    """
    crossings = function.crossings(0.5)
    starts_above = function.values[0] > 0.5
    found = 0.0
    for (low, high), label in zip(INTERVALS, LABELS, strict=True):
        shares = [_reached(low, high, noise, at) for at in crossings]
        ends = [0.0, *shares, 1.0]
        above = sum(b - a for n, (a, b) in enumerate(pairwise(ends)) if (n % 2 == 0) is starts_above)
        found += 0.25 * (1 - above if label else above)
    return found if found > 1e-12 else 0.0  # what rounding leaves of an impossible event


def _reached(low: float, high: float, noise: float, t: float) -> float:
    """P(X + noise <= t), X even on [low, high]."""
    squares = (
        max(t - low + noise, 0.0),
        max(t - high + noise, 0.0),
        max(t - low - noise, 0.0),
        max(t - high - noise, 0.0),
    )
    first, second, third, fourth = (side * side / 2 for side in squares)
    return min(max((first - second - third + fourth) / ((high - low) * 2 * noise), 0.0), 1.0)


#: Quantity -> its value in nats; half the width of the noise is the second argument.
_QUANTITIES: dict[str, Callable[[Pieces, float], float]] = {
    "mi_xt": lambda law, _: law.information(),
    "mi_ty": lambda law, _: law.label_information(),
    "hard_mi_xt": lambda law, _: law.cell_information(HALVES),
    "hard_mi_ty": lambda law, _: law.cell_label_information(HALVES),
    "soft_mi_xt": lambda law, _: law.soft_information(),
    "soft_mi_ty": lambda law, _: law.soft_label_information(),
    "noisy_mi_xt": lambda law, noise: law.noisy_information(noise),
    "noisy_mi_ty": lambda law, noise: law.noisy_label_information(noise),
    "four_cells_mi_xt": lambda law, _: law.cell_information(QUARTERS),
    "four_cells_mi_ty": lambda law, _: law.cell_label_information(QUARTERS),
}


def figure_2(*, noise: float = 0.05, input_noise: float = 0.03) -> Demonstrated:
    """Every quantity of the six functions, and what the text says of them.

    Args:
        noise: half the width of the uniform noise on L; small is below 1/4.
        input_noise: of the uniform noise on X; small is below half a gap, 0.05.

    Raises:
        ValueError: a noise that is not positive.
        TypeError: a noise that is no number.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Fig. 2, Secs. 4.3 and 5.1 to 5.4.

    Example:
        >>> found = figure_2().metrics
        >>> round(found["cont1_hard_mi_ty_bits"], 9), round(found["cont2_hard_mi_ty_bits"], 9)
        (1.0, 0.0)
    """
    check_positive(noise, where="figure_2", name="noise")
    check_positive(input_noise, where="figure_2", name="input_noise")
    made = functions()
    laws = {name: output(function) for name, function in made.items()}
    bits = {
        name: {quantity: in_bits(value(law, noise)) for quantity, value in _QUANTITIES.items()}
        for name, law in laws.items()
    }
    errors = {name: decision_error(function, input_noise) for name, function in made.items()}
    metrics = {"label_entropy_bits": in_bits(laws["disc1"].label_entropy())}
    for name, found in bits.items():
        metrics |= {f"{name}_{quantity}_bits": value for quantity, value in found.items() if math.isfinite(value)}
        metrics[f"{name}_decision_error"] = errors[name]
    claims = (*_failures(bits, errors), *_decisions(bits), *_noise(bits), *_cells(bits))
    return Demonstrated(metrics, claims, _figures(made, laws))


_Bits = Mapping[str, Mapping[str, float]]


def _equal(*values: float) -> bool:
    return all(value == values[0] or abs(value - values[0]) < 1e-9 for value in values)


def _failures(bits: _Bits, errors: Mapping[str, float]) -> list[Claim]:
    def pairs(first: str, second: str) -> list[float]:
        return [bits[name][quantity] for quantity in ("mi_xt", "mi_ty") for name in (first, second)]

    found = []
    for first, second in (("disc1", "disc2"), ("cont1", "cont2")):
        values = pairs(first, second)
        found.append(
            Claim(
                f"{NAMES[first]} and {NAMES[second]} have the same compression and the perfect precision H(Y)",
                "Sec. 4.3",
                f"I(X; L): {shown(*values[:2])}; I(Y; L): {shown(*values[2:])}",
                _equal(*values[:2]) and _equal(*values[2:], 1.0),
            )
        )
    same = [bits[name][quantity] for quantity in bits["disc1"] for name in ("disc1", "disc3")]
    found.append(
        Claim(
            "disc' and disc''' are one function on the support of X, and disc' is the more robust one",
            "Sec. 4.3",
            f"all {len(same) // 2} quantities equal; wrong decisions under noise on X: {errors['disc1']:.4g} and "
            f"{errors['disc3']:.4g}",
            all(_equal(a, b) for a, b in zip(same[::2], same[1::2], strict=True)) and errors["disc1"] < errors["disc3"],
        )
    )
    return found


def _decisions(bits: _Bits) -> list[Claim]:
    one, two, three = (bits[f"cont{n}"] for n in (1, 2, 3))
    return [
        Claim(
            "hard rule: I(X; Yhat') = I(X; Yhat'') = 1 bit, I(Y; Yhat') = H(Y), I(Y; Yhat'') = 0",
            "Sec. 5.1",
            f"{shown(one['hard_mi_xt'], two['hard_mi_xt'], one['hard_mi_ty'], two['hard_mi_ty'])}",
            _equal(one["hard_mi_xt"], two["hard_mi_xt"], one["hard_mi_ty"], 1.0) and _equal(two["hard_mi_ty"], 0.0),
        ),
        Claim(
            "hard rule: it cannot tell disc' from disc'''",
            "Sec. 5.1",
            f"I(Y; Yhat): {shown(bits['disc1']['hard_mi_ty'], bits['disc3']['hard_mi_ty'])}",
            all(_equal(bits["disc1"][q], bits["disc3"][q]) for q in ("hard_mi_xt", "hard_mi_ty")),
        ),
        Claim(
            "soft rule: precision prefers cont' to cont''",
            "Sec. 5.2",
            f"I(Y; Yhat): {shown(one['soft_mi_ty'], two['soft_mi_ty'])}",
            one["soft_mi_ty"] > two["soft_mi_ty"],
        ),
        Claim(
            "soft rule: precision asks for tight clusters, and prefers cont''' to cont'",
            "Sec. 5.2",
            f"I(Y; Yhat): {shown(three['soft_mi_ty'], one['soft_mi_ty'])}",
            three["soft_mi_ty"] > one["soft_mi_ty"],
        ),
        Claim(
            "soft rule: compression prefers cont' to cont''', the wrong way round",
            "Sec. 5.2",
            f"I(X; Yhat): {shown(one['soft_mi_xt'], three['soft_mi_xt'])}",
            one["soft_mi_xt"] < three["soft_mi_xt"],
        ),
    ]


def _noise(bits: _Bits) -> list[Claim]:
    one, two, three = (bits[f"cont{n}"] for n in (1, 2, 3))

    def both(*which: Mapping[str, float]) -> str:
        xt, ty = ([law[q] for law in which] for q in ("noisy_mi_xt", "noisy_mi_ty"))
        return f"I(X; L + noise): {shown(*xt)}; I(Y; L + noise): {shown(*ty)}"

    return [
        Claim(
            "a little uniform noise: the functional prefers cont' to cont''",
            "Sec. 5.3",
            both(one, two),
            one["noisy_mi_xt"] <= two["noisy_mi_xt"] + 1e-9 and one["noisy_mi_ty"] > two["noisy_mi_ty"] + 1e-9,
        ),
        Claim(
            "a little uniform noise: it prefers cont''' to cont', by compression alone as well",
            "Sec. 5.3",
            both(three, one),
            three["noisy_mi_xt"] < one["noisy_mi_xt"] - 1e-9 and three["noisy_mi_ty"] >= one["noisy_mi_ty"] - 1e-9,
        ),
    ]


def _cells(bits: _Bits) -> list[Claim]:
    hard = {name: found["hard_mi_ty"] for name, found in bits.items()}
    fine = {name: found["four_cells_mi_ty"] for name, found in bits.items()}
    first, third = bits["cont1"]["four_cells_mi_xt"], bits["cont3"]["four_cells_mi_xt"]
    pairs = (("disc1", "disc2"), ("cont1", "cont2"))
    return [
        Claim(
            "a quantiser at 1/2 prefers disc' to disc'' and cont' to cont'' for precision; a finer one does not",
            "Sec. 5.4",
            f"two cells: {shown(*(hard[name] for pair in pairs for name in pair))}; four cells: "
            f"{shown(*(fine[name] for pair in pairs for name in pair))}",
            all(hard[a] > hard[b] + 1e-9 and _equal(fine[a], fine[b]) for a, b in pairs),
        ),
        Claim(
            "with it the precision of cont' and cont''' is the same, and four cells prefer cont''' for compression",
            "Sec. 5.4",
            f"precision {shown(hard['cont1'], hard['cont3'])}; compression {shown(first, third)}",
            _equal(hard["cont1"], hard["cont3"]) and third < first - 1e-9,
        ),
    ]


def _figures(made: Mapping[str, PiecewiseLinear], laws: Mapping[str, Pieces]) -> tuple[Curves, ...]:
    noises = [0.005 * n for n in range(1, 101)]
    smooth = [name for name in made if name.startswith("cont")]
    moved = [0.002 * n for n in range(1, 101)]
    shapes = tuple(
        Curves(
            f"The functions {kind}', {kind}'' and {kind}'''",
            "x1",
            "f(x1)",
            {NAMES[name]: (made[name].at, made[name].values) for name in made if name.startswith(kind)},
            note="S1 to S4: " + ", ".join(f"{low:g} to {high:g}" for low, high in INTERVALS) + ".",
        )
        for kind in ("disc", "cont")
    )
    return (
        *shapes,
        Curves(
            "Precision under uniform noise", "half width of the noise", "I(Y; L + noise), bits",
            {NAMES[n]: (noises, [in_bits(laws[n].noisy_label_information(h)) for h in noises]) for n in smooth},
        ),
        Curves(
            "Compression under uniform noise", "half width of the noise", "I(X; L + noise), bits",
            {NAMES[n]: (noises, [in_bits(laws[n].noisy_information(h)) for h in noises]) for n in smooth},
            note="cont' and cont'' coincide.",
        ),
        Curves(
            "Wrong decisions under noise on X", "half width of the noise", "share of wrong decisions",
            {NAMES[n]: (moved, [decision_error(made[n], r) for r in moved]) for n in ("disc1", "disc3")},
        ),
    )  # fmt: skip
