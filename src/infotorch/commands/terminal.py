"""What a person sees of long work: a progress bar, or plain lines when the output is no terminal, and how it ended."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infotorch.recipes.demonstration import AnyRecipe
    from infotorch.recipes.recipe import Recipe
    from infotorch.records.outcome import Outcome

_EXIT = {"completed": 0, "diverged": 1, "failed": 1, "interrupted": 130}

#: Seconds between two plain lines about one stage.
PLAIN_SECONDS = 5.0

#: Columns of a table that goes to a file: no terminal limits it.
_FILE_WIDTH = 160

#: Called with (what is going on, steps done, steps in all).
Show = Callable[[str, int, int], None]


@contextmanager
def show_progress(title: str = "") -> Iterator[Show]:
    """Yield a function (what, done, total) that shows progress on stderr, under a title once there is any."""
    from rich.console import Console

    console = Console(stderr=True)
    with _bar(console) if console.is_terminal else nullcontext(_plain_lines()) as show:
        untold = [title] if title else []

        def tell(what: str, done: int, total: int) -> None:
            if untold:
                say(untold.pop())
            show(what, done, total)

        yield tell


@contextmanager
def _starting() -> Iterator[None]:
    """A sign of life on a terminal while torch loads, for seconds; gone before anything else is shown."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") if console.is_terminal else nullcontext():
        yield


@contextmanager
def _bar(console: Any) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    display = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what goes to a file stays out of the terminal
    )
    task, reached = None, 0

    def show(what: str, done: int, total: int) -> None:
        nonlocal task, reached
        if task is None:  # only now: a download before the first step draws its own bar
            display.start()
            task = display.add_task(what, total=total)
        elif done < reached:  # the next run of a table
            display.reset(task, total=total)
        reached = done
        display.update(task, description=what, completed=done, total=total)

    try:
        yield show
    finally:
        display.stop()


def _plain_lines() -> Show:
    shown_at, shown = 0.0, ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        if what != shown or now - shown_at >= PLAIN_SECONDS:
            shown_at, shown = now, what
            say(f"{what}: step {done} of {total}")

    return show


def say(line: str) -> None:
    """One line on stderr: what goes on."""
    print(line, file=sys.stderr, flush=True)


def complain(message: str) -> None:
    """One line on stderr: what went wrong."""
    say(f"infotorch: {' '.join(message.split())}")


def print_columns(lines: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_outcome(outcome: Outcome) -> None:
    """The numbers of a run, published ones beside them."""
    lines = []
    for name, value in outcome.metrics.items():
        published = outcome.published.get(name)
        lines.append((name, _number(value), f"published {published['value']:.6g}" if published else ""))
    if lines:
        print_columns(lines)


def outcome_line(outcome: Outcome) -> str:
    """A run of a table in one line."""
    title = f"{outcome.recipe} {outcome.variant} seed {outcome.seed}: {outcome.status}"
    if outcome.status != "completed":
        return f"{title}, {' '.join(outcome.message.split())}"
    tested = [name for name in outcome.metrics if name.startswith("test_")]
    shown = [name for name in outcome.published if name in outcome.metrics] or tested[:1] or list(outcome.metrics)[:1]
    numbers = [f"{name} {_number(outcome.metrics[name])}" for name in shown]
    return ", ".join([title, *numbers, f"{outcome.seconds:.1f} s"])


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def incomplete_rows(outcomes: Sequence[Outcome]) -> str:
    """The rows of a table that did not complete, such as "demo bp (2 of 3 diverged)"; empty when all did."""
    runs = Counter((outcome.recipe, outcome.variant) for outcome in outcomes)
    short = Counter((o.recipe, o.variant, o.status) for o in outcomes if o.status != "completed")
    named = [f"{name} {row} ({n} of {runs[name, row]} {status})" for (name, row, status), n in short.items()]
    return ", ".join(named)


def print_table(directory: Path) -> None:
    """Published beside measured, mean and spread, of the runs below a directory; also kept there as table.md."""
    from infotorch.records.files import write_atomic
    from infotorch.records.finding import find_runs
    from infotorch.report.assessment import terminal_assessments
    from infotorch.report.rows import summarise
    from infotorch.report.table import markdown_table, terminal_table

    rows = summarise(find_runs(directory))
    write_atomic(directory / "table.md", markdown_table(rows).encode())
    for table in (terminal_table(rows), *terminal_assessments(rows)):
        print_rich(table)


def print_rich(table: Any) -> None:
    """A table of rich, in the width of the terminal or wide enough for a file."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    console.print(table)


def watch_run(row: AnyRecipe, directory: Path, *, seed: int, device: str, resume: bool) -> int:
    """Run one row where a person sees it.

    Returns:
        The exit code.

    Raises:
        ValueError: as `runner.run`.
    """
    ended = resume and _has_ended(directory)
    try:
        with _starting():
            from infotorch.recipes.recipe import Recipe
            from infotorch.runs import preflight, runner
        setups, searches = None, isinstance(row, Recipe) and (row.tune or row.plan.is_auto)
        if searches:  # a search writes before the run's own data is read
            setups = preflight.check_runs([(row, seed)], device)
        with show_progress(f"{row.name} {row.variant} seed {seed} in {directory}") as progress:
            options = {"device": device, "resume": resume, "progress": progress, "setups": setups}
            outcome = runner.run(row, directory, seed=seed, **options)
    except KeyboardInterrupt:
        complain(f"interrupted; {_go_on(directory)}")
        return 130
    print_outcome(outcome)
    if outcome.status == "completed":
        print(f"completed: {directory}{' was finished already' if ended else ''}")
    elif outcome.status == "interrupted":
        complain(f"{outcome.message.split(';')[0]}; {_go_on(directory)}")
    else:
        complain(f"{outcome.status}: {outcome.message}; see {directory}{', finished already' if ended else ''}")
    return _EXIT[outcome.status]


def _has_ended(directory: Path) -> bool:
    from infotorch.records.run_record import RunRecord

    return (outcome := RunRecord(directory).outcome()) is not None and outcome.status in {"completed", "diverged"}


def _go_on(directory: Path) -> str:
    return f"the same command with --resume --out {directory} goes on."


def watch_table(
    rows: Sequence[AnyRecipe],
    directory: Path,
    *,
    seeds: int,
    device: str,
    resume: bool,
    kept: Collection[tuple[str, str, int]] = (),
) -> int:
    """Run a table where a person sees it: a line a run as it ends, then published beside measured.

    Args:
        rows: the table's rows.
        directory: see `runner.run_table`.
        seeds: see `runner.run_table`.
        device: see `runner.run_table`.
        resume: see `runner.run_table`.
        kept: recipe, variant and seed of the runs that had ended before; they have no line.

    Returns:
        The exit code.

    Raises:
        ValueError: what would stop a row, found before the first run.
    """
    from infotorch.recipes.demonstration import seeds_of
    from infotorch.records.finding import holds_runs

    runs, done = [(row, seed) for row in rows for seed in seeds_of(row, seeds)], []
    left = [(row, seed) for row, seed in runs if (row.name, row.variant, seed) not in kept]
    number = len(runs)
    title = f"{number} runs in {directory}" + (f"; {len(kept)} are finished already and kept" if kept else "")

    def finished(outcome: Outcome) -> None:
        done.append(outcome)
        if (outcome.recipe, outcome.variant, outcome.seed) not in kept and outcome.status != "interrupted":
            print(outcome_line(outcome), flush=True)

    try:
        with _starting():
            from infotorch.runs import preflight, runner
        setups = preflight.check_runs(left, device)
        say(title)
        with show_progress() as show:

            def progress(what: str, step: int, steps: int) -> None:
                show(f"run {len(done) + 1} of {number}, {what}", step, steps)

            options = {"device": device, "resume": resume, "progress": progress, "setups": setups}
            runner.run_table(rows, directory, seeds=seeds, finished=finished, **options)
    except KeyboardInterrupt:
        complain(f"interrupted; {_go_on(directory)}")
        return 130
    if done[-1].status == "interrupted":
        complain(f"{done[-1].message.split(';')[0]}; {_go_on(directory)}")
        return 130
    if holds_runs(directory):
        print_table(directory)
    print(f"runs: {directory}")
    if short := incomplete_rows(done):
        complain(f"some rows did not complete: {short}.")
    return 1 if short else 0


def watch_range(row: Recipe, directory: Path, how: dict[str, Any], *, as_json: bool, **options: Any) -> int:
    """Test a recipe's learning rates where a person sees it, and keep what was found in a directory.

    Args:
        row: the recipe.
        directory: range.json and range.html are written there.
        how: those of `RangeOptions`.
        as_json: print the content of range.json, and nothing else.
        options: the others of `range_of_recipe`.

    Returns:
        The exit code.

    Raises:
        ValueError: as `range_of_recipe`.
    """
    with _starting():
        from infotorch.runs.range import range_of_recipe
        from infotorch.schedules.range_test import RangeOptions
    try:
        with show_progress(f"{row.name} {row.variant}: range test of the learning rate") as show:
            tested = range_of_recipe(
                row,
                options=RangeOptions(**how),
                progress=lambda what, done, total: show(what.split(",")[0], done, total),
                **options,
            )
    except RuntimeError as error:  # a worker, or the device, gave up
        complain(f"failed: {error}")
        return 1
    tested.write(directory)
    if as_json:
        print((directory / "range.json").read_text(encoding="utf-8"), end="")
        return 0
    part = "epochs" if tested.part == 1 else f"parts of {tested.part:.3g} epochs"
    print(f"{tested.found.attribute} on training rows, and after how many {part}:")
    print_columns(tested.columns())
    print()
    print_columns(tested.ranges())
    print(f"cost: {tested.epochs:.3g} epochs, {tested.found.seconds:.1f} s")
    print(f"range: {directory}")
    return 0


def print_data() -> None:
    """Every listed data set: name, kind, whether it is here, what it is, and its folder below the data folder."""
    from infotorch.data import data_root, describe

    root = data_root()
    lines = []
    for entry in describe():
        state, _, folder = entry.place.rpartition(" in ")
        if os.path.isabs(entry.place) or entry.place.startswith(str(root)):
            state, folder = "here", entry.place
        shown = os.path.relpath(folder, root) if state and folder else ""
        lines.append((entry.name, entry.kind, state or entry.place, entry.summary, shown))
    print_columns(lines)
    print(f"data folder (INFOTORCH_DATA): {root}")
