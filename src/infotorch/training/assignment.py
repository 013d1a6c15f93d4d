"""Which modules look at the input and which at the label, chosen on held-out samples."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.graphs import select_samples
from infotorch.data.splits import holdout
from infotorch.numerics.checks import check_count
from infotorch.numerics.seeds import seed_streams

if TYPE_CHECKING:
    from infotorch.data.typing import Samples

#: The word that stands for a choice in place of a plan string.
AUTO = "auto"


def assignments(num_modules: int) -> list[str]:
    """Every plan string of `num_modules` modules in which encoder-like X modules come before decoder-like Y modules.

    Source: Li & Pei 2023 (MOLE), Sec. 3: the first layers encode, the following decode, the last minimises
        cross-entropy; how many do which is left to the user.

    Raises:
        TypeError: num_modules is not an integer.
        ValueError: num_modules below 1.

    Example:
        >>> assignments(3)
        ['Y,Y,CE', 'X,Y,CE', 'X,X,CE']
    """
    check_count(num_modules, where="assignments", name="num_modules")
    hidden = num_modules - 1
    return [",".join([*["X"] * encoders, *["Y"] * (hidden - encoders), "CE"]) for encoders in range(hidden + 1)]


def choose_assignment(
    model: nn.Module,
    x: Samples,
    y: Tensor,
    *,
    num_modules: int,
    train_and_score: Callable[[nn.Module, str, tuple[Any, Tensor], tuple[Any, Tensor]], float],
    validation: float = 0.1,
    seed: int = 0,
) -> tuple[str, dict[str, float]]:
    """The assignment whose model is most often right on held-out samples; the model itself is left as it is.

    Args:
        model: copied for each assignment, so that all start from the same weights.
        x: samples, (n, ...), `GraphSamples` or `NodeSamples`.
        y: classes, (n,), -1 for unlabelled samples, which are never held out.
        num_modules: how many modules the model is cut into.
        train_and_score: (copy, assignment, (x, y) to learn from, (x, y) held out) -> accuracy.
        validation: share of the labelled samples that is held out, stratified by class.
        seed: decides which.

    Returns:
        The best assignment, of equals the one with fewest encoders; and the accuracy of each.

    Raises:
        ValueError: too few labelled samples to hold some out, or a model that cannot be copied, as pruned ones.
    """
    held, learnt = (select_samples(x, y, rows) for rows in _split(y, validation, seed))
    scores = {
        assignment: train_and_score(_copied(model), assignment, learnt, held) for assignment in assignments(num_modules)
    }
    return max(scores, key=scores.__getitem__), scores


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"fit: a plan of {AUTO!r} tries each assignment on a copy, and this model cannot be copied; give a plan "
            f"such as 'X,Y,CE' ({reason})"
        ) from error


def _split(y: Tensor, validation: float, seed: int) -> tuple[Tensor, Tensor]:
    labelled = (y >= 0).nonzero().flatten()
    count = round(validation * len(labelled))
    if count < 1:
        raise ValueError(f"fit: a plan of {AUTO!r} needs labelled samples to choose on, got {len(labelled)} of them.")
    generator = seed_streams(seed).generator("validation")
    _, held = holdout(y[labelled].cpu(), count, generator)
    held = labelled[held.to(y.device)]
    kept = torch.ones(len(y), dtype=torch.bool, device=y.device)
    kept[held] = False
    return held, kept.nonzero().flatten()
