"""Anyone's own estimator against laws whose information is known: error, coverage, seconds."""

from __future__ import annotations

import inspect
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch import Tensor

from infotorch.distributions.base import JointLaw, is_upper_limit
from infotorch.distributions.high import high_information_suite
from infotorch.distributions.suites import mixed_suite, suite, tuning_suite
from infotorch.distributions.unstructured import image_suite, token_suite
from infotorch.figures.benchmark_errors import benchmark_figure
from infotorch.numerics.checks import check_size, shown
from infotorch.numerics.kinds import check_function
from infotorch.numerics.near_misses import suggest
from infotorch.numerics.seeds import derive_seed

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# The sets of laws that have a name.
_SETS: dict[str, Callable[[], dict[str, JointLaw]]] = {
    "suite": suite,
    "tuning": tuning_suite,
    "mixed": mixed_suite,
    "high": high_information_suite,
    "images": image_suite,
    "tokens": token_suite,
}
_LEVEL = 0.95


class BenchmarkLine(TypedDict):
    """A law's line in the table of a benchmark; None where nothing was measured."""

    law: str
    truth_nats: float | None
    is_upper_limit: bool
    mean_error_nats: float | None
    spread_nats: float | None
    coverage_95: float | None
    unreliable: float | None
    seconds: float | None
    failed: int
    message: str


@dataclass(frozen=True)
class LawOutcome:
    """What an estimator did on one law.

    Args:
        law: its name.
        truth: its information in nats, NaN where the law itself failed.
        is_upper_limit: whether the truth is only known to be at most that.
        errors: estimate - truth in nats, one for each seed that gave a value.
        covered: whether the 95 % interval held the truth, one for each seed that gave an interval.
        unreliable: values that the estimator itself calls unreliable.
        seconds: of each call, without its standard error.
        failures: what went wrong instead, one line for each seed that gave no value.

    Example:
        >>> LawOutcome("normal", 0.5, errors=(-0.1, 0.3)).absolute_error
        0.2
    """

    law: str
    truth: float
    is_upper_limit: bool = False
    errors: tuple[float, ...] = ()
    covered: tuple[bool, ...] = ()
    unreliable: int = 0
    seconds: tuple[float, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def absolute_error(self) -> float:
        """Mean of |estimate - truth| over seeds, in nats; NaN without a value."""
        return statistics.fmean(map(abs, self.errors)) if self.errors else math.nan

    def line(self) -> BenchmarkLine:
        """The row of `BenchmarkResult.table`; None where nothing was measured."""
        known = self.covered and not self.is_upper_limit
        return {
            "law": self.law,
            "truth_nats": None if math.isnan(self.truth) else self.truth,
            "is_upper_limit": self.is_upper_limit,
            "mean_error_nats": statistics.fmean(self.errors) if self.errors else None,
            "spread_nats": statistics.stdev(self.errors) if len(self.errors) > 1 else None,
            "coverage_95": statistics.fmean(self.covered) if known else None,
            "unreliable": self.unreliable / len(self.errors) if self.errors else None,
            "seconds": statistics.median(self.seconds) if self.seconds else None,
            "failed": len(self.failures),
            "message": self.failures[0] if self.failures else "",
        }


@dataclass(frozen=True, repr=False)
class BenchmarkResult:
    """What `benchmark` measured; printed, it is a summary and a line for each law.

    Args:
        estimator: its name.
        n: samples of each estimate.
        seeds: samples drawn of each law.
        outcomes: one a law.

    Example:
        >>> BenchmarkResult("mine", 100, 2, (LawOutcome("normal", 0.5, errors=(-0.1, 0.3)),))
        mine on 1 laws, n = 100, seeds: 2; mean absolute error 0.200 nats; largest 0.200 (normal)
        law     truth   error  spread  coverage  unreliable  seconds
        normal  0.500  +0.100   0.283                    0%
    """

    estimator: str
    n: int
    seeds: int
    outcomes: tuple[LawOutcome, ...]

    @property
    def mean_absolute_error(self) -> float:
        """Mean over laws of |estimate - truth| in nats; laws of which only a limit is known are left out.

        NaN where no law has a value; laws that failed count for nothing here, and stand in `table`.
        """
        errors = [outcome.absolute_error for outcome in self._measured()]
        return statistics.fmean(errors) if errors else math.nan

    @property
    def coverage(self) -> float:
        """Share of the 95 % intervals that hold the truth, over laws and seeds; NaN where there is none."""
        covered = [held for outcome in self._measured() for held in outcome.covered]
        return statistics.fmean(covered) if covered else math.nan

    def table(self) -> list[BenchmarkLine]:
        """A line for each law, as pandas takes them.

        "law", "truth_nats", "is_upper_limit", "mean_error_nats" (estimate - truth), "spread_nats" (standard deviation
        over seeds), "coverage_95" (share of the intervals), "unreliable" (share that the estimator flags), "seconds"
        (median), "failed" (seeds without a value) and "message" (of the first). None where nothing was measured.
        """
        return [outcome.line() for outcome in self.outcomes]

    def figure(self) -> Figure:
        """Mean error of each law, with the spread over seeds (plotly)."""
        return benchmark_figure(self.table())

    def __repr__(self) -> str:
        rows = [("law", "truth", "error", "spread", "coverage", "unreliable", "seconds", "")]
        rows += [_row(line) for line in self.table()]
        widths = [max(len(row[i]) for row in rows) for i in range(7)]
        return "\n".join([self._summary(), *(_aligned(row, widths) for row in rows)])

    def _summary(self) -> str:
        parts = [f"{self.estimator} on {len(self.outcomes)} laws, n = {self.n}, seeds: {self.seeds}"]
        measured = self._measured()
        if measured:
            worst = max(measured, key=lambda outcome: outcome.absolute_error)
            parts.append(f"mean absolute error {self.mean_absolute_error:.3f} nats")
            parts.append(f"largest {worst.absolute_error:.3f} ({worst.law})")
        if not math.isnan(self.coverage):
            parts.append(f"{100 * self.coverage:.0f} % of 95 % intervals hold the truth")
        failed = sum(bool(outcome.failures) for outcome in self.outcomes)
        return "; ".join([*parts, *([f"failed on {failed} of {len(self.outcomes)} laws"] if failed else [])])

    def _measured(self) -> list[LawOutcome]:
        return [outcome for outcome in self.outcomes if outcome.errors and not outcome.is_upper_limit]


def benchmark(
    estimator: Callable[[Tensor, Tensor], object],
    laws: str | Mapping[str, JointLaw] = "suite",
    *,
    n: int = 3000,
    seeds: int = 3,
    progress: Callable[[LawOutcome], object] | None = None,
) -> BenchmarkResult:
    """Run an estimator of mutual information on laws whose information is known.

    The samples depend on the law's name, n and the seed alone: two estimators see the same ones.

    Args:
        estimator: (x, y) -> nats: a number, or an `Estimate`, or what has `__float__` and `std_error`. x and y are
            tensors as the laws draw them, a sample in each row; `lambda x, y: mine(x.numpy(), y.numpy())` for arrays.
        laws: "suite" (41 laws of 0 to 2 nats), "tuning" (the same families, to tune on), "mixed" (discrete sides),
            "high" (5 nats, up to 30 columns), "images", "tokens"; or one's own laws by name.
        n: samples of each estimate.
        seeds: samples drawn of each law.
        progress: told the outcome of each law as it comes: `progress=print`.

    Returns:
        Error, spread, coverage of the 95 % intervals, share flagged unreliable and seconds of each law. What an
        estimator or a law raises, or a value that is no finite number, is an outcome with its message.

    Raises:
        TypeError: estimator is no function of (x, y) or returns no number, laws are no laws, n or seeds is no integer.
        ValueError: no set of laws has that name, laws is empty, n or seeds is below 1.

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> def by_correlation(x, y):
        ...     return -0.5 * torch.log1p(-torch.corrcoef(torch.cat([x, y], dim=1).T)[0, 1] ** 2)
        >>> result = benchmark(by_correlation, {"normal": CorrelatedGaussian(0.9)}, n=20_000, seeds=2)
        >>> result.mean_absolute_error < 0.02
        True
    """
    _check_estimator(estimator)
    check_size(n, where="benchmark", name="n")
    check_size(seeds, where="benchmark", name="seeds")
    if progress is not None:
        check_function(progress, where="benchmark", name="progress")
    outcomes = []
    for name, law in _laws(laws).items():
        outcome = _outcome(estimator, name, law, n, seeds)
        outcomes.append(outcome)
        if progress is not None:
            progress(outcome)
    return BenchmarkResult(_name(estimator), n, seeds, tuple(outcomes))


def _outcome(estimator: Callable[[Tensor, Tensor], object], name: str, law: JointLaw, n: int, seeds: int) -> LawOutcome:
    try:
        truth = float(law.mutual_information())
    except Exception as error:  # whatever a law of one's own raises is its outcome
        return LawOutcome(name, math.nan, failures=(_message(error),) * seeds)
    errors, covered, seconds, failures = [], [], [], []
    unreliable = 0
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(derive_seed(seed, f"benchmark {name}", n))
        try:
            x, y = law.sample(n, generator)
            began = time.perf_counter()
            estimate = estimator(x, y)
            seconds.append(time.perf_counter() - began)
        except Exception as error:  # and so is what an estimator raises
            failures.append(_message(error))
            continue
        value = _value(estimate)
        if not math.isfinite(value):
            failures.append(f"the estimator returned {value}")
            continue
        try:
            interval = _interval(estimate, value)
        except Exception as error:  # a standard error may be computed only now
            failures.append(_message(error))
            continue
        errors.append(value - truth)
        unreliable += getattr(estimate, "reliable", True) is False
        if interval is not None:
            covered.append(interval[0] <= truth <= interval[1])
    return LawOutcome(
        name, truth, is_upper_limit(law), tuple(errors), tuple(covered), unreliable, tuple(seconds), tuple(failures)
    )


def _value(estimate: object) -> float:
    """Nats as a float; what is no number would be wrong on every law, and ends the benchmark."""
    plain = not isinstance(estimate, str | bytes | bool) and not getattr(estimate, "ndim", 0)
    if plain and hasattr(estimate, "__float__"):
        return float(estimate)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"benchmark: estimator must return a number or an Estimate, got {shown(estimate)}.")


def _interval(estimate: Any, value: float) -> tuple[float, float] | None:
    """The 95 % interval that an estimate gives itself, else 1.96 standard errors around it; None without either."""
    if callable(getattr(estimate, "interval", None)):
        low, high = estimate.interval(level=_LEVEL)
    elif getattr(estimate, "std_error", None) is not None:
        half = statistics.NormalDist().inv_cdf((1 + _LEVEL) / 2) * float(estimate.std_error)
        low, high = value - half, value + half
    else:
        return None
    return None if math.isnan(low) or math.isnan(high) else (float(low), float(high))


def _laws(laws: str | Mapping[str, JointLaw]) -> Mapping[str, JointLaw]:
    if isinstance(laws, str):
        if laws not in _SETS:
            raise ValueError(f"benchmark: no set of laws is called {laws!r}; {suggest(laws, list(_SETS))}")
        return _SETS[laws]()
    held = isinstance(laws, Mapping) and all(isinstance(name, str) for name in laws)
    if not held or any(isinstance(law, type) or not isinstance(law, JointLaw) for law in laws.values()):
        raise TypeError(f"benchmark: laws must be the name of a set or laws by name, got {shown(laws)}.")
    if not laws:
        raise ValueError("benchmark: laws must hold at least one law.")
    return laws


def _check_estimator(estimator: object) -> None:
    check_function(estimator, where="benchmark", name="estimator")
    try:
        signature = inspect.signature(estimator)  # pyright: ignore[reportArgumentType]
    except ValueError:  # a builtin that does not say
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(f"benchmark: estimator must take x and y and nothing else, got {signature}.") from error


def _name(estimator: object) -> str:
    return getattr(estimator, "__name__", type(estimator).__name__)


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _row(line: BenchmarkLine) -> tuple[str, ...]:
    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    truth = ("<= " if line["is_upper_limit"] else "") + number(line["truth_nats"], ".3f")
    return (
        line["law"],
        truth,
        number(line["mean_error_nats"], "+.3f"),
        number(line["spread_nats"], ".3f"),
        number(line["coverage_95"], ".0%"),
        number(line["unreliable"], ".0%"),
        number(line["seconds"], ".2g"),
        f"failed {line['failed']}: {line['message']}" if line["failed"] else "",
    )


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:7], widths[1:], strict=True))]
    return "  ".join([*cells, row[7]]).rstrip()
