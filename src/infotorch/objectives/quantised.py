"""The bottleneck of quantised variables: finite, and by its quantisers a geometric demand on the layer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from infotorch.networks.quantiser import Quantiser
from infotorch.numerics.kernels import unit_gram
from infotorch.numerics.symbols import symbols
from infotorch.objectives.base import LocalBatch, Loss, Side, full_precision, nothing_to_learn
from infotorch.objectives.beta import BetaSchedule
from infotorch.objectives.checks import check_labels
from infotorch.objectives.precision import PrecisionAndCompression, diverged, rows_or_nan


def same_cell(rows: Tensor, quantiser: Quantiser) -> Tensor:
    """Which two samples share all their cells, (n, n), 1 or 0; a sample's mean is its cell's frequency.

    With `straight_through` the gradient is that of a smooth stand-in, exp(-d^2 / 2), d^2 the mean over columns of the
    squared distance in cells.

    Args:
        rows: (n, d), floating point.
        quantiser: of the columns.

    Example:
        >>> import torch
        >>> same_cell(torch.tensor([[0.1], [0.2], [0.9]]), Quantiser(2, limits=(0.0, 1.0)))
        tensor([[1., 1., 0.],
                [1., 1., 0.],
                [0., 0., 1.]])
    """
    shared = _equal(symbols(quantiser.cells(rows))).to(rows.dtype)
    if not (quantiser.straight_through and rows.requires_grad):
        return shared
    smooth = unit_gram(quantiser.coordinates(rows) / math.sqrt(2 * rows.shape[1]))
    return shared + (smooth - smooth.detach())


def kernel_information(a: Tensor, b: Tensor) -> Tensor:
    """Plug-in I(A; B) in nats of two discrete variables, from which samples are equal in A, and in B, (n, n) each.

    Example:
        >>> import torch
        >>> halves = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
        >>> round(kernel_information(halves, halves).item(), 4), kernel_information(halves, torch.ones(4, 4)).item()
        (0.6931, 0.0)
    """
    return _entropy(a) + _entropy(b) - _entropy(a * b)


def _entropy(kernel: Tensor) -> Tensor:
    return -kernel.mean(dim=1).log().mean()


def _equal(codes: Tensor) -> Tensor:
    return codes[:, None] == codes


class QuantisedBottleneck(PrecisionAndCompression):
    """Minus I(Y; Q'(L)) plus beta I(Q_X(X); Q(L)), in nats: quantised for the loss alone, the network is not.

    The values are those of the frequencies in the batch, exact for these rows: they stand at the logarithm of the
    number of samples once no two samples share all their cells, so quantise few units, coarsely. They are piecewise
    constant; what moves the layer is the straight-through gradient of `same_cell`.

    Args:
        beta: weight of the compression term: a number, or a function of (epoch, step) such as `Ramp`.
        compression: Q, of the layer that is compressed.
        precision: Q', of the module's output; the coarser, the simpler the decision that it asks for. None: H(Y) - CE
            instead, see `PrecisionAndCompression`.
        inputs: Q_X, of the network's raw input; None: as it is. L is a function of X, and the term then H(Q(L)).
        layer: the layer that is compressed; None: the module's output.

    Raises:
        TypeError: a quantiser that is none, beta neither number nor function, or layer no module.
        ValueError: beta negative, or a quantiser twice: each follows its own variable.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.4 and eq. 7; the gradient is ours.

    Example:
        >>> import torch
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> x = torch.tensor([[0.1], [0.4], [0.6], [0.9]])
        >>> objective = QuantisedBottleneck(
        ...     beta=0.1, compression=Quantiser(4, limits=(0.0, 1.0)), precision=Quantiser(2, limits=(0.0, 1.0))
        ... )
        >>> objective.build(LocalBatch(x, x, x, y), y)
        >>> {name: round(value.item(), 4) for name, value in objective(LocalBatch(x, x, x, y)).terms.items()}
        {'mi_ty_nats': 0.6931, 'mi_xt_nats': 1.3863}
    """

    def __init__(
        self,
        *,
        beta: BetaSchedule,
        compression: Quantiser,
        precision: Quantiser | None = None,
        inputs: Quantiser | None = None,
        layer: nn.Module | None = None,
    ) -> None:
        super().__init__(beta=beta, layer=layer)
        given = {"compression": compression, "precision": precision, "inputs": inputs}
        for name, quantiser in given.items():
            if not isinstance(quantiser, Quantiser) and (quantiser is not None or name == "compression"):
                got = type(quantiser).__name__
                raise TypeError(f"QuantisedBottleneck: {name} must be a Quantiser, got {got}.")
        quantisers = [quantiser for quantiser in given.values() if quantiser is not None]
        if len({id(quantiser) for quantiser in quantisers}) != len(quantisers):
            raise ValueError("QuantisedBottleneck: each variable needs a Quantiser of its own, got one twice.")
        self.compression, self.precision, self.inputs = compression, precision, inputs
        self.sides: Mapping[str, Side] = {"mi_ty_nats": "lower"} if precision is None else {}

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make what H(Y) - CE needs, where that is the precision."""
        if self.precision is None:
            super().build(example, labels)
        else:
            check_labels(labels, where="QuantisedBottleneck")

    def scores(self, output: Tensor) -> Tensor | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Class scores, or None where the precision is that of cells, which name no class."""
        return super().scores(output) if self.precision is None else None

    def _precision(self, batch: LocalBatch) -> Loss:
        if self.precision is None:
            return super()._precision(batch)
        rows = rows_or_nan(batch.output)
        if rows is None:
            return Loss(diverged(batch.output), {})
        if batch.y is None or not (batch.y >= 0).any():
            return nothing_to_learn(rows)
        known = batch.y >= 0
        labels = _equal(batch.y[known]).to(rows.dtype)
        information = kernel_information(self._cells(rows[known], self.precision), labels)
        return Loss(-information, {"mi_ty_nats": information.detach()})

    def _compression(self, batch: LocalBatch) -> Tensor | None:
        layer = batch.output if self.hook is None else self.hook.take()[1]
        rows = rows_or_nan(layer)
        if rows is None:
            return diverged(layer)
        cells = self._cells(rows, self.compression)
        if self.inputs is None:
            return _entropy(cells)
        return kernel_information(cells, self._cells(full_precision(batch.x.flatten(1)), self.inputs).to(cells))

    def _cells(self, rows: Tensor, quantiser: Quantiser) -> Tensor:
        shared = same_cell(rows, quantiser)
        if quantiser.training:
            quantiser.follow(rows)
        return shared
