"""Slow twins of the estimators that count symbols."""

import math
from collections import Counter


def entropy(symbols, *, miller_madow=False):
    counts, n = Counter(symbols), len(symbols)
    plug_in = -sum(c / n * math.log(c / n) for c in counts.values())
    return plug_in + (len(counts) - 1) / (2 * n) * miller_madow


def mutual_information(a, b, *, miller_madow=False):
    pairs = list(zip(a, b, strict=True))
    first, second, both = (entropy(s, miller_madow=miller_madow) for s in (a, b, pairs))
    return first + second - both
