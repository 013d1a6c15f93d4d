"""Remedies at several strengths: which strength a price allows, what is compared, and the curves."""

import pytest

from infotorch.report.assessment import assessment_tables, strength_section
from infotorch.report.strength import at_one_price, strength_curves, strengths_of
from infotorch.report.summaries import Measured, VariantSummary

STRONG = "pgd_restarts_0.1_accuracy"


def row(variant, validation=0.98, robust=0.4, signs=0.0, seeds=3, **more):
    values = {"test_accuracy": validation, "validation_accuracy": validation, STRONG: robust, **more}
    metrics = {
        name: Measured(name, {seed: value + 0.001 * seed for seed in range(seeds)}) for name, value in values.items()
    }
    metrics["obfuscation_signs"] = Measured("obfuscation_signs", dict.fromkeys(range(seeds), signs))
    return VariantSummary("remedies-strength", variant, (), metrics, None, {}, ())


ROWS = [
    row("bp"),
    row("vib-0.1", validation=0.962, robust=0.6),
    row("vib-0.001", validation=0.981, robust=0.41),
    row("vib-0.01", validation=0.976, robust=0.5),
    row("dropout-0.5", validation=0.979, robust=0.3, signs=2.0),
    row("dropout-0.7", validation=0.95, robust=0.9),
]


def test_strengths_are_ordered_by_their_size_and_other_variants_have_none():
    found = strengths_of([*ROWS, row("vib-paper"), row("adam-order1"), row("nonlinear-ib-1e-04"), row("lone-3")])
    assert {remedy: list(own) for remedy, own in found.items()} == {"vib": [0.001, 0.01, 0.1], "dropout": [0.5, 0.7]}
    one = strengths_of([row("nonlinear-ib-1e-04"), row("nonlinear-ib-1")])
    assert list(one["nonlinear-ib"]) == [1e-4, 1.0]


def test_a_remedy_stands_at_its_strongest_strength_that_the_price_allows():
    [(title, header, lines)] = at_one_price(ROWS)
    assert title.startswith("remedies-strength, accuracy under strong PGD within 0.1, less that of bp, in points")
    assert "(3 comparisons)" in title  # vib at two strengths, dropout at one
    assert header == ("remedy", "at most 0.5", "at most 1", "at most 2")
    vib, dropout = lines
    assert [cell.split(":")[0] for cell in vib[1:]] == ["0.01", "0.01", "0.1"]
    assert vib[1].startswith("0.01: +10.00 (10.00 to 10.00) ahead of bp")
    assert [cell.split(":")[0] for cell in dropout[1:]] == ["0.5", "0.5", "0.5"]


def test_signs_of_obfuscation_stand_beside_the_number():
    [(_, _, (vib, dropout))] = at_one_price(ROWS)
    assert dropout[1].endswith("; 2 signs of obfuscation")
    assert "signs" not in vib[1]


def test_what_no_strength_affords_is_a_dash_and_robustness_plays_no_part_in_the_choice():
    dear = [row("bp"), row("vib-1", validation=0.5, robust=0.99), row("vib-2", validation=0.4, robust=0.99)]
    [(_, _, lines)] = at_one_price(dear)
    assert lines == (("vib", "–", "–", "–"),)
    better = [*ROWS[:3], row("vib-0.01", validation=0.976, robust=0.0), *ROWS[4:]]
    assert at_one_price(better)[0][2][0][1].startswith("0.01: -40.00")


@pytest.mark.parametrize("leave", ["bp", "strengths", "attack"])
def test_without_a_part_there_is_no_table(leave):
    rows = {
        "bp": ROWS[1:],
        "strengths": ROWS[:2],
        "attack": [
            VariantSummary(r.recipe, r.variant, (), {k: v for k, v in r.metrics.items() if k != STRONG}, None, {}, ())
            for r in ROWS
        ],
    }[leave]
    assert at_one_price(rows) == []


def test_the_tables_stand_behind_the_other_assessments():
    rows = [row(r.variant, test_calibration_error=0.01, blind_share=0.0) for r in ROWS]
    titles = [table.title for table in assessment_tables(rows)]
    assert titles[-1].startswith("remedies-strength, accuracy under strong PGD")
    robust = next(table for table in assessment_tables(rows) if "robustness" in table.title)
    assert {"PGD restarts 0.1", "obfuscation signs"} <= set(robust.header)


def test_curves_go_from_weak_to_strong_in_percent():
    curves = strength_curves(ROWS)[STRONG]
    assert [point["strength"] for point in curves["vib"]] == ["0.001", "0.01", "0.1"]
    assert curves["vib"][0]["accuracy"] == pytest.approx(98.2)
    assert curves["vib"][0]["robust_error"] == pytest.approx(0.1 / 3**0.5)
    specs = []
    assert "Accuracy against robustness" in strength_section(ROWS, specs)
    assert len(specs) == 1
    assert strength_section(ROWS[:1], []) == ""
