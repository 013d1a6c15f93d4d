"""Committed runs have the settings of today's recipes, so that `table --resume` goes on with them and repeats none."""

import re
from pathlib import Path

import pytest

from infotorch.objectives.auxiliary import auxiliary_kind
from infotorch.recipes.changes import change
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
    known = {key for row in variants.values() if isinstance(row, Recipe) for key in keys(row.model_dump())}
    for name, trials in read_searches(path).items():
        for settings in (trial["settings"] for trial in trials):
            if heads := settings.keys() - known:
                # An attempt may give an objective of its row an auxiliary network, which no row of the table has.
                row = variants[name.partition(", ")[0]]
                assert isinstance(row, Recipe)
                parts = re.split("[,+]", ",".join(change(row, settings).plan.objectives))
                assert heads <= {f"plan.options.{part}.auxiliary" for part in parts}
                for kind in (settings[key] for key in heads):
                    auxiliary_kind(kind)


@pytest.mark.parametrize(
    ("table", "runs"),
    [
        ("demo", 24),
        ("mole-adult", 81),
        ("prox-mnist", 84),
        ("milr-temperature", 42),
        pytest.param("prox-binary", 102, marks=pytest.mark.slow),
    ],
)
def test_a_full_table_is_found_finished(table, runs):
    assert len(collected_outcomes(variants_of(table), RESULTS, 3)) == runs
