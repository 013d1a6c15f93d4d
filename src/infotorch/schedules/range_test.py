"""An automatic range test of learning rates (Vasudevan 2020, Algorithm 2): a few epochs at each of many rates.

Every candidate of a trial starts from the same weights, random state and optimizer; further trials start from other
weights. What is trained is the caller's own model and optimizer, by the caller's own function for one epoch; all of it,
and the random states, are as they were when the test ends, however it ends.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from infotorch.numerics.checks import check_callable, check_choice, check_count, check_positive, shown
from infotorch.numerics.kinds import check_called_alone, check_kind, check_several
from infotorch.schedules.range_bench import Bench, Report, Signal, Work, resets_of
from infotorch.schedules.range_choice import Probe, Range, Rule, choose_range, significance, together
from infotorch.schedules.range_passes import Halving, exhaustive, recorded
from infotorch.schedules.range_workers import Workers

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WHERE = "lr_range_test"
#: Which candidates are trained, and for how long.
Search = Literal["halving", "exhaustive"]
#: One number, or one for each layer where the signal has several values.
PerLayer = float | list[float]
T = TypeVar("T")


@dataclass(frozen=True)
class RangeOptions:
    """How a range test is done.

    The paper's own test is `RangeOptions(search="exhaustive", rule="paper", stop_dead=False)`.

    Args:
        search: "halving": successive halving over the candidates, and later trials near the range of the first, see
            `Halving`; "exhaustive": all epochs at every candidate, as the paper does, which costs more than twice.
        attribute: what chooses the range: a name that train_epoch reports, "information" for the signal, "loss" for its
            fall; of several the one with the larger lr_max. None: "accuracy" where it is reported, else "information"
            where there is a signal, else "loss".
        c1: thresh is the best value / c1; larger lowers lr_max and lr_min.
        c2: epsilon is c2 times the median of min d_s.
        rule: "first-bad" or "paper", see `choose_range`, `significance` and, of crashes, the exhaustive search;
            "halving" looks at what "first-bad" needs.
        stop_dead: end a candidate whose signal has come to 0 (but for rounding), or whose reports no longer change.
        reset: draws new initial weights from torch's global generator; None: the own `reset_parameters` of every layer
            that is not frozen.
        generators: further generators of the data's order, restored afterwards and before every candidate.
        seed: decides the weights of the second trial and later ones; the first has the model's own.
        workers: processes that train candidates at once, each on a copy of everything, with the same result as one: on
            a CPU to the bit, as each has as many threads as this process (`torch.set_num_threads`). Model, optimizer,
            train_epoch, signal and reset must be picklable together: no lambdas, no functions within functions. Where
            there are several GPUs and the model is on one, the processes take turns at them.

    Raises:
        TypeError: workers or seed is not an integer, or c1 or c2 not a number.
        ValueError: an unknown search or rule, c1 or c2 not positive, workers below 1, or "halving" with "paper".

    Example:
        >>> RangeOptions(attribute="loss", workers=4).search
        'halving'
    """

    search: Search = "halving"
    attribute: str | Sequence[str] | None = None
    c1: float = 10.0
    c2: float = 1.0
    rule: Rule = "first-bad"
    stop_dead: bool = True
    reset: Callable[[], None] | None = None
    generators: Sequence[torch.Generator] = ()
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        where = "RangeOptions"
        if self.reset is not None:
            check_callable(self.reset, where=where, name="reset")
        if not isinstance(self.attribute, str | None):
            check_several(self.attribute, str, where=where, name="attribute", said="names")
        check_several(self.generators, torch.Generator, where=where, name="generators", said="torch.Generator")
        check_choice(self.search, ("halving", "exhaustive"), where=where, name="search")
        check_choice(self.rule, ("first-bad", "paper"), where=where, name="rule")
        for name in ("c1", "c2"):
            check_positive(getattr(self, name), where=where, name=name)
        check_count(self.workers, where=where, name="workers")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise TypeError(f"{where}: seed must be an integer, got {shown(self.seed)}.")
        if self.search == "halving" and self.rule == "paper":
            raise ValueError(f"{where}: the rule 'paper' looks at every candidate to the end; use search='exhaustive'.")


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Args:
        lr_min: the lowest rate that learns; a list, one for each layer, where the signal has several values.
        lr_max: the highest safe rate, likewise.
        lr_top: the best rate, likewise.
        threshold: epsilon of `MutualInformationDecay`, likewise; None without a signal.
        attribute: what the range was chosen by.
        probes: everything that was measured.
        epochs: epochs that were trained in all, that is, calls of train_epoch.
        seconds: how long it took.
        edges: "lr_min" where it is the lowest candidate, "lr_top" and "lr_max" where they are the highest: what lies
            beyond was not tried. A list of such tuples, one for each layer, where the signal has several values.

    Example:
        >>> probe = Probe(trial=0, rate=0.1, values={"accuracy": (0.5, 0.9)})
        >>> found = RangeTest(0.1, 0.1, 0.1, None, "accuracy", (probe,), epochs=2, seconds=0.1)
        >>> found.table()[0]["lr"], found.table()[0]["accuracy_last"]
        (0.1, 0.9)
    """

    lr_min: PerLayer
    lr_max: PerLayer
    lr_top: PerLayer
    threshold: PerLayer | None
    attribute: str
    probes: tuple[Probe, ...]
    epochs: int
    seconds: float
    edges: tuple[str, ...] | list[tuple[str, ...]] = ()

    def table(self) -> list[dict[str, float | bool]]:
        """One line for each candidate of each trial: its rate, the first and last value of everything, and its fate."""
        lines = []
        for probe in self.probes:
            line = {"trial": probe.trial, "lr": probe.rate, "crashed": probe.crashed, "dead": probe.dead}
            for name, values in probe.values.items():
                sign = -1 if name == "loss" else 1
                line |= {f"{name}_first": sign * values[0], f"{name}_last": sign * values[-1]}
            lines.append(line)
        return lines

    def figure(self) -> Figure:
        """The last value of the attribute against the rate for each trial, with the range marked (plotly).

        Points are larger the longer a candidate was trained; those that crashed or died are left out.
        """
        from infotorch.figures.range_test import Point, range_test_figure

        sign = -1 if self.attribute == "loss" else 1
        lines: dict[str, list[Point]] = {}
        for key in [name for name in self.probes[0].values if name.split(" ")[0] == self.attribute]:
            for probe in sorted((one for one in self.probes if not one.failed), key=lambda one: one.trial):
                name = f"trial {probe.trial}" if key == self.attribute else f"{key}, trial {probe.trial}"
                lines.setdefault(name, []).append((probe.rate, sign * probe.last(key), probe.epochs))
        ends = {"lr_min": self.lr_min, "lr_top": self.lr_top, "lr_max": self.lr_max}
        rates = {name: end if isinstance(end, list) else [end] for name, end in ends.items()}
        return range_test_figure(lines, rates, self.attribute)


def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer,
    train_epoch: Callable[[], Report],
    *,
    signal: Signal | None = None,
    rates: Sequence[float] | None = None,
    trials: int = 3,
    epochs: int = 5,
    options: RangeOptions | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> RangeTest:
    """Find LR_min, LR_max, LR_top and epsilon of a model, from a few epochs at each of many rates.

    Args:
        model: what is trained; restored afterwards.
        optimizer: its optimizer, whose every group gets the candidate rate; restored afterwards.
        train_epoch: trains for one epoch and reports its mean loss, or {"loss": ..., "accuracy": ..., ...}; whatever
            is not "loss" counts as better when larger. An epoch may be a part of the data: for a cheap test, a tenth.
        signal: measures I(T; Y), one number or one for each layer, see `InformationSignal`; None for none.
        rates: candidates, ascending; None: three a decade from 1e-5 to 1.
        trials: how often all is done. The first begins with the model's own weights; further ones draw new ones, so
            that pretrained weights count in the first alone, and keep the frozen ones (`requires_grad_(False)`). In
            the exhaustive search a crash at a rate begins the next one there (by the rule "first-bad" after two at one
            rate anew).
        epochs: of each candidate at most; epsilon depends on them, as late epochs bring less.
        options: how: the search, what chooses, the constants, several processes, ...; None for their defaults.
        progress: told (what, epochs done, epochs in all at most) after every epoch.

    Returns:
        The range, and everything that was measured. One warning tells of a range that ends at the lowest or highest
        candidate, and of lr_min = lr_max.

    Raises:
        TypeError: a model, optimizer, train_epoch, signal or rates of the wrong kind, one of these gives no number,
            or there are workers and what they need cannot be copied.
        ValueError: rates that do not ascend or are not positive, an attribute that nobody reports, a layer that cannot
            be reset (with several trials and without reset), has no weights yet or cannot be trained, or no rate that
            learns; what the signal refuses, but for a model whose numbers are not finite, which has crashed; an
            optimizer of another model, or one of which the first epoch takes no step or a schedule moves the rate.
        RuntimeError: a worker process ended on its own.

    Source: Vasudevan 2020, Entropy 22(5):560, Algorithm 2; LR_max by "first-bad" and "halving" are ours.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(256, 4)
        >>> y = (x[:, 0] > 0).long()
        >>> model = nn.Linear(4, 2)
        >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> def train_epoch():
        ...     for rows in torch.randperm(256).split(32):
        ...         loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        ...         sgd.zero_grad(); loss.backward(); sgd.step()
        ...     return {"loss": loss.item(), "accuracy": (model(x).argmax(1) == y).float().mean().item()}
        >>> found = lr_range_test(model, sgd, train_epoch, rates=[1e-3, 0.1, 1.0], trials=2, epochs=2)
        >>> found.lr_top, sgd.param_groups[0]["lr"], found.edges
        (1.0, 0.1, ('lr_top', 'lr_max'))
    """
    how = options if options is not None else RangeOptions()
    check_kind(how, RangeOptions, where=_WHERE, name="options", said="RangeOptions(...)")
    _check_trained(model, optimizer, train_epoch)
    if signal is not None:
        check_called_alone(signal, where=_WHERE, name="signal")
    if progress is not None:
        check_callable(progress, where=_WHERE, name="progress")
    candidates = _candidates(rates)
    for name, count in (("trials", trials), ("epochs", epochs)):
        check_count(count, where=_WHERE, name=name)
    if trials > 1 and how.reset is None:
        resets_of(model)  # refused now, and not after the first trial
    began = time.monotonic()
    work = Work(model, optimizer, train_epoch, signal, how.stop_dead, tuple(how.generators), how.reset, how.seed)
    tally = _Tally(trials * len(candidates) * epochs, progress)
    with (
        Bench(work, tally) as bench,
        Workers(work, candidates, how.workers, tally) if how.workers > 1 else nullcontext(bench) as probing,
    ):
        if how.search == "exhaustive":
            passes = exhaustive(probing, candidates, trials, epochs, how.rule)
        else:
            passes = Halving(probing, candidates, epochs, how.c1, lambda probes: _keys(probes, how)).passes(trials)
    attribute, ranges = _chosen(passes, how)
    if doubts := "; ".join(_doubts(ranges, candidates)):
        warnings.warn(f"{_WHERE}: {doubts}.", stacklevel=2)
    probes = tuple(probe for one in passes for probe in one)
    epsilons = [significance(probes, name, c2=how.c2, rule=how.rule) for name in _information_names(probes)]
    return RangeTest(
        lr_min=_one_or_all([one.lr_min for one in ranges]),
        lr_max=_one_or_all([one.lr_max for one in ranges]),
        lr_top=_one_or_all([one.lr_top for one in ranges]),
        threshold=_one_or_all(epsilons) if epsilons else None,
        attribute=attribute,
        probes=probes,
        epochs=tally.done,
        seconds=time.monotonic() - began,
        edges=_one_or_all([_edges(one, candidates) for one in ranges]),
    )


class _Tally:
    """Counts epochs and tells of them."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def __call__(self, trial: int, rate: float, epochs: int) -> None:
        self.done += epochs
        if self.progress is not None:
            self.progress(f"trial {trial}, rate {rate:.3g}", self.done, max(self.total, self.done))


def _check_trained(model: nn.Module, optimizer: Optimizer, train_epoch: Callable[[], Report]) -> None:
    for name, given, kind, called in (
        ("model", model, nn.Module, "nn.Module"),
        ("optimizer", optimizer, Optimizer, "torch.optim.Optimizer"),
    ):
        if not isinstance(given, kind):
            raise TypeError(
                f"{_WHERE}: {name} must be of {called}, got {type(given).__name__}; the order is model, optimizer, "
                "train_epoch."
            )
    check_called_alone(train_epoch, where=_WHERE, name="train_epoch")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        layer = f"{_WHERE}: layer {name.rpartition('.')[0] or 'network'}"
        if is_lazy(tensor):
            raise ValueError(
                f"{layer} has no weights yet; run the model on some rows first, and make the optimizer after it."
            )
        if tensor.is_meta:
            raise ValueError(f"{layer} is on the meta device, which holds no numbers; load its weights first.")
        if tensor.is_inference():
            raise ValueError(f"{layer} was made under torch.inference_mode, and cannot be trained; make it outside.")
    moved = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if moved.isdisjoint(id(parameter) for parameter in model.parameters()):
        raise ValueError(f"{_WHERE}: optimizer moves no parameter of model; give the optimizer that trains it.")


def _candidates(rates: Sequence[float] | None) -> list[float]:
    if rates is None:
        return [mantissa * 10.0**power for power in range(-5, 0) for mantissa in (1, 2, 5)] + [1.0]
    try:
        if isinstance(rates, str):
            raise TypeError("a text is no sequence of numbers")
        listed = [float(rate) for rate in rates]
    except (TypeError, ValueError) as error:
        raise TypeError(f"{_WHERE}: rates must be a sequence of numbers, got {shown(rates)}.") from error
    ascend = all(low < high for low, high in pairwise([0.0, *listed, math.inf]))
    if not listed or not ascend:
        raise ValueError(f"{_WHERE}: rates must be positive and ascend, got {listed}.")
    return listed


def _one_or_all(values: list[T]) -> T | list[T]:
    return values if len(values) > 1 else values[0]


def _edges(one: Range, rates: list[float]) -> tuple[str, ...]:
    beyond = {"lr_min": one.lr_min == rates[0], "lr_top": one.lr_top == rates[-1], "lr_max": one.lr_max == rates[-1]}
    return tuple(end for end, is_edge in beyond.items() if is_edge)


def _doubts(ranges: list[Range], rates: list[float]) -> Iterator[str]:
    """What a range should not be relied on for, in words."""

    def of_layers(which: Sequence[bool]) -> str:
        numbers = ", ".join(str(number) for number, is_so in enumerate(which) if is_so)
        return f" in layer {numbers}" if len(ranges) > 1 else ""

    edges = [_edges(one, rates) for one in ranges]
    for end, kind in (("lr_min", "lowest"), ("lr_top", "highest"), ("lr_max", "highest")):
        if any(at_edge := [end in of_one for of_one in edges]):
            yield f"{end} is the {kind} candidate{of_layers(at_edge)}"
    if any(empty := [one.lr_min == one.lr_max for one in ranges]):
        yield (
            f"lr_min equals lr_max{of_layers(empty)}, and a schedule needs a range: give rates that lie closer "
            "together, lower ones, or more epochs"
        )
    elif any(edges):
        yield "give rates beyond it to know more"


def _attributes(probes: Sequence[Probe], how: RangeOptions) -> dict[str, list[str]]:
    """What may choose the range -> the names of its values, one for each layer where the signal has several."""
    layers = _information_names(probes)
    known = {name: [name] for name in probes[0].values if name not in layers}
    known |= {"information": layers} if layers else {}
    default = "accuracy" if "accuracy" in known else "information" if layers else "loss"
    named = default if how.attribute is None else how.attribute
    wanted = [named] if isinstance(named, str) else list(named)
    for name in wanted:
        if name not in known:
            raise ValueError(f"{_WHERE}: attribute {name!r} was not reported; there are {', '.join(known)}.")
    return {name: known[name] for name in wanted}


def _keys(probes: Sequence[Probe], how: RangeOptions) -> list[str]:
    return [key for keys in _attributes(probes, how).values() for key in keys]


def _chosen(passes: list[list[Probe]], how: RangeOptions) -> tuple[str, list[Range]]:
    """The attribute, and one range or one for each layer."""
    tables = recorded(passes) if how.rule == "paper" else passes
    found = {
        name: [together([choose_range(one, key, c1=how.c1, rule=how.rule) for one in tables]) for key in keys]
        for name, keys in _attributes(passes[0], how).items()
    }
    by = max(found, key=lambda name: max(one.lr_max for one in found[name]))
    return by, found[by]


def _information_names(probes: Sequence[Probe]) -> list[str]:
    return [name for name in probes[0].values if name.split(" ")[0] == "information"]
