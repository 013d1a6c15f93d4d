import json
import re
import sys

import pytest

from infotorch.commands.main import main
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import FORMAT
from infotorch.runs.diagnose import diagnose_run
from infotorch.runs.runner import run

SMALL = ["--set", "data.limit=100", "--layer", "fc1", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "bp"
    row = change(find_recipe("demo", "bp"), {"epochs": 3, "data.limit": 300})
    assert run(row, directory, device="cpu", seed=1).status == "completed"
    return directory


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line: (exit code, stdout, stderr)."""

    def calling(*words):
        monkeypatch.setattr(sys, "argv", ["infotorch", "diagnose", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return calling


def test_a_run_is_diagnosed_with_the_weights_that_it_left(trained, call):
    files = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file() and path.name != "diagnosis.json"}
    code, out, err = call(trained, "--layer", "fc3", "--device", "cpu")
    assert code == 0, err
    assert "demo bp seed 1, weights after training" in out
    assert "saturated (fc3)" in out
    assert "instead: " in out
    content = json.loads((trained / "diagnosis.json").read_text(encoding="utf-8"))
    measured = RunRecord(trained).outcome().metrics["validation_accuracy"]
    # The network's own decision is that of the run, on the 400 or fewer rows that are looked at.
    assert content["robustness"]["accuracy"] == pytest.approx(measured, abs=1e-6)
    assert content["split"] == "validation"
    assert all(path.read_bytes() == before for path, before in files.items())


def test_a_recipe_is_diagnosed_as_it_is_initialised_and_says_so(call):
    code, out, err = call("demo", "--variant", "bp", *SMALL, "--json")
    assert code == 0
    assert "as it is initialised" in err
    content = json.loads(out)
    assert content["weights"] == "as initialised"
    assert [layer["name"] for layer in content["layers"]] == ["fc1"]
    again = call("demo", "--variant", "bp", *SMALL, "--json")[1]
    assert json.loads(again) == content
    assert call("demo", "--variant", "bp", *SMALL, "--json", "--seed", 1)[1] != out


def test_json_holds_null_where_a_number_is_nan(call, monkeypatch):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    code, out, err = call("demo", "--variant", "bp", *SMALL, "--json")
    assert code == 0, err
    json.loads(out, parse_constant=refuse)
    monkeypatch.setattr("infotorch.runs.diagnose.diagnose_recipe", lambda *_, **__: {"value": float("nan")})
    assert call("demo", "--variant", "bp", *SMALL, "--json")[0] != 0  # an error, and not NaN, if one ever gets there


@pytest.mark.parametrize("width", [pytest.param(80, marks=pytest.mark.slow), 60])
def test_a_terminal_of_few_columns_shows_the_whole_verdict(trained, call, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    code, out, err = call(trained, "--device", "cpu")
    assert code == 0, err
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    verdicts = re.findall(r"^ +\S+ +\d+ +([a-z-]+) ", plain, re.MULTILINE)
    content = json.loads((trained / "diagnosis.json").read_text(encoding="utf-8"))
    assert verdicts == [layer["verdict"] for layer in content["layers"]]
    assert "…" not in plain


def test_two_runs_are_compared_layer_by_layer(trained, call, tmp_path):
    row = change(find_recipe("demo", "bp"), {"epochs": 1, "data.limit": 300})
    other = tmp_path / "other"
    assert run(row, other, device="cpu", seed=2).status == "completed"
    options = ("--layer", "fc1", "--layer", "fc3", "--device", "cpu")
    code, out, err = call(trained, "--against", other, *options, "--json")
    assert code == 0, err
    content = json.loads(out)
    assert [line["layer"] for line in content["layers"]] == ["fc1", "fc3"]
    first, last = content["layers"]
    assert first["most_like"] == "fc1"
    assert first["cka"] == content["similarity"][0][0]
    assert 0.8 < first["cka"] < 1.0  # other weights, the same images
    assert last["linear_accuracy_gain"] < 0.1
    assert not (other / "diagnosis.json").exists()
    code, out, err = call(trained, "--against", other, *options)
    assert code == 0, err
    assert f"{first['mi_ty_nats']:.2f} ({first['mi_ty_nats_gain']:+.2f})" in out
    # A run and itself: every layer is its own likeness, and nothing is gained.
    line = json.loads(call(trained, "--against", trained, *options, "--json")[1])["layers"][1]
    assert line["most_like"] == "fc3"
    assert line["cka"] == pytest.approx(1.0, abs=1e-9)
    assert line["linear_accuracy_gain"] == 0.0
    other_data = tmp_path / "fewer"
    assert run(change(row, {"data.limit": 200}), other_data, device="cpu").status == "completed"
    code, out, err = call(trained, "--against", other_data)
    assert (code, out) == (2, "")
    assert "must be of the same data as" in err


def test_wrong_usage_is_one_line(trained, call, tmp_path):
    (tmp_path / "empty").mkdir()
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"format": FORMAT}))
    wrong = {
        ("dmo",): "there is no recipe 'dmo'; did you mean demo?",
        ("no/folder",): "diagnose: no/folder is not a folder, and no recipe is called so.",
        (tmp_path / "empty",): "holds no run: there is no recipe.json in it.",
        (trained, "--variant", "bp"): "is a run, whose settings are decided; leave out --variant and --set.",
        (trained, "--set", "epochs=1"): "is a run, whose settings are decided",
        (trained, "--layer", "fc9"): "the network has no layer 'fc9'",
        ("demo", "--seed", "x"): "got 'x'.",
        (table,): "table.json is a table's file, which holds no weights; give a run's folder.",
        ("demo", "--against", trained): "--against compares two runs, got demo; give a run's folder.",
        (trained, "--against", tmp_path / "empty"): "holds no run: there is no recipe.json in it.",
        ("demo", "--set", "epochs"): "epochs",
        ("demo", "--device", "gpu"): "device: must be auto, cpu, cuda",
    }
    for words, said in wrong.items():
        code, out, err = call(*words)
        assert (code, out) == (2, ""), words
        assert said in err.splitlines()[-1]


def test_a_run_without_checkpoint_or_of_another_version_is_refused(trained, tmp_path):
    record = RunRecord(tmp_path / "run")
    record.begin(RunRecord(trained).recipe(), {})
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        diagnose_run(record.directory)
    record.begin({**RunRecord(trained).recipe(), "from_the_future": 1}, {})
    (record.directory / "checkpoint").symlink_to(trained / "checkpoint")
    with pytest.raises(ValueError, match="a run of another version: its setting from_the_future"):
        diagnose_run(record.directory)
