"""Tables' files -> the measured parts of pages: what stands between two markers is written, all else is left alone.

    <!-- table: milr-mnist epochs=10 -->            published beside measured, of the runs with these settings
    <!-- table: mole-mnist against=random -->       the same, compared with this row in place of `reference_of`
    <!-- numbers: mole-mnist best bp -->            the main metric of some variants, within a line of text
    <!-- differences: mole-mnist mine/random -->    paired differences of rows that a claim names, within a line;
                                                    with metric=NAME of another metric than the main one
    <!-- fresh: prox-binary sgd-order1/sgd-bp from=5 -->  the same before a seed and from it on, as a table
    <!-- rule: words -->                            how the words for differences are chosen; or the verdicts on claims
    <!-- verdicts: mole -->                         the claims of a paper, of claims.json, and a verdict on each
    <!-- falls: why-ib-fails -->                    how far I(X; T) fell, for each assumption that makes it finite
    <!-- sizes: milr-sample-size -->                information by number of samples
    <!-- pictures: prox-vae-mnist -->               the pictures of denoisers
    <!-- embeddings: mole-mnist best bp -->         drawn representations, in a file beside the page
    <!-- end -->

`python -m infotorch.report.pages RESULTS.md docs/results/*.md` writes pages from the tables' files in results/.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from infotorch.records.claims import read_claims
from infotorch.records.files import read_json, write_atomic
from infotorch.records.searches import searches_file
from infotorch.records.table_file import TableFile, curves_file
from infotorch.report.comparisons import (
    Reference,
    compare_pairs,
    counted_pairs,
    format_difference,
    format_word,
    reference_of,
)
from infotorch.report.confirmations import confirmations_markdown
from infotorch.report.differences import RULE
from infotorch.report.numbers import ABSENT, flatten, format_measured, format_metric, format_setting, metric_label
from infotorch.report.points import draw_points
from infotorch.report.runs import Run, load_runs
from infotorch.report.summaries import AFTER_TEST, VariantSummary, by_recipe, main_metrics, summaries_of
from infotorch.report.table import markdown_table
from infotorch.report.verdict_page import verdicts_markdown
from infotorch.report.verdicts import VERDICT_RULE, verdict_lines

_MARKED = re.compile(r"<!-- (\w+): ([\w.-]+)((?: [\w.=/-]+)*) -->(.*?)<!-- end -->", re.DOTALL)
#: Words of a marker that are no settings of runs.
_OPTIONS = ("against", "metric", "from")
# What makes I(X; T) of a plane finite, as its metrics name it and in words.
_ASSUMED = {
    "bin_width": "bins of 2/30",
    "relative_noise": "noise of a tenth of the spread",
    "noise_std": "noise of variance 0.1",
}


def page_text(text: str, page: Path, results: Path) -> tuple[str, dict[Path, bytes]]:
    """A page with its measured parts written anew.

    Args:
        text: the page as it is.
        page: where it lies, which its links start from.
        results: directory of the tables' files.

    Returns:
        The page, and the files beside it that it shows: path -> content.

    Raises:
        ValueError: a marker of no known kind, a table or variant that is not there, or a marker without an end.
    """
    drawings: dict[Path, bytes] = {}

    def written(found: re.Match[str]) -> str:
        kind, table, words = found[1], found[2], found[3].split()
        if kind not in _KINDS:
            raise ValueError(f"{page}: a marker must be one of {', '.join(_KINDS)}, got {kind!r}.")
        if kind == "embeddings":
            drawings[drawn := page.with_name(f"{table}-embeddings.svg")] = _embeddings(results / f"{table}.json", words)
            part = f"\n\n![t-SNE of {', '.join(words)}]({drawn.name})\n\n"
        else:
            part = _KINDS[kind](results / f"{table}.json", words, page)
        return f"<!-- {kind}: {' '.join([table, *words])} -->{part}<!-- end -->"

    whole = _MARKED.sub(written, text)
    begun, ended = len(re.findall(r"<!-- \w+: ", text)), text.count("<!-- end -->")
    if begun != ended:
        raise ValueError(f"{page}: {begun} markers begin and {ended} end.")
    return whole, drawings


def write_pages(pages: Sequence[Path], results: Path) -> list[Path]:
    """Write the measured parts of pages; a page that is right already is not touched.

    Returns:
        The files that changed.

    Raises:
        ValueError: see `page_text`; pages before the wrong one are written.
    """
    changed = []
    for page in pages:
        text, drawings = page_text(page.read_text(encoding="utf-8"), page, results)
        for path, content in {page: text.encode(), **drawings}.items():
            if not path.exists() or path.read_bytes() != content:
                write_atomic(path, content)
                changed.append(path)
    return changed


@cache
def _runs_of(path: Path, _written: int) -> list[Run]:
    return load_runs(TableFile(path).runs())


def _runs(path: Path, words: Sequence[str]) -> list[Run]:
    """The runs of a table with the settings `key=value` among words."""
    if not path.exists():
        raise ValueError(f"{path} does not exist: the marker names no table.")
    runs = _runs_of(path, path.stat().st_mtime_ns)
    for key, value in (word.split("=") for word in words if "=" in word and not word.startswith(_OPTIONS)):
        runs = [run for run in runs if format_setting(flatten(run.recipe).get(key)) == value]
    if not runs:
        raise ValueError(f"{path} has no run with {' '.join(words)}.")
    return runs


def _variants(path: Path, words: Sequence[str]) -> dict[str, VariantSummary]:
    return {row.variant: row for row in summaries_of(_runs(path, words))}


def _named(path: Path, words: Sequence[str]) -> list[tuple[str, VariantSummary]]:
    """The variants among words."""
    rows = _variants(path, words)
    names = [word for word in words if "=" not in word]
    if missing := [name for name in names if name not in rows]:
        raise ValueError(f"{path} has no variant {', '.join(missing)}.")
    return [(name, rows[name]) for name in names]


def _table(path: Path, words: Sequence[str], page: Path) -> str:
    table = markdown_table(summaries_of(_runs(path, words)), _reference(path, words))
    files = {"runs": path, "curves": curves_file(path), "searches": searches_file(path)}
    there = ", ".join(f"[{what}]({_link(file, page)})" for what, file in files.items() if file.exists())
    return f"\n\n{table}\nEvery number comes from these files: {there}.\n\n"


def _option(words: Sequence[str], name: str) -> str:
    return next((word.removeprefix(f"{name}=") for word in words if word.startswith(f"{name}=")), "")


def _reference(path: Path, words: Sequence[str]) -> Reference:
    """What rows are compared with: the row that a marker names, in all its settings."""
    asked = _option(words, "against")
    if not asked:
        return reference_of
    _named(path, [*(word for word in words if "=" in word), asked])  # a row that is not there is refused
    return lambda variant, _: None if variant == asked else asked


def _pairs(path: Path, words: Sequence[str]) -> tuple[list[tuple[VariantSummary, VariantSummary]], str]:
    """The rows that words such as best/bp name, and the metric that is asked for, or the main one."""
    pairs = [word.split("/") for word in words if "=" not in word]
    if any(len(pair) != 2 for pair in pairs) or not pairs:
        raise ValueError(f"{path}: differences must name pairs such as best/bp, got {' '.join(words)}.")
    rows = dict(_named(path, [word for word in words if "=" in word] + [name for pair in pairs for name in pair]))
    name = _option(words, "metric") or main_metrics(list(rows.values()))[0]
    if missing := [row.variant for row in rows.values() if name not in row.metrics]:
        raise ValueError(f"{path} has no {name} of {', '.join(missing)}.")
    return [(rows[variant], rows[reference]) for variant, reference in pairs], name


def _differences(path: Path, words: Sequence[str], _page: Path) -> str:
    pairs, name = _pairs(path, words)
    made = compare_pairs([(row, reference, name) for row, reference in pairs])
    said = [f"`{one.variant}` {format_difference(one)} {format_word(one)}".strip() for one in made]
    return f"{metric_label(name)}, paired: {', '.join(said)} ({counted_pairs(made)})"


def _fresh(path: Path, words: Sequence[str], _page: Path) -> str:
    asked = _option(words, "from")
    if not asked.isdecimal():
        raise ValueError(f"{path}: fresh must name the first fresh seed, as from=3, got {' '.join(words)}.")
    pairs, name = _pairs(path, words)
    try:
        return f"\n\n{confirmations_markdown(pairs, name, fresh_from=int(asked))}\n\n"
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _rule(path: Path, _words: Sequence[str], _page: Path) -> str:
    return f"\n\n{VERDICT_RULE if path.stem == 'verdicts' else RULE}\n\n"


def _verdicts(path: Path, _words: Sequence[str], _page: Path) -> str:
    papers = read_claims(path.with_name("claims.json"))
    if path.stem not in papers:
        raise ValueError(f"{path.with_name('claims.json')} has no paper {path.stem}.")

    def rows_of(table: str, settings: Sequence[str]) -> dict[str, VariantSummary]:
        file = path.with_name(f"{table}.json")
        return _variants(file, settings) if file.exists() else {}

    lines = verdict_lines(papers[path.stem], rows_of, lambda name: read_json(path.parent.parent / name))
    return verdicts_markdown(lines)


def _numbers(path: Path, words: Sequence[str], _page: Path) -> str:
    rows = _named(path, words)
    [name, *_] = main_metrics([row for group in by_recipe([row for _, row in rows]) for row in group])
    said = []
    for variant, row in rows:
        found = row.metrics[name]
        published = f" (published {format_metric(name, found.published)})" if found.published is not None else ""
        mark = f" {AFTER_TEST}" if row.about.changed(variant) else ""
        said.append(f"`{variant}`{mark} {format_measured(name, found.mean, found.std_error)}{published}")
    return f"{metric_label(name)}: {', '.join(said)}"


def _falls(path: Path, words: Sequence[str], _page: Path) -> str:
    lines = ["| network | I(X; T) with | fall in layer 5, nats | of which sure |", "| :-- | :-- | --: | --: |"]
    for variant, row in _named(path, [*words, "plane-tanh", "plane-relu"]):
        for name, said in _ASSUMED.items():
            found = [row.metrics.get(f"{name}_layer_5_{kind}_nats") for kind in ("fall", "sure_fall")]
            cells = [ABSENT if m is None else format_measured(m.name, m.mean, m.std_error) for m in found]
            lines.append(f"| {variant} | {said} | {cells[0]} | {cells[1]} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def _sizes(path: Path, words: Sequence[str], _page: Path) -> str:
    lines = ["| samples | MNIST, KSG | Ross | H(Y) | CIFAR-10, KSG | Ross | H(Y) |", "| --: " * 7 + "|"]
    rows = [row.metrics for _, row in _named(path, [*words, "sample-size-mnist", "sample-size-cifar10"])]
    sizes = sorted({int(found[1]) for name in rows[0] if (found := re.fullmatch(r"ksg_(\d+)_nats", name))})
    for size in sizes:
        cells = [f"{size:,}"]
        for metrics in rows:
            told = {name: metrics[f"{name}_nats"].mean or 0.0 for name in (f"{key}_{size}" for key in ("ksg", "ross"))}
            spread = [metrics[f"{key}_{size}_sd_nats"].mean or 0.0 for key in ("ksg", "ross")]
            cells += [f"{value:.2f} ± {sd:.2f}" for value, sd in zip(told.values(), spread, strict=True)]
            cells.append(f"{metrics[f'entropy_y_{size}_nats'].mean:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def _pictures(path: Path, words: Sequence[str], page: Path) -> str:
    found = [path.with_name(name) for name in sorted(os.listdir(path.parent)) if name.startswith(f"{path.stem}.")]
    shown = [(file.stem.removeprefix(f"{path.stem}."), file) for file in found if file.suffix == ".png"]
    parts = [f"{name}\n\n![{path.stem} {name}]({_link(file, page)})" for name, file in shown]
    return "\n\n" + "\n\n".join(parts) + "\n\n"


def _embeddings(path: Path, words: Sequence[str]) -> bytes:
    shown = {}
    for name, row in _named(path, words):
        having = [run.record.embeddings() for run in row.runs if "embeddings.json" in run.record.files()]
        if not having:
            raise ValueError(f"{path} has no embeddings of {name}.")
        shown[name] = having[0]
    return draw_points(shown).encode()


def _link(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path, page.parent)).as_posix()


_KINDS: dict[str, Callable[[Path, Sequence[str], Path], str]] = {
    "table": _table,
    "numbers": _numbers,
    "differences": _differences,
    "fresh": _fresh,
    "rule": _rule,
    "verdicts": _verdicts,
    "falls": _falls,
    "sizes": _sizes,
    "pictures": _pictures,
    "embeddings": _pictures,  # drawn by `page_text`, which keeps the file
}


if __name__ == "__main__":
    for changed in write_pages([Path(name) for name in sys.argv[1:]], Path("results")):
        print(changed)
