"""InfoPro's loss in loops and float64: its two auxiliary networks, written out."""

import numpy as np


def upsampled(grid, rows, columns):
    """Bilinear interpolation of (c, h, w), pixels as squares of side 1: corners are not aligned."""
    channels, height, width = grid.shape
    found = np.zeros((channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            down = max((i + 0.5) * height / rows - 0.5, 0.0)
            across = max((j + 0.5) * width / columns - 0.5, 0.0)
            top, left = int(down), int(across)
            below, right = min(top + 1, height - 1), min(left + 1, width - 1)
            a, b = down - top, across - left
            found[:, i, j] = (1 - a) * ((1 - b) * grid[:, top, left] + b * grid[:, top, right]) + a * (
                (1 - b) * grid[:, below, left] + b * grid[:, below, right]
            )
    return found


def convolved(grid, weight, bias=None):
    """A 3 x 3 convolution of (c, h, w) with a border of zeros."""
    channels, height, width = grid.shape
    padded = np.zeros((channels, height + 2, width + 2))
    padded[:, 1:-1, 1:-1] = grid
    found = np.zeros((len(weight), height, width))
    for out in range(len(weight)):
        for i in range(height):
            for j in range(width):
                found[out, i, j] = (weight[out] * padded[:, i : i + 3, j : j + 3]).sum()
        found[out] += 0 if bias is None else bias[out]
    return found


def normalised(grids):
    """Each channel of (b, c, h, w) with mean 0 and variance 1 over samples and locations, then the ReLU."""
    found = np.empty_like(grids)
    for channel in range(grids.shape[1]):
        values = grids[:, channel]
        found[:, channel] = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    return np.maximum(found, 0)


def reconstruction_error(x, output, first, second, bias):
    """Half the mean squared difference of images and those made again."""
    hidden = normalised(np.stack([convolved(upsampled(grid, *x.shape[2:]), first) for grid in output]))
    made = np.stack([convolved(grid, second, bias) for grid in hidden])
    return 0.5 * ((made - x) ** 2).mean()


def label_loss(output, y, weight, readout, bias):
    """Cross-entropy of a linear read-out of the convolved grid, 2 x 2 at most, less the labels' entropy."""
    rows = normalised(np.stack([convolved(grid, weight) for grid in output])).reshape(len(y), -1)
    scores = rows @ readout.T + bias
    cross_entropy = np.mean([np.log(np.exp(s).sum()) - s[label] for s, label in zip(scores, y, strict=True)])
    shares = np.bincount(y) / len(y)
    return cross_entropy + (shares * np.log(shares)).sum()
