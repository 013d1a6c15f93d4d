"""The pieces of the page as HTML text. Every word that comes from a run is escaped here."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.report.comparisons import (
    MCNEMAR,
    Comparison,
    compare_rows,
    counted_by_recipe,
    format_alone,
    format_difference,
    format_word,
)
from infotorch.report.differences import RULE
from infotorch.report.numbers import (
    ABSENT,
    better,
    flatten,
    format_counts,
    format_mebibytes,
    format_metric,
    format_seconds,
    format_setting,
    is_fraction,
    metric_label,
)
from infotorch.report.published import about_lines, published_cell
from infotorch.report.runs import Run, count_statuses
from infotorch.report.settings_apart import settings_apart
from infotorch.report.summaries import ACTIVATIONS, Measured, VariantSummary, by_recipe, told_by, twin_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# More values than this are not compared at a glance; the runs' own details have them.
_SHOWN_VALUES = 3

READING = (
    "<b>Measured</b> is the mean over the seeds of completed runs. <b>± s.e.</b> is its standard error, the standard "
    "deviation over seeds (n − 1) divided by √n; with one seed there is none. Runs that did not complete enter no mean "
    "and are named.",
    "<b>Published</b> is the value that the paper prints. The papers rarely state an error, and their seeds and splits "
    "can differ from these.",
    f"<b>Paired difference</b>. {RULE} Holm's correction (†) is for all comparisons of a table. {MCNEMAR}",
    "<b>Information</b> is in nats (1 nat = 1.4427 bits). An estimate can be a bound: a lower bound close to its "
    "ceiling, log n for InfoNCE, means “at least this much”, and an upper bound means “at most”.",
    "<b>Validation</b> is what choices are made on, such as settings and the number of epochs; test data gives the "
    "final number only.",
    "<b>Saved activations</b> are what autograd keeps for the backward pass at its highest. <b>Time</b> is the median "
    "over completed runs, training and evaluation together; compare it within one machine only.",
    "<b>Curves</b>: thick lines are means over seeds, thin ones single seeds; dotted is training, solid validation. "
    "Shaded bands are stages, in which only the named modules learn. A cross ends a run that did not complete.",
)


def _head(*columns: str, left: tuple[str, ...] = ()) -> str:
    # A column of words after one of numbers keeps its distance.
    kinds = ["number" if name not in left else "ended" if name == columns[-1] else "words" for name in columns]
    cells = "".join(f"<th class={kind}>{name}</th>" for kind, name in zip(kinds, columns, strict=True))
    return f"<thead><tr>{cells}</tr></thead>"


def _table(head: str, bodies: str, kind: str = "plain") -> str:
    # Focusable, so that a keyboard can scroll a table that is wider than the window.
    return f"<div class=scroll tabindex=0><table class={kind}>{head}{bodies}</table></div>"


def escape(text: object) -> str:
    """Any value as text that is safe inside HTML."""
    return html.escape(str(text))


def number(text: str) -> str:
    """A formatted number as HTML, with a minus sign that is as wide as a digit."""
    return escape(text).replace("-", "−")


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 run", "3 runs"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def drawing(figure: Figure | None, caption: str, note: str, specs: list[str]) -> str:
    """A figure with its caption, to be drawn by the page's script from `specs`; nothing where there is none."""
    if figure is None:
        return ""
    height = figure.to_dict()["layout"]["height"]
    specs.append(str(figure.to_json()))
    said = f"<span>{escape(note)}</span>" if note else ""
    return (
        f"<figure><figcaption>{escape(caption)}{said}</figcaption><div class=plot role=img "
        f'aria-label="{escape(caption)}" data-figure={len(specs) - 1} style="min-height:{height}px"></div></figure>'
    )


def lead(runs: Sequence[Run], rows: Sequence[VariantSummary]) -> str:
    """One sentence on what the page holds and one on how the runs ended."""
    recipes = len({row.recipe for row in rows})
    counts = count_statuses(runs)
    what = f"{counted(len(runs), 'run')} of {counted(recipes, 'recipe')} in {counted(len(rows), 'variant')}"
    if set(counts) == {"completed"}:
        return f"<p class=lead>{what}. <span class=good>Every run completed.</span></p>"
    ways = ", ".join(f"{count} {status}" for status, count in counts.items() if status != "completed")
    done = f"{counts.get('completed', 0)} completed"
    return f'<p class=lead>{what}: {done}, <a class=warn href="#incomplete">{ways}</a>.</p>'


_COLUMNS = (
    "Variant",
    "Published",
    "Measured",
    "± s.e.",
    "Seeds",
    "Paired difference",
    "Validation",
    "Activations, MiB",
    "Time",
    "Completed",
)


def summary_table(rows: Sequence[VariantSummary]) -> str:
    """Published beside measured for every recipe, a block of lines per recipe and main metric."""
    blocks = ""
    for group in by_recipe(rows):
        compared = compare_rows(group)
        blocks += "".join(_block(told, name, compared) for name, told in told_by(group))
    head = _head(*_COLUMNS, left=("Variant", "Completed")).replace("<th class=number>±", "<th class=error>±")
    return _table(head, blocks, "summary") + _notes(rows)


def _block(rows: Sequence[VariantSummary], name: str, compared: Mapping[tuple[str, str], Comparison]) -> str:
    said = f"{escape(metric_label(name))}{_aim(rows, name)}" if name else "no run has completed"
    title = f"{escape(rows[0].recipe)}<span class=quiet>{said}</span>"
    head = f"<tr class=group><th colspan={len(_COLUMNS)} scope=rowgroup>{title}</th></tr>"
    lines = "".join(_line(row, name, compared.get((row.variant, name))) for row in rows)
    return f"<tbody>{head}{lines}</tbody>"


def _aim(rows: Sequence[VariantSummary], name: str) -> str:
    aim = f"; {better(name)} is better" if better(name) else ""
    shares = {
        format_metric("majority_class", row.metrics["majority_class"].mean)
        for row in rows
        if "majority_class" in row.metrics
    }
    return aim + (f"; the majority class alone gives {shares.pop()}" if is_fraction(name) and len(shares) == 1 else "")


def _line(row: VariantSummary, name: str, comparison: Comparison | None) -> str:
    measured = row.metrics.get(name, Measured(name, {}))
    twin = twin_of(name, "validation")
    validation = row.metrics.get(twin, Measured(twin, {}))
    error = "" if measured.std_error is None else f"± {format_metric(name, measured.std_error)}"
    kinds_and_cells = [
        ("number", number(published_cell(row, name))),
        ("number mean", number(format_metric(name, measured.mean))),
        ("error", error),
        ("number", measured.n),
        ("number", _difference(comparison)),
        ("number", number(format_metric(twin, validation.mean))),
        ("number", format_mebibytes(row.memory.get(ACTIVATIONS))),
        ("number", format_seconds(row.seconds)),
        ("ended warn" if row.incomplete else "ended", format_counts(row.counts)),
    ]
    # On a phone each cell has its column's name above it.
    cells = "".join(
        f'<td class="{kind}" data-name="{column}">{cell}</td>'
        for column, (kind, cell) in zip(_COLUMNS[1:], kinds_and_cells, strict=True)
    )
    return f"<tr><th scope=row>{escape(row.marked)}</th>{cells}</tr>"


def _difference(comparison: Comparison | None) -> str:
    if comparison is None:
        return ABSENT
    word = f"<span class=source>{escape(format_word(comparison))}</span>"
    samples = f"<span class=source>samples {format_alone(comparison)}</span>" if comparison.alone else ""
    return f"{number(format_difference(comparison))}{word}{samples}"


def _notes(rows: Sequence[VariantSummary]) -> str:
    notes = [f"<b>{escape(recipe)}</b>: {escape(said)}." for recipe, said in counted_by_recipe(rows)]
    notes += map(escape, settings_apart(rows))
    notes += [escape(line) for group in by_recipe(rows) for line in about_lines(group)]
    notes += [
        f"<b>{escape(row.recipe)}, {escape(row.variant)}</b>: {escape(note)}" for row in rows for note in row.notes
    ]
    return f"<ul class=notes>{''.join(f'<li>{note}</li>' for note in notes)}</ul>" if notes else ""


def metrics_table(rows: Sequence[VariantSummary]) -> str:
    """Every metric of every variant with every seed."""
    bodies = "".join(_metric_lines(row) for row in rows)
    left = ("Variant", "Metric", "Each seed")
    head = _head("Variant", "Metric", "Mean", "s.e.", "s.d.", "Published", "Each seed", left=left)
    return _table(head, bodies, "metrics")


def _metric_lines(row: VariantSummary) -> str:
    name = f"<th scope=rowgroup rowspan={len(row.metrics)}>{escape(row.variant)}</th>"
    lines = "</tr><tr>".join(_metric_cells(measured) for measured in row.metrics.values())
    return f"<tbody><tr>{name}{lines}</tr></tbody>" if lines else ""


def _metric_cells(measured: Measured) -> str:
    name = measured.name
    shown = [measured.mean, measured.std_error, measured.sd]
    numbers = "".join(f"<td class=number>{number(format_metric(name, value))}</td>" for value in shown)
    published = number(format_metric(name, measured.published))
    source = f"<span class=source>{escape(measured.source)}</span>" if measured.source else ""
    seeds = ", ".join(
        f"{number(format_metric(name, v))}&nbsp;<span class=quiet>({s})</span>" for s, v in measured.values.items()
    )
    return (
        f"<td>{escape(metric_label(name))}</td>{numbers}"
        f"<td class=number>{published}{source}</td><td class=ended>{seeds or ABSENT}</td>"
    )


def incomplete_section(runs: Sequence[Run]) -> str:
    """Every run that did not complete: which, how, why, how far it came; nothing where all completed."""
    lines = [
        f"<tr><th scope=row>{escape(run.name)}</th><td>{escape(run.variant)}</td><td class=number>{run.seed}</td>"
        f'<td class="status warn">{run.status}</td><td class=ended>{escape(run.message)}<span class=source>last line: '
        f"{escape(run.last_place)}; <code>{escape(run.directory)}</code></span></td></tr>"
        for run in runs
        if not run.completed
    ]
    if not lines:
        return ""
    head = _head(
        "Recipe", "Variant", "Seed", "Ended", "What happened", left=("Recipe", "Variant", "Ended", "What happened")
    )
    return (
        "<section id=incomplete><h2>Runs that did not complete</h2><p class=quiet>They enter no mean above.</p>"
        + _table(head, f"<tbody>{''.join(lines)}</tbody>")
        + "</section>"
    )


def environment_section(runs: Sequence[Run]) -> str:
    """Where the runs were made; values that differ between runs are counted."""
    flats = [flatten(run.environment) for run in runs]
    lines = []
    for name in dict.fromkeys(name for flat in flats for name in flat):
        values = Counter(format_setting(flat[name]) for flat in flats if name in flat)
        lines.append(f"<dt>{escape(_words(name))}</dt><dd>{_distinct(values, len(runs))}</dd>")
    if not lines:
        return ""
    return f"<section id=environment><h2>Environment</h2><dl class=environment>{''.join(lines)}</dl></section>"


def _distinct(values: Counter[str], total: int) -> str:
    if len(values) > _SHOWN_VALUES:
        return f"<span class=quiet>{len(values)} different values; each run's details have its own</span>"
    shown = (
        escape(value) + (f" <span class=quiet>({counted(n, 'run')})</span>" if n < total else "")
        for value, n in values.items()
    )
    return "<br>".join(shown)


def run_details(runs: Iterable[Run]) -> str:
    """Settings, environment, time and memory of each run, folded."""
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    kind = "good" if run.completed else "warn"
    took = f", {format_seconds(run.outcome.seconds)}" if run.outcome else ""
    result = _result(run)
    parts = [("Result", result)] if result else []
    parts += [("Settings", flatten(run.recipe)), ("Environment", flatten(run.environment))]
    return (
        f"<details><summary>{escape(run.variant)}, seed {run.seed}: <span class={kind}>{run.status}</span>{took}"
        f"<span class=quiet><code>{escape(run.directory)}</code></span></summary><div class=settings>"
        + "".join(f"<div><h4>{title}</h4>{_definitions(content)}</div>" for title, content in parts if content)
        + "</div></details>"
    )


def _result(run: Run) -> dict[str, Any]:
    if run.outcome is None:
        return {}
    metrics = {metric_label(name): format_metric(name, value) for name, value in run.outcome.metrics.items()}
    memory = {
        f"{name.removesuffix('_bytes')}, MiB": format_mebibytes(count) for name, count in run.outcome.memory.items()
    }
    said = {"message": run.outcome.message, "isolation": run.outcome.isolation}
    return {**{name: words for name, words in said.items() if words}, **metrics, **memory}


def _definitions(content: Mapping[str, Any]) -> str:
    lines = (f"<dt>{escape(_words(k))}</dt><dd>{escape(format_setting(v))}</dd>" for k, v in content.items())
    return f"<dl>{''.join(lines)}</dl>"


def _words(name: str) -> str:
    return name.replace("_", " ")


def reading_section() -> str:
    """What the numbers mean."""
    lines = "".join(f"<li>{line}</li>" for line in READING)
    return f"<section id=reading><h2>How to read this page</h2><ul class=reading>{lines}</ul></section>"
