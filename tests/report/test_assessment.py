import re
from dataclasses import replace

import pytest
from rich.console import Console

from infotorch.report import write_report
from infotorch.report.assessment import (
    assessment_markdown,
    assessment_section,
    assessment_tables,
    terminal_assessments,
)
from infotorch.report.diagnosis import COLUMNS
from infotorch.report.numbers import better, format_metric, metric_label
from infotorch.report.summaries import Measured, VariantSummary
from infotorch.report.table import markdown_table

METRICS = {
    "test_accuracy": 0.98,
    "test_nll_nats": 0.0621,
    "test_calibration_error": 0.0123,
    "outlier_auroc_entropy": 0.991,
    "blind_share": 0.0,
    "unchanged_accuracy": 0.979,
    "gaussian_0.05_accuracy": 0.97,
    "pgd_0.1_accuracy": 0.31,
    "layer_mi_ty_nats": 2.2,
    "layer_mi_xt_nats": 3.1,
    "layer_within_classes": 0.2,
    "layer_linear_accuracy": 0.97,
}


def row(variant, recipe="remedies-mnist", scale=1.0, leave_out=(), seeds=2):
    metrics = {
        name: Measured(name, {seed: scale * value + 0.002 * seed for seed in range(seeds)})
        for name, value in METRICS.items()
        if name not in leave_out
    }
    return VariantSummary(recipe, variant, (), metrics, 4.0, {}, ())


def test_every_metric_stands_in_one_table_in_the_order_of_the_runs():
    trust, robust, layer = assessment_tables([row("bp")])
    assert trust.header == (
        "variant", "test accuracy, %", "test NLL, nats", "test calibration error, %", "outlier AUROC entropy, %",
    )  # fmt: skip
    assert robust.header == ("variant", "blind share, %", "unchanged", "gaussian 0.05", "PGD 0.1")
    assert layer.header == ("variant", "I(T; Y) ≥, nats", "I(X; T+ε) ≤, nats", "within classes", "linear accuracy, %")


def test_cells_are_means_and_standard_errors():
    trust, robust, _ = assessment_tables([row("bp"), row("vib", scale=0.5, seeds=1)])
    assert trust.lines[0] == ("bp", "98.10 ± 0.10", "0.063 ± 0.001", "1.33 ± 0.10", "99.20 ± 0.10")
    assert robust.lines[1] == ("vib", "0.00", "48.95", "48.50", "15.50")


def test_a_row_without_a_number_has_a_dash():
    trust, *_ = assessment_tables([row("bp"), row("lost", leave_out=METRICS)])
    assert trust.lines[1] == ("lost", "–", "–", "–", "–")


def shifted(variant, by, seeds=3, leave_out=()):
    """`row("bp")` with `by(seed)` added to every number."""
    like = row("bp", seeds=seeds, leave_out=leave_out)
    metrics = {
        name: Measured(name, {seed: value + by(seed) for seed, value in measured.values.items()})
        for name, measured in like.metrics.items()
    }
    return replace(like, variant=variant, metrics=metrics)


def test_differences_from_the_reference_stand_below_what_was_measured():
    rows = [row("bp", seeds=3), shifted("vib", lambda seed: -0.01 + 0.001 * seed)]
    trust, trusted, robust, changed, layer, read = assessment_tables(rows)
    assert trusted.title == f"{trust.title}: paired difference from bp (95 %)"
    # Mean -0.9 points, t = 4.303, a standard error of 0.1 / sqrt(3): 0.248; no accuracy, which the main table compares.
    low = "-0.90 (-1.15 to -0.65)"
    assert trusted.header[1:] == ("test NLL, nats", "test calibration error, %", "outlier AUROC entropy, %")
    assert trusted.lines == (("vib", "-0.009 (-0.011 to -0.007) ahead †", f"{low} ahead †", f"{low} below †"),)
    assert trusted.note.startswith("3 comparisons with bp: 3 ahead or below, 3 of them also by Holm's correction")
    assert changed.header == ("variant", *robust.header[2:])  # of the blind share neither direction is the better one
    assert changed.lines[0][1:] == (f"{low} below †",) * 3
    assert read.header == ("variant", layer.header[-1])


def test_a_difference_whose_interval_holds_0_has_no_word():
    rows = [row("bp", seeds=3), shifted("vib", lambda seed: (seed - 1) * 0.01), shifted("lost", abs, leave_out=METRICS)]
    _, _, _, changed, *_ = assessment_tables(rows)
    assert changed.lines[0] == ("vib", *["0.00 (-2.48 to 2.48)"] * 3)
    assert changed.lines[1] == ("lost", "–", "–", "–")
    assert "0 ahead or below" in changed.note
    assert changed.note.endswith("Where no word stands, the interval holds 0.")


def test_a_page_and_a_terminal_show_the_note_of_differences(capsys):
    rows = [row("bp", seeds=3), shifted("vib", lambda seed: -0.01 + 0.001 * seed)]
    note = "3 comparisons with bp: 3 ahead or below"
    assert note in assessment_section(rows)
    assert note in assessment_markdown(rows)
    for table in terminal_assessments(rows):
        Console(width=160).print(table)
    assert note in capsys.readouterr().out


def test_a_table_that_nobody_assessed_has_none():
    plain = row("bp", leave_out={"test_calibration_error"})
    assert assessment_tables([plain]) == []
    assert assessment_markdown([plain]) == ""
    assert terminal_assessments([plain]) == []
    both = assessment_tables([row("bp", recipe="other", leave_out={"test_calibration_error"}), row("vib")])
    assert {table.title.split(",")[0] for table in both} == {"remedies-mnist"}


def test_the_tables_follow_the_main_one_on_github():
    text = markdown_table([row("bp"), row("vib")])
    assert text.endswith(assessment_markdown([row("bp"), row("vib")]))
    blocks = text.split("\n\n")
    assert blocks[1].startswith("remedies-mnist, calibration, and detection of out-of-distribution samples")
    lines = blocks[2].splitlines()
    assert lines[1] == "| :-- | --: | --: | --: | --: |"
    assert lines[3].startswith("| vib | 98.10 ± 0.10 |")


def test_the_tables_can_be_read_in_a_terminal(capsys):
    for table in terminal_assessments([row("bp"), row("[vib]")]):
        Console(width=120).print(table)
    shown = capsys.readouterr().out
    assert "98.10 ± 0.10" in shown
    assert "[vib]" in shown  # no markup
    assert "robustness (P4)" in shown


def test_bounds_are_headed_as_in_the_tables_of_diagnose():
    headings = {f"layer_{key}": heading for heading, key, _ in COLUMNS if key.startswith("mi_")}
    assert len(headings) == 2
    for name, heading in headings.items():
        assert metric_label(name, unit=False) == f"layer {heading}"


def test_the_page_has_the_tables_of_recipes_that_were_assessed(make_run, tmp_path):
    for seed in range(2):
        make_run(
            recipe="assessed", variant="<b>p", seed=seed, metrics={n: v + 0.002 * seed for n, v in METRICS.items()}
        )
    make_run(recipe="not assessed", metrics={"test_accuracy": 0.5})
    text = write_report([tmp_path / "runs"], tmp_path / "report.html").read_text(encoding="utf-8")
    sections = text.split("<section class=recipe")[1:]
    shown, other = (re.sub("<[^>]+>", " ", section.split("Every metric, every seed")[0]) for section in sections)
    for words in (
        "assessed, calibration, and detection of out-of-distribution samples",
        "assessed, robustness (P4)", "assessed, the layer T",
        "test calibration error, %", "1.33 ± 0.10", "PGD 0.1", "31.10 ± 0.10", "I(X; T+ε) ≤, nats", "3.101 ± 0.001",
        "&lt;b&gt;p",
    ):  # fmt: skip
        assert words in shown, words
    assert "detection of out-of-distribution" not in other


@pytest.mark.parametrize(
    ("name", "label", "shown", "direction"),
    [
        ("test_calibration_error", "test calibration error, %", "12.00", "lower"),
        ("test_accuracy_without_views", "test accuracy without views, %", "12.00", "higher"),
        ("test_nll_nats", "test NLL, nats", "0.120", "lower"),
        ("outlier_auroc_probability", "outlier AUROC probability, %", "12.00", "higher"),
        ("fgsm_0.1_accuracy", "FGSM 0.1 accuracy, %", "12.00", "higher"),
        ("layer_mi_xt_nats", "layer I(X; T+ε) ≤, nats", "0.120", ""),
        ("layer_mi_ty_nats", "layer I(T; Y) ≥, nats", "0.120", ""),
        ("class_silhouette", "class silhouette", "0.12", ""),
    ],
)
def test_each_metric_is_shown_in_its_unit(name, label, shown, direction):
    assert metric_label(name) == label
    assert format_metric(name, 0.12) == shown
    assert better(name) == direction
