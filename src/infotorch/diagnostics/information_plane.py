"""I(X; T) and I(T; Y) of some layers on the same few rows, epoch after epoch, beside any training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.looks import first_look, looks
from infotorch.data.samples import LookSource, read_samples
from infotorch.data.targets import TARGETS, Targets
from infotorch.diagnostics.own_noise import own_noise
from infotorch.diagnostics.plane_point import LayerAt, PlanePoint
from infotorch.diagnostics.plane_samples import plane_samples
from infotorch.figures.information_plane import epochs_figure
from infotorch.networks.feature_extractor import FeatureExtractor, check_layers, errors_of, layers_that_run
from infotorch.numerics.checks import check_choice, check_count, check_depth, check_positive, shown
from infotorch.numerics.columns import narrowed
from infotorch.numerics.kinds import check_iterable, check_kind, check_path
from infotorch.numerics.seeds import seed_streams
from infotorch.records.files import Json, write_json
from infotorch.training.position import StepInfo

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WHERE = "InformationPlane"
# Rows a forward pass.
_CHUNK = 250


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
    neighbours (Ross 2014; of real targets KSG); with bins both are those of the binned layer. Noise of a layer's own is
    counted where it is that of `GaussianLayer` or `GaussianNoise` and the assumption is noise too; any other is left
    out, which the assumption then says: I(X; T) is less than the value, and has no lower bound. What is known to speak
    against a value stands beside it, `mi_xt_reason` and `mi_xt_reliable`, without a warning at every look.

    Args:
        model: any module, in any precision; it may be in training.
        data: what `fit` takes, of at least 5 samples; targets may be None. (x, y) of arrays; x a dict or tuple of
            several inputs, each of which the model is handed; a torch `DataLoader`, of which the first num_samples are
            kept and whose order goes on as before; a `Dataset`, of which as many are drawn by seed; the training part
            of a data set of `load`; graphs, whose samples are the graphs where they have a target each, and else their
            nodes. Of graphs with a target each, T of a layer that runs before pooling is the mean over the nodes; of
            parts of a graph, as `NeighborLoader` gives them, the first batch_size nodes count.
        layers: names as in `model.named_modules()`, or "output"; None takes those that `diagnose` takes.
        noise_std: standard deviation of Gaussian noise in every column, in the layer's own units, which scaling cheats.
        relative_noise: the same in units of the layer's spread at each epoch.
        bin_width: width of bins in every column, in its units; 2 / 30 for 30 bins of tanh.
        num_bins: bins of equal width between each column's ends at each epoch.
        epochs: those that are measured, such as `log_epochs(100)`; calls with others do nothing. None: every call.
        num_samples: samples that are drawn once, in the proportions of the classes; only these are held.
        out: where the points are written on exit; "information_plane.json" in a run directory is drawn by its report.
        seed: decides the samples, and the noise of a stochastic network, which is the same at every look.
        targets: what y is, as in `fit`. I(T; Y) is that of the samples whose targets are all known; several labels
            count as one class, their combination. Real targets need noise, or num_bins, which cuts them too.

    Attributes:
        points: what was measured so far, one `PlanePoint` a layer and epoch.

    Raises:
        TypeError: model is no module, data is no pair, x or y is not made of numbers of the right kind, an assumption
            is not a number, or epochs is no list.
        ValueError: no assumption or several, one that is not positive, too few rows, rows not paired, NaN, an unknown
            layer, bin_width with real targets, or a network that does not run on x or has no weights yet.

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
        data: LookSource,
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
        targets: Targets = "auto",
    ) -> None:
        given = {
            "noise_std": noise_std, "relative_noise": relative_noise, "bin_width": bin_width, "num_bins": num_bins
        }  # fmt: skip
        self.assumption = check_assumption(given, where=_WHERE)
        check_count(num_samples, where=_WHERE, name="num_samples")
        check_choice(targets, TARGETS, where=_WHERE, name="targets")
        data = read_samples(data, model, num_samples, seed=seed, where=_WHERE, targets=targets)
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise TypeError(f"{_WHERE}: data must be a pair (x, y), y targets or None, got {type(data).__name__}.")
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
        draw = self._streams.generator("plane rows")
        x, y = data
        self.x, self.y = plane_samples(x, y, num_samples, draw, where=_WHERE, targets=targets)
        if bin_width is not None and self.y is not None and self.y.is_floating_point():
            raise ValueError(
                f"{_WHERE}: bin_width must be left out for real targets, whose units are others than the layer's; give "
                "noise_std, relative_noise or num_bins, or y=None."
            )
        if layers is None:
            with errors_of(_WHERE), self._streams.as_global_everywhere("plane", device=self.x.device):
                layers = layers_that_run(model, first_look(self.x, 2).x)
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
        layers = [LayerAt(int(epoch), name, t, noises.get(name)) for name, t in outputs.items()]
        found = [layer.point(self.assumption, self.y) for layer in layers]
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
            for look in looks(self.x, _CHUNK):
                extract.run(look.x)
                for name in self.layers:
                    parts[name].append(narrowed(look.columns(extract.features.get(name), name)).float())
        return {name: torch.cat(values) for name, values in parts.items()}


def check_assumption(given: dict[str, Any], *, where: str) -> tuple[str, Any]:
    """The one assumption that is given, which makes I(X; T) finite: its name and its value.

    Raises:
        ValueError: none or several are given, or it is out of range.
        TypeError: num_bins is not an integer.
    """
    named = [(name, value) for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError(
            f"{where}: I(X; T) needs exactly one assumption to be finite, one of {', '.join(given)}; "
            f"got {' and '.join(name for name, _ in named) or 'none'}."
        )
    name, value = named[0]
    if name == "num_bins":
        check_count(value, where=where, name=name)
    else:
        check_positive(value, where=where, name=name)
    return name, value
