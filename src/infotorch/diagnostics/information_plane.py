"""I(X; T) and I(T; Y) of some layers on the same few rows, epoch after epoch, beside any training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.loaders import SampleSource, first_pairs
from infotorch.diagnostics.compression import noisy_bounds
from infotorch.diagnostics.own_noise import OwnNoise, own_noise
from infotorch.diagnostics.plane_samples import plane_samples
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.estimate import Estimate
from infotorch.figures.information_plane import epochs_figure
from infotorch.networks.feature_extractor import FeatureExtractor, check_layers, errors_of, layers_that_run
from infotorch.numerics.checks import check_count, check_depth, check_positive, shown
from infotorch.numerics.columns import narrowed, spread
from infotorch.numerics.kinds import check_iterable, check_kind, check_path
from infotorch.numerics.seeds import seed_streams
from infotorch.records.files import Json, write_json
from infotorch.training.loop import StepInfo

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WHERE = "InformationPlane"
# Rows a forward pass.
_CHUNK = 250
# Where a layer draws anew in every pass, and its law is not known: the value is that of one draw.
_LEFT_OUT = "; the layer's own noise is left out, so that I(X; T) is less"


@dataclass(frozen=True)
class PlanePoint:
    """One layer T at one epoch, in nats.

    None where a number has no meaning: I(T; Y) without classes, all of them where T is not finite, as in a training
    that diverges, and a standard error from too few rows.

    Args:
        epoch: as the caller counts; 0 is before training.
        layer: the layer's name.
        mi_xt: I(X; T) under the assumption.
        mi_xt_error: its standard error, over the rows.
        mi_xt_lower: a lower bound where `mi_xt` is an upper one.
        mi_ty: I(T; Y).
        mi_ty_error: its standard error.
        assumption: what makes I(X; T) finite, in the units of the layer at this epoch, and whether noise of the layer's
            own is counted.
        xt_estimator: estimator of I(X; T), with its direction if it is a bound; None where it was not asked.
        ty_estimator: estimator of I(T; Y), likewise.
        ceiling: what I(X; T) cannot exceed with so few rows, log n.

    Example:
        >>> x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> plane = InformationPlane(nn.Sequential(nn.Linear(2, 2)), (x, (x[:, 0] > 0).long()), num_bins=2)
        >>> point = plane(0)[0]
        >>> point.epoch, point.layer, point.mi_xt <= point.ceiling
        (0, '0', True)
    """

    epoch: int
    layer: str
    mi_xt: float | None
    mi_xt_error: float | None
    mi_xt_lower: float | None
    mi_ty: float | None
    mi_ty_error: float | None
    assumption: str
    xt_estimator: str | None
    ty_estimator: str | None
    ceiling: float


def log_epochs(last: int, *, per_decade: int = 10) -> tuple[int, ...]:
    """0, 1 and then epochs in equal steps of their logarithm up to the last one: training changes most at first.

    Args:
        last: the last epoch, at least 1.
        per_decade: epochs for each factor of ten; early ones coincide, as epochs are whole.

    Raises:
        TypeError: not an integer.
        ValueError: below 1, or a per_decade above 10,000.

    Example:
        >>> log_epochs(100, per_decade=3)
        (0, 1, 2, 5, 10, 22, 46, 100)
    """
    check_count(last, where="log_epochs", name="last")
    check_depth(per_decade, where="log_epochs", name="per_decade")
    steps = math.ceil(per_decade * math.log10(last)) + 1
    return tuple(sorted({0, last, *(min(last, round(10 ** (step / per_decade))) for step in range(steps))}))


class InformationPlane:
    """Calling it with an epoch measures every layer on the same rows; the training goes on as if nobody had looked.

    Weights, buffers, gradients, modes and the global random state are as before after each look, and a training that
    diverges ends as it would: a layer that gives NaN or infinite values has a point without numbers. Memory is that of
    one forward pass of the rows, a chunk at a time, and of the numbers. Inside `with`, epoch 0 is measured on entry and
    the points are written on exit, however the training ends.

    I(X; T) of a deterministic layer is infinite or stuck (see `diagnose`), so exactly one assumption is named, and
    stands beside every value: noise_std, relative_noise, bin_width or num_bins. With noise the value is an upper bound
    (Kolchinsky & Tracey 2017) for an input that is one of the rows, and I(T; Y) is that of T without noise by
    neighbours (Ross 2014); with bins both are those of the binned layer. Noise of a layer's own is counted where it is
    that of `GaussianLayer` or `GaussianNoise` and the assumption is noise too; any other is left out, which the
    assumption then says: I(X; T) is less than the value, and has no lower bound.

    Args:
        model: any module that takes one tensor, in any precision; it may be in training.
        data: (x, y): inputs (n, ...), n at least 5, and classes (n,), integers, -1 for unlabelled samples; or None. Of
            a torch `DataLoader` of such pairs the first num_samples that it gives are kept, and its order goes on as
            before; of a `Dataset` of torch as many, drawn by seed; of a data set of `load` the training part counts.
        layers: names as in `model.named_modules()`, or "output"; None takes those that `diagnose` takes.
        noise_std: standard deviation of Gaussian noise in every column, in the layer's own units, which scaling cheats.
        relative_noise: the same in units of the layer's spread at each epoch.
        bin_width: width of bins in every column, in its units; 2 / 30 for 30 bins of tanh.
        num_bins: bins of equal width between each column's ends at each epoch.
        epochs: those that are measured, such as `log_epochs(100)`; calls with others do nothing. None: every call.
        num_samples: samples that are drawn once, in the proportions of the classes.
        out: where the points are written on exit; "information_plane.json" in a run directory is drawn by its report.
        seed: decides the samples, and the noise of a stochastic network, which is the same at every look.

    Attributes:
        points: what was measured so far, one `PlanePoint` a layer and epoch.

    Raises:
        TypeError: model is no module, data is no pair, x or y is not made of numbers of the right kind, an assumption
            is not a number, or epochs is no list.
        ValueError: no assumption or several, one that is not positive, too few rows, rows not paired, NaN, an unknown
            layer, or a network that does not run on x or has no weights yet.

    Source: Shwartz-Ziv & Tishby 2017, arXiv:1703.00810 (the plane); Saxe et al. 2018, ICLR, and Amjad & Geiger 2019,
        arXiv:1802.09766 (why the assumption must be said).

    Example:
        >>> x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> plane = InformationPlane(model, (x, (x[:, 0] > 0).long()), layers=["1", "2"], relative_noise=0.3)
        >>> for epoch in range(2):
        ...     found = plane(epoch)  # ... and here an epoch of training
        >>> [(point.epoch, point.layer) for point in plane.points]
        [(0, '1'), (0, '2'), (1, '1'), (1, '2')]
    """

    def __init__(
        self,
        model: nn.Module,
        data: SampleSource,
        layers: Sequence[str] | None = None,
        *,
        noise_std: float | None = None,
        relative_noise: float | None = None,
        bin_width: float | None = None,
        num_bins: int | None = None,
        epochs: Collection[int] | None = None,
        num_samples: int = 1000,
        out: Path | str | None = None,
        seed: int = 0,
    ) -> None:
        given = {
            "noise_std": noise_std, "relative_noise": relative_noise, "bin_width": bin_width, "num_bins": num_bins
        }  # fmt: skip
        self.assumption = _assumption(given)
        check_count(num_samples, where=_WHERE, name="num_samples")
        data = first_pairs(data, model, num_samples, seed=seed, where=_WHERE)
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise TypeError(f"{_WHERE}: data must be a pair (x, y), y classes or None, got {type(data).__name__}.")
        listed = isinstance(epochs, Collection) and getattr(epochs, "ndim", 1) == 1
        if epochs is not None and not (listed and all(isinstance(epoch, Real) for epoch in epochs)):
            raise TypeError(f"{_WHERE}: epochs must be a list of epochs, such as log_epochs(100), got {shown(epochs)}.")
        if not isinstance(model, nn.Module):
            raise TypeError(f"{_WHERE}: model must be a torch.nn.Module, got {type(model).__name__}.")
        self.model, self.epochs = model, None if epochs is None else frozenset(epochs)
        if out is not None:
            check_path(out, where=_WHERE, name="out")
        self.out = None if out is None else Path(out)
        self._streams = seed_streams(seed)
        self.x, self.y = plane_samples(*data, num_samples, self._streams.generator("plane rows"), where=_WHERE)
        if layers is None:
            with errors_of(_WHERE), self._streams.as_global_everywhere("plane", device=self.x.device):
                layers = layers_that_run(model, self.x[:2])
        self.layers = check_layers(model, layers, where=_WHERE)
        self.points: list[PlanePoint] = []

    def __repr__(self) -> str:
        held = f"{len(self.points)} points of {len(self.layers)} layers ({', '.join(self.layers)})"
        return f"InformationPlane: {held}, {len(self.x)} samples, {'='.join(map(str, self.assumption))}"

    def __call__(self, epoch: int) -> list[PlanePoint]:
        """Measure every layer now; nothing where the epoch is not among those asked for, or was measured already.

        Args:
            epoch: what the points are filed under.

        Raises:
            TypeError: epoch is not an integer.
            ValueError: the network does not run on x.
        """
        if isinstance(epoch, bool) or not isinstance(epoch, Integral):
            raise TypeError(f"{_WHERE}: epoch must be an integer, got {shown(epoch)}.")
        if (self.epochs is not None and epoch not in self.epochs) or epoch in {point.epoch for point in self.points}:
            return []
        with errors_of(_WHERE):
            noises = own_noise(self.model, self.x, self.layers, streams=self._streams)
            outputs = self._outputs()
        found = [self._point(epoch, name, t, noises.get(name)) for name, t in outputs.items()]
        self.points += found
        return found

    def watch(self, steps: Iterable[StepInfo]) -> Iterator[StepInfo]:
        """The steps of `train`, with a look after each epoch; the epochs of all stages are counted through.

        Raises:
            TypeError: steps are none of `train`.

        Example:
            >>> from infotorch import Plan, TensorBatches, train
            >>> x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
            >>> y, model = (x[:, 0] > 0).long(), nn.Sequential(nn.Linear(2, 2))
            >>> plan = Plan.end_to_end(model, "CE", optimizer=torch.optim.SGD)
            >>> plane = InformationPlane(model, (x, y), num_bins=4)
            >>> for info in plane.watch(train(plan, TensorBatches(x, y, batch_size=32, seed=0), epochs=2)):
            ...     pass
            >>> [point.epoch for point in plane.points]
            [0, 1, 2]
        """
        check_iterable(steps, where=f"{_WHERE}.watch", name="steps", said="those of train(...)")
        self(0)
        epoch = 0
        for info in steps:
            check_kind(info, StepInfo, where=f"{_WHERE}.watch", name="each step", said="one of train(...)")
            if info.ends_epoch:
                epoch += 1
                self(epoch)
            yield info

    def __enter__(self) -> InformationPlane:
        self(0)
        return self

    def __exit__(self, *_: object) -> None:
        if self.out is not None:
            self.write(self.out)

    def as_dict(self) -> dict[str, Json]:
        """Everything as plain values that JSON can hold."""
        name, value = self.assumption
        return {
            "layers": list(self.layers),
            "rows": len(self.x),
            "assumption": {name: value},
            "points": [*self.table()],
        }

    def table(self) -> list[dict[str, Json]]:
        """A line for each layer at each epoch: the values of `PlanePoint` by their names, as pandas takes them."""
        return [asdict(point) for point in self.points]

    def figure(self) -> Figure:
        """The plane with an epoch slider: a colour and a mark a layer, standard errors, and its path as a thin line.

        Raises:
            ValueError: no point has both coordinates, as without classes.
        """
        figure = epochs_figure(self.table())
        if figure is None:
            raise ValueError(
                f"{_WHERE}: figure needs a point with I(X; T) and I(T; Y), got none of {len(self.points)}."
            )
        return figure

    def write(self, path: Path | str) -> None:
        """Write `as_dict` as JSON, atomically.

        Raises:
            TypeError: path is no text and no Path.
            ValueError: an empty text.
        """
        check_path(path, where=_WHERE, name="path")
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, self.as_dict())

    def _outputs(self) -> dict[str, Tensor]:
        parts: dict[str, list[Tensor]] = {name: [] for name in self.layers}
        with (
            torch.no_grad(),
            self._streams.as_global_everywhere("plane", device=self.x.device),
            FeatureExtractor(self.model, self.layers) as extract,
        ):
            for rows in self.x.split(_CHUNK):
                for name, t in extract(rows).items():
                    parts[name].append(narrowed(t).float())
        return {name: torch.cat(values) for name, values in parts.items()}

    def _point(self, epoch: int, layer: str, t: Tensor, own: OwnNoise | None) -> PlanePoint:
        xt = lower = ty = None
        said = "{}={}".format(*self.assumption)
        if bool(torch.isfinite(t).all()):
            with unexamined():  # in every epoch, of every layer: a plane compares
                xt, lower, said = self._of_inputs(t, own)
                ty = self._of_classes(t)
        return PlanePoint(
            epoch=epoch,
            layer=layer,
            mi_xt=_number(xt),
            mi_xt_error=_number(xt and xt.std_error),
            mi_xt_lower=_number(lower),
            mi_ty=_number(ty),
            mi_ty_error=_number(ty and ty.std_error),
            assumption=said,
            xt_estimator=xt and xt.estimator,
            ty_estimator=ty and ty.estimator,
            ceiling=math.log(len(t)),
        )

    def _of_inputs(self, t: Tensor, own: OwnNoise | None) -> tuple[Estimate, Estimate | None, str]:
        """I(X; T), its lower bound if it is an upper one, and the assumption in the layer's units."""
        name, value = self.assumption
        if name in {"bin_width", "num_bins"}:
            binned = binned_mi(torch.arange(len(t), device=t.device), t, **{name: value})
            return binned, None, f"{name}={value}" + ("" if own is None else _LEFT_OUT)
        noise_std = value if name == "noise_std" else value * (spread(t) or 1.0)
        lower, upper = noisy_bounds(t, noise_std, own)
        beside = "" if own is None else _LEFT_OUT if own.gaussian is None else ", beside the layer's own noise"
        return upper, lower, f"noise_std={noise_std:.6g}{beside}"

    def _of_classes(self, t: Tensor) -> Estimate | None:
        if self.y is None:
            return None
        t, y = t[self.y >= 0], self.y[self.y >= 0]
        name, value = self.assumption
        return binned_mi(t, y, **{name: value}) if name in {"bin_width", "num_bins"} else ross(t, y)


def _number(value: Estimate | float | None) -> float | None:
    """None where the number has no meaning, such as the error of too few rows."""
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _assumption(given: dict[str, Any]) -> tuple[str, Any]:
    named = [(name, value) for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError(
            f"{_WHERE}: I(X; T) needs exactly one assumption to be finite, one of {', '.join(given)}; "
            f"got {' and '.join(name for name, _ in named) or 'none'}."
        )
    name, value = named[0]
    if name == "num_bins":
        check_count(value, where=_WHERE, name=name)
    else:
        check_positive(value, where=_WHERE, name=name)
    return name, value
