"""demonstration.json on the page: the claims of the theory with what the values say, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infotorch.records.run_record import RunRecord
from infotorch.report.figures import PALETTE, blank_figure, plain, short
from infotorch.report.rows import Row
from infotorch.report.sections import drawing, escape, number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CLAIM = {"text", "place", "found", "holds"}
_KEYS = {
    "curves": {"title", "x_label", "y_label", "lines", "log_x", "note"},
    "heat": {"title", "x_label", "y_label", "value_label", "xs", "ys", "values", "note"},
}
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_ABOUT = "Values are exact, or their estimator is named; the unit of information is that of the paper."


def read_demonstration(record: RunRecord) -> dict[str, Any] | None:
    """What a demonstration has left, or None.

    Raises:
        ValueError: demonstration.json is damaged.
    """
    content = record.content("demonstration.json")
    if content is None:
        return None
    claims, figures = content.get("claims"), content.get("figures")
    if not (
        isinstance(claims, list)
        and all(isinstance(claim, dict) and set(claim) >= _CLAIM for claim in claims)
        and isinstance(figures, list)
        and all(isinstance(f, dict) and set(f) >= _KEYS.get(str(f.get("kind")), {"an unknown kind"}) for f in figures)
    ):
        raise ValueError(f"{record.directory / 'demonstration.json'} is damaged: it holds no claims and figures.")
    return content


def demonstration_figure(content: dict[str, Any]) -> Figure:
    """One figure: lines, or a map of a value over two parameters, blank where the value is infinite.

    Args:
        content: a member of "figures".

    Example:
        >>> lines = {"kind": "curves", "title": "", "x_label": "x", "y_label": "y", "log_x": False, "note": "",
        ...          "lines": {"step": [[0.0, 1.0], [0.0, 2.0]]}}
        >>> [trace.name for trace in demonstration_figure(lines).data]
        ['step']
    """
    figure = blank_figure(height=320)
    if content["kind"] == "heat":
        _add_map(figure, content)
    else:
        for place, (name, (xs, ys)) in enumerate(content["lines"].items()):
            _add_line(figure, place, name, xs, ys, content.get("spreads", {}).get(name))
    figure.update_xaxes(title_text=plain(content["x_label"]), type="log" if content.get("log_x") else "linear")
    figure.update_yaxes(title_text=plain(content["y_label"]))
    return figure


def _add_line(
    figure: Figure,
    place: int,
    name: str,
    xs: Sequence[float],
    ys: Sequence[float | None],
    spreads: Sequence[float] | None,
) -> None:
    figure.add_scatter(
        x=[short(x) for x in xs],
        y=[None if y is None else short(y) for y in ys],
        name=plain(name),
        mode="lines",
        error_y={"array": spreads, "thickness": 1} if spreads else None,
        # Lines that coincide are told by their dashes.
        line={"color": PALETTE[place % len(PALETTE)], "width": 2, "dash": _DASHES[place % len(_DASHES)]},
        hovertemplate=plain(name) + ": %{y:.4g} at %{x:.3g}<extra></extra>",
    )


def _add_map(figure: Figure, content: dict[str, Any]) -> None:
    figure.add_heatmap(
        x=[short(x) for x in content["xs"]],
        y=[short(y) for y in content["ys"]],
        z=[[None if value is None else short(value) for value in row] for row in content["values"]],
        colorscale="Viridis",
        colorbar={"title": {"text": plain(content["value_label"])}, "thickness": 12},
        hoverongaps=False,
        hovertemplate="%{z:.4g} at %{x:.3g}, %{y:.3g}<extra></extra>",
    )


def demonstration_markdown(rows: Sequence[Row]) -> str:
    """The claims of all demonstrations as a GitHub table, a line each; nothing without any."""
    lines = ""
    for variant, content in _demonstrations(rows):
        for claim in content["claims"]:
            cells = (variant, claim["text"], claim["place"], claim["found"], "yes" if claim["holds"] else "no")
            lines += f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    head = "| variant | claim of the paper | where | found | holds |\n| :-- | :-- | :-- | :-- | :-- |\n"
    return f"\n{head}{lines}" if lines else ""


def _demonstrations(rows: Sequence[Row]) -> list[tuple[str, dict[str, Any]]]:
    """Variant and content; of several runs of a variant the first one's, as nothing in them is random."""
    found = {}
    for row in rows:
        for run in row.runs:
            content = read_demonstration(run.record) if row.variant not in found else None
            found |= {row.variant: content} if content is not None else {}
    return list(found.items())


def demonstration_section(rows: Sequence[Row], specs: list[str]) -> str:
    """The demonstrations among a recipe's rows; nothing without any.

    Args:
        rows: rows of one recipe.
        specs: figures of the page, which these are added to.

    Raises:
        ValueError: a demonstration.json is damaged.
    """
    parts = "".join(_variant(variant, content, specs) for variant, content in _demonstrations(rows))
    return f"<h3>Demonstrations</h3><p class=quiet>{_ABOUT}</p>{parts}" if parts else ""


def _variant(variant: str, content: dict[str, Any], specs: list[str]) -> str:
    figures = "".join(
        drawing(demonstration_figure(figure), figure["title"], figure["note"], specs) for figure in content["figures"]
    )
    counted, table = _claims(content["claims"]) if content["claims"] else ("", "")
    return (
        f"<details class=variant open><summary>{escape(variant)}{counted}</summary>"
        f"<div class=figures>{figures}</div>{table}</details>"
    )


def _claims(claims: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """How many hold, and a table of them."""
    held = sum(bool(claim["holds"]) for claim in claims)
    lines = "".join(
        f"<tr><td>{escape(claim['text'])}</td><td>{escape(claim['place'])}</td><td>{number(claim['found'])}</td>"
        f"<td class={'good' if claim['holds'] else 'warn'}>{'yes' if claim['holds'] else 'no'}</td></tr>"
        for claim in claims
    )
    head = "".join(f"<th class=words>{name}</th>" for name in ("Claim", "Where", "Found", "Holds"))
    return (
        f"<span class=quiet>{held} of {len(claims)} claims hold</span>",
        f"<div class=scroll tabindex=0><table class=plain><thead><tr>{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>",
    )
