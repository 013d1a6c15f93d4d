import json

import pytest
import torch
from rich.console import Console
from torch import nn

from infotorch.diagnostics.diagnosis import diagnose
from infotorch.figures.diagnosis import compression_figure, robustness_figure
from infotorch.report import write_report
from infotorch.report.diagnosis import (
    COLUMNS,
    advice,
    cell,
    read_diagnosis,
    terminal_diagnosis,
)


@pytest.fixture(scope="module")
def content():
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    found = diagnose(network, (x, (x[:, 0] > 0).long()), layers=["1", "2"], radii=[0.1, 0.5])
    about = {"recipe": "demo", "variant": "bp", "seed": 0, "weights": "after <b>training</b>", "split": "validation"}
    return json.loads(json.dumps({**about, **found.as_dict()}))


def written(record, content):
    (record.directory / "diagnosis.json").write_text(json.dumps(content), encoding="utf-8")
    return record


def test_the_page_shows_verdicts_numbers_advice_and_evidence(make_run, content, tmp_path):
    record = written(make_run("demo", "bp", 0), content)
    page = write_report([record.directory], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Diagnosis, layer by layer" in page
    for layer in content["layers"]:
        assert f"<td>{layer['verdict']}</td>" in page
        assert f">{100 * layer['table']['linear_accuracy']:.1f}</td>" in page
    assert "Instead: " in page
    assert "a small step of x moves it" in page
    assert "after &lt;b&gt;training" in page
    assert "after <b>training" not in page


def test_a_page_without_diagnosis_says_nothing_of_it(make_run, tmp_path):
    record = make_run("demo", "bp", 0)
    page = write_report([record.directory], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Diagnosis" not in page
    assert read_diagnosis(record) is None


def test_the_figures_hold_the_measured_numbers(content):
    figure = compression_figure(content)
    for trace, layer in zip(figure.data, content["layers"], strict=True):
        noisy = layer["compression"]["noisy"]
        assert list(trace.x) == [bound["relative_noise"] for bound in noisy]
        assert list(trace.y) == pytest.approx([bound["upper"] for bound in noisy], rel=1e-5)
    attacked = robustness_figure(content, "pgd")
    assert [trace.name for trace in attacked.data] == ["1", "2", "the network itself"]
    own = content["robustness"]
    curve = next(curve for curve in own["curves"] if curve["kind"] == "pgd")
    assert list(attacked.data[2].x) == [0.0, 0.1, 0.5]
    assert list(attacked.data[2].y) == pytest.approx([100 * a for a in (own["accuracy"], *curve["accuracy"])], rel=1e-5)
    assert robustness_figure(content, "affine") is None


def test_without_properties_there_are_verdicts_alone(content):
    bare = json.loads(json.dumps(content))
    bare["robustness"] = None
    for layer in bare["layers"]:
        layer |= {"compression": None, "robustness": None}
        layer["table"] = {key: None for key in layer["table"]} | {"layer": "1", "columns": 3, "verdict": "infinite"}
    assert compression_figure(bare) is None
    assert robustness_figure(bare, "pgd") is None
    [table] = terminal_diagnosis(bare, 60)
    assert [column.header for column in table.columns] == ["layer", "columns", "verdict"]


def test_the_terminal_has_a_line_for_each_layer(content):
    console = Console(width=160)
    with console.capture() as shown:
        console.print(*terminal_diagnosis(content, 160))
    text = shown.get()
    assert "demo bp seed 0" in text
    assert "<b>training</b>" in text
    assert text.count("infinite") == 2
    assert f"{content['layers'][0]['table']['mi_ty_nats']:.2f}" in text


def test_the_terminal_has_the_network_itself_and_says_units_and_sizes(content):
    console = Console(width=200)
    with console.capture() as shown:
        console.print(*terminal_diagnosis(content, 200))
    text = " ".join(shown.get().split())
    curves = {curve["kind"]: curve for curve in content["robustness"]["curves"]}
    own = [100 * curves[kind]["accuracy"][1] for kind in ("gaussian", "pgd")]
    assert f"the network itself {own[0]:.1f} {own[1]:.1f}" in text
    noise = content["layers"][0]["table"]["relative_noise"]
    assert f"I(X; T+ε): nats, ε of {noise:g} of the layer's spread" in text
    assert "noise, PGD: % by the linear probe, changes of 0.5 of the input's deviation" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_width_of_a_terminal_cuts_a_verdict_or_a_number(content, width):
    deep = json.loads(json.dumps(content))
    deep["layers"][0]["table"] |= {"layer": "features.12.convolution", "verdict": "piecewise-constant"}
    console = Console(width=width)
    with console.capture() as shown:
        for table in terminal_diagnosis(deep, width):
            console.print(table)
    lines = shown.get().splitlines()
    text = " ".join(lines)
    assert max(map(len, lines)) <= width
    assert "…" not in text
    assert "piecewise-constant" in text
    for heading, key, decimals in COLUMNS:
        assert heading in text
        assert all(cell(layer["table"], key, decimals) in text for layer in deep["layers"])


def test_advice_gives_every_layer_its_own_reason():
    layers = [
        {"name": name, "verdict": verdict, "reason": reason, "remedy": f"measure {verdict}"}
        for name, verdict, reason in [
            ("1", "infinite", "Theorem 1."),
            ("2", "infinite", "it moves."),
            ("3", "constant", "it is dead."),
            ("4", "infinite", "Theorem 1."),
        ]
    ]
    assert advice({"layers": layers}) == [
        ("infinite (1, 4)", "Theorem 1.", "measure infinite"),
        ("infinite (2)", "it moves.", "measure infinite"),
        ("constant (3)", "it is dead.", "measure constant"),
    ]


def test_advice_on_layers_of_a_network_is_what_was_diagnosed(content):
    told = {who.split("(")[1].rstrip(")"): why for who, why, _ in advice(content)}
    for layer in content["layers"]:
        assert next(why for names, why in told.items() if layer["name"] in names.split(", ")) == layer["reason"]


def test_cells():
    assert cell({"a": 0.12345}, "a", None) == "12.3"
    assert cell({"a": -0.5}, "a", 2) == "-0.50"
    assert cell({"a": None}, "a", 2) == cell({}, "a", 2)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"layers": [{"name": "1"}]}', '{"layers": 3}'])
def test_a_damaged_file_is_named(make_run, text):
    record = make_run("demo", "bp", 0)
    (record.directory / "diagnosis.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"diagnosis\.json is damaged"):
        read_diagnosis(record)
