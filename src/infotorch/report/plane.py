"""The path of every module through the information plane: I(X; T) against I(Y; T), epoch after epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infotorch.report.curves import Curve, mean_curve, positions, thin
from infotorch.report.figures import MARKS, PALETTE, blank_figure, plain, short
from infotorch.report.numbers import metric_label
from infotorch.report.rows import Row
from infotorch.report.runs import Run, is_number
from infotorch.report.sections import drawing

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MI_XT, MI_TY = "mi_xt_nats", "mi_ty_nats"
_ARROWS = 4
_ABOUT = (
    "One line a module. Each starts at its open mark, after the first epoch, and ends at its filled mark; arrowheads "
    "point forward in time. T is the module's output, or the output with noise where noise makes I(X; T) finite. "
    "Bounds were read on batches: they hold for an input that is drawn from the rows of a batch."
)


@dataclass(frozen=True)
class Way:
    """One module of one run, or of the mean over seeds, through the plane.

    Args:
        xt: I(X; T) over training.
        ty: I(Y; T) at the same places.
    """

    xt: Curve
    ty: Curve


def ways(runs: Sequence[Run]) -> list[Way]:
    """Every module of every run of one variant that reports both coordinates at two epochs or more.

    Args:
        runs: runs of one variant, its seeds.

    Returns:
        By run and module: on validation rows where all of these runs report both there, else on training rows.

    Example:
        >>> from pathlib import Path
        >>> from infotorch.records.run_record import RunRecord
        >>> values = ((10, 3.0, 1.0), (20, 1.5, 2.0))
        >>> lines = [{"step": s, "train_mi_xt_nats": xt, "train_mi_ty_nats": ty} for s, xt, ty in values]
        >>> [(way.xt.y, way.ty.y) for way in ways([Run(RunRecord(Path()), {"name": "demo"}, {}, lines, None)])]
        [([3.0, 1.5], [1.0, 2.0])]
    """
    found = {split: [way for run in runs for way in _ways(run, split)] for split in ("validation", "train")}
    return found["validation"] if len(found["validation"]) >= len(found["train"]) else found["train"]


def _ways(run: Run, split: str) -> list[Way]:
    points: dict[str, dict[float, tuple[float, float]]] = {}
    for line, place in zip(run.lines, positions(run), strict=True):
        both = [line[name] for name in (f"{split}_{MI_XT}", f"{split}_{MI_TY}") if is_number(line.get(name))]
        if len(both) == 2:
            points.setdefault(str(line.get("module", "")), {})[place] = both[0], both[1]
    found = []
    for module, at in points.items():
        kept = thin(sorted(at))
        if len(kept) > 1:
            xt = Curve(module, split, run.seed, run.completed, False, kept, [at[place][0] for place in kept])
            found.append(Way(xt, replace(xt, y=[at[place][1] for place in kept])))
    return found


def plane_figure(runs: Sequence[Run]) -> Figure | None:
    """I(X; T) against I(Y; T) over training, a colour and a mark per module.

    Args:
        runs: runs of one variant, its seeds.

    Returns:
        The figure: the mean over completed seeds thick and single seeds thin, a lone completed one thick; None where no
        module reports both coordinates.
    """
    found = ways(runs)
    if not found:
        return None
    modules = list(dict.fromkeys(way.xt.label for way in found))
    figure = blank_figure(height=340)
    figure.update_layout(showlegend=len(modules) > 1)
    for index, module in enumerate(modules):
        of_module = [way for way in found if way.xt.label == module]
        xt, ty = mean_curve([way.xt for way in of_module]), mean_curve([way.ty for way in of_module])
        mean = [Way(xt, ty)] if xt is not None and ty is not None else []
        thick = mean or [way for way in of_module if way.xt.completed] or of_module
        for way in [*of_module, *mean]:
            _add_way(figure, way, index, faint=way not in thick, legend=way is thick[0])
    figure.update_xaxes(title_text=_title(runs, MI_XT), showgrid=True)
    figure.update_yaxes(title_text=_title(runs, MI_TY))
    return figure


def _add_way(figure: Figure, way: Way, index: int, *, faint: bool, legend: bool) -> None:
    xs, ys = [[short(value) for value in curve.y if value is not None] for curve in (way.xt, way.ty)]
    colour, mark = PALETTE[index % len(PALETTE)], MARKS[(index + index // len(PALETTE)) % len(MARKS)]
    who = "mean over seeds" if way.xt.seed is None else f"seed {way.xt.seed}"
    label = plain(way.xt.label)
    shared = {"name": label, "legendgroup": label, "opacity": 0.3 if faint else 1.0}
    arrows = set() if faint else _arrow_places(xs, ys)
    figure.add_scatter(
        x=xs,
        y=ys,
        **shared,
        showlegend=False,
        mode="lines" if faint else "lines+markers",
        line={"color": colour, "width": 1 if faint else 2, "backoff": 0},
        marker={
            "symbol": "arrow",
            "angleref": "previous",
            "size": [10 if place in arrows else 0 for place in range(len(xs))],
            "color": colour,
            "opacity": 1,
            "line": {"width": 0},
        },
        customdata=[short(place) for place in way.xt.x],
        hovertemplate=f"{label}, {who}, at %{{customdata}}: I(X; T) %{{x:.4g}}, I(T; Y) %{{y:.4g}}<extra></extra>",
    )
    if not faint:
        edge = {"width": 1.5, "color": colour}
        ends = {"symbol": [mark, f"{mark}-open"], "size": 9, "color": colour, "opacity": 1, "line": edge}
        figure.add_scatter(
            x=[xs[-1], xs[0]],
            y=[ys[-1], ys[0]],
            **shared,
            showlegend=legend,
            mode="markers",
            marker=ends,
            hoverinfo="skip",
        )


def _arrow_places(xs: Sequence[float], ys: Sequence[float]) -> set[int]:
    """Where arrowheads stand: evenly along the line, never on its ends."""
    # In fractions of the line's own extent, as neither axis should decide alone.
    wide, high = (max(values) - min(values) or 1.0 for values in (xs, ys))
    gone = [0.0]
    for i in range(1, len(xs)):
        gone.append(gone[-1] + math.hypot((xs[i] - xs[i - 1]) / wide, (ys[i] - ys[i - 1]) / high))
    marks = (gone[-1] * number / (_ARROWS + 1) for number in range(1, _ARROWS + 1))
    return {next(i for i, way in enumerate(gone) if way >= mark) for mark in marks} - {0, len(xs) - 1}


def _title(runs: Sequence[Run], name: str) -> str:
    """The axis's title, with the direction of the bound where every line that has the coordinate says the same."""
    lines = [line for run in runs for line in run.lines if {f"train_{name}", f"validation_{name}"} & set(line)]
    directions = {line.get(f"{name}_bound") for line in lines}
    direction = directions.pop() if len(directions) == 1 else None
    said = {"upper": " (upper bound)", "lower": " (lower bound)", "exact": " (exact)"}
    return metric_label(name) + said.get(str(direction), "")


def plane_section(rows: Sequence[Row], specs: list[str]) -> str:
    """A figure for each variant of a recipe whose modules report both coordinates; nothing without any."""
    figures = ""
    for row in rows:
        found = ways(row.runs)
        split = {"train": "training"}.get(found[0].xt.split, found[0].xt.split) if found else ""
        figures += drawing(plane_figure(row.runs), row.variant, f"On {split} data.", specs)
    if not figures:
        return ""
    return f"<h3>Paths through the information plane</h3><p class=quiet>{_ABOUT}</p><div class=figures>{figures}</div>"
