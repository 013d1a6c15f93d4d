from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from infotorch.figures.measured import far_places
from infotorch.records.run_record import RunRecord
from infotorch.report.curves import (
    curves_by_module,
    curves_by_variant,
    module_names,
    positions,
    quantities,
    stages,
    thin,
)
from infotorch.report.figures import (
    measured_figure,
    module_figure,
    overview_curve,
    rates_vary,
    variants_figure,
)
from infotorch.report.runs import Run, load_runs
from infotorch.report.summaries import summaries_of, summarise


def run_of(lines: list[dict[str, Any]], variant: str = "bp") -> Run:
    return Run(RunRecord(Path()), {"name": "demo", "variant": variant}, {}, lines, None)


def test_measured_figure_shows_every_seed_the_mean_its_error_and_the_published_value(make_run):
    published = {"test_accuracy": 0.86}
    values = (0.80, 0.84, 0.88)
    records = [make_run(seed=s, metrics={"test_accuracy": v}, published=published) for s, v in enumerate(values)]
    seeds, mean, paper = measured_figure(summarise(records), "test_accuracy").data
    assert list(seeds.x) == [80.0, 84.0, 88.0]
    assert list(mean.x) == [84.0]
    assert mean.error_x.array[0] == pytest.approx(4 / 3**0.5)
    assert list(paper.x) == [86.0]


def test_a_far_variant_is_named_at_the_edge_and_leaves_the_axis_to_the_others(make_run):
    values = {"a": 0.97, "b": 0.98, "majority": 0.11, "c": 0.975}
    rows = summarise([make_run(variant=name, metrics={"test_accuracy": value}) for name, value in values.items()])
    figure = measured_figure(rows, "test_accuracy")
    assert list(figure.data[1].x) == [97.0, 98.0, 97.5]
    assert [note.text for note in figure.layout.annotations] == ["◂ 11.00"]


def points(*values: float) -> dict[int, tuple[float, float]]:
    return {place: (value, value) for place, value in enumerate(values)}


def test_no_value_near_the_drawn_ones_is_dropped_and_never_the_best_or_the_first():
    # The demo's: the majority class far below, the best only just above the others.
    demo = points(0.953, 0.950, 0.961, 0.975, 0.961, 0.969, 0.911, 0.100)
    assert far_places(demo) == {7: -1}
    assert far_places(points(1.0, 1.1, 1.2, 9.0), kept=[3]) == {}
    assert far_places({**points(1.0, 1.1, 1.2), 3: (1.15, 9.0)}) == {}
    assert far_places(points(1.0, 1.1, 1.2, 1.203, -9.0)) == {4: -1}


def test_the_best_variant_is_drawn_however_far_it_is(make_run):
    values = {"a": 0.11, "b": 0.12, "far": 0.97, "c": 0.115}
    rows = summarise([make_run(variant=name, metrics={"test_accuracy": value}) for name, value in values.items()])
    figure = measured_figure(rows, "test_accuracy")
    assert sorted(figure.data[1].x) == [11.0, 11.5, 12.0, 97.0]
    assert not figure.layout.annotations


def test_a_module_and_a_variant_keep_their_colours_in_every_figure():
    lines = [{"step": t, "module": m, "train_loss": 1.0} for t in (1, 2) for m in ("fc1", "fc2")]
    lines += [{"step": t, "module": "fc2", "train_accuracy": 0.5 + t / 10} for t in (3, 4)]
    run = run_of(lines)
    order = module_names([run])
    colours = {
        (quantity, trace.name): trace.line.color
        for quantity in ("loss", "accuracy")
        for trace in module_figure([run], quantity, order).data
    }
    assert colours["loss", "fc2"] == colours["accuracy", "fc2"] != colours["loss", "fc1"]
    ten = [run_of([{"step": t, f"train_{name}": t / 10} for t in (1, 2)], variant=name) for name in "abcdefghij"]
    for one in ten:
        one.lines.extend({"step": t, "train_loss": 1.0 / t} for t in (3, 4))
    drawn = {trace.name: trace.line.color for trace in variants_figure(ten, "train_loss").data if trace.name}
    assert len(set(drawn.values())) == 10
    assert variants_figure(ten, "train_j").data[0].line.color == drawn["j"]


def test_far_places_leaves_a_plain_spread_alone():
    assert far_places(points(0.90, 0.93, 0.96, 0.99)) == {}
    assert far_places(points(0.1, 0.9)) == {}


def test_far_places_finds_two_of_them_on_one_side_or_on_both():
    assert far_places(points(1.0, 1.1, 1.2, 9.0, -9.0)) == {3: 1, 4: -1}
    assert far_places(points(0.97, 0.113, 0.98, 0.975, 0.115)) == {1: -1, 4: -1}


def test_curves_start_a_new_stage_after_the_last_step_of_the_one_before(make_run):
    [run] = load_runs([make_run()])
    assert [(stage.label, stage.start, stage.end) for stage in stages(run)] == [("fc1", 0, 258), ("fc2", 258, 516)]
    [fc1, fc2] = [curve for curve in curves_by_module([run], "loss") if curve.split == "validation"]
    assert (fc1.x[-1], fc2.x[0]) == (258, 301)
    assert fc1.y[0] == run.lines[0]["validation_loss"]


def test_without_steps_epochs_are_counted_over_all_stages():
    lines = [{"stage": s, "module": m, "epoch": e, "train_loss": 1.0} for s, m in ((0, "a"), (1, "b")) for e in (1, 2)]
    assert positions(run_of(lines)) == [1, 2, 3, 4]
    assert positions(run_of([{"train_loss": 1.0}, {"train_loss": 0.5}])) == [1, 2]


def test_null_is_a_gap_and_a_missing_key_is_no_point():
    lines = [
        {"step": 1, "train_loss": 2.0},
        {"step": 2, "train_loss": None},
        {"step": 3},
        {"step": 4, "train_loss": 1.0},
    ]
    [curve] = curves_by_variant([run_of(lines)], "train_loss")
    assert (curve.x, curve.y) == ([1, 2, 4], [2.0, None, 1.0])


def test_where_modules_train_together_the_last_one_stands_for_the_variant():
    lines = [{"step": 1, "module": m, "validation_accuracy": v} for m, v in (("fc1", 0.5), ("fc2", 0.7))]
    [curve] = curves_by_variant([run_of(lines)], "validation_accuracy")
    assert curve.y == [0.7]


def test_words_and_truth_values_are_no_quantities():
    assert quantities([run_of([{"step": 1, "note": "x", "done": True, "train_loss": 1.0, "learning_rate": 0.1}])]) == [
        "loss",
        "learning_rate",
    ]


def test_long_curves_are_thinned_and_keep_their_ends():
    kept = thin([float(x) for x in range(10_000)])
    assert (len(kept), kept[0], kept[-1]) == (300, 0.0, 9999.0)


def test_the_thick_curve_is_the_mean_of_the_completed_seeds(make_run):
    for seed in (0, 1):
        make_run(seed=seed, lines=[{"step": 1, "validation_loss": 1.0 + seed}, {"step": 2, "validation_loss": 0.5}])
    bad = make_run(seed=2, lines=[{"step": 1, "validation_loss": 9.0}], status="diverged")
    runs = load_runs([*(make_run(seed=s, lines=[{"step": 1, "validation_loss": 1.0 + s}]) for s in (0, 1)), bad])
    figure = variants_figure(runs, "validation_loss")
    assert figure is not None
    thick = [trace for trace in figure.data if trace.showlegend]
    assert [list(trace.y) for trace in thick] == [[1.5]]
    assert sum(trace.marker.symbol == "x" for trace in figure.data) == 1  # the diverged run's end


def test_the_cross_stands_at_the_last_finite_value():
    lines = [{"step": 1, "train_loss": 1.0}, {"step": 2, "train_loss": None}]
    figure = variants_figure([run_of(lines)], "train_loss")
    assert figure is not None
    assert [(trace.x[0], trace.y[0]) for trace in figure.data if trace.marker.symbol == "x"] == [(1.0, 1.0)]


def test_module_figure_shows_accuracy_in_percent_and_stages_as_bands(make_run):
    figure = module_figure(load_runs([make_run()]), "accuracy")
    assert figure is not None
    assert [note.text for note in figure.layout.annotations] == ["fc1", "fc2"]
    assert len(figure.layout.shapes) == 1  # every second stage is shaded
    assert 50 < figure.data[0].y[0] < 100


def test_figures_of_absent_quantities_are_none(make_run):
    runs = load_runs([make_run(lines=[])])
    assert variants_figure(runs, "validation_accuracy") is None
    assert module_figure(runs, "loss") is None
    assert overview_curve(summaries_of(runs)) is None
    assert not rates_vary(runs)


def test_overview_prefers_the_validation_twin_of_the_main_metric(make_run):
    assert overview_curve(summarise([make_run(metrics={"test_accuracy": 0.9})])) == "validation_accuracy"
    assert overview_curve(summarise([make_run(metrics={"test_mae": 0.9})])) == "validation_loss"


def test_a_rate_over_decades_is_shown_on_a_logarithmic_axis():
    lines = [{"step": t, "learning_rate": 10.0**-t} for t in (1, 2, 3)]
    figure = variants_figure([run_of(lines)], "learning_rate")
    assert figure is not None
    assert figure.layout.yaxis.type == "log"
    assert rates_vary([run_of(lines)])


def test_markup_in_a_name_stays_text():
    lines = [{"step": 1, "module": '<a href="https://example.org">m</a>', "train_loss": math.pi}]
    figure = module_figure([run_of(lines)], "loss")
    assert figure is not None
    assert "<a" not in str(figure.to_json()).replace("<extra></extra>", "")
