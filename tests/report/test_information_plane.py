import json

import pytest
from tests.report.packed import figures_of

from infotorch.figures.information_plane import epochs_figure
from infotorch.records.run_record import RunRecord
from infotorch.report import write_report
from infotorch.report.information_plane import read_plane


def point(layer, epoch, xt, ty, **more):
    return {
        "layer": layer, "epoch": epoch, "mi_xt": xt, "mi_ty": ty, "mi_xt_error": 0.1, "mi_ty_error": None,
        "assumption": "noise_std=0.2", "xt_estimator": "pairwise_bounds upper", "ty_estimator": "ross k=3", **more,
    }  # fmt: skip


CONTENT = {
    "layers": ["fc1", "fc2"],
    "rows": 100,
    "points": [
        point("fc1", 0, 4.0, 0.5),
        point("fc2", 0, 3.0, 0.2),
        point("fc1", 10, 3.5, 1.5),
        point("fc2", 10, 2.0, 1.9),
    ],
}


def test_the_slider_moves_every_mark_to_its_epoch():
    figure = epochs_figure(CONTENT["points"])
    paths, marks = figure.data[:2], figure.data[2:]
    assert [list(path.x) for path in paths] == [[4.0, 3.5], [3.0, 2.0]]
    assert [list(mark.y) for mark in marks] == [[1.5], [1.9]]  # the last epoch is shown first
    first, last = figure.layout.sliders[0].steps
    assert (first.label, last.label) == ("0", "10")
    changed, traces = first.args
    assert list(traces) == [2, 3]
    assert [list(x) for x in changed["x"]] == [[4.0], [3.0]]
    assert [list(bar) for bar in changed["error_x.array"]] == [[0.1], [0.1]]
    assert [list(bar) for bar in changed["error_y.array"]] == [[0.0], [0.0]]
    assert [list(said) for said in changed["customdata"]] == [["noise_std=0.2"]] * 2
    assert len({mark.marker.color for mark in marks}) == 2
    assert figure.layout.xaxis.title.text == "I(X; T), nats (pairwise_bounds upper)"


def test_a_layer_that_was_not_measured_at_an_epoch_has_no_mark_there():
    figure = epochs_figure(CONTENT["points"][:3])
    assert list(figure.data[3].x) == []
    assert [list(x) for x in figure.layout.sliders[0].steps[1].args[0]["x"]] == [[3.5], []]


def test_without_classes_there_is_no_plane():
    assert epochs_figure([point("fc1", 0, 4.0, None)]) is None
    assert epochs_figure([]) is None


def test_the_page_draws_it_from_the_run_directory(make_run, tmp_path):
    record = make_run("demo", "bp", 0)
    (record.directory / "information_plane.json").write_text(json.dumps(CONTENT), encoding="utf-8")
    page = write_report([record.directory], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Layers in the information plane" in page
    assert '"currentvalue":{"prefix":"epoch "}' in figures_of(page)


@pytest.mark.parametrize("text", ["{", "{}", '{"points": [3]}', '{"points": [{"epoch": 1}]}'])
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "information_plane.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"information_plane\.json is damaged"):
        read_plane(RunRecord(tmp_path), path.name)
