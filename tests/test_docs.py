"""The promises of docs/: every example prints what its page shows, and every estimator and objective has its row."""

import contextlib
import inspect
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from tools import estimator_tables, objective_tables

import infotorch
from infotorch.commands.main import app
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY
from infotorch.recipes.registry import find_recipe

DOCS = Path(__file__).parent.parent / "docs"
README = DOCS.parent / "README.md"
PAGES = sorted(DOCS.glob("*.md"))
NUMBER = re.compile(r"(?<![\w.+-])-?\d+(?:\.\d+)?(?![\w.])")

# The fenced block of Python, and the block of output right after it where there is one.
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)


def same_output(printed: str, shown: str) -> bool:
    """The same words, and the same numbers to one unit of the last digit shown."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", shown):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return all(abs(float(a) - float(b)) <= 1.001 * last_digit(b) for a, b in pairs)


def last_digit(number: str) -> float:
    return 10.0 ** -len(number.partition(".")[2])


# Their training takes seconds, and the README and the other pages call the same functions.
LONG = {"get-started", "fit", "data-in", "mole"}


TRIED = [pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem in LONG)) for page in [README, *PAGES]]


@pytest.mark.parametrize("page", TRIED)
def test_examples_print_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for those that write a file
    names = {}
    with torch.random.fork_rng():
        for code, shown in EXAMPLE.findall(page.read_text(encoding="utf-8")):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            assert same_output(printed.getvalue(), shown), f"{code}\nprints\n{printed.getvalue()}\nbut shows\n{shown}"


def test_every_block_of_the_page_on_failures_is_an_example():
    text = (DOCS / "what-can-go-wrong.md").read_text(encoding="utf-8")
    sections = text.split("\n### ")[1:]
    assert len(sections) >= 14
    for section in sections:
        ((_, shown),) = EXAMPLE.findall(section)
        assert shown, section.splitlines()[0]
        assert [f"- **{part}" in section for part in ("You see", "Why:", "It shows:", "Instead:")] == [True] * 4


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("ksg 0.83", "ksg 0.84", True),
        ("ksg 0.83", "ksg 0.85", False),
        ("ksg 0.83", "mine 0.83", False),
        ("ksg -0.01", "ksg 0.00", True),
        ("41%", "42%", True),
        ("0.3 nan", "0.3 nan", True),
        ("0.3 and 1", "0.3", False),
        ("1e-15", "1e-16", False),
    ],
)
def test_output_is_compared_to_the_last_digit(printed, shown, same):
    assert same_output(printed, shown) is same


def test_the_tables_of_estimators_are_those_of_the_registry():
    page = (DOCS / "choosing-an-estimator.md").read_text(encoding="utf-8")
    assert page == estimator_tables.page_with_tables(page)


def test_every_public_function_and_class_of_estimators_has_its_row():
    table = (DOCS / "choosing-an-estimator.md").read_text(encoding="utf-8")
    rows = {name for line in table.splitlines() if line.startswith("|") for name in re.findall(r"`(\w+)`", line)}
    values = {name: getattr(infotorch.estimators, name) for name in infotorch.estimators.HOMES}
    named = {name for name, value in values.items() if inspect.isfunction(value) or inspect.isclass(value)}
    assert named <= rows, sorted(named - rows)


COMMANDS = sorted({
    (page.relative_to(DOCS).as_posix(), " ".join(line.partition("  #")[0].replace("\\\n", " ").split()))
    for page in [*PAGES, *DOCS.glob("results/*.md")]
    for line in re.findall(r"^(?: {4})?infotorch (?:.*\\\n)*.*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if line.startswith("    ") or page.name == "learning-rates.md"
})


def listed(value):
    return [value] if isinstance(value, str) else list(value or [])


def test_commands_on_a_page_have_these_options_recipes_and_variants():
    for _, command in COMMANDS:
        name, *words = (word for word in shlex.split(command)[1:] if word != "...")
        given = typer.main.get_command(app).commands[name].make_context(name, words).params
        for recipe in listed(given.get("recipe")):
            for variant in listed(given.get("variant")) or [None]:
                assert recipe == "RECIPE" or find_recipe(recipe, variant), command


@pytest.mark.slow
def test_the_commands_of_the_first_page_run(tmp_path):
    commands = [command for page, command in COMMANDS if page == "get-started.md"]
    assert len(commands) == 4
    (tmp_path / "people.csv").write_text("age,income\n" + "".join(f"{n % 40},{n % 40 + n % 7}\n" for n in range(200)))
    order = {"run": 0, "diagnose": 1}
    for command in sorted(commands, key=lambda command: order.get(command.split()[1], 2)):
        words = [sys.executable, "-m", *shlex.split(command)]
        ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "first.html").stat().st_size > 100_000


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    titles, labels = (re.findall(mark, text, flags=re.MULTILINE) for mark in (r"^#+ (.+)$", r"^\(([\w-]+)\)=$"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles} | set(labels)


def test_arguments_named_in_the_table_exist():
    table = (DOCS / "choosing-an-estimator.md").read_text(encoding="utf-8")
    for name, argument in re.findall(r"`(\w+)\((\w+)=", table):
        assert argument in inspect.signature(getattr(infotorch.estimators, name)).parameters


def facts_of_objectives():
    page = (DOCS / "choosing-an-objective.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line[:3] == "| `"]
    return {
        line.split("`")[1]: dict(re.findall(r"\*(\w+):\* (.+?)(?=<br>| \| |$)", line.removesuffix(" |")))
        for line in lines
    }


def test_every_objective_of_the_guide_has_its_row_with_its_bound_and_its_targets():
    rows = facts_of_objectives()
    assert set(rows) == {name for name, entry in REGISTRY.items() if entry.guide}
    for name, row in rows.items():
        objective = objective_from_name(name)
        assert objective is not None
        assert row["bound"] in {*objective.sides.values(), "–"}, name
        assert (row["bound"] == "–") is not bool(objective.sides), name
        assert (row["targets"] == "–") is not objective.needs_labels, name
        assert row["targets"] in {"–", ", ".join(objective.target_kinds or ())}, name


def test_the_table_of_objectives_is_that_of_the_registry():
    assert objective_tables.main("--check") == 0


def test_the_costs_of_objectives_are_those_of_the_committed_benchmark():
    measured = json.loads((DOCS.parent / "benchmarks/results/objectives.json").read_text())["rows"]
    for name, row in facts_of_objectives().items():
        shown = [None if cost == "–" else float(cost) for cost in row["cost"].split(" / ")]
        expected = [None if cost is None else round(cost, 1) for cost in measured[name].values()]
        assert shown == expected, name


def test_the_costs_of_a_proximal_step_are_those_of_the_committed_benchmark():
    page = (DOCS / "proximal.md").read_text(encoding="utf-8")
    measured = json.loads((DOCS.parent / "benchmarks/results/proximal.json").read_text())["rows"]
    names = {"order 1": "order1", "order 2": "order2", "hybrid": "hybrid", "order 2 as it is written down": "naive"}
    for words, name in names.items():
        cells = [measured[recipe][name] for recipe in ("prox-mnist", "prox-cifar10")]
        shown = " | ".join(f"{cell['time_ratio']:.2f}, {cell['memory_ratio']:.2f}" for cell in cells)
        assert f"| {words} | {shown} |" in page
    for recipe, rows in measured.items():  # the goal
        assert rows["order2"]["time_ratio"] <= 1.35, recipe
        assert rows["order2"]["memory_ratio"] <= 1.15, recipe
