"""Slow twins of the theory's demonstrations: exact fractions, and channels cut into many small symbols."""

import math
from fractions import Fraction


def entropy(masses):
    return -sum(mass * math.log(mass) for mass in masses if mass > 0)


def relu_step(x, a, b):
    """Figure 1's network in exact arithmetic."""
    return max(x - a, Fraction(0)) - max(x - a - b, Fraction(0))


def figure_1_entropy(weighted, a, b):
    """H(f(X)) in nats for X on (place, mass), by looking at which outputs are equal."""
    found = {}
    for place, mass in weighted:
        out = relu_step(place, a, b)
        found[out] = found.get(out, 0.0) + mass
    return entropy(found.values())


def channel_information(outputs, half_width, cells=1500):
    """I(L; L + noise) and I(Y; L + noise) in nats, L one of `outputs` (value, label, mass), noise uniform.

    The noisy output is told to one of many cells alone, which can only lose information.
    """
    low = min(value for value, _, _ in outputs) - half_width
    width = (max(value for value, _, _ in outputs) + half_width - low) / cells

    def spread(value):
        start, end = value - half_width, value + half_width
        return [
            max(0.0, min(end, low + (n + 1) * width) - max(start, low + n * width)) / (2 * half_width)
            for n in range(cells)
        ]

    total, of_label, masses, given = [0.0] * cells, {}, {}, 0.0
    for value, label, mass in outputs:
        shares = spread(value)
        given += mass * entropy(shares)
        masses[label] = masses.get(label, 0.0) + mass
        own = of_label.setdefault(label, [0.0] * cells)
        for n, share in enumerate(shares):
            total[n] += mass * share
            own[n] += mass * share
    told = sum(masses[label] * entropy([p / masses[label] for p in own]) for label, own in of_label.items())
    return entropy(total) - given, entropy(total) - told
