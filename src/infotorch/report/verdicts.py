"""The claims of one paper beside our rows: a verdict for each pair of rows, by the rule of the tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias

from infotorch.records.claims import Claim
from infotorch.report.comparisons import Comparison, compare_pairs, format_difference, format_word
from infotorch.report.demonstration import read_demonstration
from infotorch.report.differences import FEWEST, Difference
from infotorch.report.numbers import ABSENT, better, flatten, format_metric, metric_label
from infotorch.report.summaries import AFTER_TEST, Measured, VariantSummary, main_metrics

Verdict = Literal["holds", "does not hold", "cannot be told"]
VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "cannot be told")
#: Train less test accuracy, which no run stores.
GAP = "train_test_gap_accuracy"

VERDICT_RULE = (
    "A claim that a row is higher or lower than another one holds where the 95 % interval of the paired difference "
    "lies on the claimed side of 0, does not hold where it lies on the other side, and cannot be told where it holds "
    "0: these are the intervals that decide “ahead” and “below”. A claim that a row is comparable to another one has a "
    "margin, the difference that the paper itself prints where it says so: it holds where the interval lies above the "
    "reference less the margin, does not hold where it lies below that, and cannot be told where it holds that. With "
    "fewer than three pairs, and where the line says what is missing, it cannot be told."
)

#: Table and settings -> its rows by variant; none where there are no such runs.
Rows: TypeAlias = Callable[[str, Sequence[str]], Mapping[str, VariantSummary]]
#: A benchmark's file -> its content.
Files: TypeAlias = Callable[[str], Mapping[str, Any]]


class Line(NamedTuple):
    """One line of the page.

    Args:
        claim: the claim.
        published: the paper's values of row and reference, or a dash.
        rows: what is compared, and its setting.
        found: paired difference and its word, or what a demonstration found.
        verdict: by `VERDICT_RULE`.
        why: what a reader must know, or what would tell.
        comparison: the difference that was found; None where there is none.
        made_by: the commands of the numbers, each without its variant, and the variant.
    """

    claim: Claim
    published: str
    rows: str
    found: str
    verdict: Verdict
    why: str
    comparison: Comparison | None = None
    made_by: tuple[tuple[str, str], ...] = ()


def verdict_of(difference: Difference, expected: str, margin: float | None = None) -> Verdict:
    """What a difference says of a claim, by `VERDICT_RULE`.

    Args:
        difference: row minus reference.
        expected: "higher", "lower" or "comparable".
        margin: how far below its reference a comparable row may lie, in the unit in which the metric is stored.

    Example:
        >>> found = Difference("test_accuracy", "bp", {0: -0.0024, 1: -0.0005, 2: -0.0014})
        >>> verdict_of(found, "higher"), verdict_of(found, "comparable", 0.005)
        ('cannot be told', 'holds')
    """
    if difference.n < FEWEST or (expected == "comparable" and margin is None):
        return "cannot be told"
    sign = -1.0 if expected == "lower" or (expected, better(difference.metric)) == ("comparable", "lower") else 1.0
    allowed = margin or 0.0 if expected == "comparable" else 0.0
    low, high = sorted(sign * end + allowed for end in difference.interval)
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told"


class _Pair(NamedTuple):
    """A claim's pair of rows with the metric that is compared; a row is None where it has not run."""

    claim: Claim
    names: tuple[str, str]
    row: VariantSummary | None
    reference: VariantSummary | None
    metric: str
    made_by: tuple[tuple[str, str], ...] = ()


def verdict_lines(claims: Sequence[Claim], rows_of: Rows, file_of: Files) -> list[Line]:
    """The lines of one paper's claims; all of its comparisons are made together.

    Raises:
        ValueError: a benchmark's file has no such place, or a table no such metric or demonstration.
    """
    pairs = [pair for claim in claims for pair in _pairs(claim, rows_of, file_of)]
    ready = [(p.row, p.reference, p.metric) for p in pairs if p.row and p.reference and _shared(p)]
    made = iter(compare_pairs(ready))
    compared = iter([next(made) if p.row and p.reference and _shared(p) else None for p in pairs])
    lines = []
    for claim in claims:
        lines += _demonstrated(claim, rows_of) if claim.demonstration else []
        lines += [_line(pair, next(compared)) for pair in pairs if pair.claim is claim]
        if not (claim.pairs or claim.demonstration):
            lines.append(Line(claim, ABSENT, ABSENT, ABSENT, "cannot be told", _why(claim)))
    return lines


def _shared(pair: _Pair) -> set[int]:
    rows = [row.metrics[pair.metric].values if row else {} for row in (pair.row, pair.reference)]
    return set(rows[0]) & set(rows[1])


def _pairs(claim: Claim, rows_of: Rows, file_of: Files) -> list[_Pair]:
    made_by: tuple[tuple[str, str], ...] = ()
    if claim.file:
        content = file_of(claim.file)
        made_by = ((str(content["made_by"]), ""),)
        rows = {name: _benchmark_row(name, claim, content) for name in claim.values}
        metric = claim.metric
    else:
        rows = dict(rows_of(claim.table, claim.settings)) if claim.pairs else {}
        metric = claim.metric or next(iter(main_metrics(list(rows.values()))), "")
        rows = {name: _with_metric(row, metric, claim.epoch) for name, row in rows.items()}
        metric = _told(metric, claim.epoch)
    made = []
    for pair in claim.pairs:
        names = tuple(pair.split("/"))
        row, reference = (rows.get(name) for name in names)
        made.append(_Pair(claim, (names[0], names[1]), row, reference, metric, made_by))
    for pair in made:
        if missing := [row.variant for row in (pair.row, pair.reference) if row and metric not in row.metrics]:
            raise ValueError(f"{claim.table} has no {metric} of {', '.join(missing)}.")
    return made


def _told(metric: str, epoch: int | None) -> str:
    return metric if epoch is None else f"epoch_{epoch}_{metric}"


def _with_metric(row: VariantSummary, metric: str, epoch: int | None) -> VariantSummary:
    """The row with a metric that its runs do not store as such: of an epoch, or the gap of train and test."""
    if epoch is not None:
        values = {run.seed: value for run in row.runs if run.completed for value in _at(run.lines, metric, epoch)}
        return replace(row, metrics={**row.metrics, _told(metric, epoch): Measured(_told(metric, epoch), values)})
    if metric == GAP:
        train, test = (row.metrics.get(f"{split}_accuracy", Measured("", {})).values for split in ("train", "test"))
        gap = Measured(GAP, {seed: train[seed] - test[seed] for seed in train if seed in test})
        return replace(row, metrics={**row.metrics, GAP: gap})
    return row


def _at(lines: Sequence[Mapping[str, Any]], metric: str, epoch: int) -> list[float]:
    """The metric's last value of an epoch, or nothing."""
    return [line[metric] for line in lines if line.get("epoch") == epoch and line.get(metric) is not None][-1:]


def _benchmark_row(name: str, claim: Claim, content: Mapping[str, Any]) -> VariantSummary:
    found: Any = content
    for count, step in enumerate(claim.values[name]):
        try:
            if step == "*":
                rest = claim.values[name][count + 1 :]
                found = [one[rest[0]] for one in found]
                break
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{claim.file} has no {'/'.join(claim.values[name])}.") from error
    measured = Measured(claim.metric, {seed: float(value) for seed, value in enumerate(found)})
    return VariantSummary(claim.file, name, (), {claim.metric: measured}, None, {}, ())


def _published(pair: _Pair) -> tuple[float, float] | None:
    """What the paper prints of both rows, in the unit in which the metric is stored."""
    given = pair.claim.published.get("/".join(pair.names))
    if given:
        return given[0], given[1]
    values = [_published_value(row, pair.metric) for row in (pair.row, pair.reference)]
    return (values[0], values[1]) if values[0] is not None and values[1] is not None else None


def _published_value(row: VariantSummary | None, metric: str) -> float | None:
    if row is None:
        return None
    train = row.about.train.get(row.plain)
    if metric == "train_accuracy":
        return train
    test = row.metrics["test_accuracy"].published if metric == GAP else None
    if metric == GAP:
        return None if train is None or test is None else train - test
    return row.metrics[metric].published


def _line(pair: _Pair, comparison: Comparison | None) -> Line:
    claim, published = pair.claim, _published(pair)
    shown = ABSENT
    if published:
        shown = " for ".join(format_metric(pair.metric, value) for value in published)
    margin = claim.margin if claim.margin is not None else abs(published[0] - published[1]) if published else None
    if comparison is None:
        return Line(claim, shown, _rows(pair, 0), ABSENT, "cannot be told", _not_run(pair))
    found = comparison.difference
    verdict = "cannot be told" if claim.waits else verdict_of(found, claim.expected, margin)
    bound = f" (margin {format_metric(pair.metric, margin)})" if claim.expected == "comparable" and margin else ""
    word = format_word(comparison)
    shown_difference = format_difference(comparison._replace(fewer=False))  # the setting says how many pairs
    said = f"{metric_label(pair.metric)}: {shown_difference}{bound}" + (f", {word}" if word else "")
    return Line(
        claim, shown, _rows(pair, found.n), said, verdict, _why(claim), comparison, pair.made_by or _made_by(pair)
    )


def _why(claim: Claim) -> str:
    told = f"`{claim.command}` would tell" if claim.command else ""
    return "; ".join(part for part in (claim.remark, claim.waits, told) if part)


def _not_run(pair: _Pair) -> str:
    """Which of the rows is missing, and the command that would make both."""
    claim = pair.claim
    missing = [name for name, row in zip(pair.names, (pair.row, pair.reference), strict=True) if row is None]
    settings = "".join(f" --set {setting}" for setting in claim.settings)
    variants = " ".join(f"--variant {name}" for name in pair.names)
    command = claim.command or f"infotorch table {claim.table} {variants} --seeds 3{settings} --out runs"
    has = "have" if len(missing) > 1 else "has"
    waits = claim.waits or f"{' and '.join(f'`{name}`' for name in missing)} {has} not run"
    return "; ".join(part for part in (claim.remark, waits, f"`{command}` would tell") if part)


def _rows(pair: _Pair, n: int) -> str:
    names = [f"`{name}`" for name in pair.names]
    for count, row in enumerate((pair.row, pair.reference)):
        if row is not None and row.about.changed(row.variant):
            names[count] += f" {AFTER_TEST}"
    return "; ".join([" minus ".join(names), _place(pair.claim), *_setting(pair, n)])


def _place(claim: Claim) -> str:
    if claim.file:
        name = claim.file.rsplit("/", 1)[-1]
        return f"[{name}](../{claim.file})"
    return f"[{claim.table}](results/{claim.table}.md)"


def _setting(pair: _Pair, n: int) -> list[str]:
    """Samples, labels and epochs of both rows as their recipes have them, and how many seeds were paired."""
    rows = [row for row in (pair.row, pair.reference) if row is not None and row.runs]
    recipes = [flatten(row.runs[0].recipe) for row in rows]
    said = []
    for name, words in (("data.limit", "training samples"), ("data.labels", "labels"), ("data.side", "pixels a side")):
        values = {recipe[name] for recipe in recipes if recipe.get(name) is not None}
        said += [f"{' / '.join(f'{value:,}' for value in sorted(values))} {words}"] if values else []
    epochs = list(dict.fromkeys(str(recipe["epochs"]) for recipe in recipes if recipe.get("epochs")))
    said += [f"{' / '.join(epochs)} epochs"] if epochs else []
    return [*said, f"n = {n}"] if n else said


def _made_by(pair: _Pair) -> tuple[tuple[str, str], ...]:
    rows = [row for row in (pair.row, pair.reference) if row is not None and row.runs]
    return tuple(command_of(row) for row in rows)


def command_of(row: VariantSummary) -> tuple[str, str]:
    """The command that made a row, without its variant, and the variant."""
    settings = "".join(f" --set {shlex.quote(setting)}" for setting in row.runs[0].recipe.get("changed") or ())
    return f"infotorch table {row.recipe} --seeds {max(run.seed for run in row.runs) + 1}{settings}", row.plain


def _demonstrated(claim: Claim, rows_of: Rows) -> list[Line]:
    """The claims that a demonstration of the table has judged itself."""
    row = rows_of(claim.table, claim.settings).get(claim.demonstration)
    shown = read_demonstration(row.runs[0].record) if row else None
    if row is None or shown is None:
        raise ValueError(f"{claim.table} has no demonstration {claim.demonstration}.")
    place = f"`{claim.demonstration}`; {_place(claim)}"
    return [
        Line(replace(claim, claim=one["text"], where=one["place"]), ABSENT, place, one["found"],
             "holds" if one["holds"] else "does not hold", claim.remark, None, (command_of(row),))
        for one in shown.claims
    ]  # fmt: skip
