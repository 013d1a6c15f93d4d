"""Two classes in the plane, drawn by the seed: points of N(0, I), and a rule that makes their class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from infotorch.data.assembly import Raw
from infotorch.data.sets import Split
from infotorch.numerics.seeds import seed_streams

_ROWS = {"train": 600, "validation": 2000, "test": 2000}
#: |x|^2 of N(0, I) in the plane is exponential with mean 2: half of it lies below its median.
_MEDIAN = 2 * math.log(2)

#: Name -> whether a point is of class 1; each rule gives both classes probability 1/2.
RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "circle": lambda x: x.square().sum(dim=1) > _MEDIAN,
    "line": lambda x: x.sum(dim=1) > 0,
    "quadrants": lambda x: x.prod(dim=1) > 0,
    "sine": lambda x: x[:, 1] > (2 * x[:, 0]).sin(),
}


def read_binary(rule: str, paths: Mapping[str, Path], seed: int) -> Raw:
    """600 training points, and 2,000 each for validation and test.

    Args:
        rule: one of `RULES`; the points of a seed are the same for all.
        paths: unused, nothing is read from disk.
        seed: decides all points (stream "points").

    Source: Han, Nakamura & Hong 2023, Sec. IV-A: 600 points of N(0, I) in two classes. Their rule is shown as a picture
    alone, and these are ours.
    """
    del paths
    streams = seed_streams(seed)
    parts = {}
    for number, (part, count) in enumerate(_ROWS.items()):
        x = torch.randn(count, 2, generator=streams.generator("points", number))
        parts[part] = Split(x, RULES[rule](x).long())
    note = "Drawn by the seed, all parts independently; each class has probability 1/2."
    return Raw(
        "vectors",
        parts["train"],
        parts["test"],
        2,
        note,
        validation=_ROWS["validation"],
        feature_names=("x1", "x2"),
        held_out=parts["validation"],
    )


#: Name of the data set -> its reader.
READERS = {f"binary-{rule}": partial(read_binary, rule) for rule in RULES}
