"""Run directories -> one HTML page that needs nothing else: style, figures and plotly.js stand inside it.

The page forbids itself every request (Content-Security-Policy), so opening it cannot reach the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from infotorch.figures.page import packed, packed_plotly
from infotorch.records.files import write_atomic
from infotorch.records.finding import find_runs
from infotorch.report.assessment import assessment_section, strength_section
from infotorch.report.curves import constant_value, curves_by_module, module_names, quantities
from infotorch.report.demonstration import demonstration_section
from infotorch.report.diagnosis import diagnosis_section
from infotorch.report.embeddings import embeddings_section
from infotorch.report.figures import measured_figure, module_figure, overview_curve, rates_vary, variants_figure
from infotorch.report.information_plane import information_plane_section
from infotorch.report.numbers import format_setting, metric_label
from infotorch.report.pictures import pictures_section
from infotorch.report.plane import plane_section
from infotorch.report.runs import Run, load_runs
from infotorch.report.sections import (
    counted,
    drawing,
    environment_section,
    escape,
    incomplete_section,
    lead,
    metrics_table,
    reading_section,
    run_details,
    summary_table,
)
from infotorch.report.summaries import VariantSummary, by_recipe, summaries_of, told_by

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
# With more variants than this on a page their curves start folded.
_UNFOLDED = 4


def write_report(
    directories: Sequence[Path], out: Path, *, title: str | None = None, made: datetime | None = None
) -> Path:
    """Write one self-contained HTML page about the runs at or below some directories.

    Args:
        directories: run directories, or directories above them.
        out: the page to write; replaced atomically, its directory is made where it is missing.
        title: heading of the page; the recipe's own title where it is left out and there is one recipe.
        made: when the page was made, in its header; now where it is left out.

    Returns:
        `out`.

    Raises:
        FileNotFoundError: a directory does not exist.
        ValueError: no directory is given, one holds no run, or a file is damaged; the message names it.

    Example:
        >>> import tempfile
        >>> from infotorch.records.outcome import Outcome
        >>> from infotorch.records.run_record import RunRecord
        >>> record = RunRecord(Path(tempfile.mkdtemp()) / "run")
        >>> record.begin({"name": "demo", "variant": "bp", "seed": 0}, {"python": "3.11"})
        >>> record.append({"stage": 0, "module": "fc1", "epoch": 1, "step": 10, "train_loss": 0.5})
        >>> record.finish(Outcome("completed", "", "demo", "bp", 0, {"test_accuracy": 0.9}))
        >>> page = write_report([record.directory], record.directory / "report.html")
        >>> "90.00" in page.read_text(encoding="utf-8")
        True
    """
    if not directories:
        raise ValueError("write_report: directories is empty; give at least one run directory.")
    runs = load_runs(find_runs(*map(Path, directories)))
    content = page(runs, title=title, made=made or datetime.now(UTC))
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # A folder's name need not be UTF-8; Python then has halves of surrogate pairs in it, which no page can hold.
    write_atomic(out, content.encode(errors="backslashreplace"))
    return out


def page(runs: Sequence[Run], *, title: str | None, made: datetime) -> str:
    """The page's HTML text."""
    rows = summaries_of(runs)
    specs: list[str] = []
    unfolded = len(rows) <= _UNFOLDED
    groups = by_recipe(rows)
    recipes = "".join(_recipe(group, place, specs, unfolded) for place, group in enumerate(groups))
    heading = title or (_title(groups[0]) if len(groups) == 1 else "Measured beside published")
    stamp = made.strftime("%Y-%m-%d %H:%M %Z").strip()
    body = (
        f"<header><p class=eyebrow>infotorch report</p><h1>{escape(heading)}</h1>{lead(runs, rows)}"
        f"<p class=quiet>Made {escape(stamp)}</p>{_contents(groups, runs)}</header><main>"
        f"<section id=summary><h2>Results</h2>{summary_table(rows)}</section>{recipes}{incomplete_section(runs)}"
        f"{environment_section(runs)}{reading_section()}</main>"
        "<footer>Every number comes from the run directories; the page makes no network request.</footer>"
    )
    return _document(heading, body, specs)


def _document(heading: str, body: str, specs: Sequence[str]) -> str:
    folder = resources.files("infotorch.report")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    plotly = f'<script type="text/plain" id="plotly">{packed_plotly()}</script>' if specs else ""
    figures = packed(f"[{','.join(specs)}]")
    drawing = f'{plotly}<script type="text/plain" id="figures">{figures}</script><script>{script}</script>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(heading)}</title><style>\n{style}</style></head>\n'
        f"<body>{body}\n<noscript><p>The figures need JavaScript; the tables have every number.</p></noscript>\n"
        f"{drawing if specs else ''}</body></html>\n"
    )


def _title(rows: Sequence[VariantSummary]) -> str:
    return str(rows[0].runs[0].recipe.get("title") or rows[0].recipe)


def _contents(groups: Sequence[Sequence[VariantSummary]], runs: Sequence[Run]) -> str:
    links = [("summary", "Results")] + [(f"recipe-{place}", group[0].recipe) for place, group in enumerate(groups)]
    links += [] if all(run.completed for run in runs) else [("incomplete", "Not completed")]
    links += [("environment", "Environment")] if any(run.environment for run in runs) else []
    links.append(("reading", "How to read"))
    items = "".join(f'<li><a href="#{target}">{escape(text)}</a></li>' for target, text in links)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _recipe(rows: Sequence[VariantSummary], place: int, specs: list[str], unfolded: bool) -> str:
    first, runs = rows[0].runs[0], [run for row in rows for run in row.runs]
    about = "".join(
        f"<dt>{escape(row.variant)}</dt><dd>{escape(row.runs[0].recipe.get('description') or '')}</dd>" for row in rows
    )
    source = f"<p class=quiet>Source: {escape(first.recipe['source'])}.</p>" if first.recipe.get("source") else ""
    name = f"<span class=name>{escape(first.name)}</span>" if _title(rows) != first.name else ""
    order = module_names(runs)
    variants = "".join(_variant(row, specs, unfolded, order) for row in rows)
    more = demonstration_section(rows, specs) + plane_section(rows, specs, order)
    more += information_plane_section(rows, specs, order) + diagnosis_section(rows, specs, unfolded, order)
    more += embeddings_section(rows, specs, unfolded) + assessment_section(rows) + strength_section(rows, specs)
    more += pictures_section(rows)
    return (
        f"<section class=recipe id=recipe-{place}><h2>{escape(_title(rows))}{name}</h2>"
        f"<dl class=rows>{about}</dl>{source}"
        f"<div class=figures>{_overview(rows, runs, specs)}</div>{more}{variants}"
        f'<details class="variant printed"><summary>Every metric, every seed</summary>{metrics_table(rows)}</details>'
        f"<details class=variant><summary>Settings and environment of each run<span class=quiet>"
        f"{counted(len(runs), 'run')}</span></summary>{run_details(runs)}</details></section>"
    )


def _overview(rows: Sequence[VariantSummary], runs: Sequence[Run], specs: list[str]) -> str:
    found = [
        drawing(measured_figure(told, name), f"Measured {metric_label(name, unit=False)}", "", specs)
        for name, told in told_by(rows)
        if name
    ]
    curve = overview_curve(rows)
    if curve is not None:
        label = metric_label(curve, unit=False)
        caption = f"{label[0].upper()}{label[1:]} during training"
        found.append(drawing(variants_figure(runs, curve), caption, "", specs))
    if rates_vary(runs):
        note = "Of modules that train together, the last one."
        found.append(drawing(variants_figure(runs, "learning_rate"), "Learning rate", note, specs))
    return "".join(found)


def _variant(row: VariantSummary, specs: list[str], unfolded: bool, order: Sequence[str]) -> str:
    figures, constant = [], []
    for quantity in quantities(row.runs):
        label = metric_label(quantity, unit=False)
        curves = curves_by_module(row.runs, quantity)
        value = constant_value(curves)
        if value is not None:
            constant.append(f"{escape(label)} {format_setting(value)} throughout")
        else:
            caption = label[0].upper() + label[1:]
            note = _splits_note({curve.split for curve in curves})
            figures.append(drawing(module_figure(row.runs, quantity, order), caption, note, specs))
    if not figures:
        return ""
    said = f"<span class=quiet>{'; '.join(constant)}</span>" if constant else ""
    mark = " open" if unfolded else ""
    return (
        f"<details class=variant{mark}><summary>Training of {escape(row.variant)}, module by module{said}</summary>"
        f"<div class=figures>{''.join(figures)}</div></details>"
    )


def _splits_note(splits: set[str]) -> str:
    if {"train", "validation"} <= splits:
        return "Validation solid, training dotted."
    names = {"train": "training", "validation": "validation", "test": "test"}
    return "".join(f"On {names[split]} data." for split in splits if split) if len(splits) == 1 else ""
