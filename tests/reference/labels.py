"""Slow float64 twins of the bounds on class labels: the sums as the papers write them."""

import math
from collections import Counter


def _softmax(scores):
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    return [w / sum(weights) for w in weights]


def _entropy(p):
    return -sum(v * math.log(v) for v in p if v > 0)


def _mean_probabilities(draws):
    columns = zip(*[_softmax(draw) for draw in draws], strict=True)
    return [sum(column) / len(draws) for column in columns]


def readout(scores, labels):
    """H(Y) - CE of the averaged probabilities; scores[row][draw][class]."""
    n = len(labels)
    cross_entropy = -sum(math.log(_mean_probabilities(s)[y]) for s, y in zip(scores, labels, strict=True)) / n
    return _entropy([c / n for c in Counter(labels).values()]) - cross_entropy


def soft_decision(scores):
    """H(mean p) - mean H(p); scores[row][draw][class]."""
    rows = [_mean_probabilities(s) for s in scores]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return _entropy(mean) - sum(map(_entropy, rows)) / len(rows)


def supervised_contrastive_loss(scores, labels):
    """Khosla et al. 2020, eq. 2, a mean over the rows that have another of their class."""
    n, losses = len(labels), []
    for i in range(n):
        positives = [p for p in range(n) if p != i and labels[p] == labels[i]]
        if positives:
            total = sum(math.exp(scores[i][a]) for a in range(n) if a != i)
            losses.append(-sum(math.log(math.exp(scores[i][p]) / total) for p in positives) / len(positives))
    return sum(losses) / len(losses)
