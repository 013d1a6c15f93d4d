"""Slow twins of the theory's demonstrations: exact fractions, and channels cut into many small symbols."""

import math
from fractions import Fraction
from itertools import pairwise

import torch
from torch import nn

from infotorch.estimators.decision import hard_decision_mi, soft_decision_label_mi
from infotorch.estimators.discrete import discrete_entropy, discrete_mi
from infotorch.estimators.labels import soft_decision_mi
from infotorch.networks.quantiser import Quantiser
from infotorch.theory.figure2 import INTERVALS, LABELS


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


def relu_network(function):
    """A `PiecewiseLinear` as a ReLU network with one hidden layer, in float64: (n, 1) -> (n, 1).

    The function is values[0] + the sum of change * relu(x - place) over its kinks (place, change of slope).
    """
    knots = function.knots()
    slopes = [0.0, *((b - a) / (right - left) for (left, a), (right, b) in pairwise(knots)), 0.0]
    changes = zip(function.at, pairwise(slopes), strict=True)
    kinks = [(at, after - before) for at, (before, after) in changes if after != before] or [(0.0, 0.0)]
    places, steps = torch.tensor(kinks, dtype=torch.float64).T
    hidden, last = nn.Linear(1, len(places)).double(), nn.Linear(len(places), 1).double()
    with torch.no_grad():
        hidden.weight.fill_(1.0)
        hidden.bias.copy_(-places)
        last.weight.copy_(steps[None])
        last.bias.fill_(function.values[0])
    return nn.Sequential(hidden, nn.ReLU(), last)


def even_rows(count):
    """Inputs that lie evenly on S1 to S4 of Figure 2, and their classes: shapes (4 count, 1) and (4 count,)."""
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    x = torch.cat([low + (high - low) * places for low, high in INTERVALS])
    return x.round(decimals=12)[:, None], torch.tensor(LABELS).repeat_interleave(count)


def estimated(function, count=500):
    """Decisions and quantisers, in nats, by the estimators that serve any network, on evenly spaced rows.

    Rows in place of intervals make an error of the order 1 / count^2 in the soft rule, and none in the others.
    """
    x, y = even_rows(count)
    with torch.no_grad():
        out = relu_network(function)(x)
    # A probability of 0 has no logarithm; 1e-300 adds nothing that a float64 could hold.
    scores = torch.cat([1 - out, out], dim=1).clamp(1e-300, 1.0).log()
    quarters = Quantiser(4, limits=(0.0, 1.0)).cells(out)
    found = {
        "hard_mi_xt": hard_decision_mi(out, threshold=0.5),
        "hard_mi_ty": hard_decision_mi(out, y, threshold=0.5),
        "soft_mi_xt": soft_decision_mi(scores),
        "soft_mi_ty": soft_decision_label_mi(scores, y),
        "four_cells_mi_xt": discrete_entropy(quarters),
        "four_cells_mi_ty": discrete_mi(quarters, y),
    }
    return {name: float(estimate) for name, estimate in found.items()}
