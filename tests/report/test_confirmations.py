"""What was seen on the first seeds, once more on fresh ones."""

import pytest

from infotorch.report.confirmations import confirmations_markdown
from infotorch.report.summaries import Measured, VariantSummary


def row(variant, *values):
    measured = Measured("test_accuracy", dict(enumerate(values)))
    return VariantSummary("demo", variant, (), {"test_accuracy": measured}, None, {}, ())


BP = row("bp", 0.90, 0.91, 0.92, 0.90, 0.91, 0.92)
ROWS = {
    "held": row("held", 0.92, 0.93, 0.95, 0.92, 0.93, 0.95),
    "lost": row("lost", 0.92, 0.93, 0.95, 0.90, 0.92, 0.91),
    "turned": row("turned", 0.92, 0.93, 0.95, 0.88, 0.89, 0.91),
    "level": row("level", 0.90, 0.90, 0.93, 0.92, 0.93, 0.95),
    "short": row("short", 0.92, 0.93, 0.95, 0.92, 0.93),
}


@pytest.mark.parametrize(
    ("variant", "said"), [("held", "yes"), ("lost", "no"), ("turned", "no"), ("level", "–"), ("short", "–")]
)
def test_only_the_same_word_on_fresh_seeds_alone_confirms(variant, said):
    [line] = [
        line
        for line in confirmations_markdown([(ROWS[variant], BP)], "test_accuracy", fresh_from=3).splitlines()
        if f"`{variant}`" in line
    ]
    assert line.endswith(f"| {said} |")


def test_the_two_columns_hold_seeds_apart():
    table = confirmations_markdown([(ROWS["turned"], BP)], "test_accuracy", fresh_from=3)
    # Differences of 2, 2, 3 points, then of -2, -2, -1: 4.303 / sqrt(27) on either side of their means.
    assert "| +2.33 (0.90 to 3.77), n = 3: ahead of bp | -1.67 (-3.10 to -0.23), n = 3: below bp | no |" in table


def test_holms_correction_is_over_one_column():
    table = confirmations_markdown([(ROWS["held"], BP), (ROWS["lost"], BP)], "test_accuracy", fresh_from=3)
    assert table.count("†") == 2 + 1  # both before (p = 0.02 twice), and of the fresh ones the first alone
