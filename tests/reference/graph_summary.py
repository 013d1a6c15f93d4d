"""Slow float64 twins of the objectives that set nodes against summaries of graphs: loops over nodes and graphs."""

import math


def softplus(value):
    return math.log1p(math.exp(-abs(value))) + max(value, 0.0)


def graph_means(rows, graph_of_node, count):
    means = []
    for graph in range(count):
        own = [row for row, g in zip(rows, graph_of_node, strict=True) if g == graph]
        means.append([sum(column) / len(own) for column in zip(*own, strict=True)])
    return means


def bilinear(node, weight, summary, offset):
    """h' W s + b."""
    pairs = ((i, j) for i in range(len(node)) for j in range(len(summary)))
    return sum(node[i] * weight[i][j] * summary[j] for i, j in pairs) + offset


def dgi_cross_entropy(true, corrupted, summaries_of_true, summaries_of_corrupted, weight, offset):
    """Velickovic et al. 2019, eq. 1: the mean binary cross-entropy over true and corrupted nodes, in nats."""
    total = 0.0
    for node, summary in zip(true, summaries_of_true, strict=True):
        total -= math.log(1 / (1 + math.exp(-bilinear(node, weight, summary, offset))))
    for node, summary in zip(corrupted, summaries_of_corrupted, strict=True):
        total -= math.log(1 - 1 / (1 + math.exp(-bilinear(node, weight, summary, offset))))
    return total / (len(true) + len(corrupted))


def infograph(scores, graph_of_node, bound):
    """A bound for scores[node][graph]: every graph counts alike, and within it every node."""
    graphs = sorted(set(graph_of_node))
    total = 0.0
    for graph in graphs:
        nodes = [node for node, g in enumerate(graph_of_node) if g == graph]
        for node in nodes:
            own = scores[node][graph]
            others = [scores[node][other] for other in graphs if other != graph]
            total += _of_one_node(own, others, bound) / len(nodes) / len(graphs)
    return total


def _of_one_node(own, others, bound):
    if bound == "infonce":
        mean = sum(math.exp(score) for score in [own, *others]) / (1 + len(others))
        return math.log(math.exp(own) / mean)
    if bound == "nwj":
        return own - sum(math.exp(score - 1) for score in others) / len(others)
    return math.log(2) - 0.5 * (softplus(-own) + sum(map(softplus, others)) / len(others))
