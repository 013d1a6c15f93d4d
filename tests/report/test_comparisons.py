"""The comparison column: which row is subtracted, what a cell says, and how comparisons are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from infotorch.records.finding import find_runs
from infotorch.records.right_samples import RightSamples
from infotorch.report import markdown_table, summarise, write_report
from infotorch.report.comparisons import (
    MCNEMAR,
    beside_untrained,
    compare_rows,
    counted_comparisons,
    format_alone,
    format_difference,
    format_word,
    reference_of,
)
from infotorch.report.differences import RULE
from infotorch.report.pages import page_text
from infotorch.report.settings_apart import settings_apart

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def table(make_run):
    """A function from variant -> accuracies of its seeds, in percent, to the table's rows."""

    def make(metric="test_accuracy", scale=100.0, **values):
        return summarise([
            make_run("demo", name.replace("_", "-"), seed, metrics={metric: value / scale})
            for name, row in values.items()
            for seed, value in enumerate(row)
        ])  # fmt: skip

    return make


@pytest.mark.parametrize(
    ("variant", "others", "reference"),
    [
        ("best", ("bp", "ce", "best-bp"), "bp"),
        ("best", ("ce", "best-bp"), "ce"),
        ("best-bp", ("ce", "best"), "ce"),
        ("deep-bp", ("bp", "best"), "bp"),
        ("bp", ("best",), None),
        ("ce", ("bp", "best"), "bp"),
        ("layerwise", ("control", "network"), "control"),
        ("adam-paper", ("adam-bp", "nadam-bp"), "adam-bp"),
        ("sgd-paper-order1", ("sgd-bp", "sgd-paper-bp"), "sgd-paper-bp"),
        ("adam-bp", ("nadam-bp", "adam-order1"), None),
        ("best, epochs 50", ("bp, epochs 10", "bp, epochs 50"), "bp, epochs 50"),
        ("plane-tanh", ("plane-relu",), None),
    ],
)
def test_a_row_is_compared_with_the_baseline_of_its_family_or_its_table(variant, others, reference):
    assert reference_of(variant, (*others, variant)) == reference


def test_the_column_by_hand(table):
    rows = table(bp=(90, 91, 92), best=(89.7, 90.9, 91.7), sure=(92, 93.1, 93.9), one=(90.5,))
    lines = markdown_table(rows).splitlines()
    cells = [line.split(" | ")[3] for line in lines[2:6]]
    # best: -0.3, -0.1, -0.3; sure: 2, 2.1, 1.9; half-widths are 4.303 standard errors.
    assert cells == [
        "–",
        "-0.23 (-0.52 to 0.05): below bp on every seed",
        "+2.00 (1.75 to 2.25): ahead of bp †",
        "+0.50 (n = 1)",
    ]
    assert lines[7] == (
        "- demo: 3 comparisons with bp: 1 ahead or below, 1 of them also by Holm's correction for all 3 (†); "
        "of as many equal rows 0.15 would be by chance."
    )
    assert lines[8] == f"- {RULE}"


def test_of_errors_the_smaller_is_ahead_and_the_line_says_so(table):
    rows = table("test_mae", 1.0, control=(1.20, 1.25, 1.15), best=(1.02, 1.07, 0.98))
    [found] = compare_rows(rows).values()
    assert (format_difference(found), format_word(found)) == ("-0.18 (-0.19 to -0.16)", "ahead of control")
    assert counted_comparisons([found]).startswith("1 comparison with control: 1 ahead or below; of as many equal rows")
    assert counted_comparisons([found]).endswith("Less is better: what is ahead or above has the smaller value")


def test_a_difference_that_rounds_to_zero_has_no_sign(table):
    [found] = compare_rows(table(bp=(90, 91), best=(90.001, 90.998))).values()
    assert format_difference(found).startswith("0.00 (")


def test_without_a_baseline_or_a_common_seed_there_is_no_column(table, make_run):
    places = (("bp", 0), ("best", 1))
    apart = summarise([make_run("other", name, seed, metrics={"test_accuracy": 0.5}) for name, seed in places])
    for rows in (table(a=(1, 2, 3), b=(2, 3, 4)), apart):
        assert "paired" not in markdown_table(rows)
        assert compare_rows(rows) == {}


def test_another_reference_can_be_asked_for(table):
    rows = table(bp=(90, 91, 92), random=(80, 81, 82), mine=(79, 80, 81.5))
    text = markdown_table(rows, lambda variant, _: None if variant == "random" else "random")
    assert "2 comparisons with random" in text
    assert "below random" in text


def test_rows_that_are_not_ahead_of_untrained_features_are_named(table):
    rows = table(
        bp=(90, 91, 92),
        random=(80, 81, 82),
        mine=(79, 80.1, 81),  # -1, -0.9, -1
        matrix=(79.7, 80.9, 81.7),
        readout=(80.5, 80.5, 82),
        one=(70,),
        wide_random=(85, 86, 87),
        wide_mine=(83, 84, 85.1),
    )
    assert beside_untrained(rows) == (
        "5 comparisons with random and wide-random, what untrained features give: below: mine †, wide-mine †; "
        "below on every seed: matrix; level: readout"
    )
    assert f"- demo: {beside_untrained(rows)}." in markdown_table(rows)
    assert beside_untrained(table(bp=(90, 91, 92), best=(91, 92, 93))) == ""
    assert beside_untrained(table(random=(80, 81, 82), best=(91, 92, 93))) == ""


@pytest.fixture
def tested(make_run):
    """A function from variant -> what is right on each seed, in the order of the test samples, to the table's rows."""

    def make(labels=((1, 2, 3, 4, 5),) * 2, **right):
        records = []
        for name, seeds in right.items():
            for seed, row in enumerate(seeds):
                records.append(make_run("demo", name, seed, metrics={"test_accuracy": sum(row) / len(row)}))
                records[-1].write_right_samples(RightSamples.of(np.array(row, dtype=bool), np.array(labels[seed])))
        return summarise(records)

    return make


def test_mcnemar_over_one_test_set_by_hand(tested):
    bp, best = ([1, 1, 0, 0, 1], [1, 0, 0, 0, 1]), ([1, 1, 1, 1, 0], [1, 1, 0, 1, 1])
    # Right on more seeds: samples 2, 3 and 4; on fewer: sample 5. Of four coins three or more agree in 10 of 16 cases.
    rows = tested(bp=bp, best=best)
    [found] = compare_rows(rows).values()
    assert found.alone == (3, 1)
    assert format_alone(found) == "3 : 1, p = 0.62"
    text = markdown_table(rows)
    assert "| McNemar over test samples |" in text
    assert f"- {MCNEMAR}" in text


def test_with_one_seed_it_is_mcnemars_own_test(tested):
    draws = np.random.default_rng(0)
    bp, best = draws.random(400) < 0.8, draws.random(400) < 0.85
    rows = tested((np.arange(400),), bp=(bp.tolist(),), best=(best.tolist(),))
    [found] = compare_rows(rows).values()
    first, second = int((best & ~bp).sum()), int((bp & ~best).sum())
    assert found.alone == (first, second)
    p_value = stats.binomtest(first, first + second, 0.5).pvalue
    assert format_alone(found) == f"{first} : {second}, p = {p_value:.2g}"


def test_without_it_in_both_or_with_other_test_samples_there_is_no_mcnemar(tested, make_run):
    other = make_run("demo", "old", 0, metrics={"test_accuracy": 0.5})
    rows = tested(bp=([1, 0, 1, 0, 1],) * 2) + summarise([other])
    assert [one.alone for one in compare_rows(rows).values()] == [None]
    moved = tested(((1, 2, 3, 4, 5), (5, 4, 3, 2, 1)), bp=([1] * 5,) * 2, best=([0] * 5,) * 2)
    assert [one.alone for one in compare_rows(moved).values()] == [None]
    assert "McNemar" not in markdown_table(moved)


def page(marker: str) -> str:
    return page_text(f"{marker}<!-- end -->", Path("page.md"), RESULTS)[0]


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("mole-adult best/bp", "`best` -0.20 (-0.34 to -0.07) below bp (1 comparison)"),
        ("mole-adult kernel/bp", "`kernel` -0.33 (-0.90 to 0.24) (n = 3) below bp on every seed"),
        ("prox-mnist nadam-order1/nadam-bp", "`nadam-order1` +0.28 (-0.44 to 1.00) above nadam-bp on every seed"),
        ("remedies-mnist metric=fgsm_0.1_accuracy vib/dropout", "`vib` +0.23 (-4.62 to 5.09) level with dropout"),
        ("mole-cora gmi-mine/best", "`gmi-mine` +0.64 (0.07 to 1.21) ahead of best"),
    ],
)
def test_what_committed_tables_say_of_rows_that_a_claim_names(marker, said):
    assert said in page(f"<!-- differences: {marker} -->")


def test_a_marker_names_rows_that_are_there():
    for marker, message in (
        ("differences: mole-adult best", "must name pairs"),
        ("differences: mole-adult best/nothing", "no variant nothing"),
        ("differences: mole-adult metric=nothing best/bp", "no nothing of best, bp"),
        ("table: mole-adult against=nothing", "no variant nothing"),
    ):
        with pytest.raises(ValueError, match=message):
            page(f"<!-- {marker} -->")
    assert "with random" in page("<!-- table: mole-adult against=random -->")


def test_the_report_has_the_column_too(report):
    text = report.read_text(encoding="utf-8")
    assert "Paired difference" in text
    assert "ahead of ce" in text
    assert RULE.split(". ")[1] in text


def test_summaries_of_a_directory_and_of_its_file_compare_alike(table, tmp_path):
    rows = table(bp=(90, 91, 92), best=(91, 92, 93.5))
    again = summarise(find_runs(tmp_path / "runs"))
    assert [format_word(one) for one in compare_rows(rows).values()] == [
        format_word(one) for one in compare_rows(again).values()
    ]


def test_a_row_is_told_that_is_compared_with_one_of_other_settings(make_run, tmp_path):
    epochs = {"bp": 10, "best": 1, "mine": 1, "renyi": 10}
    for name, count in epochs.items():
        changed = [f"epochs={count}", "optimizer.lr=0.1"] if name != "renyi" else ["optimizer.lr=0.1"]
        own = {"epochs": count, "optimizer": {"lr": 0.1}, "plan": {"beta": float(count)}, "changed": changed}
        for seed in range(2):
            make_run("demo", name, seed, metrics={"test_accuracy": 0.9 + 0.01 * seed}, **own)
    rows = summarise(find_runs(tmp_path / "runs"))
    said = "demo, compared with a row of other settings (--set): best, mine: epochs 1 where bp has 10."
    assert settings_apart(rows) == [said]
    assert f"- {said}" in markdown_table(rows).splitlines()
    assert said in write_report([tmp_path / "runs"], tmp_path / "page.html").read_text(encoding="utf-8")
    assert settings_apart(rows, lambda variant, _: "mine" if variant == "best" else None) == []
