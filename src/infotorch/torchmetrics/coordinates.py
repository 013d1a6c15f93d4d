"""A layer's place in the information plane as a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from infotorch.data.targets import fully_labelled
from infotorch.diagnostics.information_plane import check_assumption
from infotorch.diagnostics.plane_point import LayerAt, PlanePoint
from infotorch.torchmetrics.pairs import PairedRows, number, precise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values: TypeAlias = dict[str, Tensor]

_WHERE = "InformationBottleneckCoordinates"


class InformationBottleneckCoordinates(PairedRows):
    """I(X; T) and I(T; Y) of a layer's output T, in nats: where it lies in the information plane.

    I(X; T) of a layer without noise is infinite, or as large as the sample lets it be (Amjad & Geiger 2019). So it is
    measured under an assumption, of which exactly one is given, as `InformationPlane` does: behind noise it is an upper
    bound, in bins the entropy of the bins.

    Args:
        noise_std: the standard deviation of Gaussian noise on T, in its units.
        relative_noise: the same in units of T's spread.
        bin_width: width of bins in every column, in its units.
        num_bins: bins of equal width between each column's ends.
        max_samples: as in `MutualInformation`.
        options: further ones of `torchmetrics.Metric`.

    Attributes:
        point: the last `PlanePoint`, with standard errors, the assumption in T's units and what speaks against either
            value; None before.

    Raises:
        ValueError: not exactly one assumption, or one out of range, rows that do not pair, bin_width with real targets,
            and in `compute` no samples.
        TypeError: no tensor.

    Example:
        >>> import torch
        >>> from infotorch.torchmetrics import InformationBottleneckCoordinates
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> metric = InformationBottleneckCoordinates(num_bins=2)
        >>> metric.update(x.sign(), (x[:, 0] > 0).long())
        >>> {name: round(float(value), 2) for name, value in metric.compute().items()}  # H(T) and I(T; Y) of signs
        {'mi_xt_nats': 1.39, 'mi_ty_nats': 0.69}
    """

    _names = ("t", "y")

    def __init__(
        self,
        *,
        noise_std: float | None = None,
        relative_noise: float | None = None,
        bin_width: float | None = None,
        num_bins: int | None = None,
        max_samples: int | None = None,
        **options: object,
    ) -> None:
        super().__init__(max_samples, **options)
        given = {
            "noise_std": noise_std, "relative_noise": relative_noise, "bin_width": bin_width, "num_bins": num_bins
        }  # fmt: skip
        self.assumption = check_assumption(given, where=_WHERE)
        self.point: PlanePoint | None = None

    def update(self, t: Tensor, y: Tensor) -> None:
        """Keep a layer's output for a batch, (n, ...), and its classes (n,) or real targets; -1 or NaN for none."""
        if isinstance(y, Tensor) and y.is_floating_point() and self.assumption[0] == "bin_width":
            raise ValueError(f"{_WHERE}: bin_width must be left out for real targets, whose units are others than T's.")
        self._keep(t, y)

    def compute(self) -> dict[str, Tensor]:
        """Both coordinates of all rows so far, "mi_xt_nats" and "mi_ty_nats"; NaN where a value has no meaning."""
        t, y = self._rows()
        told = y if bool(fully_labelled(y).any()) else None
        self.point = LayerAt(0, "t", precise(t).float().flatten(1), None).point(self.assumption, told)
        found = {"mi_xt_nats": self.point.mi_xt, "mi_ty_nats": self.point.mi_ty}
        return {name: number(value, self.device) for name, value in found.items()}

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        self.point = None

    def plot(self, val: Values | Sequence[Values] | None = None, ax: Axes | None = None) -> tuple[Figure, Axes]:
        """A figure of matplotlib, of one pair of values or of several in a row; see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)
