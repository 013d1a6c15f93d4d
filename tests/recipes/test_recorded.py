"""Committed runs have the settings of today's recipes, so that `table --resume` goes on with them and repeats none."""

import re
from pathlib import Path

import pytest

from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import variants_of
from infotorch.records.searches import read_searches
from infotorch.records.table_file import TableFile, is_table
from infotorch.runs.resume import collected_outcomes

RESULTS = Path(__file__).parents[2] / "results"
TABLES = [path for path in sorted(RESULTS.glob("*.json")) if is_table(path)]


def keys(settings, above=""):
    """Dotted names of settings."""
    return {
        name
        for key, value in settings.items()
        for name in (keys(value, f"{above}{key}.") if isinstance(value, dict) and value else {above + key})
    }


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_recorded_settings_have_the_names_of_today(path):
    variants = {row.variant: row for row in variants_of(path.stem)}
    for run in TableFile(path).runs():
        recorded = run.recipe()
        row = variants[recorded.pop("variant")]
        if not isinstance(row, Recipe):
            continue
        words = {"seed", "search", "published", "changed"}
        known = keys(row.model_dump())
        assert keys({name: value for name, value in recorded.items() if name not in words}) <= known, run.directory
    searched = {key for trials in read_searches(path).values() for trial in trials for key in trial["settings"]}
    # An attempt may give any objective an auxiliary network, which no row of its table has.
    searched = {key for key in searched if not re.fullmatch(r"plan\.options\.[\w:-]+\.auxiliary", key)}
    known = {key for row in variants.values() if isinstance(row, Recipe) for key in keys(row.model_dump())}
    assert searched <= known


@pytest.mark.parametrize(
    ("table", "runs"),
    [
        ("demo", 24),
        ("mole-adult", 69),
        ("prox-mnist", 84),
        ("milr-temperature", 42),
        pytest.param("prox-binary", 102, marks=pytest.mark.slow),
    ],
)
def test_a_full_table_is_found_finished(table, runs):
    assert len(collected_outcomes(variants_of(table), RESULTS, 3)) == runs
