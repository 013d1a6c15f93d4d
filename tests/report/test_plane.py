from __future__ import annotations

import re
from pathlib import Path

import pytest

from infotorch.records.run_record import RunRecord
from infotorch.report import write_report
from infotorch.report.plane import plane_figure, plane_section, ways
from infotorch.report.runs import Run, load_runs
from infotorch.report.summaries import summaries_of

POINTS = [(1.0, 0.5), (3.0, 1.0), (4.0, 1.5), (2.0, 2.0)]


def lines_of(points=POINTS, *, splits=("train", "validation"), module="fc1", **more):
    return [
        {"module": module, "epoch": epoch, "step": 10 * epoch, **more}
        | {f"{split}_{name}": value for split in splits for name, value in (("mi_xt_nats", xt), ("mi_ty_nats", ty))}
        for epoch, (xt, ty) in enumerate(points, start=1)
    ]


def run_of(lines):
    return Run(RunRecord(Path()), {"name": "demo", "variant": "full"}, {}, lines, None)


def parts_of(figure):
    """Lines with arrowheads, thin lines, and marks at the ends."""
    kinds = {"lines+markers": [], "lines": [], "markers": []}
    for trace in figure.data:
        kinds[trace.mode].append(trace)
    return kinds["lines+markers"], kinds["lines"], kinds["markers"]


def test_a_module_goes_from_its_open_mark_to_its_filled_one():
    [line], [], [ends] = parts_of(plane_figure([run_of(lines_of())]))
    assert list(zip(line.x, line.y, strict=True)) == POINTS
    assert dict(zip(ends.marker.symbol, zip(ends.x, ends.y, strict=True), strict=True)) == {
        "circle-open": POINTS[0],
        "circle": POINTS[-1],
    }


def test_arrowheads_stand_evenly_along_the_way_and_not_in_time():
    # 50 epochs at rest near the start, then one long straight way: no arrowhead belongs to the rest.
    points = [(0.0, 1e-4 * n) for n in range(50)] + [(float(n), float(n)) for n in range(1, 11)]
    [line], _, _ = parts_of(plane_figure([run_of(lines_of(points))]))
    assert line.marker.symbol == "arrow"
    assert [line.x[i] for i, size in enumerate(line.marker.size) if size] == [2.0, 4.0, 6.0, 8.0]


def test_a_module_that_stands_still_has_no_arrowhead():
    [line], _, _ = parts_of(plane_figure([run_of(lines_of([(1.0, 1.0)] * 3))]))
    assert set(line.marker.size) == {0}


def test_each_module_has_its_colour_and_mark():
    lines = [*lines_of(module="fc1"), *lines_of([(y, x) for x, y in POINTS], module="fc2")]
    found, _, ends = parts_of(plane_figure([run_of(lines)]))
    assert [trace.name for trace in ends] == ["fc1", "fc2"]
    assert [trace.marker.symbol[0] for trace in ends] == ["circle", "square"]
    assert len({trace.line.color for trace in found}) == 2


def test_several_seeds_are_thin_and_their_mean_is_thick(make_run):
    runs = load_runs([make_run(seed=s, lines=lines_of([(x + 2 * s, y) for x, y in POINTS])) for s in (0, 1)])
    [mean], seeds, [ends] = parts_of(plane_figure(runs))
    assert list(mean.x) == [2.0, 4.0, 5.0, 3.0]
    assert len(seeds) == 2
    assert ends.showlegend


def test_a_diverged_seed_enters_no_mean(make_run):
    runs = load_runs([
        *(make_run(seed=s, lines=lines_of([(x + 2 * s, y) for x, y in POINTS])) for s in (0, 1)),
        make_run(seed=2, lines=lines_of([(99.0, 0.0), (None, None), (98.0, 0.1)]), status="diverged"),
    ])
    [mean], _, _ = parts_of(plane_figure(runs))
    assert list(mean.x) == [2.0, 4.0, 5.0, 3.0]
    assert [way.xt.y for way in ways(runs)][-1] == [99.0, 98.0]  # null is no point


def test_a_lone_completed_seed_is_thick_and_a_diverged_one_beside_it_thin(make_run):
    bad = make_run(seed=0, lines=lines_of([(y, x) for x, y in POINTS]), status="diverged")
    runs = load_runs([bad, make_run(seed=1, lines=lines_of())])
    [line], [thin], [ends] = parts_of(plane_figure(runs))
    assert (line.x[0], thin.x[0], ends.showlegend) == (POINTS[0][0], POINTS[0][1], True)


def test_validation_rows_come_first_and_training_rows_where_there_are_none():
    assert {way.xt.split for way in ways([run_of(lines_of())])} == {"validation"}
    assert {way.xt.split for way in ways([run_of(lines_of(splits=("train",)))])} == {"train"}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        lines_of(POINTS[:1]),
        [{key: v for key, v in line.items() if "mi_xt" not in key} for line in lines_of()],
        [{key: v for key, v in line.items() if ("xt" in key) != (line["epoch"] < 3)} for line in lines_of()],
    ],
    ids=["no line", "one epoch", "one coordinate", "never both"],
)
def test_without_two_epochs_of_both_coordinates_there_is_no_figure(lines):
    assert plane_figure([run_of(lines)]) is None
    assert plane_section(summaries_of([run_of(lines)]), []) == ""


def test_axes_name_the_direction_of_a_bound_where_the_run_does():
    said = lines_of(mi_xt_nats_bound="upper", mi_ty_nats_bound="lower")
    layout = plane_figure([run_of(said)]).layout
    assert layout.xaxis.title.text == "I(X; T), nats (upper bound)"
    assert layout.yaxis.title.text == "I(T; Y), nats (lower bound)"


def test_axes_name_none_where_the_modules_differ_or_say_nothing():
    mixed = [*lines_of(mi_xt_nats_bound="upper"), *lines_of(module="fc2", mi_xt_nats_bound="lower")]
    assert plane_figure([run_of(mixed)]).layout.xaxis.title.text == "I(X; T), nats"
    assert plane_figure([run_of(lines_of())]).layout.yaxis.title.text == "I(T; Y), nats"


def test_the_page_has_a_figure_for_each_variant_that_has_both(make_run, tmp_path):
    nasty = "<img src=x>"
    make_run(variant="full", lines=lines_of(module=nasty), metrics={"test_accuracy": 0.9})
    make_run(variant="ce")
    page = write_report([tmp_path / "runs"], tmp_path / "report.html").read_text(encoding="utf-8")
    part = page.split("<h3>Paths through the information plane</h3>")[1].split("<details")[0]
    assert re.findall(r"<figcaption>(.*?)<span>(.*?)</span>", part) == [("full", "On validation data.")]
    assert nasty not in page
