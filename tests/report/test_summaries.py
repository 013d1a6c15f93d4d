from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from infotorch.report import markdown_table, summarise, terminal_table
from infotorch.report.numbers import flatten, format_setting
from infotorch.report.summaries import main_metrics


def test_mean_and_standard_error_against_hand_computed_values(make_run):
    records = [make_run(seed=seed, metrics={"test_accuracy": v}) for seed, v in enumerate((0.80, 0.84, 0.88))]
    measured = summarise(records)[0].metrics["test_accuracy"]
    assert measured.mean == pytest.approx(0.84, rel=1e-12)
    assert measured.sd == pytest.approx(0.04, rel=1e-12)  # deviations -0.04, 0, 0.04: sqrt(0.0032 / 2)
    assert measured.std_error == pytest.approx(0.04 / 3**0.5, rel=1e-12)
    assert measured.values == {0: 0.80, 1: 0.84, 2: 0.88}


def test_one_seed_has_no_spread(make_run):
    measured = summarise([make_run(metrics={"test_accuracy": 0.9})])[0].metrics["test_accuracy"]
    assert (measured.n, measured.mean, measured.sd, measured.std_error) == (1, 0.9, None, None)


def test_rows_keep_the_order_of_first_appearance(make_run):
    places = [("b", "z", 0), ("a", "y", 0), ("b", "x", 0), ("b", "z", 1)]
    rows = summarise([make_run(*place, metrics={"test_accuracy": 0.5}) for place in places])
    assert [(row.recipe, row.variant, len(row.runs)) for row in rows] == [("b", "z", 2), ("a", "y", 1), ("b", "x", 1)]


@pytest.mark.parametrize("status", ["diverged", "failed", "interrupted", None])
def test_a_run_that_did_not_complete_enters_no_mean_and_is_named(make_run, status):
    good = make_run(seed=0, metrics={"test_accuracy": 0.9}, seconds=10.0, saved=100)
    bad = make_run(seed=1, metrics={"test_accuracy": 0.1}, seconds=99.0, saved=999, status=status, message="went wrong")
    [row] = summarise([good, bad])
    assert row.metrics["test_accuracy"].values == {0: 0.9}
    assert (row.seconds, row.memory) == (10.0, {"peak_saved_activation_bytes": 100})
    assert row.counts == {"completed": 1, status or "unfinished": 1}
    table = markdown_table([row])
    assert f"1 of 2 (1 {status or 'unfinished'})" in table
    assert "demo bp, seed 1" in table
    assert ("went wrong" in table) == (status is not None)


def test_a_row_without_a_completed_run_still_stands_in_the_table(make_run):
    [row] = summarise([make_run(status="failed", message="no memory", published={"test_accuracy": 0.91})])
    assert (row.seconds, row.metrics["test_accuracy"].mean) == (None, None)
    assert "| bp | 91.00 | – | – | – | 0 of 1 (1 failed) |" in markdown_table([row])


def test_published_value_and_source_stand_in_the_row(make_run):
    measured = summarise([make_run(metrics={"test_accuracy": 0.9}, published={"test_accuracy": 0.8657})])[0].metrics
    assert measured["test_accuracy"].published == 0.8657
    assert measured["test_accuracy"].source == "Elad et al. 2019, Table 1"


def test_seconds_are_the_median_and_memory_is_the_largest(make_run):
    records = [make_run(seed=s, metrics={}, seconds=t, saved=m) for s, t, m in ((0, 1, 5), (1, 2, 9), (2, 60, 7))]
    [row] = summarise(records)
    assert (row.seconds, row.memory) == (2, {"peak_saved_activation_bytes": 9})


def test_of_two_runs_with_one_seed_the_last_counts_and_the_row_says_so(make_run):
    records = [make_run(metrics={"test_accuracy": v}, folder=name) for v, name in ((0.5, "old"), (0.7, "new"))]
    [row] = summarise(records)
    assert row.metrics["test_accuracy"].values == {0: 0.7}
    assert row.notes == (f"Seed 0 was run 2 times; {records[1].directory} counts.",)


def test_runs_with_different_settings_are_rows_of_their_own_that_name_them(make_run):
    settings = ((0, None, 0.5), (1, None, 0.7), (0, 500, 0.3))
    records = [
        make_run(seed=s, metrics={"test_accuracy": v}, data={"limit": limit, "seed": s}, folder=f"{s}-{limit}")
        for s, limit, v in settings
    ]
    rows = summarise(records)
    assert [(row.variant, row.metrics["test_accuracy"].values, row.notes) for row in rows] == [
        ("bp, data.limit none", {0: 0.5, 1: 0.7}, ()),
        ("bp, data.limit 500", {0: 0.3}, ()),
    ]
    assert {run.variant for run in rows[1].runs} == {"bp, data.limit 500"}
    assert summarise(records[:2])[0].variant == "bp"


@pytest.mark.parametrize("said", ["title", "description", "source", "changed", "search"])
def test_what_a_recipe_says_of_itself_tells_no_runs_apart(make_run, said):
    records = [make_run(seed=s, metrics={}, **{said: words}) for s, words in ((0, "a"), (1, "b"))]
    [row] = summarise(records)
    assert (row.variant, row.notes) == ("bp", ())


def test_settings_that_older_runs_do_not_know_are_counted(make_run):
    records = [make_run(seed=s, metrics={}, data={"limit": 500, **new}) for s, new in ((0, {}), (1, {"a": 1, "b": 2}))]
    note = "Some of the averaged runs are older and do not know all settings (2)."
    [row] = summarise(records)
    assert row.notes == (note,)


def test_a_metric_that_is_not_finite_is_marked_and_left_out(make_run):
    records = [make_run(seed=s, metrics={"test_accuracy": v}) for s, v in ((0, float("nan")), (1, 0.5))]
    [row] = summarise(records)
    assert row.metrics["test_accuracy"].values == {1: 0.5}
    assert row.notes == ("Seed 0: test_accuracy is not finite.",)


def test_information_that_was_measured_unreliably_is_told_with_the_last_reason(make_run):
    lines = [{"module": m, "epoch": e, "train_mi_ty_nats": 0.1} for e in (1, 2) for m in ("fc1", "fc2")]
    lines[0]["train_mi_ty_nats_reason"] = "scales lie apart"
    lines[2]["train_mi_ty_nats_reason"] = "neighbours fall short"
    [row] = summarise([make_run(metrics={"test_accuracy": 0.5}, lines=lines)])
    told = "train I(T; Y) was not reliable in 2 of 4 measurements, at last: neighbours fall short."
    assert row.notes == (f"Seed 0: {told}",)


def test_what_was_unreliable_with_several_seeds_is_told_once(make_run):
    reason = "train_mi_ty_nats_reason"
    lines = [{"module": "fc1", "epoch": e, "train_mi_ty_nats": 0.1, reason: f"epoch {e}"} for e in (1, 2)]
    runs = [make_run(seed=seed, metrics={"test_accuracy": 0.5}, lines=lines[: seed + 1]) for seed in (0, 1)]
    runs.append(make_run(seed=2, metrics={"test_accuracy": 0.5}, lines=[lines[0] | {reason: "the last"}]))
    [row] = summarise(runs)
    told = "train I(T; Y) was not reliable in 4 of 4 measurements, at last: the last."
    assert row.notes == (f"Seeds 0, 1 and 2: {told}",)


def test_main_metrics_are_the_published_ones_or_the_first_test_metric(make_run):
    both = {"mi_ty_nats": 1.0, "test_mae": 0.9, "test_psnr_db": 20.0}
    assert main_metrics(summarise([make_run(metrics=both)])) == ["test_mae"]
    published = {"mi_ty_nats": 1.1, "test_psnr_db": 21.0}
    assert main_metrics(summarise([make_run(metrics=both, published=published)])) == ["test_psnr_db", "mi_ty_nats"]
    assert main_metrics(summarise([make_run(status=None)])) == []


def test_markdown_table_of_one_recipe(make_run):
    records = [
        make_run(
            seed=s,
            metrics={"test_accuracy": v, "validation_accuracy": v, "train_accuracy": v + 0.1},
            published={"test_accuracy": 0.8657},
        )
        for s, v in enumerate((0.80, 0.84, 0.88))
    ]
    header, marks, line = markdown_table(summarise(records)).splitlines()
    assert header == (
        "| variant | published test accuracy, % | measured test accuracy, % | validation accuracy, % "
        "| train accuracy, % | saved activations, MiB | time | runs |"
    )
    assert marks == "| :-- | --: | --: | --: | --: | --: | --: | :-- |"
    assert line == "| bp | 86.57 | 84.00 ± 2.31 (n = 3) | 84.00 ± 2.31 | 94.00 ± 2.31 | 6.00 | 12 s | 3 of 3 |"


def test_rows_of_other_data_have_their_own_majority_class(make_run):
    """A mean over both is what guessing gives on neither."""
    runs = []
    for data, share in (("mnist", 0.1135), ("fashion-mnist", 0.1)):
        for seed in range(2):
            metrics = {"test_accuracy": 0.9, "majority_class": share}
            runs.append(make_run(seed=seed, metrics=metrics, data={"name": data}, folder=f"{data}-{seed}"))
    text = markdown_table(summarise(runs))
    assert "- demo, bp, data.name mnist: always guessing the most frequent class gives 11.35 %\n" in text
    assert "- demo, bp, data.name fashion-mnist: always guessing the most frequent class gives 10.00 %\n" in text
    assert "10.68" not in text
    assert "- demo: always guessing the most frequent class gives 11.35 %\n" in markdown_table(summarise(runs[:2]))


def test_markdown_table_of_several_recipes_names_recipe_and_metric(make_run):
    rows = summarise([make_run("a", metrics={"test_psnr_db": 21.3}), make_run("b", metrics={"test_mae": 0.987})])
    lines = markdown_table(rows).splitlines()
    assert lines[0].startswith("| recipe | variant | metric | published | measured |")
    assert lines[2].startswith("| a | bp | test PSNR, dB | – | 21.30 (n = 1) |")
    assert lines[3].startswith("| b | bp | test MAE | – | 0.99 (n = 1) |")


def test_text_of_a_run_cannot_break_the_markdown_table(make_run):
    [row] = summarise([make_run(variant="a|b", status="failed", message="first\nsecond <b>")])
    assert "| a\\|b |" in markdown_table([row])
    assert "first second \\<b>" in markdown_table([row])


def test_terminal_table_shows_numbers_and_names_runs_that_did_not_complete(make_run):
    records = [make_run(seed=s, metrics={"test_accuracy": v}) for s, v in enumerate((0.80, 0.84, 0.88))]
    records.append(make_run(seed=3, status="diverged", message="the loss [of fc2] is not finite"))
    console = Console(width=110, file=io.StringIO())
    console.print(terminal_table(summarise(records), title="Results"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(
        text in shown for text in ("Results", "demo", "84.00 ± 2.31", "3 of 4 (1 diverged)", "the loss [of fc2]")
    )


def test_no_run_is_an_error():
    with pytest.raises(ValueError, match="summarise: runs is empty"):
        summarise([])


DAMAGE = {
    "recipe.json": [
        ("{", "damaged"),
        ("{}", "name is missing"),
        ('{"name": "a", "seed": "x"}', "seed must be a whole"),
    ],
    "environment.json": [("[]", "expected a JSON object")],
    "metrics.jsonl": [("{oops\n", "damaged"), ("3\n", "line 1, is damaged: expected a JSON object, got int")],
    "outcome.json": [
        ("nonsense", "damaged"),
        ('{"status": "completed"}', "missing"),
        ({"status": "done"}, "status must be one of completed, diverged, interrupted, failed, pruned, got 'done'"),
        ({"metrics": [1]}, "metrics must be an object, got "),
        ({"metrics": {"test_accuracy": "high"}}, "metrics.test_accuracy must be a number or null, got 'high'"),
        ({"memory": {"peak": True}}, "memory.peak must be a whole number that is not negative, got True"),
        ({"published": {"test_accuracy": 0.9}}, "published.test_accuracy must be an object, got 0.9"),
        ({"seconds": "long"}, "seconds must be a number or null, got 'long'"),
    ],
}


@pytest.mark.parametrize(("name", "content", "message"), [(n, c, m) for n, cases in DAMAGE.items() for c, m in cases])
def test_a_damaged_file_gives_one_error_that_names_it(make_run, name, content, message):
    record = make_run(metrics={"test_accuracy": 0.9})
    path = record.directory / name
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text(encoding="utf-8")) | content)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        summarise([record])
    assert str(path) in str(error.value)


def test_a_missing_environment_is_no_error(make_run):
    record = make_run(metrics={"test_accuracy": 0.9})
    (record.directory / "environment.json").unlink()
    assert summarise([record])[0].runs[0].environment == {}


def test_settings_as_text():
    shown = [format_setting(value) for value in (None, True, 3, 1e-3, [1, 0.5], (), "x")]
    assert shown == ["none", "yes", "3", "0.001", "1, 0.5", "none", "x"]
    assert flatten({"modules": [{"name": "fc1"}], "empty": {}}) == {"modules.0.name": "fc1", "empty": {}}


def test_the_report_never_loads_torch(make_run):
    record = make_run(metrics={"test_accuracy": 0.9})
    code = (
        "import sys; from pathlib import Path\n"
        "from infotorch.report import *; from infotorch.records.finding import find_runs\n"
        f"runs = Path({str(record.directory)!r}); write_report([runs], runs / 'report.html')\n"
        "rows = summarise(find_runs(runs)); markdown_table(rows); terminal_table(rows)\n"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == "False"


def test_importing_the_report_loads_no_plotly():
    code = "import sys, infotorch.report; print('plotly' in sys.modules, 'torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == "False False"
