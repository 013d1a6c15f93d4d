"""demonstration.json on the page: the claims of the theory with what the values say, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from infotorch.figures.demonstration import Curves, Heat, read_drawing
from infotorch.records.forms import NUMBER, NUMBER_OR_NULL, TEXT, TRUTH, Each, Optional, check_form
from infotorch.records.run_record import RunRecord
from infotorch.report.sections import drawing, escape, number
from infotorch.report.summaries import VariantSummary

_WORDS = {"title": TEXT, "x_label": TEXT, "y_label": TEXT, "note": Optional(TEXT)}
_FORM = {
    "claims": [{"text": TEXT, "place": TEXT, "found": TEXT, "holds": TRUTH}],
    "figures": [{"kind": TEXT, **_WORDS}],
}
_FIGURES = {
    "curves": {
        "lines": Each([[NUMBER_OR_NULL]]),
        "log_x": Optional(TRUTH),
        "spreads": Optional(Each([NUMBER])),
    },
    "heat": {"value_label": TEXT, "xs": [NUMBER], "ys": [NUMBER], "values": [[NUMBER_OR_NULL]]},
}
_ABOUT = "Values are exact, or their estimator is named; the unit of information is that of the paper."


class Shown(NamedTuple):
    """What demonstration.json holds.

    Args:
        claims: text, place, what was found, and whether it holds, of each.
        figures: in their order.
    """

    claims: list[dict[str, Any]]
    figures: list[Curves | Heat]


def read_demonstration(record: RunRecord) -> Shown | None:
    """What a demonstration has left, or None.

    Raises:
        ValueError: demonstration.json is damaged.
    """
    content = record.content("demonstration.json")
    if content is None:
        return None
    where = record.directory / "demonstration.json"
    check_form(content, _FORM, where=where)
    for place, figure in enumerate(content["figures"]):
        kind, at = figure["kind"], f"figures[{place}]"
        if kind not in _FIGURES:
            raise ValueError(f"{where} is damaged: {at}.kind must be one of {', '.join(_FIGURES)}, got {kind!r}.")
        check_form(figure, _FIGURES[kind], where=where, at=at)
        for name, line in figure.get("lines", {}).items():
            if len(line) != 2 or len(line[0]) != len(line[1]) or None in line[0]:
                raise ValueError(f"{where} is damaged: {at}.lines.{name} must be xs and as many ys.")
    return Shown(content["claims"], [read_drawing(_without_nulls(figure)) for figure in content["figures"]])


def _without_nulls(figure: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figure.items() if value is not None}


def demonstration_markdown(rows: Sequence[VariantSummary]) -> str:
    """The claims of all demonstrations as a GitHub table, a line each; nothing without any."""
    lines = ""
    for variant, shown in _demonstrations(rows):
        for claim in shown.claims:
            cells = (variant, claim["text"], claim["place"], claim["found"], "yes" if claim["holds"] else "no")
            lines += f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    head = "| variant | claim of the paper | where | found | holds |\n| :-- | :-- | :-- | :-- | :-- |\n"
    return f"\n{head}{lines}" if lines else ""


def _demonstrations(rows: Sequence[VariantSummary]) -> list[tuple[str, Shown]]:
    """Variant and content; of several runs of a variant the first one's, as nothing in them is random."""
    found = {}
    for row in rows:
        for run in row.runs:
            shown = read_demonstration(run.record) if row.variant not in found else None
            found |= {row.variant: shown} if shown is not None else {}
    return list(found.items())


def demonstration_section(rows: Sequence[VariantSummary], specs: list[str]) -> str:
    """The demonstrations among a recipe's rows; nothing without any.

    Args:
        rows: rows of one recipe.
        specs: figures of the page, which these are added to.

    Raises:
        ValueError: a demonstration.json is damaged.
    """
    parts = "".join(_variant(variant, shown, specs) for variant, shown in _demonstrations(rows))
    return f"<h3>Demonstrations</h3><p class=quiet>{_ABOUT}</p>{parts}" if parts else ""


def _variant(variant: str, shown: Shown, specs: list[str]) -> str:
    figures = "".join(drawing(one.figure(), one.title, one.note, specs) for one in shown.figures)
    counted, table = _claims(shown.claims) if shown.claims else ("", "")
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
