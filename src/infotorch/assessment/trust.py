"""Whether a classifier knows when it errs: calibration and detection in one table, as it is and under corruptions."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from infotorch.assessment.calibration import (
    NUM_BINS,
    adaptive_calibration_error,
    brier_score,
    calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from infotorch.assessment.corruptions import NAMES, SEVERITIES, Corruption, ImageCorruption, column_noise
from infotorch.assessment.detection import aurc, auroc, doubt_of_probability, fpr95
from infotorch.assessment.predicted import Predicted, PredictsProbabilities
from infotorch.data.loaders import place_of
from infotorch.data.samples import read_samples
from infotorch.data.sets import Dataset
from infotorch.figures.reliability import reliability_figure
from infotorch.networks.forward_inputs import main_output
from infotorch.numerics.checks import as_tensor, check_choice, check_count, check_paired, shown
from infotorch.numerics.extras import require
from infotorch.numerics.kinds import check_function, check_iterable
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.numerics.typing import ArrayLike
from infotorch.objectives.layer_hook import hooks_paused

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from infotorch.data.samples import LookSource

#: What a model gives: class scores (logits), or probabilities.
Outputs = Literal["scores", "probabilities"]
#: A line of `CalibrationTable.table`.
CalibrationLine = dict[str, str | int | float | None]
_WHERE = "calibration_table"
# Timed passes, of which the median counts.
_REPEATS = 5
# By how much probabilities may miss a sum of 1: what sums of many in 16 bits do.
_OFF = 0.01
_UNCHANGED = "none"
_MEASURED = ("accuracy", "nll_nats", "ece", "adaptive_ece", "brier", "aurc")
_DETECTED = ("near_auroc", "near_fpr95", "far_auroc", "far_fpr95", "ms_per_sample")


@dataclass(frozen=True)
class CalibrationTable:
    """What a classifier is worth beside its accuracy.

    Args:
        lines: see `table`.
        reliability: of the samples as they are, for each bin of equal width that holds any: mean confidence, accuracy
            and how many.
        num_samples: samples that were looked at.
        batch_size: rows of the passes that were timed.

    Example:
        >>> x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
        >>> sure = nn.Linear(2, 2)
        >>> with torch.no_grad():
        ...     _ = sure.weight.copy_(9 * torch.tensor([[1.0, 0.0], [0.0, 0.0]])), sure.bias.zero_()
        >>> found = calibration_table(sure, (x, (x[:, 0] < 0.5).long()), corruptions=None)
        >>> found.table()[0]["ece"] > 0.1  # it is sure on the wrong side of 0.5, too
        True
    """

    lines: tuple[CalibrationLine, ...]
    reliability: tuple[tuple[float, float, int], ...]
    num_samples: int
    batch_size: int

    def table(self) -> list[CalibrationLine]:
        """A line for the samples as they are ("corruption" is "none"), then for every corruption and severity.

        "corruption", "severity" (None of the first), "accuracy", "nll_nats", "ece" and "adaptive_ece" (bins of equal
        width, and of equal counts), "brier", "aurc" (doubt is 1 - the largest probability); of the first line also
        "near_auroc", "near_fpr95", "far_auroc", "far_fpr95" and "ms_per_sample". None where nothing was measured.
        """
        return [dict(line) for line in self.lines]

    def means(self) -> list[CalibrationLine]:
        """As `table`, with the mean over severities of each corruption."""
        groups: dict[str, list[CalibrationLine]] = {}
        for line in self.lines:
            groups.setdefault(str(line["corruption"]), []).append(line)
        found: list[CalibrationLine] = []
        for name, lines in groups.items():
            numbers = {key: _mean([line[key] for line in lines]) for key in (*_MEASURED, *_DETECTED)}
            found.append({"corruption": name, **numbers})
        return found

    def to_frame(self) -> DataFrame:
        """`table` as a pandas frame, by corruption and severity.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas = require("frames", "pandas", "CalibrationTable.to_frame")
        return pandas.DataFrame(self.table()).set_index(["corruption", "severity"])

    def figure(self) -> Figure:
        """Reliability diagram (plotly): accuracy over confidence, of the samples as they are."""
        return reliability_figure(self.reliability)

    def __repr__(self) -> str:
        """The means, as words and numbers side by side."""
        keys = [key for key in (*_MEASURED, *_DETECTED) if self.lines[0].get(key) is not None]
        rows = [["corruption", *keys]]
        for line in self.means():
            rows.append([str(line["corruption"]), *("" if line[key] is None else f"{line[key]:.4g}" for key in keys)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        padded = (zip(row, widths, strict=True) for row in rows)
        return "\n".join("  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in padded)


def calibration_table(
    model: nn.Module | PredictsProbabilities,
    data: LookSource,
    *,
    near: ArrayLike | None = None,
    far: ArrayLike | None = None,
    corruptions: Literal["common"] | Mapping[str, Corruption] | None = "common",
    severities: Sequence[int] = SEVERITIES,
    pixel_range: tuple[float, float] | None = None,
    outputs: Outputs = "scores",
    num_samples: int = 10_000,
    batch_size: int = 250,
    num_bins: int = NUM_BINS,
    seed: int = 0,
) -> CalibrationTable:
    """Calibration of any classifier, detection of foreign samples by its doubt, and calibration under corruptions.

    The model is looked at as it is used, in evaluation mode, and left as it was; nothing moves torch's generators.

    Args:
        model: samples -> class scores (n, classes), or probabilities; its first output where it has several. Or a
            fitted classifier of scikit-learn, or another with `predict_proba`, of classes numbered from 0.
        data: (x, y) of samples that the model has not seen, y classes (n,), -1 for unlabelled ones, which are left out;
            or a `Split`, a `DataLoader` or a `Dataset` of torch.
        near: samples x of classes that are not in the training data, but like them: near out-of-distribution.
        far: samples of another kind: far out-of-distribution.
        corruptions: "common": of images the six of `ImageCorruption`, of vectors noise on every column of 0.1 to 1
            standard deviation; or name -> function of (x, severity, generator); or None.
        severities: of 1 to 5; functions of yours take what you give.
        pixel_range: darkest and brightest pixel; None: those of the samples.
        outputs: what the model gives; "probabilities" must be at least 0 and sum to 1.
        num_samples: samples at most, of a loader or a `Dataset`.
        batch_size: rows a pass. `ms_per_sample` is the median of five passes of so many, after one to warm up.
        num_bins: of both calibration errors.
        seed: decides all draws.

    Raises:
        TypeError: model is no module, data is a whole `infotorch.Dataset` (say which split), x is no tensor of numbers,
            severities are no list, or an option is of another kind.
        ValueError: no labelled samples, classes without a column, outputs that are not (n, classes) of two or more, not
            finite, probabilities where scores are told or the other way round, a classifier of named classes, an
            unknown corruption or severity, "common" of samples that are neither images nor vectors, a pixel_range
            without a length, or a corruption that changes the shape.

    Source: Guo et al. 2017, arXiv:1706.04599; Geifman et al. 2019, arXiv:1805.08206; Hendrycks & Gimpel 2017,
        arXiv:1610.02136; Hendrycks & Dietterich 2019, arXiv:1903.12261.

    Example:
        >>> x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> flat = nn.Linear(2, 2)
        >>> _ = nn.init.zeros_(flat.weight), nn.init.zeros_(flat.bias)
        >>> line = calibration_table(flat, (x, y), far=x + 9).table()[0]
        >>> round(line["nll_nats"], 3), line["far_auroc"]  # log 2, and chance
        (0.693, 0.5)
    """
    check_choice(outputs, get_args(Outputs), where=_WHERE, name="outputs")
    model, outputs = _as_module(model, outputs)
    for name, value in (("num_samples", num_samples), ("batch_size", batch_size), ("num_bins", num_bins)):
        check_count(value, where=_WHERE, name=name)
    check_iterable(severities, where=_WHERE, name="severities", said="a list of severities")
    streams, severities = seed_streams(seed), tuple(severities)
    x, y = _samples(model, data, num_samples, seed)
    changes = _changes(corruptions, severities, x, pixel_range)
    if corruptions == "common":
        severities = tuple(map(int, severities))
    with _as_it_is_used(model, streams, x):
        subject = _Subject(model, outputs, batch_size)
        own = subject.scores(x, "data")
        if int(y.max()) >= own.shape[1]:
            raise ValueError(f"{_WHERE}: y must have classes below {own.shape[1]}, the model's, got {int(y.max())}.")
        first = _line(_UNCHANGED, None, own, y, num_bins)
        for name, foreign in (("near", near), ("far", far)):
            if foreign is not None:
                first |= _detection(name, own, subject.scores(_like(x, foreign, name), name))
        first["ms_per_sample"] = subject.milliseconds(x)
        lines = [first]
        for name, change in changes.items():
            for severity in severities:
                # A copy: what works in place would change the next severity's samples, and the caller's.
                changed = change(x.clone(), severity, streams.generator(f"corruption {name} {severity}"))
                if not isinstance(changed, Tensor) or changed.shape != x.shape:
                    raise ValueError(f"{_WHERE}: the corruption {name!r} must keep the shape {tuple(x.shape)}.")
                lines.append(_line(name, severity, subject.scores(changed, name), y, num_bins))
    return CalibrationTable(tuple(lines), reliability_bins(own, y, num_bins=num_bins), len(y), batch_size)


def _as_module(model: object, outputs: Outputs) -> tuple[nn.Module, Outputs]:
    if isinstance(model, nn.Module):
        return model, outputs
    if callable(getattr(model, "predict_proba", None)):
        return Predicted(cast(PredictsProbabilities, model)), "probabilities"
    raise TypeError(f"{_WHERE}: model must be a torch.nn.Module or have predict_proba, got {shown(model)}.")


def _samples(model: nn.Module, data: Any, num_samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """The labelled samples, x where it is and y on the CPU."""
    if isinstance(data, Dataset):
        raise TypeError(f"{_WHERE}: data must be one split of a data set, such as data.test, got all of them.")
    pair = read_samples(data, model, num_samples, seed=seed, where=_WHERE, labelled=True)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"{_WHERE}: data must be a pair (x, y), a split or a loader, got {type(pair).__name__}.")
    if isinstance(pair[0], Mapping) or (not isinstance(pair[0], Tensor) and not hasattr(pair[0], "__array__")):
        raise TypeError(f"{_WHERE}: x must be one array of numbers, got {type(pair[0]).__name__}.")
    x, y = as_tensor(pair[0], where=_WHERE, name="x").detach(), as_tensor(pair[1], where=_WHERE, name="y").detach()
    if y.is_floating_point() or y.ndim != 1:
        raise TypeError(f"{_WHERE}: y must be classes, integers of shape (n,), got {y.dtype} {tuple(y.shape)}.")
    check_paired(x, y, where=_WHERE)
    y = y.long().cpu()
    known = y >= 0
    if not bool(known.any()):
        raise ValueError(f"{_WHERE}: data must have labelled samples, got none of {len(y)}.")
    return (x, y) if bool(known.all()) else (x[known.to(x.device)], y[known])


def _like(x: Tensor, given: ArrayLike, name: str) -> Tensor:
    foreign = as_tensor(given, where=_WHERE, name=name).detach()
    if foreign.shape[1:] != x.shape[1:] or foreign.ndim == 0 or len(foreign) == 0:
        raise ValueError(
            f"{_WHERE}: {name} must be samples (m, ...) of the shape of x {tuple(x.shape)}, got {tuple(foreign.shape)}."
        )
    return foreign


def _changes(
    corruptions: str | Mapping[str, Corruption] | None,
    severities: Sequence[int],
    x: Tensor,
    pixel_range: tuple[float, float] | None,
) -> Mapping[str, Corruption]:
    if corruptions is None:
        return {}
    if isinstance(corruptions, Mapping):
        for name, change in corruptions.items():
            check_function(change, where=_WHERE, name=f"corruptions[{name!r}]")
        return corruptions
    check_choice(corruptions, ("common",), where=_WHERE, name="corruptions")
    for severity in severities:
        check_choice(severity, SEVERITIES, where=_WHERE, name="each of severities")
    if not x.is_floating_point() or x.ndim not in (2, 4):
        raise ValueError(
            f"{_WHERE}: common corruptions are of images (n, c, h, w) or vectors (n, d) of real numbers, got {x.dtype} "
            f"{tuple(x.shape)}; give functions of yours, or corruptions=None."
        )
    if x.ndim == 2:
        return {"column_noise": column_noise}
    ends = (float(x.min()), float(x.max())) if pixel_range is None else pixel_range
    return {name: ImageCorruption(name, ends) for name in NAMES}


@contextmanager
def _as_it_is_used(model: nn.Module, streams: SeedStreams, x: Tensor) -> Iterator[None]:
    """In evaluation mode, without gradients, on draws of its own."""
    modes = [(layer, layer.training) for layer in model.modules()]
    with torch.no_grad(), hooks_paused(), streams.as_global_everywhere("calibration", device=x.device):
        model.eval()
        try:
            yield
        finally:
            for layer, training in modes:
                layer.training = training


@dataclass(frozen=True)
class _Subject:
    model: nn.Module
    outputs: Outputs
    batch_size: int

    def scores(self, x: Tensor, name: str) -> Tensor:
        """Class scores of all samples, float64, on the CPU."""
        found = torch.cat([self._pass(rows) for rows in x.split(self.batch_size)])
        if not bool(torch.isfinite(found).all()):
            raise ValueError(f"{_WHERE}: the model must give finite numbers for {name}, got NaN or infinite ones.")
        sums = found.sum(dim=1)
        if self.outputs == "scores":
            if bool((found >= 0).all()) and bool(((sums - 1).abs() < _OFF).all()):
                raise ValueError(
                    f"{_WHERE}: the model gives probabilities, and softmax would flatten them; say "
                    'outputs="probabilities".'
                )
            return found
        if bool((found < 0).any()) or bool(((sums - 1).abs() > _OFF).any()):
            raise ValueError(
                f'{_WHERE}: outputs="probabilities" must be at least 0 and sum to 1, got {float(found.min()):.4g} as '
                f'the least and sums from {float(sums.min()):.4g} to {float(sums.max()):.4g}; or outputs="scores".'
            )
        # A class that is impossible is one in 1e300: scores are finite.
        return found.clamp_min(1e-300).log()

    def _pass(self, rows: Tensor) -> Tensor:
        try:
            given = main_output(self.model(self._placed(rows)))
        except Exception as error:
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(f"{_WHERE}: the model must run on samples {tuple(rows.shape)}: {said}") from error
        if not isinstance(given, Tensor) or given.ndim != 2 or len(given) != len(rows):
            got = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise ValueError(f"{_WHERE}: the model must give (n, classes) for {len(rows)} samples, got {got}.")
        if given.shape[1] < 2:
            raise ValueError(
                f"{_WHERE}: the model must have a column for each of two classes or more, got {given.shape[1]}; of one "
                "score s for class 1 give the columns 0 and s, of one probability p 1 - p and p."
            )
        return given.cpu().double()

    def _placed(self, rows: Tensor) -> Tensor:
        device, dtype = place_of(self.model)
        # A copy, as a network's first layer may work in place.
        return rows.to(device, dtype if rows.is_floating_point() and dtype is not None else rows.dtype, copy=True)

    def milliseconds(self, x: Tensor) -> float:
        """For one sample, in a pass of batch_size."""
        rows = self._placed(x[: self.batch_size])
        seconds: list[float] = []
        for _ in range(_REPEATS + 1):
            begun = time.perf_counter()
            self.model(rows)
            if rows.device.type != "cpu":
                torch.accelerator.synchronize(rows.device)
            seconds.append(time.perf_counter() - begun)
        return 1000 * statistics.median(seconds[1:]) / len(rows)


def _line(corruption: str, severity: int | None, scores: Tensor, y: Tensor, num_bins: int) -> CalibrationLine:
    wrong = scores.argmax(dim=1) != y
    return {
        "corruption": corruption,
        "severity": severity,
        "accuracy": 1 - float(wrong.double().mean()),
        "nll_nats": negative_log_likelihood(scores, y),
        "ece": calibration_error(scores, y, num_bins=num_bins),
        "adaptive_ece": adaptive_calibration_error(scores, y, num_bins=num_bins),
        "brier": brier_score(scores, y),
        "aurc": aurc(doubt_of_probability(scores), wrong),
        **dict.fromkeys(_DETECTED, None),
    }


def _detection(name: str, own: Tensor, foreign: Tensor) -> CalibrationLine:
    outside, inside = doubt_of_probability(foreign), doubt_of_probability(own)
    return {f"{name}_auroc": auroc(outside, inside), f"{name}_fpr95": fpr95(outside, inside)}


def _mean(values: Sequence[str | int | float | None]) -> float | None:
    numbers = [value for value in values if isinstance(value, int | float)]
    return statistics.fmean(numbers) if numbers else None
