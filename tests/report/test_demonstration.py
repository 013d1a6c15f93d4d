import json

import pytest

from infotorch.figures.demonstration import read_drawing
from infotorch.records.run_record import RunRecord
from infotorch.report import write_report
from infotorch.report.demonstration import read_demonstration
from infotorch.report.summaries import summarise, told_by
from infotorch.report.table import markdown_table

CURVES = {
    "kind": "curves", "title": "Lines <b>", "x_label": "h", "y_label": "bits", "log_x": True, "note": "A note.",
    "lines": {"one": [[1.0, 2.0], [0.5, None]], "two": [[1.0, 2.0], [0.5, 1.0]]},
}  # fmt: skip
HEAT = {
    "kind": "heat", "title": "Map", "x_label": "a", "y_label": "b", "value_label": "bits", "xs": [0.0, 0.5],
    "ys": [0.0], "values": [[None, 1.2345678]], "note": "",
}  # fmt: skip
CLAIM = {"text": "cont' < cont''", "place": "Sec. 5", "found": "1 and -2 bits", "holds": True}
CONTENT = {"claims": [CLAIM, {**CLAIM, "holds": False}], "figures": [CURVES, HEAT]}


def test_lines_keep_their_gaps_and_are_told_by_colour_and_dash():
    figure = read_drawing(CURVES).figure()
    assert [list(trace.y) for trace in figure.data] == [[0.5, None], [0.5, 1.0]]
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 2
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.title.text == "bits"


def test_infinite_cells_of_a_map_are_blank():
    [trace] = read_drawing(HEAT).figure().data
    assert [list(row) for row in trace.z] == [[None, 1.23457]]
    assert trace.hoverongaps is False
    assert trace.colorbar.title.text == "bits"


def test_the_page_shows_claims_and_figures(make_run, tmp_path):
    record = make_run("theory", "figure", 0, lines=[], metrics={"claims_that_hold": 1.0})
    record.write_demonstration(CONTENT)
    page = write_report([record.directory], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 of 2 claims hold" in page
    assert "cont&#x27; &lt; cont&#x27;&#x27;" in page
    assert "1 and −2 bits" in page
    assert "Lines &lt;b&gt;" in page
    assert "A note." in page


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"claims": [{"text": ""}], "figures": []},
        {"claims": [], "figures": [{"kind": "pie"}]},
        {"claims": [], "figures": [{**CURVES, "kind": "heat"}]},
        {"claims": [], "figures": [3]},
    ],
)
def test_a_damaged_file_is_named(tmp_path, content):
    assert read_demonstration(RunRecord(tmp_path)) is None
    (tmp_path / "demonstration.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"demonstration\.json is damaged: "):
        read_demonstration(RunRecord(tmp_path))


class TestRowsOfDifferentMetrics:
    @pytest.fixture
    def rows(self, make_run):
        records = [
            make_run("t", "shown", 0, metrics={"claims_that_hold": 2.0}, published={"claims_that_hold": 3.0}),
            make_run("t", "both", 0, metrics={"claims_that_hold": 1.0, "x_bits": 1.0}, published={"x_bits": 1.0}),
            make_run("t", "trained", 0, metrics={"test_accuracy": 0.9}),
            make_run("t", "broken", 0, status="failed", message="it broke"),
        ]
        return summarise(records)

    def test_each_row_stands_where_it_has_a_number_and_a_broken_one_everywhere(self, rows):
        found = [(name, [row.variant for row in told]) for name, told in told_by(rows)]
        assert found == [
            ("claims_that_hold", ["shown", "both", "broken"]),
            ("x_bits", ["both", "broken"]),
            ("test_accuracy", ["trained"]),
        ]

    def test_the_tables_have_a_line_for_each(self, rows):
        table = markdown_table(rows)
        assert [line.split(" | ")[:2] for line in table.splitlines()[2:8]] == [
            ["| shown", "claims that hold"],
            ["| both", "claims that hold"],
            ["| broken", "claims that hold"],
            ["| both", "x, bits"],
            ["| broken", "x, bits"],
            ["| trained", "test accuracy, %"],
        ]

    def test_the_claims_stand_below_the_table(self, rows):
        rows[0].runs[0].directory.joinpath("demonstration.json").write_text(json.dumps(CONTENT), encoding="utf-8")
        claims = markdown_table(rows).split("\n\n")[-1].splitlines()
        assert claims[0] == "| variant | claim of the paper | where | found | holds |"
        assert claims[2:] == [
            f"| shown | cont' < cont'' | Sec. 5 | 1 and -2 bits | {holds} |" for holds in ("yes", "no")
        ]
