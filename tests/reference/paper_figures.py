"""Figures 1 and 2 of Amjad & Geiger 2019 from the paper's text alone: nothing here comes from the package.

Figure 1 in exact fractions, by the weights that its caption gives; Figure 2 by counting and by sums over fine grids. In
bits, as the paper's "1" for a decision between two equal halves is.
"""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np


def bits(masses):
    """Entropy of masses that need not add up to 1 in floats."""
    masses = np.asarray([float(mass) for mass in masses])
    masses = masses[masses > 0] / masses.sum()
    return float(-(masses * np.log2(masses)).sum())


# Figure 1: one hidden layer of two ReLU units, Theta_0 = {[1; 1], [-a; -a-b]} and Theta_1 = {[1, -1], 0}.


def network(x, a, b):
    """The caption's network at x, in the arithmetic of its arguments."""
    hidden = [max(weight * x + bias, 0) for weight, bias in ((1, -a), (1, -a - b))]
    return 1 * hidden[0] + (-1) * hidden[1] + 0


def points_information(weighted, a, b):
    """I(X; L) = H(L) of X on (place, mass): masses of equal outputs are added up."""
    found = {}
    for place, mass in weighted:
        out = network(place, a, b)
        found[out] = found.get(out, 0) + mass
    return bits(found.values())


def intervals_information(weighted, a, b):
    """I(X; L) of X even on intervals (low, high, mass): infinite where the network is not flat on a part of one.

    Between its kinks, at a and a + b, the network is straight: equal at both ends of a part, it is flat there.
    """
    found = {}
    for low, high, mass in weighted:
        ends = sorted({low, high, *(kink for kink in (a, a + b) if low < kink < high)})
        for left, right in pairwise(ends):
            out = network(left, a, b)
            if out != network(right, a, b):
                return math.inf
            found[out] = found.get(out, 0) + mass * (right - left) / (high - low)
    return bits(found.values())


# Figure 2: P(S_i) = 1/4, Y = 0 on S1 and S3 and 1 on S2 and S4, outputs in [0, 1].

CLASSES = np.array([0, 1, 0, 1])
#: Where the outputs of S1 to S4 lie, (from, to) of an even spread. Sec. 4.3: the classes of ' lie on either side
#: of 1/2, and those of '' alternate, over the same values; ''' of disc is ' where X lives. Sec. 5.2 to 5.4: ''' of cont
#: is two tight clusters at either end, on fewer of four cells than '.
OUTPUTS = {
    "disc1": ((0, 0), (2 / 3, 2 / 3), (1 / 3, 1 / 3), (1, 1)),
    "disc2": ((0, 0), (1 / 3, 1 / 3), (2 / 3, 2 / 3), (1, 1)),
    "disc3": ((0, 0), (2 / 3, 2 / 3), (1 / 3, 1 / 3), (1, 1)),
    "cont1": ((0, 1 / 4), (1 / 2, 3 / 4), (1 / 4, 1 / 2), (3 / 4, 1)),
    "cont2": ((0, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 3 / 4), (3 / 4, 1)),
    "cont3": ((0, 1 / 4), (3 / 4, 1), (0, 1 / 4), (3 / 4, 1)),
}


def drawn(name, count):
    """`count` outputs evenly on each of S1 to S4, at the middles of equal parts, and their classes: (4 count,) each."""
    middles = (np.arange(count) + 0.5) / count
    outputs = [low + (high - low) * middles for low, high in OUTPUTS[name]]
    return np.concatenate(outputs), np.repeat(CLASSES, count)


def symbols_information(symbols, labels=None):
    """H of symbols, which is I(X; symbol); with labels I(Y; symbol), both by counting."""
    counts = np.unique(symbols, return_counts=True)[1]
    if labels is None:
        return bits(counts)
    classes = np.unique(labels, return_counts=True)[1]
    together = np.unique(np.stack([symbols, labels]), axis=1, return_counts=True)[1]
    return bits(counts) + bits(classes) - bits(together)


def soft_information(outputs, labels):
    """I(X; Yhat) and I(Y; Yhat), Yhat drawn to be 1 with probability L."""

    def coin(p):
        p = np.clip(p, 1e-300, 1 - 1e-16)
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    both = coin(outputs.mean())
    given = [coin(outputs[labels == label].mean()) for label in (0, 1)]
    return float(both - coin(outputs).mean()), float(both - sum(given) / 2)


def noisy_information(name, half_width, cells=20_000):
    """I(X; L + noise) and I(Y; L + noise), noise uniform on [-half_width, half_width]: densities on a fine grid."""
    edges = np.linspace(-half_width, 1 + half_width, cells + 1)
    middles, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]

    def density(low, high):
        """Of a point or an even spread plus the noise: how much of it lies within the noise's reach."""
        if low == high:
            return (np.abs(middles - low) < half_width) / (2 * half_width)
        reach = np.minimum(middles + half_width, high) - np.maximum(middles - half_width, low)
        return np.maximum(reach, 0) / (high - low) / (2 * half_width)

    def entropy(parts):
        p = np.mean(parts, axis=0)
        p = p[p > 0]
        return float(-(p * np.log2(p)).sum() * width)

    parts = [density(*ends) for ends in OUTPUTS[name]]
    of_class = [entropy([part for part, own in zip(parts, CLASSES, strict=True) if own == label]) for label in (0, 1)]
    whole = entropy(parts)
    return whole - math.log2(2 * half_width), whole - sum(of_class) / 2


def exact(decimal):
    """A decimal number as the fraction that it is written as."""
    return Fraction(str(decimal))
