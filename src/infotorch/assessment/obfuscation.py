"""Whether an accuracy under attack is the network's or the attack's: stronger attacks, another network's, and signs.

A network may look robust because its gradient leads nowhere. Then an attack with more steps or more starts does less
harm than it must, or the attack on another network does more than its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from infotorch.assessment.attacks import Limits, Scores, fgsm, pgd, pgd_restarts
from infotorch.numerics.seeds import SeedStreams

#: (attack, one that it must not be weaker than). A projected attack of many steps holds the single step's whole radius,
#: random starts and more steps hold fewer, and knowing the network is worth more than knowing another.
_ORDER = (("pgd", "fgsm"), ("restarts", "pgd"), ("restarts", "transfer"))
# Standard errors of a paired count beyond which a difference is a sign: chance alone gives one in forty.
_FAR = 2.0


def obfuscation_check(
    scores: Scores,
    surrogate: Scores,
    x: Tensor,
    y: Tensor,
    radii: Mapping[float, float],
    *,
    streams: SeedStreams,
    limits: Limits = None,
    steps: int = 20,
    strong_steps: int = 100,
    restarts: int = 5,
) -> dict[str, float]:
    """Accuracy under a strong attack and under another network's, and how many signs there are of a hidden gradient.

    For each radius: FGSM and PGD of `steps`, as in `assess`; PGD of `strong_steps` from `restarts` random starts; and
    the same strong attack on the surrogate, shown to the network. A sign is an attack that leaves more samples right
    than one that it must not be weaker than (PGD than FGSM, strong PGD than PGD, and than the surrogate's), by more
    than two standard errors of the paired counts: b - c > 2 sqrt(b + c).

    Args:
        scores: the network: inputs -> class scores.
        surrogate: another network for the same classes, trained apart.
        x: inputs, (n, ...).
        y: classes, (n,).
        radii: how a radius is called -> its size in units of the inputs.
        streams: the source of the starts.
        limits: range of the inputs.
        steps: of the plain attack.
        strong_steps: of the strong one.
        restarts: its starts.

    Returns:
        For each radius r `pgd_restarts_r_accuracy` and `pgd_transfer_r_accuracy`; and `obfuscation_signs`, a count, 0
        where attacks are in order. Then the accuracy under the strong attack is robustness to what that can find.

    Raises:
        TypeError: a radius is no number, or a count no integer.
        ValueError: a radius negative or not finite, or a count below 1.

    Source: Athalye, Carlini & Wagner 2018, arXiv:1802.00420, Sec. 3.1 (the signs); Carlini et al. 2019,
        arXiv:1902.06705; the rule of two standard errors is ours.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> x = torch.linspace(-1, 1, 40)[:, None]
        >>> y, network = (x[:, 0] > 0).long(), lambda x: torch.cat([-x, x], 1)
        >>> found = obfuscation_check(network, network, x, y, {0.5: 0.5}, streams=seed_streams(0))
        >>> found["pgd_restarts_0.5_accuracy"], found["pgd_transfer_0.5_accuracy"], found["obfuscation_signs"]
        (0.5, 0.5, 0.0)
    """
    found: dict[str, float] = {}
    signs = 0
    for name, radius in radii.items():
        strong = {"limits": limits, "steps": strong_steps, "restarts": restarts}
        starts = [streams.generator(f"attack starts {kind} {name:g}") for kind in ("own", "surrogate")]
        changed = {
            "fgsm": fgsm(scores, x, y, radius, limits=limits),
            "pgd": pgd(scores, x, y, radius, limits=limits, steps=steps),
            "restarts": pgd_restarts(scores, x, y, radius, generator=starts[0], **strong),
            "transfer": pgd_restarts(surrogate, x, y, radius, generator=starts[1], **strong),
        }
        right = {kind: _right(scores, moved, y) for kind, moved in changed.items()}
        found |= {
            f"pgd_{kind}_{name:g}_accuracy": float(right[kind].double().mean()) for kind in ("restarts", "transfer")
        }
        signs += sum(_leaves_more(right[stronger], right[weaker]) for stronger, weaker in _ORDER)
    return {**found, "obfuscation_signs": float(signs)}


def _right(scores: Scores, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return scores(x).argmax(dim=1) == y


def _leaves_more(stronger: Tensor, weaker: Tensor) -> bool:
    """Whether more samples are right under the stronger attack than chance among those that differ would give."""
    more, fewer = int((stronger & ~weaker).sum()), int((weaker & ~stronger).sum())
    return more - fewer > _FAR * math.sqrt(more + fewer)
