"""Slow float64 twins of the DIM bounds: loops over places, images and pairs."""

import math


def infonce(scores):
    n = len(scores)
    return math.log(n) + sum(scores[i][i] - math.log(sum(map(math.exp, scores[i]))) for i in range(n)) / n


def dim_local(first, grid):
    """Inner products; first[i][l] and grid[i][l] are the vectors of image i at place l."""
    n, places = len(grid), len(grid[0])
    total = 0.0
    for place in range(places):
        scores = [
            [sum(a * b for a, b in zip(first[i][place], grid[j][place], strict=True)) for j in range(n)]
            for i in range(n)
        ]
        total += infonce(scores)
    return total / places


def prior_matching(prior_scores, code_scores):
    def sigmoid(s):
        return 1 / (1 + math.exp(-s))

    real = sum(math.log(sigmoid(s)) for s in prior_scores) / len(prior_scores)
    return real + sum(math.log(1 - sigmoid(s)) for s in code_scores) / len(code_scores)
