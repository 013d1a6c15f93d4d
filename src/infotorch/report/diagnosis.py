"""diagnosis.json as a table, in a terminal and on the page, with curves of compression and robustness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.figures.diagnosis import compression_figure, robustness_figure, similarity_figure
from infotorch.records.forms import COUNT, NUMBER, NUMBER_OR_NULL, TEXT, WHOLE, Optional, check_form
from infotorch.records.run_record import RunRecord
from infotorch.report.numbers import ABSENT
from infotorch.report.sections import drawing, escape, number
from infotorch.report.summaries import VariantSummary

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: Heading, key in a line of `Diagnosis.table`, and decimals; a percentage has none to show.
COLUMNS = (
    ("I(T; Y) ≥", "mi_ty_nats", 2),
    ("I(X; T+ε) ≤", "mi_xt_nats", 2),
    ("within classes", "within_classes", 2),
    ("rank", "effective_rank", 1),
    ("alignment", "alignment", 2),
    ("uniformity", "uniformity", 2),
    ("linear", "linear_accuracy", None),
    ("kNN", "neighbour_accuracy", None),
    ("MLP", "network_accuracy", None),
    ("noise", "noisy_accuracy", None),
    ("PGD", "attacked_accuracy", None),
)
#: Of the table, what is accuracy under which kind of change.
_STEADY = {"noisy_accuracy": "gaussian", "attacked_accuracy": "pgd"}
_ROBUSTNESS = {"accuracy": NUMBER, "curves": [{"kind": TEXT, "sizes": [NUMBER], "accuracy": [NUMBER]}]}
_TABLE = {"layer": TEXT, "columns": COUNT, "verdict": TEXT, "relative_noise": NUMBER_OR_NULL}
_LAYER = {
    **dict.fromkeys(("name", "verdict", "reason", "remedy"), TEXT),
    "sentences": [TEXT],
    "table": _TABLE | {key: Optional(NUMBER) for _, key, _ in COLUMNS},
    "compression": Optional({"ceiling": NUMBER, "noisy": [{"relative_noise": NUMBER, "upper": NUMBER}]}),
    "robustness": Optional(_ROBUSTNESS),
}
_FORM = {
    **dict.fromkeys(("recipe", "variant", "weights", "split"), TEXT),
    "seed": WHOLE,
    "num_samples": COUNT,
    "layers": [_LAYER],
    "robustness": Optional(_ROBUSTNESS),
    "similarity": Optional([[NUMBER_OR_NULL]]),
}
_KINDS = {"gaussian": "Gaussian noise", "affine": "Affine changes", "fgsm": "FGSM", "pgd": "PGD"}
_ABOUT = (
    "The verdict says whether I(X; T) is a number that means anything. P1: the best probe's lower bound on I(T; Y), in "
    "nats. P2: an upper bound on I(X; T + ε), far too high where T holds noise of its own that is not Gaussian, and "
    "the share of the squared distances that lies within classes. Rank is the effective number of directions of the "
    "outputs; alignment and uniformity are of their directions. P3: held-out accuracy of probes, in percent. P4: "
    "accuracy of a linear probe under noise and under attack. Noise and attacks follow the layer's and the input's own "
    "scale."
)


def read_diagnosis(record: RunRecord) -> dict[str, Any] | None:
    """A run's diagnosis, or None.

    Raises:
        ValueError: diagnosis.json is damaged.
    """
    content = record.content("diagnosis.json")
    if content is None:
        return None
    where = record.directory / "diagnosis.json"
    try:
        check_form(content, _FORM, where=where)
    except ValueError as error:
        raise ValueError(f"{error} It may be of another version: make it again by `infotorch diagnose`.") from error
    judged = [layer["robustness"] for layer in content["layers"]] + [content["robustness"]]
    for curve in (curve for one in judged if one for curve in one["curves"]):
        if not curve["sizes"] or len(curve["sizes"]) != len(curve["accuracy"]):
            raise ValueError(f"{where} is damaged: curves must have an accuracy for each size, and one at least.")
    return content


def cell(line: dict[str, Any], key: str, decimals: int | None) -> str:
    """A number of a line as people read it; an accuracy in percent.

    Example:
        >>> cell({"linear_accuracy": 0.9512}, "linear_accuracy", None), cell({"mi_ty_nats": 1.234}, "mi_ty_nats", 2)
        ('95.1', '1.23')
    """
    value = line.get(key)
    if value is None:
        return ABSENT
    return f"{100 * value:.1f}" if decimals is None else f"{value:.{decimals}f}"


def used_columns(content: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    """The columns that some layer has a number for."""
    return [c for c in COLUMNS if any(layer["table"].get(c[1]) is not None for layer in content["layers"])]


def terminal_diagnosis(content: dict[str, Any], width: int) -> list[Table | Text]:
    """Tables for rich, a line for each layer: one where it fits, or else as many as it takes to cut nothing; a legend.

    Args:
        content: what diagnosis.json holds.
        width: of the terminal, in characters.
    """
    from rich.markup import escape as escaped
    from rich.text import Text

    tables, left = [], used_columns(content)
    while left or not tables:
        first = not tables
        fewest = 0 if first else 1  # the verdict may stand alone
        fitting = (n for n in range(len(left), fewest, -1) if _width(_table_of(content, left[:n], first)) <= width)
        count = next(fitting, fewest)
        tables.append(_table_of(content, left[:count], first))
        left = left[count:]
    tables[0].title, tables[0].title_justify = escaped(title(content)), "left"
    said = legend(content)
    return [*tables, Text(said, style="dim italic")] if said else [*tables]


def _table_of(content: dict[str, Any], columns: Sequence[tuple[str, str, int | None]], verdicts: bool) -> Table:
    from rich import box
    from rich.markup import escape as escaped
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("layer", overflow="fold")
    if verdicts:
        table.add_column("columns", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True, overflow="fold")
    for heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for layer in content["layers"]:
        line = layer["table"]
        said = [str(line["columns"]), line["verdict"]] if verdicts else []
        table.add_row(escaped(line["layer"]), *said, *(cell(line, key, decimals) for _, key, decimals in columns))
    own = {key: _middle(content["robustness"], kind)[1] for key, kind in _STEADY.items()}
    if any(own.get(key) is not None for _, key, _ in columns):
        said = ["", ""] if verdicts else []
        numbers = [cell(own, key, None) if key in own else "" for _, key, _ in columns]
        table.add_row("the network itself", *said, *numbers)
    return table


def _width(table: Table) -> int:
    """Characters that a table takes where nothing limits it."""
    from rich.console import Console

    return Console(width=10_000).measure(table).maximum


def legend(content: dict[str, Any]) -> str:
    """Units and sizes of the table's columns, those that it has; "" without any."""
    used = {key for _, key, _ in used_columns(content)}
    lines, robust = content["layers"], [layer["robustness"] for layer in content["layers"] if layer["robustness"]]
    noises = {layer["table"]["relative_noise"] for layer in lines} - {None}
    sizes = [_middle(robust[0], kind)[0] for kind in _STEADY.values()] if robust else []
    words = [
        ("mi_ty_nats" in used, "I(T; Y): nats, by the best probe"),
        ("mi_xt_nats" in used, f"I(X; T+ε): nats, ε of {_listed(noises)} of the layer's spread"),
        ("within_classes" in used, "within classes: share of the squared distances"),
        ("effective_rank" in used, "rank: effective number of directions"),
        ("alignment" in used, "alignment: squared distance within classes, 0 to 4"),
        ("uniformity" in used, "uniformity: the lower the more evenly spread"),
        ("linear_accuracy" in used, "linear, kNN, MLP: % of held-out samples that probes classify correctly"),
        (bool(sizes), f"noise, PGD: % by the linear probe, changes of {_listed(sizes)} of the input's deviation"),
    ]
    return "; ".join(text for is_used, text in words if is_used)


def _listed(values: Iterable[float | None]) -> str:
    return " and ".join(f"{value:g}" for value in sorted({value for value in values if value is not None}))


def _middle(robustness: dict[str, Any] | None, kind: str) -> tuple[float | None, float | None]:
    """(size, accuracy) at the middle size of one kind of change, as in the table."""
    curves = [curve for curve in robustness["curves"] if curve["kind"] == kind] if robustness else []
    if not curves:
        return None, None
    place = len(curves[0]["accuracy"]) // 2
    return curves[0]["sizes"][place], curves[0]["accuracy"][place]


def title(content: dict[str, Any]) -> str:
    """What was diagnosed, in a line."""
    return (
        f"{content['recipe']} {content['variant']} seed {content['seed']}, weights {content['weights']}, "
        f"{content['num_samples']} {content['split']} samples"
    )


def advice(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For every verdict and reason that occur: the layers, why, and what to look at instead."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for layer in content["layers"]:
        found.setdefault((layer["verdict"], layer["reason"]), []).append(layer)
    return [
        (f"{verdict} ({', '.join(layer['name'] for layer in layers)})", reason, layers[0]["remedy"])
        for (verdict, reason), layers in found.items()
    ]


def diagnosis_section(
    rows: Sequence[VariantSummary], specs: list[str], unfolded: bool, order: Sequence[str] = ()
) -> str:
    """The diagnosed runs of a recipe, one of each variant; nothing where none was diagnosed.

    Args:
        rows: rows of one recipe.
        specs: figures of the page, which these are added to.
        unfolded: whether all variants are open, or the first alone.
        order: of all modules of the page, in which each keeps its colour.

    Raises:
        ValueError: a diagnosis.json is damaged.
    """
    found = [(row.variant, content) for row in rows if (content := _of_row(row)) is not None]
    layers = [layer["name"] for _, content in found for layer in content["layers"]]
    order = [*order, *layers, "the network itself"]
    parts = "".join(
        _variant(variant, content, specs, unfolded or not place, order)
        for place, (variant, content) in enumerate(found)
    )
    return f"<h3>Diagnosis, layer by layer</h3><p class=quiet>{_ABOUT}</p>{parts}" if parts else ""


def _of_row(row: VariantSummary) -> dict[str, Any] | None:
    """The diagnosis of the run with the smallest seed that has one."""
    having = row.with_file("diagnosis.json")
    return read_diagnosis(having[0].record) if having else None


def _variant(variant: str, content: dict[str, Any], specs: list[str], unfolded: bool, order: Sequence[str]) -> str:
    figures = drawing(compression_figure(content, order), "Compression under noise", "P2", specs)
    figures += drawing(similarity_figure(content), "Likeness of layers", "linear CKA, unbiased", specs)
    for kind, words in _KINDS.items():
        figures += drawing(robustness_figure(content, kind, order), words, "P4, linear probes on each layer", specs)
    said = "".join(
        f"<dt>{escape(who)}</dt><dd>{escape(why)} Instead: {escape(instead)}.</dd>"
        for who, why, instead in advice(content)
    )
    evidence = "".join(
        f"<li><b>{escape(layer['name'])}</b>: {escape('; '.join(layer['sentences']))}.</li>"
        for layer in content["layers"]
    )
    return (
        f"<details class=variant{' open' if unfolded else ''}><summary>{escape(variant)}"
        f"<span class=quiet>{escape(title(content))}</span></summary>{_table(content)}<dl class=rows>{said}</dl>"
        f"<div class=figures>{figures}</div>"
        f"<details class=printed><summary>Evidence</summary><ul class=notes>{evidence}</ul></details></details>"
    )


def _table(content: dict[str, Any]) -> str:
    columns = used_columns(content)
    head = "".join(f"<th class=number>{escape(heading)}</th>" for heading, _, _ in columns)
    lines = ""
    for layer in content["layers"]:
        line = layer["table"]
        cells = "".join(f"<td class=number>{number(cell(line, key, decimals))}</td>" for _, key, decimals in columns)
        lines += (
            f"<tr><th scope=row>{escape(line['layer'])}</th><td class=number>{line['columns']}</td>"
            f"<td>{escape(line['verdict'])}</td>{cells}</tr>"
        )
    return (
        "<div class=scroll tabindex=0><table class=plain><thead><tr><th class=words>Layer</th>"
        f"<th class=number>Columns</th><th class=words>Verdict</th>{head}</tr></thead><tbody>{lines}</tbody></table>"
        "</div>"
    )
