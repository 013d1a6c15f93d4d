"""Slow float64 twins of the bounds: pair by pair, sums as the papers print them, no stable forms."""

import math


def apart(scores):
    n = len(scores)
    return [scores[i][j] for i in range(n) for j in range(n) if i != j]


def together(scores):
    return [scores[i][i] for i in range(len(scores))]


def mean(values):
    return math.fsum(values) / len(values)


def infonce(scores):
    return mean([math.log(math.exp(row[i]) / mean([math.exp(s) for s in row])) for i, row in enumerate(scores)])


def donsker_varadhan(joint, product):
    return mean(joint) - math.log(mean([math.exp(s) for s in product]))


def nwj(joint, product):
    return mean(joint) - mean([math.exp(s) for s in product]) / math.e


def jsd(joint, product):
    """Log 2 plus half of the discriminator's mean log-probabilities of being right."""
    right = mean([math.log(1 / (1 + math.exp(-s))) for s in joint])
    return math.log(2) + 0.5 * (right + mean([math.log(1 / (1 + math.exp(s))) for s in product]))


def smile(joint, product, clip):
    return donsker_varadhan(joint, [min(max(s, -clip), clip) for s in product])


def club(log_p):
    return mean(together(log_p)) - mean(apart(log_p))


def leave_one_out_upper(log_p):
    n = len(log_p)
    terms = []
    for j in range(n):
        others = mean([math.exp(log_p[i][j]) for i in range(n) if i != j])
        terms.append(math.log(math.exp(log_p[j][j]) / others))
    return mean(terms)


def mine_gradient(steps, decay):
    """Gradients with respect to the scores of each step's (joint, product): the average starts at the first mean."""
    average, gradients = None, []
    for joint, product in steps:
        now = mean([math.exp(s) for s in product])
        average = now if average is None else decay * average + (1 - decay) * now
        gradients.append(([1 / len(joint)] * len(joint), [-math.exp(s) / len(product) / average for s in product]))
    return gradients
