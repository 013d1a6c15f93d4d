"""P4: what small changes of the input do to a representation and to the decision made from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from infotorch.assessment.attacks import pgd, slope
from infotorch.figures.robustness import robustness_figure
from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.numerics.columns import narrowed, spread
from infotorch.numerics.seeds import SeedStreams

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: The largest affine change: degrees, share of the side, share of the size.
ROTATION, SHIFT, ZOOM = 30.0, 0.1, 0.1

#: A kind of change of the input: noise, a turn and shift of images, or one of two attacks.
Change = Literal["gaussian", "affine", "fgsm", "pgd"]
#: x -> (class scores (n, classes), representation (n, d))
Decision = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Curve:
    """Accuracy under one kind of change, over its size.

    Args:
        kind: "gaussian" noise, "affine" change of images, or the attacks "fgsm" and "pgd".
        sizes: in units of the input's scale; of "affine", the share of the largest change.
        accuracy: share of the samples whose class is still told.
        std_error: of each accuracy, over samples.
        moved: median way of the samples' representations, in units of the layer's spread.
    """

    kind: Change
    sizes: tuple[float, ...]
    accuracy: tuple[float, ...]
    std_error: tuple[float, ...]
    moved: tuple[float, ...]


@dataclass(frozen=True)
class Robustness:
    """P4 of one layer, or of the network's own decision.

    Args:
        accuracy: without any change, on the same samples.
        num_samples: samples that were changed.
        input_scale: root mean square deviation of the input's entries: sizes are in units of it.
        blind: share of the samples at which the attacks see no gradient; there they prove nothing.
        curves: one a kind of change.
    """

    accuracy: float
    num_samples: int
    input_scale: float
    blind: float
    curves: tuple[Curve, ...]

    def curve(self, kind: Change) -> Curve | None:
        """The curve of one kind of change, or None."""
        return next((curve for curve in self.curves if curve.kind == kind), None)

    def table(self) -> list[dict[str, str | float]]:
        """A line for each size of each change, as pandas takes them: "change" and the columns of `Curve`."""
        return [
            {"change": curve.kind, "size": size, "accuracy": accuracy, "std_error": error, "moved": moved}
            for curve in self.curves
            for size, accuracy, error, moved in zip(
                curve.sizes, curve.accuracy, curve.std_error, curve.moved, strict=True
            )
        ]

    def figure(self) -> Figure:
        """Accuracy over the size of each change, with standard errors; at size 0 that of unchanged samples (plotly)."""
        return robustness_figure(self.accuracy, self.table())


def layer_robustness(
    model: nn.Module, layer: str, x: Tensor, y: Tensor, *, radii: Sequence[float], streams: SeedStreams
) -> Robustness | None:
    """P4 of a layer: a linear probe is fitted to it on half of the samples and decides on the other half, changed.

    Args:
        model: any module that takes one tensor.
        layer: its name.
        x: real inputs, (n, ...).
        y: classes, (n,), all known.
        radii: sizes of the noise and of the attacks, see `robustness`.
        streams: the source of all chance.

    Returns:
        None where a half holds a single class.
    """
    half = len(x) // 2
    if len(y[:half].unique()) < 2:
        return None
    y = y.unique(return_inverse=True)[1]  # a probe tells the classes that occur, whatever their numbers are
    with FeatureExtractor(model, [layer]) as extract:
        with torch.no_grad():
            known = narrowed(extract(x[:half])[layer])
        scores = linear_probe(known, y[:half], num_classes=int(y.max()) + 1)

        def decide(inputs: Tensor) -> tuple[Tensor, Tensor]:
            t = narrowed(extract(inputs)[layer])
            return scores(t), t

        return robustness(decide, x[half:], y[half:], radii=radii, streams=streams)


def network_robustness(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    radii: Sequence[float],
    streams: SeedStreams,
    num_classes: int | None = None,
) -> Robustness | None:
    """P4 of the network's own decision, the largest of its class scores.

    Args:
        model: any module that takes one tensor.
        x: real inputs, (n, ...).
        y: classes, (n,), all known.
        radii: sizes of the noise and of the attacks, see `robustness`.
        streams: the source of all chance.
        num_classes: how many there are; None takes the largest of y and one.

    Returns:
        None where the output has not one column for each class: an embedding with more columns cannot be told from
        scores of classes that these samples lack.
    """
    with FeatureExtractor(model, ["output"]) as extract:

        def decide(inputs: Tensor) -> tuple[Tensor, Tensor]:
            scores = extract(inputs)["output"]
            return scores, scores

        with torch.no_grad():
            columns = decide(x[:2])[0].shape[1]
        if columns != (int(y.max()) + 1 if num_classes is None else num_classes):
            return None
        return robustness(decide, x, y, radii=radii, streams=streams)


def robustness(decide: Decision, x: Tensor, y: Tensor, *, radii: Sequence[float], streams: SeedStreams) -> Robustness:
    """Accuracy of a decision when its inputs change a little.

    Gaussian noise of standard deviation r; affine changes of images (turned by up to 30 degrees, moved by up to 10 % of
    the side, 10 % larger or smaller, times the size of the change); and within r in every entry the attacks FGSM (one
    step along the gradient's sign) and PGD (ten steps of a quarter of r from the input itself, projected). Changed
    inputs are not clipped to a range. The attacks know the decision, and a layer without gradient hides from them.

    Args:
        decide: x -> (class scores, representation), differentiable where attacks are to see anything.
        x: real inputs, (n, ...); of shape (n, channels, height, width) they are images.
        y: classes, (n,), which number the columns of the scores.
        radii: values of r, in units of the input's root mean square deviation.
        streams: the source of all chance.

    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572 (FGSM); Madry et al. 2018, arXiv:1706.06083 (PGD; we
        start at the input and not at random).

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> x = torch.tensor([[-2.0], [-1], [1], [2]])
        >>> found = robustness(lambda x: (torch.cat([-x, x], 1), x), x, (x[:, 0] > 0).long(), radii=[0.5, 1.0],
        ...                    streams=seed_streams(0))
        >>> round(found.input_scale, 3), found.curve("fgsm").accuracy  # moved by 0.79 and 1.58
        (1.581, (1.0, 0.5))
    """
    scale = float((x - x.mean(dim=0)).double().square().mean().sqrt())
    with torch.no_grad():
        scores, t = decide(x)
    measure = _Measure(decide, y, t, spread(t))
    attacked = lambda rows: decide(rows)[0]  # noqa: E731
    gradient = slope(attacked, x, y)
    changes: dict[Change, Callable[[float], Tensor]] = {
        "gaussian": lambda r: x + r * scale * _normal(x, streams),
        "fgsm": lambda r: x + r * scale * gradient.sign(),
        "pgd": lambda r: pgd(attacked, x, y, r * scale),
    }
    curves = [measure.curve(kind, radii, change) for kind, change in changes.items()]
    if x.ndim == 4 and min(x.shape[2:]) > 1:
        curves.insert(1, measure.curve("affine", (0.25, 0.5, 1.0), lambda size: affine(x, size, streams)))
    blind = float((gradient.reshape(len(x), -1) == 0).all(dim=1).double().mean())
    right = float((scores.argmax(dim=1) == y).double().mean())
    return Robustness(right, len(x), scale, blind, tuple(curves))


def linear_probe(t: Tensor, y: Tensor, *, num_classes: int | None = None) -> Callable[[Tensor], Tensor]:
    """Class scores of a representation, by logistic regression on standardised columns.

    Scores have a column for each class from 0 to num_classes - 1, or to the largest of y; unseen classes never win.

    Example:
        >>> t = torch.tensor([[0.0], [1], [9], [10]])
        >>> linear_probe(t, torch.tensor([0, 0, 2, 2]))(t).argmax(dim=1).tolist()
        [0, 0, 2, 2]
    """
    mean, scale = t.mean(dim=0), t.std(dim=0)
    scale = torch.where(scale > 1e-9 * t.abs().max(), scale, 1.0)
    with threadpool_limits(1):
        fitted = LogisticRegression(max_iter=300).fit(((t - mean) / scale).cpu().double().numpy(), y.cpu().numpy())
    weight, bias = (torch.from_numpy(part).to(t) for part in (fitted.coef_, fitted.intercept_))
    if len(weight) == 1:  # two classes
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    classes = torch.from_numpy(fitted.classes_).to(y.device)
    width = int(y.max()) + 1 if num_classes is None else num_classes

    def scores(values: Tensor) -> Tensor:
        found = F.linear((values - mean) / scale, weight, bias)
        return found.new_full((len(found), width), -1e9).index_copy(1, classes, found)

    return scores


@dataclass(frozen=True)
class _Measure:
    """What a changed input is compared with."""

    decide: Decision
    y: Tensor
    t: Tensor
    size: float

    def curve(self, kind: Change, sizes: Sequence[float], change: Callable[[float], Tensor]) -> Curve:
        points = [self._point(change(size)) for size in sizes]
        accuracy, error, moved = zip(*points, strict=True)
        return Curve(kind, tuple(sizes), accuracy, error, moved)

    def _point(self, x: Tensor) -> tuple[float, float, float]:
        with torch.no_grad():
            scores, t = self.decide(x)
        right = float((scores.argmax(dim=1) == self.y).double().mean())
        way = float((t - self.t).double().norm(dim=1).median())
        return right, math.sqrt(right * (1 - right) / len(x)), way / self.size if self.size > 0 else 0.0


def _normal(x: Tensor, streams: SeedStreams) -> Tensor:
    generator = streams.generator("robustness noise")
    return torch.randn(x.shape, generator=generator).to(x)


def affine(images: Tensor, size: float, streams: SeedStreams) -> Tensor:
    """Images turned, moved and scaled at random, each on its own; what comes in from outside repeats the border.

    Args:
        images: (n, channels, height, width).
        size: share of the largest change.
        streams: the source of all chance.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> images = torch.rand(2, 1, 8, 8)
        >>> torch.allclose(affine(images, 0.0, seed_streams(0)), images, atol=1e-5)
        True
    """
    generator = streams.generator("robustness affine")
    turn, zoom, right, down = 2 * torch.rand(4, len(images), generator=generator) - 1
    angle, factor = turn * size * math.radians(ROTATION), 1 + zoom * size * ZOOM
    cosine, sine = angle.cos() * factor, angle.sin() * factor
    # The grid runs from -1 to 1: a share of the side is twice as much there.
    rows = [[cosine, -sine, 2 * SHIFT * size * right], [sine, cosine, 2 * SHIFT * size * down]]
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1).to(images)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
