"""The path of every module through the information plane: I(X; T) against I(Y; T), epoch after epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from infotorch.figures.curves import Curve
from infotorch.figures.information_plane import Way, paths_figure
from infotorch.report.curves import positions, thin
from infotorch.report.numbers import metric_label
from infotorch.report.runs import Run, is_number
from infotorch.report.sections import drawing
from infotorch.report.summaries import VariantSummary

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MI_XT, MI_TY = "mi_xt_nats", "mi_ty_nats"
_ABOUT = (
    "One line a module. Each starts at its open mark, after the first epoch, and ends at its filled mark; arrowheads "
    "point forward in time. T is the module's output, or the output with noise where noise makes I(X; T) finite. "
    "Bounds were read on batches: they hold for an input that is drawn from the samples of a batch."
)


def ways(runs: Sequence[Run]) -> list[Way]:
    """Every module of every run of one variant that reports both coordinates at two epochs or more.

    Args:
        runs: runs of one variant, its seeds.

    Returns:
        By run and module: on validation samples where all of these runs report both there, else on training samples.

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


def plane_figure(runs: Sequence[Run], order: Sequence[str] = ()) -> Figure | None:
    """I(X; T) against I(Y; T) over training, a colour and a mark per module.

    Args:
        runs: runs of one variant, its seeds.
        order: of all modules of the page, in which each keeps its colour.

    Returns:
        The figure: the mean over completed seeds thick and single seeds thin, a lone completed one thick; None where no
        module reports both coordinates.
    """
    found = ways(runs)
    if not found:
        return None
    return paths_figure(found, x_title=_title(runs, MI_XT), y_title=_title(runs, MI_TY), order=order)


def _title(runs: Sequence[Run], name: str) -> str:
    """The axis's title, with the direction of the bound where every line that has the coordinate says the same."""
    lines = [line for run in runs for line in run.lines if {f"train_{name}", f"validation_{name}"} & set(line)]
    directions = {line.get(f"{name}_bound") for line in lines}
    direction = directions.pop() if len(directions) == 1 else None
    said = {"upper": " (upper bound)", "lower": " (lower bound)", "exact": " (exact)"}
    return metric_label(name) + said.get(str(direction), "")


def plane_section(rows: Sequence[VariantSummary], specs: list[str], order: Sequence[str] = ()) -> str:
    """A figure for each variant of a recipe whose modules report both coordinates; nothing without any."""
    figures = ""
    for row in rows:
        found = ways(row.runs)
        split = {"train": "training"}.get(found[0].xt.split, found[0].xt.split) if found else ""
        figures += drawing(plane_figure(row.runs, order), row.variant, f"On {split} data.", specs)
    if not figures:
        return ""
    return f"<h3>Paths through the information plane</h3><p class=quiet>{_ABOUT}</p><div class=figures>{figures}</div>"
