"""Runs -> variants: measured over seeds beside published; no run vanishes, and only completed ones enter a mean."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from infotorch.records.about import About, about_table
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import WORDS
from infotorch.report.numbers import flatten, format_setting, metric_label
from infotorch.report.runs import Run, count_statuses, load_runs

#: Behind a variant whose design was changed after a test score had been seen.
AFTER_TEST = "‡"
ACTIVATIONS = "peak_saved_activation_bytes"


@dataclass(frozen=True)
class Measured:
    """One metric of a variant.

    Args:
        name: metric name.
        values: seed -> stored value, completed runs alone.
        published: the paper's value, or None.
        source: where the paper gives it.
    """

    name: str
    values: dict[int, float]
    published: float | None = None
    source: str = ""

    @property
    def n(self) -> int:
        """How many seeds have a value."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean over seeds; None without a value."""
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds, with n - 1; None below two seeds."""
        return statistics.stdev(self.values.values()) if self.n > 1 else None

    @property
    def std_error(self) -> float | None:
        """Standard error of the mean, sd / sqrt(n); None below two seeds."""
        return None if self.sd is None else self.sd / self.n**0.5


@dataclass(frozen=True)
class VariantSummary:
    """A variant of a recipe over its seeds.

    Args:
        recipe: name of the recipe.
        variant: the variant.
        runs: every run of the variant, completed or not.
        metrics: metric name -> measured and published.
        seconds: median over completed runs; None without one.
        memory: largest of the completed runs, in bytes.
        notes: what a reader must know before comparing the row, one sentence each.
        about: what is known of its table.
    """

    recipe: str
    variant: str
    runs: tuple[Run, ...]
    metrics: dict[str, Measured]
    seconds: float | None
    memory: dict[str, int]
    notes: tuple[str, ...]
    about: About = field(default_factory=About)

    @property
    def plain(self) -> str:
        """The variant without the settings that tell it from other runs of its name."""
        return self.variant.partition(", ")[0]

    @property
    def marked(self) -> str:
        """The variant, with a mark where its design was changed after a test score had been seen."""
        return f"{self.variant} {AFTER_TEST}" if self.about.changed(self.variant) else self.variant

    @property
    def counts(self) -> dict[str, int]:
        """Status -> number of runs."""
        return count_statuses(self.runs)

    @property
    def isolation(self) -> str:
        """Whether all completed runs were certified as isolated; "" where none was audited."""
        told = [run.outcome.isolation for run in self.runs if run.completed and run.outcome and run.outcome.isolation]
        if not told:
            return ""
        return "certified" if all(one == "certified" for one in told) else "not certified"

    @property
    def incomplete(self) -> tuple[Run, ...]:
        """The runs that do not enter the means."""
        return tuple(run for run in self.runs if not run.completed)

    def with_file(self, name: str) -> list[Run]:
        """The runs that have this file, completed ones first, the smallest seed first of each kind."""
        having = [run for run in self.runs if name in run.record.files()]
        return sorted(having, key=lambda run: (not run.completed, run.seed))


def summarise(runs: Sequence[RunRecord]) -> list[VariantSummary]:
    """Group runs by recipe, variant and settings, in order of first appearance, and average over seeds.

    Args:
        runs: run directories, for example from `records.find_runs`.

    Returns:
        A row per recipe and variant, or several where its runs have different settings: the row's variant then names
        those in which they differ, such as "best, epochs 50". Runs that diverged, failed, were interrupted or did not
        finish stand in their row with their message and enter no mean. Of several completed runs with one seed the last
        one counts.

    Raises:
        ValueError: there is no run, or a file is damaged; the message names it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from infotorch.records.outcome import Outcome
        >>> records = [RunRecord(Path(tempfile.mkdtemp())) for _ in range(2)]
        >>> for seed, record in enumerate(records):
        ...     record.begin({"name": "demo", "variant": "bp", "seed": seed}, {})
        ...     record.finish(Outcome("completed", "", "demo", "bp", seed, {"test_accuracy": 0.9 + 0.02 * seed}))
        >>> [row] = summarise(records)
        >>> accuracy = row.metrics["test_accuracy"]
        >>> round(accuracy.mean, 4), round(accuracy.std_error, 4), accuracy.n
        (0.91, 0.01, 2)
    """
    return summaries_of(load_runs(runs))


def summaries_of(runs: Sequence[Run]) -> list[VariantSummary]:
    """Variants of runs that are loaded already; see `summarise`.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("summarise: runs is empty; give at least one run directory.")
    variants: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        variants.setdefault((run.name, run.variant), []).append(run)
    return [_row(group) for variant in variants.values() for group in _told_apart(variant)]


def _told_apart(runs: list[Run]) -> list[list[Run]]:
    """The runs of a variant by their settings, each with those in which it differs from the others."""
    settings = [_deciding(run) for run in runs]
    shared = [name for name in settings[0] if all(name in one for one in settings)]
    varying = [name for name in shared if len({one[name] for one in settings}) > 1]
    groups: dict[str, list[Run]] = {}
    for run, own in zip(runs, settings, strict=True):
        apart = ", ".join(f"{name} {own[name]}" for name in varying)
        groups.setdefault(apart, []).append(replace(run, apart=apart))
    return list(groups.values())


def _deciding(run: Run) -> dict[str, str]:
    """The settings that decide a run, beside its seeds, as text; not its words, nor what a search of them would do."""
    flat = flatten({name: value for name, value in run.recipe.items() if name not in WORDS})
    return {name: format_setting(value) for name, value in flat.items() if name.rsplit(".", 1)[-1] != "seed"}


def _row(runs: list[Run]) -> VariantSummary:
    counted = {run.seed: run for run in runs if run.completed}  # of several runs with one seed the last one stays
    outcomes = {seed: run.outcome for seed, run in sorted(counted.items()) if run.outcome}
    memory: dict[str, int] = {}
    for outcome in outcomes.values():
        for name, count in outcome.memory.items():
            memory[name] = max(memory.get(name, 0), count or 0)
    return VariantSummary(
        recipe=runs[0].name,
        variant=runs[0].variant,
        runs=tuple(runs),
        metrics=_measure(runs, counted),
        seconds=statistics.median(outcome.seconds for outcome in outcomes.values()) if outcomes else None,
        memory=memory,
        notes=tuple(_notes(runs, counted)),
        about=about_table(runs[0].record),
    )


def _measure(runs: list[Run], counted: dict[int, Run]) -> dict[str, Measured]:
    published = {name: entry for run in runs if run.outcome for name, entry in run.outcome.published.items()}
    names = dict.fromkeys(name for run in counted.values() if run.outcome for name in run.outcome.metrics)
    measured = {}
    for name in [*names, *(name for name in published if name not in names)]:
        found = {seed: run.outcome.metrics.get(name) for seed, run in sorted(counted.items()) if run.outcome}
        values = {seed: float(value) for seed, value in found.items() if value is not None}
        entry = published.get(name, {})
        measured[name] = Measured(name, values, entry.get("value"), str(entry.get("source") or ""))
    return measured


def _notes(runs: list[Run], counted: dict[int, Run]) -> list[str]:
    notes = []
    for seed, run in sorted(counted.items()):
        twins = sum(other.completed and other.seed == seed for other in runs)
        if twins > 1:
            notes.append(f"Seed {seed} was run {twins} times; {run.directory} counts.")
        if run.outcome:
            notes += [f"Seed {seed}: {name} is not finite." for name, v in run.outcome.metrics.items() if v is None]
        if run.outcome and run.outcome.isolation not in {None, "certified"}:
            notes.append(f"Seed {seed} is {run.outcome.isolation}.")
    notes += _doubts(counted)
    known = [_deciding(run) for run in counted.values()]
    unknown = {name for one in known for name in one if not all(name in other for other in known)}
    if unknown:
        notes.append(f"Some of the averaged runs are older and do not know all settings ({len(unknown)}).")
    return notes


def _doubts(counted: Mapping[int, Run]) -> list[str]:
    """Of each quantity of information that was measured unreliably: how often, and what was said the last time."""
    found: dict[str, list[tuple[int, int, int, str]]] = {}
    for seed, run in sorted(counted.items()):
        for name in dict.fromkeys(name for line in run.lines for name in line if name.endswith("_nats_reason")):
            quantity = name.removesuffix("_reason")
            reasons = [line[name] for line in run.lines if name in line]
            times = sum(quantity in line for line in run.lines)
            found.setdefault(quantity, []).append((seed, len(reasons), times, reasons[-1]))
    return [_doubt(metric_label(quantity).removesuffix(", nats"), seen) for quantity, seen in found.items()]


def _doubt(label: str, seen: Sequence[tuple[int, int, int, str]]) -> str:
    *others, last = [str(seed) for seed, *_ in seen]
    seeds = f"Seeds {', '.join(others)} and {last}" if others else f"Seed {last}"
    unreliable, times = sum(one[1] for one in seen), sum(one[2] for one in seen)
    return f"{seeds}: {label} was not reliable in {unreliable} of {times} measurements, at last: {seen[-1][-1]}."


def by_recipe(rows: Sequence[VariantSummary]) -> list[list[VariantSummary]]:
    """Rows grouped by recipe, in order of first appearance."""
    return [[row for row in rows if row.recipe == name] for name in dict.fromkeys(row.recipe for row in rows)]


def main_metrics(rows: Sequence[VariantSummary]) -> list[str]:
    """The metrics a table of these rows is about.

    Args:
        rows: rows of one table.

    Returns:
        The published ones, test metrics first; without any, the first test metric, or else the first metric; empty
        where the rows have no metric at all.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    names.sort(key=lambda name: (not name.startswith("test_"), name != "test_accuracy"))
    published = [
        name for name in names if any(name in row.metrics and row.metrics[name].published is not None for row in rows)
    ]
    return published or names[:1]


def told_by(rows: Sequence[VariantSummary]) -> list[tuple[str, list[VariantSummary]]]:
    """The main metrics of a table, each with the rows that it tells of.

    Args:
        rows: rows of one table.

    Returns:
        A row that has none of the main metrics is told by its own; one without any metric stands under each of them.

    Example:
        >>> rows = [VariantSummary("t", v, (), {m: Measured(m, {0: 1.0}, p)}, 1.0, {}, ()) for v, m, p in
        ...         (("a", "claims", 1.0), ("b", "test_accuracy", None))]
        >>> [(name, [row.variant for row in told]) for name, told in told_by(rows)]
        [('claims', ['a']), ('test_accuracy', ['b'])]
    """
    names = main_metrics(rows) or [""]
    left = [row for row in rows if row.metrics and not set(names) & set(row.metrics)]
    found = [(name, [row for row in rows if name in row.metrics or not row.metrics]) for name in names]
    return found + (told_by(left) if left else [])


def twin_of(name: str, split: str) -> str:
    """The same metric on other rows: "test_accuracy" and "validation" -> "validation_accuracy"."""
    return f"{split}_{name.removeprefix('test_')}"
