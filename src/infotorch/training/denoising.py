"""Numbers and a picture of a trained denoiser: how close its output comes to the images before the noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from infotorch.objectives.squared_error import psnr_db
from infotorch.training.evaluate import evaluating_repeatably, evaluation_batch, parts_of, plan_scores
from infotorch.training.plan import Plan

#: The range of pixels in [-1, 1].
PEAK = 2.0


def denoising_psnr_db(plan: Plan, x: Tensor, *, model: Callable[[Tensor], Tensor] | None = None) -> float:
    """Mean over images of the peak signal-to-noise ratio of the plan's output, in dB.

    Args:
        plan: a network that puts noise on its input and takes it off; it is read in evaluation mode, and draws the same
            noise every time.
        x: images without noise, (n, c, h, w), in [-1, 1].
        model: what is looked at instead of the plan, such as its first layer, the noise alone: what doing nothing
            gives. It sees the noise that the plan sees.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Linear(4, 4), "X:squared-error", optimizer=torch.optim.SGD)
        >>> round(denoising_psnr_db(plan, torch.zeros(2, 4), model=lambda x: x + 0.2), 3)
        20.0
    """
    model = model or plan_scores(plan)
    total = 0.0
    with torch.no_grad(), evaluating_repeatably(plan):
        for part, _ in parts_of(x, evaluation_batch(plan)):
            total += float(psnr_db(model(part), part, peak=PEAK).sum())
    return total / len(x)


def denoising_picture(
    plan: Plan, noise: Callable[[Tensor], Tensor], x: Tensor, y: Tensor | None, *, count: int = 10
) -> np.ndarray:
    """Three rows of images: without noise, with it, and as the network gives them back.

    Args:
        plan: the network, read in evaluation mode.
        noise: its first layer.
        x: images, (n, c, h, w), in [-1, 1].
        y: classes, (n,), of which each gets its share of the columns, or None.
        count: columns.

    Returns:
        Pixels of 0 to 255, uint8, (height, width, channels), with a pixel of white between images.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Conv2d(1, 1, 1), "X:squared-error", optimizer=torch.optim.SGD)
        >>> denoising_picture(plan, lambda x: x, torch.zeros(20, 1, 8, 8), None).shape
        (26, 89, 1)
    """
    shown = x[_columns(y, len(x), count)]
    with torch.no_grad(), evaluating_repeatably(plan):
        noisy = noise(shown)
    with torch.no_grad(), evaluating_repeatably(plan):  # from the beginning of the stream: the same noise
        rows = [shown, noisy, plan_scores(plan)(shown)]
    images = torch.nn.functional.pad(torch.stack(rows), (0, 1, 0, 1), value=1.0)  # (3, n, c, h + 1, w + 1)
    tiled = images.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)[:-1, :-1]
    return ((tiled.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()


def _columns(y: Tensor | None, n: int, count: int) -> list[int]:
    """Indices of the first samples of each class in turn, in the order of the classes."""
    if y is None:
        return list(range(min(n, count)))
    of_class = [(y == label).nonzero().flatten().tolist() for label in y.unique().tolist()]
    turns = [rows[turn] for turn in range(count) for rows in of_class if turn < len(rows)][:count]
    return sorted(turns, key=lambda row: (int(y[row]), row))
