"""Lines of metrics -> curves: one per quantity, split, label and seed, thinned for the page. No plotly here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infotorch.figures.curves import Curve, Stage
from infotorch.report.numbers import is_fraction, split_name
from infotorch.report.runs import Run, is_number

# A figure 600 pixels wide cannot show more; the page stays small.
MAX_POINTS = 300
_PLACES = frozenset({"stage", "epoch", "step", "module", "seed"})

#: Where a line stands on the horizontal axis, and the line.
_Placed = tuple[float, Mapping[str, Any]]


def positions(run: Run) -> list[float]:
    """Where each line of a run stands on the horizontal axis: its global step, or its epoch counted over all stages."""
    if has_steps([run]):
        return [float(line["step"]) for line in run.lines]
    places, done, longest, stage = [], 0.0, 0.0, None
    for line in run.lines:
        if line.get("stage") != stage:
            stage, done, longest = line.get("stage"), done + longest, 0.0
        longest = max(longest, float(line["epoch"]) if is_number(line.get("epoch")) else longest + 1)
        places.append(done + longest)
    return places


def has_steps(runs: Sequence[Run]) -> bool:
    """Whether every line of every run counts global steps."""
    return all(is_number(line.get("step")) for run in runs for line in run.lines)


def stages(run: Run) -> list[Stage]:
    """The stages of a run, in order.

    Args:
        run: the run.

    Returns:
        One per stage; empty for a run without lines.

    Example:
        >>> from pathlib import Path
        >>> from infotorch.records.run_record import RunRecord
        >>> places = ((0, "fc1", 10), (0, "fc1", 20), (1, "fc2", 30))
        >>> lines = [{"stage": stage, "module": module, "step": step} for stage, module, step in places]
        >>> run = Run(RunRecord(Path()), {"name": "demo"}, {}, lines, None)
        >>> [(stage.label, stage.start, stage.end) for stage in stages(run)]
        [('fc1', 0.0, 20.0), ('fc2', 20.0, 30.0)]
    """
    ends: dict[Any, float] = {}
    modules: dict[Any, dict[str, None]] = {}
    for line, x in zip(run.lines, positions(run), strict=True):
        stage = line.get("stage")
        ends[stage] = x
        modules.setdefault(stage, {})[str(line.get("module", ""))] = None
    starts = [0.0, *ends.values()]
    return [Stage(starts[i], end, ", ".join(modules[stage])) for i, (stage, end) in enumerate(ends.items())]


def quantities(runs: Sequence[Run]) -> list[str]:
    """What the runs measured during training, without the split: accuracies, losses, information, others, rates."""
    names = {key: None for run in runs for line in run.lines for key, v in line.items() if v is None or is_number(v)}
    found = dict.fromkeys(split_name(name)[1] for name in names if name not in _PLACES)
    return sorted(found, key=_rank)


def _rank(quantity: str) -> int:
    if quantity == "learning_rate":
        return 4
    return 0 if is_fraction(quantity) else 1 if quantity == "loss" else 2 if quantity.endswith("_nats") else 3


def module_names(runs: Sequence[Run]) -> list[str]:
    """The modules of some runs, as figures name them, in order of first appearance."""
    return list(dict.fromkeys(str(line.get("module", "")) or run.variant for run in runs for line in run.lines))


def curves_by_module(runs: Sequence[Run], quantity: str) -> list[Curve]:
    """A quantity of every module, split and seed; for the runs of one variant."""
    found = []
    for run in runs:
        keys = [key for key in _keys(run) if split_name(key)[1] == quantity]
        of_module: dict[str, list[_Placed]] = {}
        for x, line in _placed(run):
            of_module.setdefault(str(line.get("module", "")), []).append((x, line))
        for module, lines in of_module.items():
            found += [_curve(run, module or run.variant, key, lines) for key in keys]
    return [curve for curve in found if curve.x]


def curves_by_variant(runs: Sequence[Run], name: str) -> list[Curve]:
    """One metric of every variant and seed; where modules train together, the last one that reports it at a step."""
    found = [_curve(run, run.variant, name, _placed(run)) for run in runs]
    return [curve for curve in found if curve.x]


def _keys(run: Run) -> list[str]:
    return list(dict.fromkeys(key for line in run.lines for key in line if key not in _PLACES))


def _placed(run: Run) -> list[_Placed]:
    return list(zip(positions(run), run.lines, strict=True))


def _curve(run: Run, label: str, key: str, lines: Sequence[_Placed]) -> Curve:
    points = {x: line[key] for x, line in lines if key in line and (line[key] is None or is_number(line[key]))}
    kept = thin(sorted(points))
    stopped = not run.completed and kept[-1:] == positions(run)[-1:]
    return Curve(label, split_name(key)[0], run.seed, run.completed, stopped, kept, [points[x] for x in kept])


def thin(values: list[float], limit: int = MAX_POINTS) -> list[float]:
    """At most `limit` of the values, evenly spread, the first and the last among them.

    Args:
        values: any values.
        limit: how many to keep, at least two.

    Returns:
        The kept ones, in order.

    Example:
        >>> thin([0.0, 1.0, 2.0, 3.0, 4.0], limit=3)
        [0.0, 2.0, 4.0]
    """
    if len(values) <= limit:
        return values
    return [values[round(i * (len(values) - 1) / (limit - 1))] for i in range(limit)]


def constant_value(curves: Sequence[Curve]) -> float | None:
    """The one value that all curves keep from beginning to end, or None where there are several."""
    values = {y for curve in curves for y in curve.y}
    return next(iter(values)) if len(values) == 1 else None
