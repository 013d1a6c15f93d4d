"""information_plane.json as a figure: the plane with an epoch slider, a colour and a mark for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infotorch.figures.information_plane import epochs_figure
from infotorch.records.forms import check_form
from infotorch.records.plane_points import PLANE
from infotorch.records.run_record import RunRecord
from infotorch.report.runs import Run
from infotorch.report.sections import drawing
from infotorch.report.summaries import VariantSummary


def read_plane(record: RunRecord, name: str) -> dict[str, Any]:
    """What `InformationPlane.write` wrote, a file of a run.

    Raises:
        ValueError: the file is missing or damaged.
    """
    content = record.content(name) or {}
    check_form(content, PLANE, where=record.directory / name)
    return content


def information_plane_section(rows: Sequence[VariantSummary], specs: list[str], order: Sequence[str] = ()) -> str:
    """The planes of one run of each variant that has any; nothing without.

    Raises:
        ValueError: such a file is damaged.
    """
    figures = ""
    for row in rows:
        having = sorted((run for run in row.runs if _planes(run)), key=lambda run: run.seed)
        for name in _planes(having[0]) if having else []:
            content = read_plane(having[0].record, name)
            note = f"seed {having[0].seed}, {content.get('rows')} samples{_assumed(content)}; the slider is the epoch"
            figures += drawing(epochs_figure(content["points"], order), row.variant, note, specs)
    if not figures:
        return ""
    return f"<h3>Layers in the information plane</h3><p class=quiet>{_ABOUT}</p><div class=figures>{figures}</div>"


def _planes(run: Run) -> list[str]:
    """Names of the run's files that hold a plane."""
    return [name for name in run.record.files() if name.startswith("information_plane")]


def _assumed(content: dict[str, Any]) -> str:
    """What makes I(X; T) finite, in words; nothing where the file does not say."""
    assumed = content.get("assumption") or {}
    return "".join(f", {name.replace('_', ' ')} {value:.4g}" for name, value in assumed.items())


_ABOUT = (
    "A mark is a layer at the slider's epoch, with standard errors; thin lines are the whole paths. I(X; T) holds "
    "under the assumption that stands at each mark: without it, it would be infinite or the same for every layer."
)
