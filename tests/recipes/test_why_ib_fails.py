"""The table of the theory: its rows, what they may be told, and every variant through the command line."""

import json
import sys

import pytest
from pydantic import ValidationError
from tests.report.packed import figures_of

from infotorch.commands.main import main
from infotorch.recipes.demonstration import Demonstration, change_demonstration, trained
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.records.finding import find_runs
from infotorch.records.run_record import RunRecord
from infotorch.report.demonstration import read_demonstration
from infotorch.runs.runner import run, run_table
from infotorch.theory.demonstration import DEMONSTRATIONS, demonstrate

ROWS = {row.variant: row for row in variants_of("why-ib-fails")}
SHOWN = [name for name, row in ROWS.items() if isinstance(row, Demonstration)]
# As small as each allows.
LIGHT = {
    "figure-1": ["step=0.25"],
    "noise-to-zero": ["halvings=16"],
    "saturation": ["doublings=2"],
    "bijection": ["num_samples=1000"],
}


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line in a folder without data: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path / "data"))

    def calling(*words):
        monkeypatch.setattr(sys, "argv", ["infotorch", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return calling


def test_the_rows_are_the_demonstrations_and_two_networks_that_differ_in_one_setting():
    assert SHOWN == [name for name in DEMONSTRATIONS if not name.startswith("sample-size")]
    tanh, relu = (trained(ROWS[f"plane-{name}"]) for name in ("tanh", "relu"))
    assert tanh.network.hidden == (10, 7, 5, 4, 3)
    assert relu.network.model_copy(update={"activation": "tanh"}) == tanh.network
    words = {"variant", "description", "network"}
    assert relu.model_dump(exclude=words) == tanh.model_dump(exclude=words)


@pytest.mark.parametrize("variant", SHOWN)
def test_a_row_through_the_command_line_leaves_a_run_directory(variant, call, tmp_path):
    settings = [word for setting in LIGHT.get(variant, []) for word in ("--set", setting)]
    code, out, errors = call("run", "why-ib-fails", "--variant", variant, *settings, "--out", "here")
    assert (code, errors) == (0, "")
    assert "claims_that_hold" in out
    record = RunRecord(tmp_path / "here")
    outcome, recipe = record.outcome(), record.recipe()
    assert outcome is not None
    assert (outcome.status, outcome.recipe, outcome.variant) == ("completed", "why-ib-fails", variant)
    assert record.metrics() == []
    assert set(recipe) == {*Demonstration.model_fields, "seed"}
    assert recipe["changed"] == LIGHT.get(variant, [])
    assert record.environment()["precision"] == "64-true"
    shown = read_demonstration(record)
    assert shown is not None
    # The paper makes as many claims as the table says that it does, and figure 3's first two hold in the limit alone.
    assert outcome.published["claims_that_hold"]["value"] == len(shown.claims)
    assert outcome.metrics["claims_that_hold"] == len(shown.claims) - 2 * (variant == "figure-3")
    assert set(outcome.published) <= set(outcome.metrics)
    assert json.loads((record.directory / "outcome.json").read_text())["metrics"] == outcome.metrics


@pytest.mark.parametrize("activation", ["tanh", pytest.param("relu", marks=pytest.mark.slow)])
def test_a_plane_through_the_command_line_keeps_its_planes(activation, call, tmp_path):
    light = ["data.name=digits", "data.limit=100", "epochs=2", 'planes={"bin_width": 0.1, "relative_noise": 0.3}']
    settings = [word for setting in light for word in ("--set", setting)]
    words = ("run", "why-ib-fails", "--variant", f"plane-{activation}", *settings, "--device", "cpu")
    assert call(*words, "--out", "here")[0] == 0
    plane = json.loads((tmp_path / "here" / "information_plane_relative_noise.json").read_text())
    assert sorted({point["epoch"] for point in plane["points"]}) == [0, 1, 2]
    assert plane["layers"] == [f"fc{n}_{activation}" for n in range(1, 6)]
    assert {point["xt_estimator"] for point in plane["points"]} == {"pairwise_bounds upper"}
    assert call("report", "here", "--out", "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "relative noise 0.3" in page
    assert "bin width 0.1" in page


def test_a_table_runs_each_demonstration_once_and_is_resumed(call, tmp_path):
    words = ("table", "why-ib-fails", "--variant", "figure-3", "--seeds", "3", "--out", "here")
    code, out, errors = call(*words)
    assert code == 0
    assert "1 runs in here" in errors
    assert "claims that hold" in out
    assert len(find_runs(tmp_path / "here")) == 1
    code, _, errors = call(*words, "--resume")
    assert code == 0
    assert "1 are finished already and kept" in errors
    code, _, errors = call(*words, "--resume", "--set", "epsilon=0")
    assert code == 2
    assert "was begun with other settings (values.epsilon)" in errors


def test_a_report_of_demonstrations_shows_claims_and_figures(call, tmp_path):
    for variant in ("figure-1", "figure-3"):
        settings = [word for setting in LIGHT.get(variant, []) for word in ("--set", setting)]
        assert call("run", "why-ib-fails", "--variant", variant, *settings, "--out", f"runs/{variant}")[0] == 0
    assert call("report", "runs", "--out", "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "3 of 3 claims hold" in page
    assert "2 of 4 claims hold" in page
    assert figures_of(page).count('"type":"heatmap"') == 3
    assert "the second is the more robust one" in page


def test_a_value_that_a_demonstration_refuses_is_one_line(call):
    code, _, errors = call("run", "why-ib-fails", "--variant", "figure-3", "--set", "epsilon=2", "--out", "here")
    assert (code, errors) == (2, "infotorch: figure_3: epsilon must be from 0 to 1/4, got 2.\n")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("noise", "--set takes key=value, got 'noise'"),
        ("nois=1", "why-ib-fails figure-3 has no value 'nois'; did you mean noise"),
        ("epochs=1", "why-ib-fails figure-3 has no value 'epochs'; values: epsilon, noise"),
        ("noise=much", "why-ib-fails figure-3: noise must be a number, got 'much'"),
        ("noise=true", "noise must be a number, got 'true'"),
    ],
)
def test_bad_values_get_one_clear_line(assignment, message):
    row = ROWS["figure-3"]
    assert isinstance(row, Demonstration)
    with pytest.raises(ValueError, match=message):
        change_demonstration(row, [assignment])


@pytest.mark.parametrize("command", ["lr-range", "diagnose"])
def test_what_needs_training_refuses_a_demonstration(command, call):
    code, _, errors = call(command, "why-ib-fails", "--variant", "figure-2")
    assert code == 2
    assert "why-ib-fails figure-2 is a demonstration and trains nothing; choose another --variant." in errors


def test_seeds_are_for_what_is_random():
    assert list(ROWS["figure-1"].seeds(3)) == [0]
    assert list(ROWS["plane-relu"].seeds(3)) == [0, 1, 2]


def test_an_unknown_demonstration_is_refused():
    with pytest.raises(ValueError, match=r"demonstrate: name must be one of figure-1, .*, got 'figure-4'"):
        demonstrate("figure-4", {})
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Demonstration(name="a", variant="b", title="", description="", source="", epochs=3)  # type: ignore[call-arg]


def test_a_table_of_both_kinds_goes_on_after_a_bad_row(tmp_path):
    good = find_recipe("why-ib-fails", "figure-3")
    assert isinstance(good, Demonstration)
    bad = good.model_copy(update={"variant": "figure-1", "values": {"step": -1.0}})
    outcomes = run_table([bad, good], tmp_path, seeds=2)
    assert [outcome.status for outcome in outcomes] == ["failed", "completed"]
    assert outcomes[0].message == "ValueError: figure_1: step must be positive and finite, got -1.0."


def test_a_finished_demonstration_is_returned_as_it_is(tmp_path):
    row = ROWS["figure-3"]
    first = run(row, tmp_path / "run")
    written = (tmp_path / "run" / "outcome.json").stat().st_mtime_ns
    assert run(row, tmp_path / "run", resume=True) == first
    assert (tmp_path / "run" / "outcome.json").stat().st_mtime_ns == written
    with pytest.raises(FileExistsError, match="holds a run already"):
        run(row, tmp_path / "run")
    assert isinstance(find_recipe("why-ib-fails", "plane-tanh"), Recipe)
