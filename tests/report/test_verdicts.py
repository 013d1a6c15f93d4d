import json
import math
import re
import shlex
from pathlib import Path

import pytest
import typer

from infotorch.commands.main import app
from infotorch.recipes.registry import variants_of
from infotorch.records.claims import Claim, read_claims
from infotorch.records.collecting import collect
from infotorch.records.files import read_json
from infotorch.report.differences import Difference
from infotorch.report.pages import page_text
from infotorch.report.summaries import Measured, VariantSummary
from infotorch.report.verdicts import GAP, verdict_lines, verdict_of

ROOT = Path(__file__).parents[2]
CLAIMS = read_claims(ROOT / "results/claims.json")
ALL = [claim for claims in CLAIMS.values() for claim in claims]


def difference(*values, metric="test_accuracy"):
    return Difference(metric, "bp", dict(enumerate(values)))


@pytest.mark.parametrize("metric", ["test_accuracy", "test_mae"])
@pytest.mark.parametrize("values", [(1.0, 1.2, 1.1), (-1.0, -1.2, -1.1), (0.1, 2.0, 0.2), (-0.1, 0.2, 0.0)])
def test_a_claim_of_better_holds_for_what_the_tables_call_ahead(metric, values):
    found = difference(*values, metric=metric)
    better = {"test_accuracy": "higher", "test_mae": "lower"}[metric]
    expected = {"ahead": "holds", "below": "does not hold"}.get(found.word, "cannot be told")
    assert verdict_of(found, better) == expected


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [(0.6, "holds"), (0.5, "cannot be told"), (0.1, "cannot be told"), (0.04, "does not hold")],
)
def test_comparable_is_told_by_the_margin(margin, verdict):
    found = difference(-0.2, -0.3, -0.4)  # 95 % from -0.548 to -0.052, by t = 4.303 and a standard error of 0.0577
    assert found.interval == pytest.approx(
        (-0.3 - 4.3027 * 0.1 / math.sqrt(3), -0.3 + 4.3027 * 0.1 / math.sqrt(3)), abs=1e-4
    )
    assert verdict_of(found, "comparable", margin) == verdict
    assert verdict_of(difference(0.2, 0.3, 0.4, metric="test_mae"), "comparable", margin) == verdict


def test_too_few_pairs_and_no_margin_tell_nothing():
    assert verdict_of(difference(1.0, 1.0), "higher") == "cannot be told"
    assert verdict_of(difference(1.0, 1.1, 1.2), "comparable") == "cannot be told"


def rows(**accuracies):
    def row(name, test):
        metrics = {
            "test_accuracy": Measured("test_accuracy", dict(enumerate(test)), 0.9 if name == "bp" else 0.8),
            "train_accuracy": Measured("train_accuracy", {seed: 1.0 for seed in range(len(test))}),
        }
        return VariantSummary("demo", name, (), metrics, 1.0, {}, ())

    return lambda table, settings: {name: row(name, test) for name, test in accuracies.items()}


def lines(claim, rows_of=None, content=None):
    rows_of = rows_of or rows(bp=(0.90, 0.91, 0.92), best=(0.92, 0.932, 0.94))
    return verdict_lines([claim], rows_of, lambda name: content)


def test_a_pair_has_its_difference_and_the_published_values():
    [line] = lines(Claim("better", "Sec. 1", "higher", "demo", ["best/bp"]))
    assert line.verdict == "holds"
    assert line.published == "80.00 for 90.00"
    assert line.found == "test accuracy, %: +2.07 (1.78 to 2.35), ahead of bp"
    assert line.rows == "`best` minus `bp`; [demo](results/demo.md); n = 3"


def test_the_published_difference_is_the_margin():
    below = rows(bp=(0.90, 0.91, 0.92), best=(0.85, 0.86, 0.8701))
    [line] = lines(Claim("close", "Sec. 1", "comparable", "demo", ["best/bp"]), below)
    assert line.verdict == "holds"
    assert "(margin 10.00)" in line.found
    [line] = lines(Claim("close", "Sec. 1", "comparable", "demo", ["best/bp"], margin=0.02), below)
    assert line.verdict == "does not hold"


def test_the_gap_of_train_and_test_is_smaller_for_what_tests_better():
    [line] = lines(Claim("closer", "Sec. 1", "lower", "demo", ["best/bp"], metric=GAP))
    assert line.found.startswith("train minus test accuracy, %: -2.07 (-2.35 to -1.78)")
    assert line.verdict == "holds"


def test_a_row_that_has_not_run_is_named_with_its_command():
    [line] = lines(Claim("better", "Sec. 1", "higher", "demo", ["mine/bp"], settings=["epochs=50"]))
    assert (line.verdict, line.found) == ("cannot be told", "–")
    command = "infotorch table demo --variant mine --variant bp --seeds 3 --set epochs=50 --out runs"
    assert line.why == f"`mine` has not run; `{command}` would tell"


def test_what_waits_is_not_told_whatever_the_numbers_say():
    [line] = lines(Claim("better", "Sec. 1", "higher", "demo", ["best/bp"], waits="shortened", command="make gpu"))
    assert (line.verdict, line.why) == ("cannot be told", "shortened; `make gpu` would tell")
    assert "+2.07" in line.found


def test_all_comparisons_of_a_paper_are_corrected_together():
    sure, unsure = rows(bp=(0.9, 0.91, 0.92), best=(0.95, 0.9601, 0.9701)), (0.915, 0.91, 0.93)
    both = Claim("better", "Sec. 1", "higher", "demo", ["best/bp", "other/bp"])
    found = lines(both, lambda *at: sure(*at) | rows(other=unsure)(*at))
    assert [line.comparison.held for line in found] == [True, False]


def test_a_benchmark_stands_in_for_a_table():
    content = {
        "made_by": "python benchmarks/one.py",
        "cases": [{"mine": [1, 2, 3]}, {"seeds": [{"n": 5}, {"n": 6}, {"n": 7}]}],
    }
    places = {"first": ["cases", "1", "seeds", "*", "n"], "second": ["cases", "0", "mine"]}
    claim = Claim(
        "larger",
        "Fig. 1",
        "higher",
        pairs=["first/second"],
        metric="mi_nats",
        file="benchmarks/one.json",
        values=places,
    )
    [line] = lines(claim, content=content)
    assert line.found == "mi, nats: +4.000 (4.000 to 4.000)"
    assert line.made_by == (("python benchmarks/one.py", ""),)
    with pytest.raises(ValueError, match=r"benchmarks/one\.json has no cases/2"):
        lines(Claim(**{**vars(claim), "values": {**places, "first": ["cases", "2"]}}), content=content)


def test_a_metric_of_an_epoch_comes_from_the_curves(make_run, tmp_path):
    places = []
    for variant, loss in (("bp", 1.0), ("best", 0.5)):
        for seed in range(3):
            curve = [{"epoch": epoch, "train_loss": loss / epoch + seed} for epoch in (1, 2)]
            places.append(make_run("demo", variant, seed, metrics={"test_accuracy": 0.5}, lines=curve).directory)
    collect(places, out=tmp_path / "results")
    claim = {"claim": "faster", "where": "Fig. 1", "expected": "lower", "table": "demo", "pairs": ["best/bp"],
             "metric": "train_loss", "epoch": 2}  # fmt: skip
    (tmp_path / "results/claims.json").write_text(json.dumps({"paper": [claim]}))
    text, _ = page_text("<!-- verdicts: paper --><!-- end -->", tmp_path / "page.md", tmp_path / "results")
    assert "epoch 2 train loss: -0.25 (-0.25 to -0.25), ahead of bp | **holds** |" in text
    assert "1 lines; holds: 1, does not hold: 0, cannot be told: 0 (1 comparison)." in text
    assert "    infotorch table demo --seeds 3 --variant best --variant bp --out runs\n" in text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pairs": ["best/bp"]}, "must expect one of higher, lower, comparable, got ''"),
        ({"pairs": ["best"], "expected": "higher"}, "must name pairs such as best/bp, got best"),
        ({}, "must have pairs, a demonstration, or what it waits for"),
        ({"waits": "x", "why": "y"}, "must have no other fields than .*, got why"),
        ({"waits": 3}, r"paper\[0\]\.waits must be a text"),
    ],
)
def test_damaged_claims_are_refused_by_name(tmp_path, fields, message):
    (tmp_path / "claims.json").write_text(json.dumps({"paper": [{"claim": "c", "where": "w", **fields}]}))
    with pytest.raises(ValueError, match=f"claims.json is damaged: .*{message}"):
        read_claims(tmp_path / "claims.json")


def test_a_paper_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"claims\.json has no paper nobody"):
        page_text("<!-- verdicts: nobody --><!-- end -->", tmp_path / "page.md", ROOT / "results")


def test_claims_name_rows_that_are_there():
    for claim in ALL:
        if claim.table and not claim.demonstration:
            known = {recipe.variant for recipe in variants_of(claim.table)}
            named = {name for pair in claim.pairs for name in pair.split("/")}
            assert named <= known, claim.claim


def test_published_values_of_claims_are_those_of_the_recipes():
    for claim in ALL:
        for pair, values in claim.published.items():
            known = {recipe.variant: recipe.published for recipe in variants_of(claim.table)}
            for name, value in zip(pair.split("/"), values, strict=True):
                if metrics := known.get(name):
                    [*told] = [one.value for metric, one in metrics.items() if metric.startswith("test_")]
                    assert not told or value in told, (claim.claim, name)


def test_commands_of_claims_have_these_recipes_and_variants():
    for command in (claim.command for claim in ALL if claim.command):
        program, name, *words = shlex.split(command)
        if program == "python":
            assert (ROOT / name).exists(), command
            continue
        given = typer.main.get_command(app).commands[name].make_context(name, words).params
        for recipe in given["recipe"]:
            assert set(given["variant"]) <= {one.variant for one in variants_of(recipe)}, command


def test_the_five_papers_have_verdicts_and_links_lead_to_results():
    text = (ROOT / "docs/verdicts.md").read_text(encoding="utf-8")
    assert [re.findall(r"<!-- verdicts: (\w+)", text)] == [list(CLAIMS)]
    assert len(CLAIMS) == 6
    for file in {claim.file for claim in ALL if claim.file}:
        assert read_json(ROOT / file)["made_by"]
