"""A network's layers, one by one: is I(X; T) a number that means anything, why (not), and what to look at instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.assessment.robustness import Change, Robustness, layer_robustness, network_robustness
from infotorch.data.graphs import GraphSamples
from infotorch.data.looks import GraphNodes, first_look
from infotorch.data.samples import LookSource, read_samples
from infotorch.data.targets import TARGETS, Targets
from infotorch.diagnostics.compression import Compression, compression
from infotorch.diagnostics.continuity import InputKind
from infotorch.diagnostics.diagnosed_samples import as_one_input, checked_pair, drawn, is_real
from infotorch.diagnostics.evidence import Evidence, gather_evidence
from infotorch.diagnostics.graph_evidence import GraphEvidence, gather_graph_evidence
from infotorch.diagnostics.layer_outputs import copied, outputs_of
from infotorch.diagnostics.own_noise import own_noise
from infotorch.diagnostics.representation import Representation, representation_of
from infotorch.diagnostics.simplicity import Decisions, decisions
from infotorch.diagnostics.verdict import Verdict, decide, remedy_for
from infotorch.estimators.dependence import cka_between
from infotorch.figures.diagnosis import compression_figure, robustness_figure, similarity_figure
from infotorch.networks.feature_extractor import check_layers, errors_of, layers_that_run
from infotorch.networks.one_input import name_within, name_without
from infotorch.numerics.checks import (
    check_choice,
    check_count,
    check_positive,
    check_rows,
    shown,
)
from infotorch.numerics.extras import require
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import seed_streams
from infotorch.records.files import Json, json_values

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

#: What `Diagnosis.figure` draws: P2, likeness of layers, or P4 under one kind of change.
DiagnosisFigure = Literal["compression", "similarity", "gaussian", "affine", "fgsm", "pgd"]
#: A line of `Diagnosis.table`: column -> words, a count or a number; None where it was not measured.
TableLine = dict[str, str | int | float | None]
_WHERE = "diagnose"
#: Fewer rows say nothing about ties, neighbours or classes.
FEWEST_SAMPLES = 20
# Rows that P4 changes, half of which fit its probes; each is attacked dozens of times.
_CHANGED_ROWS = 400


@dataclass(frozen=True)
class LayerDiagnosis:
    """What is known of one layer T.

    Args:
        name: the layer's name in the network, or "output".
        columns: numbers that the layer gives for a row.
        verdict: on I(X; T), see `diagnose`.
        reason: why, in a sentence.
        evidence: what the verdict rests on.
        remedy: what to measure or to train on instead.
        decisions: P1 and P3, what probes tell of the classes; None without classes.
        compression: P2; None where the properties were not asked for.
        robustness: P4 of a linear probe on this layer; None without classes, or for inputs that are no real numbers, or
            graphs.
        representation: how its outputs lie; None where the properties were not asked for.

    Example:
        >>> x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
        >>> layer = diagnose(nn.Sequential(nn.Linear(2, 3)), (x, None), properties=False)["0"]
        >>> layer.columns, layer.verdict
        (3, 'infinite')
    """

    name: str
    columns: int
    verdict: Verdict
    reason: str
    evidence: Evidence
    remedy: str
    decisions: Decisions | None = None
    compression: Compression | None = None
    robustness: Robustness | None = None
    representation: Representation | None = None

    def line(self) -> TableLine:
        """Its line of `Diagnosis.table`."""
        told, small, steady, lies = self.decisions, self.compression, self.robustness, self.representation
        noisy = small and small.noisy[len(small.noisy) // 2]

        def middle(kind: Change) -> float | None:
            curve = steady and steady.curve(kind)
            return curve.accuracy[len(curve.accuracy) // 2] if curve else None

        return {
            "layer": self.name,
            "columns": self.columns,
            "verdict": self.verdict,
            "mi_ty_nats": told and told.information,
            "label_entropy_nats": told and told.label_entropy,
            "mi_xt_nats": noisy and noisy.upper,
            "relative_noise": noisy and noisy.relative_noise,
            "within_classes": small and small.within_classes,
            "effective_rank": lies and lies.effective_rank,
            "alignment": lies and lies.alignment,
            "uniformity": lies and lies.uniformity,
            "linear_accuracy": told and told.linear.accuracy,
            "neighbour_accuracy": told and told.neighbours.accuracy,
            "network_accuracy": told and told.network.accuracy,
            "noisy_accuracy": middle("gaussian"),
            "attacked_accuracy": middle("pgd"),
        }


@dataclass(frozen=True)
class Diagnosis:
    """All layers of a network that were looked at, in the order in which they run.

    Args:
        layers: one entry a layer.
        num_samples: samples that were looked at.
        robustness: P4 of the network's own decision; None where its output has not one column for each class. Classes
            are numbered to the largest in the data: without the last one the scores count as an embedding.
        similarity: linear, unbiased `cka` of each layer with each, a row a layer; NaN beside a layer that does not
            vary. None where the properties were not asked for.

    Example:
        >>> x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
        >>> found = diagnose(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), (x, None), properties=False)
        >>> [layer.name for layer in found], found["1"].verdict
        (['0', '1'], 'infinite')
    """

    layers: tuple[LayerDiagnosis, ...]
    num_samples: int
    robustness: Robustness | None = None
    similarity: tuple[tuple[float, ...], ...] | None = None

    def __iter__(self) -> Iterator[LayerDiagnosis]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> LayerDiagnosis:
        check_kind(name, str, where="Diagnosis", name="the layer", said="a name")
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise KeyError(f"Diagnosis: no layer {shown(name)} was diagnosed; there are {names}.")

    def __repr__(self) -> str:
        lines = [f"  {layer.name}: {layer.verdict}: {layer.reason}" for layer in self.layers]
        return "\n".join([self.summary, *lines])

    @property
    def summary(self) -> str:
        """One line: how many layers have which verdict, and what the last one tells of the classes."""
        counts = Counter(layer.verdict for layer in self.layers)
        said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items())
        told = self.layers[-1].decisions if self.layers else None
        end = ""
        if told is not None:
            end = f"; the last tells {told.information:.2f} of {told.label_entropy:.2f} nats of the classes"
        return f"Diagnosis of {len(self.layers)} layers on {self.num_samples} samples: I(X; T) is {said}{end}"

    def table(self) -> list[TableLine]:
        """A line for each layer with the numbers that tell most; None where a number was not measured.

        `mi_ty_nats` (P1) is the best probe's lower bound; `mi_xt_nats` (P2) the upper bound at the middle noise, with
        that noise beside it; `effective_rank`, `alignment` and `uniformity` say how the outputs lie, see the functions
        of these names; the accuracies (P3) are the probes'; `noisy_accuracy` and `attacked_accuracy` (P4) are
        those of a linear probe at the middle size of Gaussian noise and of PGD.
        """
        return [layer.line() for layer in self.layers]

    def to_frame(self) -> DataFrame:
        """`table` as a pandas frame, a row a layer.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas = require("frames", "pandas", "Diagnosis.to_frame")
        return pandas.DataFrame(self.table()).set_index("layer")

    def figure(self, kind: DiagnosisFigure = "compression") -> Figure:
        """A colour a layer: I(X; T + noise) against the noise, or accuracy against the size of a kind of change.

        Args:
            kind: "compression" (P2), a change of P4, or "similarity": a heat map of how alike the layers are.

        Raises:
            ValueError: this was not measured, or an unknown kind.
        """
        check_choice(kind, get_args(DiagnosisFigure), where="Diagnosis.figure", name="kind")
        content = self.as_dict()
        known = {"compression": compression_figure, "similarity": similarity_figure}
        figure = known[kind](content) if kind in known else robustness_figure(content, kind)
        if figure is None:
            raise ValueError(f"Diagnosis.figure: kind must be one that was measured, got {shown(kind)}.")
        return figure

    def as_dict(self) -> dict[str, Json]:
        """Everything as plain values that JSON can hold, None for NaN: what diagnosis.json contains."""
        lines = self.table()
        layers = [
            {**asdict(layer), "table": line, "sentences": layer.evidence.sentences()}
            for layer, line in zip(self.layers, lines, strict=True)
        ]
        robustness, similarity = self.robustness and asdict(self.robustness), self.similarity
        content = {"num_samples": self.num_samples, "layers": layers, "robustness": robustness}
        return json_values(content | {"similarity": similarity and [[*row] for row in similarity]})


def diagnose(
    model: nn.Module,
    data: LookSource,
    *,
    layers: Sequence[str] | None = None,
    input_kind: InputKind | None = None,
    noise_levels: Sequence[float] = (0.1, 0.3, 1.0),
    radii: Sequence[float] = (0.05, 0.1, 0.2, 0.5),
    properties: bool = True,
    num_samples: int = 1000,
    seed: int = 0,
    targets: Targets = "auto",
) -> Diagnosis:
    """Say of every layer T of a network whether I(X; T) is a number that means anything, and what to use instead.

    Beside the verdict stand four properties in numbers: P1, T informs about the classes; P2, it is compressed; P3, a
    simple decision is enough; P4, it is robust. And how its outputs lie: how many directions they fill, how near those
    of one class are and how evenly all are spread, and how alike any two layers are.

    The network is looked at as it is used, in evaluation mode, on a copy. Verdicts, where X is the input's law as these
    rows show it:

    - "infinite": X has a density in some columns, and T keeps some of it: an affine map followed by strictly increasing
      activations (Theorem 1), or any function that moves smoothly with x somewhere, and no noise with a density that
      covers the movement. A value measured from samples says more about the estimator than about the layer.
    - "saturated": X is discrete and T keeps all its rows apart: I(X; T) = H(X), log n where no row occurs twice.
    - "piecewise-constant": T takes few values: I(X; T) = H(T) is finite, and on data it changes by jumps alone, so that
      its gradient is 0 almost everywhere; or X is discrete and T holds noise of few values by odds that do not depend
      on x, as dropout does.
    - "finite": T holds noise that makes I(X; T) finite.
    - "constant": T does not depend on x: I(X; T) = 0.
    - "unknown": the evidence does not decide.

    Dropout that evaluation mode turns off is no noise; dropout that stays on makes nothing finite, having few values.
    What is seen on these rows need not hold elsewhere: a unit that is dead here may live on other inputs.

    Args:
        model: any module, in any precision; it is left as it was.
        data: what `fit` takes, of at least 20 samples. (x, y): inputs (n, ...), and classes (n,), integers,
            -1 for unlabelled samples; or None. x may be a dict or tuple of several inputs: X is then all of them, whose
            real numbers make the small steps, and integers, such as token ids, none. Of a torch `DataLoader` the first
            num_samples that it gives are looked at, in its own order, which goes on as before; of a `Dataset` as many,
            drawn by seed; of a data set of `load` training. Of graphs X is a graph, whose nodes' features make the
            small steps while its edges stay. Samples are the graphs where they have a target each (T is then the mean
            over the nodes of a layer that runs before pooling), else the nodes, of which X holds all. "unknown" says
            of graphs what was "not tested"; P4 is not measured.
        layers: names as in `model.named_modules()`, or "output"; None takes the children in the order in which they
            run, and "output" where the forward goes on after them.
        input_kind: "continuous" or "discrete" where the rows do not show it: grey levels that stand for brightness are
            discrete as they are, and 16-bit samples look continuous. "continuous" needs real numbers, `x.float()` of
            integers. None looks, see `continuous_columns`.
        noise_levels: standard deviations of the noise that makes I(X; T) finite in P2, in units of each layer's spread:
            several, as no single one is right.
        radii: sizes of the noise and of the attacks in P4, in units of the input's root mean square deviation.
        properties: whether all but the verdicts is measured too, which takes most of the time.
        num_samples: samples that are looked at, drawn in the proportions of the classes; P4 looks at 400 of them.
        seed: decides the samples and every draw.
        targets: "classes" for class numbers that are stored as floats, see `fit`.

    Raises:
        TypeError: data is no pair, x is no tensor of numbers, classes are not integers, num_samples is not an
            integer, or noise_levels or radii is no list.
        ValueError: fewer than 20 rows, rows not paired, NaN or infinite values, an unknown layer or input_kind,
            "continuous" integers, no noise_levels or radii or one that is not positive, y that is not what targets
            says, or a network that does not run on x or gives NaN.

    Source: Amjad & Geiger 2019, arXiv:1802.09766.

    Example:
        >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> found = diagnose(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (x, y))
        >>> [(layer.name, layer.verdict) for layer in found.layers]
        [('0', 'infinite'), ('1', 'infinite'), ('2', 'infinite')]
    """
    check_count(num_samples, where=_WHERE, name="num_samples")
    check_kind(properties, (bool, np.bool_), where=_WHERE, name="properties", said="True or False")
    if not isinstance(model, nn.Module):
        raise TypeError(f"{_WHERE}: model must be a torch.nn.Module, got {type(model).__name__}.")
    check_choice(targets, TARGETS, where=_WHERE, name="targets")
    data = read_samples(data, model, num_samples, seed=seed, where=_WHERE, targets=targets)
    x, y = checked_pair(data, targets, where=_WHERE)
    check_rows(
        range(min(num_samples, len(x))), where=_WHERE, name="x, and the rows looked at,", at_least=FEWEST_SAMPLES
    )
    if input_kind is not None:
        check_choice(input_kind, ("continuous", "discrete"), where=_WHERE, name="input_kind")
    if input_kind == "continuous" and not is_real(x):
        raise ValueError(
            f"{_WHERE}: input_kind must not be continuous for integers, which make no small steps: give x.float(), "
            f"got {getattr(x, 'dtype', x)}."
        )
    _check_sizes(noise_levels, radii)
    streams = seed_streams(seed)
    num_classes = None if y is None else int(y.max()) + 1
    x, y = drawn(x, y, num_samples, streams.generator("diagnosed rows"))
    # The attacks need gradients, whatever the caller has turned off.
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        streams.as_global_everywhere("diagnosed", device=x.device),
    ):
        several, of_graphs = isinstance(x, NamedTensors), isinstance(x, GraphSamples | GraphNodes)
        twin, x, y = copied(model), x if of_graphs else x.clone(), None if y is None else y.clone()
        twin, x, movable = as_one_input(twin, x)
        with errors_of(_WHERE):
            if layers is not None:
                layers = check_layers(model, layers, where=_WHERE)
                layers = [name_within(name) for name in layers] if several else layers
            names = layers_that_run(twin, first_look(x, 2).x) if layers is None else layers
            outputs = outputs_of(twin, x, names)
        known = {"data": input_kind, "streams": streams}
        if of_graphs:
            told = gather_graph_evidence(twin, x, names, outputs, **known)
            found = tuple(_layer(name, outputs[name], told[name].seen, told[name]) for name in names)
        else:
            seen = gather_evidence(twin, x, names, outputs, movable=movable, **known)
            found = tuple(_layer(name, outputs[name], seen[name]) for name in names)
        own = similarity = None
        if properties:
            can_be = movable is None and not of_graphs and x.is_floating_point()
            attacked = _labelled(x, y) if y is not None and can_be else None
            changes = {"radii": radii, "streams": streams}
            own = attacked and network_robustness(twin, *attacked, num_classes=num_classes, **changes)
            noises = own_noise(twin, x, names, streams=streams)
            found = tuple(
                replace(
                    layer,
                    decisions=None if y is None else decisions(outputs[layer.name], y, seed=seed % 2**32),
                    compression=compression(
                        outputs[layer.name], y, noise_levels=noise_levels, own=noises.get(layer.name)
                    ),
                    robustness=attacked and layer_robustness(twin, layer.name, *attacked, **changes),
                    representation=representation_of(outputs[layer.name], y),
                )
                for layer in found
            )
            own_outputs = [outputs[name] for name in names]
            similarity = tuple(tuple(row) for row in cka_between(own_outputs, own_outputs).tolist())
    if several:
        found = tuple(replace(layer, name=name_without(layer.name)) for layer in found)
    return Diagnosis(found, len(x), own, similarity)


def _layer(name: str, t: Tensor, seen: Evidence, graphs: GraphEvidence | None = None) -> LayerDiagnosis:
    verdict, reason = decide(seen)
    if graphs is not None:
        verdict, reason = graphs.limited(verdict, reason)
    return LayerDiagnosis(name, t.shape[1], verdict, reason, seen, remedy_for(verdict))


def _labelled(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
    """The rows that P4 changes; None where they hold a single class."""
    kept = (y >= 0).nonzero()[:_CHANGED_ROWS, 0]
    return (x[kept], y[kept]) if len(y[kept].unique()) > 1 else None


def _check_sizes(noise_levels: Sequence[float], radii: Sequence[float]) -> None:
    for name, values in (("noise_levels", noise_levels), ("radii", radii)):
        # An array of no axes has a length as little as a number does.
        is_list = hasattr(values, "__len__") and getattr(values, "ndim", 1) > 0
        if not isinstance(values, Iterable) or isinstance(values, str) or not is_list:
            raise TypeError(f"{_WHERE}: {name} must be a list of numbers, got {type(values).__name__}.")
        if not len(values):
            raise ValueError(f"{_WHERE}: {name} must hold one number or more, got none.")
        for value in values:
            check_positive(value, where=_WHERE, name=name)
