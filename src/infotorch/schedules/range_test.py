"""An automatic range test of learning rates (Vasudevan 2020, Algorithm 2): a few epochs at each of many rates.

Every candidate of a trial starts from the same weights, random state and optimiser; further trials start from other
weights. What is trained is the caller's own network and optimiser, by the caller's own function for one epoch; all of
it, and the random states, are as they were when the test ends, however it ends.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from infotorch.numerics.checks import check_choice, check_count, check_positive
from infotorch.schedules.range_bench import Bench, Report, Work, check_initialised, resets_of
from infotorch.schedules.range_choice import Probe, Range, Rule, choose_range, significance, together
from infotorch.schedules.range_search import Halving, every
from infotorch.schedules.range_workers import Here, Probing, Watched, Workers

_WHERE = "lr_range_test"
#: Which candidates are trained, and for how long.
Search = Literal["exhaustive", "halving"]


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
    """

    lr_min: Any
    lr_max: Any
    lr_top: Any
    threshold: Any
    attribute: str
    probes: tuple[Probe, ...]
    epochs: int
    seconds: float
    edges: Any = ()

    def table(self) -> list[dict[str, Any]]:
        """One line for each candidate of each trial: its rate, the first and last value of everything, and its fate."""
        lines = []
        for probe in self.probes:
            line: dict[str, Any] = {
                "trial": probe.trial,
                "lr": probe.rate,
                "crashed": probe.crashed,
                "dead": probe.dead,
            }
            for name, values in probe.values.items():
                sign = -1 if name == "loss" else 1
                line |= {f"{name}_first": sign * values[0], f"{name}_last": sign * values[-1]}
            lines.append(line)
        return lines

    def figure(self) -> Any:
        """The last value of the attribute against the rate for each trial, with the range marked (plotly).

        Points are larger the longer a candidate was trained; those that crashed or died are left out.
        """
        from plotly.graph_objects import Figure

        figure = Figure()
        alive = [probe for probe in self.probes if not probe.failed]
        even = len({probe.epochs for probe in alive}) == 1  # a line would join what was trained for other lengths
        for key in [name for name in self.probes[0].values if name.split(" ")[0] == self.attribute]:
            for trial in sorted({probe.trial for probe in alive}):
                of_trial = [probe for probe in alive if probe.trial == trial]
                figure.add_scatter(
                    x=[probe.rate for probe in of_trial],
                    y=[-probe.last(key) if key == "loss" else probe.last(key) for probe in of_trial],
                    mode="lines+markers" if even else "markers",
                    marker={"size": [4 + 2 * min(probe.epochs, 6) for probe in of_trial]},
                    text=[f"{probe.epochs} epochs" for probe in of_trial],
                    name=f"trial {trial}" if key == self.attribute else f"{key}, trial {trial}",
                )
        self._mark(figure)
        figure.update_xaxes(type="log", title_text="learning rate")
        figure.update_yaxes(title_text=self.attribute)
        return figure

    def _mark(self, figure: Any) -> None:
        for name, y in (("lr_min", 1.0), ("lr_top", 1.05), ("lr_max", 1.1)):
            value = getattr(self, name)
            for rate in value if isinstance(value, list) else [value]:
                figure.add_vline(x=rate, line_dash="dot")
                # On a logarithmic axis plotly takes the logarithm for notes, but not for lines.
                figure.add_annotation(x=math.log10(rate), y=y, yref="paper", text=name, showarrow=False)


def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer,
    train_epoch: Callable[[], Report],
    *,
    signal: Callable[[], Any] | None = None,
    rates: Sequence[float] | None = None,
    trials: int = 3,
    epochs: int = 5,
    search: Search = "exhaustive",
    attribute: str | Sequence[str] | None = None,
    c1: float = 10.0,
    c2: float = 1.0,
    rule: Rule = "first-bad",
    stop_dead: bool = True,
    reset: Callable[[], None] | None = None,
    generators: Sequence[torch.Generator] = (),
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> RangeTest:
    """Find LR_min, LR_max, LR_top and epsilon of a network, from a few epochs at each of many rates.

    Args:
        model: what is trained; restored afterwards.
        optimizer: its optimiser, whose every group gets the candidate rate; restored afterwards.
        train_epoch: trains for one epoch and reports its mean loss, or {"loss": ..., "accuracy": ..., ...}; whatever
            is not "loss" counts as better when larger. An epoch may be a part of the data: for a cheap test, a tenth.
        signal: measures I(T; Y), one number or one for each layer, see `InformationSignal`; None for none.
        rates: candidates, ascending; None: three a decade from 1e-5 to 1.
        trials: how often all is done, from other initial weights; in the exhaustive search a crash at a rate begins
            the next one there.
        epochs: of each candidate; epsilon depends on them, as late epochs bring less.
        search: "exhaustive" gives every candidate all epochs, as the paper does; "halving" takes about two fifths of
            them: successive halving over the candidates, and later trials near the range of the first, see `Halving`.
        attribute: what chooses the range: a name that train_epoch reports, "information" for the signal, "loss" for its
            fall; of several the one with the larger lr_max. None: "accuracy" where it is reported, else "information"
            where there is a signal, else "loss".
        c1: thresh is the best value / c1; larger lowers lr_max and lr_min.
        c2: epsilon is c2 times the median of min d_s.
        rule: see `choose_range` and `significance`; "halving" looks at what "first-bad" needs.
        stop_dead: end a candidate whose signal has come to 0 (but for rounding), or whose reports no longer change.
        reset: draws new initial weights from torch's global generator; None: every layer's own `reset_parameters`.
        generators: further generators of the data's order, restored afterwards and before every candidate.
        seed: decides the weights of the second trial and later ones; the first has the network's own.
        workers: processes that train candidates at once, each on a copy of everything, with the same result as one: on
            a CPU to the bit, as each has as many threads as this process (`torch.set_num_threads`). Network, optimizer,
            train_epoch, signal and reset must be picklable together: no lambdas, no functions within functions. Where
            there are several GPUs and the network is on one, the processes take turns at them.
        progress: told (what, epochs done, epochs in all at most) after every epoch.

    Returns:
        The range, and everything that was measured. One warning tells of a range that ends at the lowest or highest
        candidate, and of lr_min = lr_max.

    Raises:
        TypeError: a network, optimizer, train_epoch or rates of the wrong kind, train_epoch or signal gives no number,
            or there are workers and what they need cannot be copied.
        ValueError: rates that do not ascend or are not positive, an attribute that nobody reports, a layer that cannot
            be reset (with several trials and without reset) or has no weights yet, c1 or c2 not positive, no rate that
            learns, or "halving" with the rule "paper"; what the signal refuses, but for a network whose numbers are not
            finite, which has crashed; an optimizer of another network, or one of which the first epoch takes no step.
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
    _check_trained(model, optimizer, train_epoch)
    candidates = _candidates(rates)
    for name, count in (("trials", trials), ("epochs", epochs), ("workers", workers)):
        check_count(count, where=_WHERE, name=name)
    for name, factor in (("c1", c1), ("c2", c2)):
        check_positive(factor, where=_WHERE, name=name)
    check_choice(rule, ("first-bad", "paper"), where=_WHERE, name="rule")
    check_choice(search, ("exhaustive", "halving"), where=_WHERE, name="search")
    if search == "halving" and rule == "paper":
        raise ValueError(f"{_WHERE}: the rule 'paper' looks at every candidate to the end; use search='exhaustive'.")
    if trials > 1 and reset is None:
        resets_of(model)  # refused now, and not after the first trial
    began = time.monotonic()
    work = Work(model, optimizer, train_epoch, signal, stop_dead, tuple(generators), reset, seed)
    tally = _Tally(trials * len(candidates) * epochs, progress)
    with _probing(work, candidates, workers, tally) as probing:
        if search == "exhaustive":
            passes = every(probing, candidates, trials, epochs)
        else:
            passes = Halving(probing, candidates, epochs, c1, lambda probes: _keys(probes, attribute)).passes(trials)
    found = _found(passes, candidates, attribute, c1, c2, rule, tally.done, time.monotonic() - began)
    if doubts := "; ".join(_doubts(found)):
        warnings.warn(f"{_WHERE}: {doubts}.", stacklevel=2)
    return found


class _Tally:
    """Counts epochs and tells of them."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def __call__(self, trial: int, rate: float, epochs: int) -> None:
        self.done += epochs
        if self.progress is not None:
            self.progress(f"trial {trial}, rate {rate:.3g}", self.done, max(self.total, self.done))


@contextmanager
def _probing(work: Work, rates: list[float], workers: int, tally: _Tally) -> Iterator[Probing]:
    """Who probes; afterwards everything here is as it was."""
    bench = Bench(replace(work, train_epoch=Watched(work)), tally)
    with bench.keeping():
        if workers == 1:
            yield Here(bench)
        else:
            with Workers(work, rates, workers, tally) as probing:
                yield probing


def _check_trained(model: nn.Module, optimizer: Optimizer, train_epoch: Callable[[], Report]) -> None:
    wanted = {
        "model": (model, nn.Module, "nn.Module"),
        "optimizer": (optimizer, Optimizer, "torch.optim.Optimizer"),
    }
    for name, (given, kind, called) in wanted.items():
        if not isinstance(given, kind):
            raise TypeError(
                f"{_WHERE}: {name} must be of {called}, got {type(given).__name__}; the order is model, optimizer, "
                "train_epoch."
            )
    if not callable(train_epoch):
        raise TypeError(f"{_WHERE}: train_epoch must be a function without arguments, got {train_epoch!r}.")
    check_initialised(model)
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
        raise TypeError(f"{_WHERE}: rates must be a sequence of numbers, got {rates!r}.") from error
    ascend = all(low < high for low, high in pairwise([0.0, *listed, math.inf]))
    if not listed or not ascend:
        raise ValueError(f"{_WHERE}: rates must be positive and ascend, got {listed}.")
    return listed


def _found(
    passes: list[list[Probe]],
    rates: list[float],
    attribute: str | Sequence[str] | None,
    c1: float,
    c2: float,
    rule: Rule,
    epochs: int,
    seconds: float,
) -> RangeTest:
    probes = tuple(probe for one in passes for probe in one)
    by, ranges = _chosen(passes, attribute, c1, rule)
    epsilons = [significance(probes, name, c2=c2, rule=rule) for name in _information_names(probes)]
    ends = {end: [getattr(one, end) for one in ranges] for end in ("lr_min", "lr_max", "lr_top")}
    ends["edges"] = [_edges(one, rates) for one in ranges]
    return RangeTest(
        **{end: values if len(values) > 1 else values[0] for end, values in ends.items()},
        threshold=(epsilons if len(epsilons) > 1 else epsilons[0]) if epsilons else None,
        attribute=by,
        probes=probes,
        epochs=epochs,
        seconds=seconds,
    )


def _edges(one: Range, rates: list[float]) -> tuple[str, ...]:
    beyond = {"lr_min": one.lr_min == rates[0], "lr_top": one.lr_top == rates[-1], "lr_max": one.lr_max == rates[-1]}
    return tuple(end for end, is_edge in beyond.items() if is_edge)


def _doubts(found: RangeTest) -> Iterator[str]:
    """What a range should not be relied on for, in words."""
    several = isinstance(found.lr_min, list)
    edges = found.edges if several else [found.edges]
    for end, kind in (("lr_min", "lowest"), ("lr_top", "highest"), ("lr_max", "highest")):
        if any(end in of_one for of_one in edges):
            yield f"{end} is the {kind} candidate{_of_layers([end in of_one for of_one in edges], several)}"
    lows, highs = (found.lr_min, found.lr_max) if several else ([found.lr_min], [found.lr_max])
    empty = [low == high for low, high in zip(lows, highs, strict=True)]
    if any(empty):
        yield (
            f"lr_min equals lr_max{_of_layers(empty, several)}, and a schedule needs a range: give rates that lie "
            "closer together, lower ones, or more epochs"
        )
    elif any(edges):
        yield "give rates beyond it to know more"


def _of_layers(which: Sequence[bool], several: bool) -> str:
    return f" in layer {', '.join(str(number) for number, is_so in enumerate(which) if is_so)}" if several else ""


def _attributes(probes: Sequence[Probe], attribute: str | Sequence[str] | None) -> dict[str, list[str]]:
    """What may choose the range -> the names of its values, one for each layer where the signal has several."""
    layers = _information_names(probes)
    known = {name: [name] for name in probes[0].values if name not in layers} | (
        {"information": layers} if layers else {}
    )
    default = "accuracy" if "accuracy" in known else "information" if layers else "loss"
    wanted = [default] if attribute is None else [attribute] if isinstance(attribute, str) else list(attribute)
    for name in wanted:
        if name not in known:
            raise ValueError(f"{_WHERE}: attribute {name!r} was not reported; there are {', '.join(known)}.")
    return {name: known[name] for name in wanted}


def _keys(probes: Sequence[Probe], attribute: str | Sequence[str] | None) -> list[str]:
    return [key for keys in _attributes(probes, attribute).values() for key in keys]


def _chosen(
    passes: list[list[Probe]], attribute: str | Sequence[str] | None, c1: float, rule: Rule
) -> tuple[str, list[Range]]:
    """The attribute, and one range or one for each layer."""
    found = {
        name: [together([choose_range(one, key, c1=c1, rule=rule) for one in passes]) for key in keys]
        for name, keys in _attributes(passes[0], attribute).items()
    }
    by = max(found, key=lambda name: max(one.lr_max for one in found[name]))
    return by, found[by]


def _information_names(probes: Sequence[Probe]) -> list[str]:
    return [name for name in probes[0].values if name.split(" ")[0] == "information"]
