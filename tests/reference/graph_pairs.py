"""Slow float64 twins of what `infotorch.estimators.graph` and the objectives on nodes compute: loops over lists."""

import math


def free_nodes(node, edges, graph_index):
    """Who of the node's graph it is not joined to, in either direction, but itself."""
    joined = {a for a, b in edges if b == node} | {b for a, b in edges if a == node} | {node}
    return [other for other, graph in enumerate(graph_index) if graph == graph_index[node] and other not in joined]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def softplus(value):
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def infonce(scores, product, rows, weights):
    total = 0.0
    for score, row, weight in zip(scores, rows, weights, strict=True):
        whole = math.exp(score) + sum(map(math.exp, product[row]))
        total += weight * (math.log(len(product[row]) + 1) + score - math.log(whole))
    return total / sum(weights)


def mean(values, weights):
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def donsker_varadhan(scores, product, weights, product_weights):
    return mean(scores, weights) - math.log(mean(map(math.exp, product), product_weights))


def nwj(scores, product, weights, product_weights):
    return mean(scores, weights) - mean([math.exp(s - 1) for s in product], product_weights)


def jsd(scores, product, weights, product_weights):
    together = mean([softplus(-s) for s in scores], weights)
    return math.log(2) - 0.5 * (together + mean(map(softplus, product), product_weights))
