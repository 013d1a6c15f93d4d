"""Two networks beside each other on the same samples: what each knows, and how alike their layers are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.data.samples import LookSource, read_samples
from infotorch.data.targets import TARGETS, Targets
from infotorch.diagnostics.diagnosed_samples import as_one_input, checked_pair, drawn
from infotorch.diagnostics.diagnosis import Diagnosis, TableLine, diagnose
from infotorch.diagnostics.layer_outputs import copied, outputs_of
from infotorch.estimators.dependence import cka_between
from infotorch.figures.matrix import matrix_figure
from infotorch.networks.one_input import name_within
from infotorch.numerics.checks import check_choice, check_count
from infotorch.numerics.extras import require
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import seed_streams

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

#: Numbers of a layer's line of which the difference tells something.
_COMPARED = (
    *("mi_ty_nats", "mi_xt_nats", "within_classes", "effective_rank", "alignment", "uniformity"),
    *("linear_accuracy", "neighbour_accuracy", "network_accuracy", "noisy_accuracy", "attacked_accuracy"),
)
_WHERE = "compare_networks"


@dataclass(frozen=True)
class NetworkComparison:
    """Two networks that were diagnosed on the same samples.

    Args:
        first: of the first.
        second: of the second.
        similarity: linear, unbiased `cka` of each layer of the first (rows) with each of the second; NaN beside a layer
            that does not vary.

    Example:
        >>> x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
        >>> turned = nn.Sequential(nn.Linear(3, 3))
        >>> _ = nn.init.orthogonal_(turned[0].weight)
        >>> compare_networks(nn.Sequential(nn.Identity()), turned, (x, None), properties=False)
        Comparison of 1 and 1 layers on 60 samples
          0 is most like 0 of the second, CKA 1.00
    """

    first: Diagnosis
    second: Diagnosis
    similarity: tuple[tuple[float, ...], ...]

    def __repr__(self) -> str:
        lines = [
            f"  {line['layer']} is most like {line['most_like']} of the second, CKA {line['cka']:.2f}"
            for line in self.table()
            if line["cka"] is not None
        ]
        layers = f"{len(self.first.layers)} and {len(self.second.layers)} layers"
        return "\n".join([f"Comparison of {layers} on {self.first.num_samples} samples", *lines])

    def table(self) -> list[TableLine]:
        """A line for each layer of the first network, with the layer of the second that is most like it.

        "layer", "most_like" and "cka"; then of each number of `Diagnosis.table` that both have what the first has, and
        with "_gain" behind its name, by how much that layer of the second has more. None where nothing was measured.
        """
        return [self._line(place) for place in range(len(self.first.layers))]

    def _line(self, place: int) -> TableLine:
        layer, alike = self.first.layers[place], self.similarity[place]
        if all(math.isnan(value) for value in alike):
            return {"layer": layer.name, "most_like": None, "cka": None}
        nearest = int(np.nanargmax(alike))
        line: TableLine = {"layer": layer.name, "most_like": self.second.layers[nearest].name, "cka": alike[nearest]}
        own, other = layer.line(), self.second.layers[nearest].line()
        for key in _COMPARED:
            before, after = own[key], other[key]
            line[key], line[f"{key}_gain"] = before, None
            if isinstance(before, int | float) and isinstance(after, int | float):
                line[f"{key}_gain"] = after - before
        return line

    def to_frame(self) -> DataFrame:
        """`table` as a pandas frame, a row a layer.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas = require("frames", "pandas", "NetworkComparison.to_frame")
        return pandas.DataFrame(self.table()).set_index("layer")

    def figure(self) -> Figure:
        """Which layers are alike, as a heat map (plotly): the first network's downwards, the second's across."""
        rows, columns = ([layer.name for layer in found.layers] for found in (self.first, self.second))
        cells = np.array(self.similarity)
        told = [[f"CKA {value:.3f}" for value in row] for row in cells]
        return matrix_figure(cells, rows, columns, told=told, title="CKA", most=1.0)


def compare_networks(
    first: nn.Module,
    second: nn.Module,
    data: LookSource,
    *,
    layers: Sequence[str] | None = None,
    other_layers: Sequence[str] | None = None,
    properties: bool = True,
    num_samples: int = 1000,
    seed: int = 0,
    targets: Targets = "auto",
) -> NetworkComparison:
    """Diagnose two networks on the same samples, and say how alike each layer of one is to each of the other.

    Likeness is linear, unbiased centred kernel alignment (`infotorch.cka`): 1 where one layer is the other turned and
    scaled, about 0 where they have nothing to do with each other. It says nothing of what is worth knowing: two layers
    may be alike and one of them lack the direction that tells the classes, which the gains in `table` show.

    Args:
        first: any module that takes x, as for `diagnose`.
        second: another one, on the same device.
        data: as for `diagnose`.
        layers: of the first, as for `diagnose`.
        other_layers: of the second.
        properties: whether all but likeness and verdicts is measured too, which takes most of the time.
        num_samples: samples that are looked at.
        seed: decides the samples and every draw.
        targets: as for `diagnose`.

    Raises:
        TypeError: a network is no module; or as `diagnose`.
        ValueError: as `diagnose`.

    Source: Kornblith et al. 2019, arXiv:1905.00414.

    Example:
        >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> wide, narrow = nn.Sequential(nn.Linear(3, 20)), nn.Sequential(nn.Linear(3, 1))
        >>> found = compare_networks(wide, narrow, (x, y))
        >>> found.to_frame()["effective_rank_gain"].item() < -1
        True
    """
    for name, model in (("first", first), ("second", second)):
        check_kind(model, nn.Module, where=_WHERE, name=name, said="a torch.nn.Module")
    check_count(num_samples, where=_WHERE, name="num_samples")
    check_choice(targets, TARGETS, where=_WHERE, name="targets")
    read = read_samples(data, first, num_samples, seed=seed, where=_WHERE, targets=targets)
    x, y = checked_pair(read, targets, where=_WHERE)
    x, y = drawn(x, y, num_samples, seed_streams(seed).generator("diagnosed rows"))
    options: Any = {"properties": properties, "num_samples": num_samples, "seed": seed}
    found = [
        diagnose(model, (x, y), layers=names, **options) for model, names in ((first, layers), (second, other_layers))
    ]
    outputs = [_outputs(model, x, diagnosis, seed) for model, diagnosis in zip((first, second), found, strict=True)]
    return NetworkComparison(
        found[0], found[1], tuple(tuple(row) for row in cka_between(outputs[0], outputs[1]).tolist())
    )


def _outputs(model: nn.Module, x: Any, found: Diagnosis, seed: int) -> list[Tensor]:
    """Of the layers that were diagnosed, on the CPU."""
    several = isinstance(x, NamedTensors)
    names = [name_within(layer.name) if several else layer.name for layer in found.layers]
    with (
        torch.inference_mode(mode=False),
        seed_streams(seed).as_global_everywhere("compared", device=x.device),
    ):
        twin, x, _ = as_one_input(copied(model), x)
        outputs = outputs_of(twin, x, names)
    return [outputs[name].cpu() for name in names]
