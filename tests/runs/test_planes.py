import dataclasses
import json
import os
import signal

import pytest
import torch

from infotorch.data.loading import load
from infotorch.diagnostics.information_plane import InformationPlane
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.records.run_record import RunRecord
from infotorch.report.information_plane import read_plane
from infotorch.runs.planes import RunPlanes
from infotorch.runs.runner import run
from infotorch.runs.setup import Setup
from infotorch.training.checkpoint import load_checkpoint

LIGHT = {
    "data.name": "digits",
    "data.limit": 100,
    "epochs": 2,
    "log_every": 1,
    "planes": {"bin_width": 0.1, "relative_noise": 0.3},
}


def light(**settings):
    return change(find_recipe("why-ib-fails", "plane-tanh"), {**LIGHT, **settings})


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "watched"
    assert run(light(), directory, device="cpu").status == "completed"
    return directory


def planes(directory):
    names = ("bin_width", "relative_noise")
    return {name: (directory / f"information_plane_{name}.json").read_bytes() for name in names}


def test_watching_changes_no_bit_of_the_run(watched, tmp_path):
    run(light(planes=None), tmp_path / "alone", device="cpu")
    assert not list((tmp_path / "alone").glob("information_plane*"))
    assert (watched / "metrics.jsonl").read_bytes() == (tmp_path / "alone" / "metrics.jsonl").read_bytes()
    states = [load_checkpoint(directory / "checkpoint")["plan"] for directory in (watched, tmp_path / "alone")]
    assert str(states[0]) == str(states[1])
    seen, alone = (RunRecord(directory).outcome().metrics for directory in (watched, tmp_path / "alone"))
    assert {name: seen[name] for name in alone} == alone


def test_a_run_that_was_interrupted_keeps_the_same_planes(watched, tmp_path):
    def stop(what, done, total):
        if done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    cut = tmp_path / "cut"
    assert run(light(), cut, device="cpu", progress=stop, checkpoint_seconds=0).status == "interrupted"
    assert len(json.loads(planes(cut)["bin_width"])["points"]) < len(json.loads(planes(watched)["bin_width"])["points"])
    assert run(light(), cut, device="cpu", resume=True).status == "completed"
    assert planes(cut) == planes(watched)
    assert RunRecord(cut).outcome().metrics == RunRecord(watched).outcome().metrics


def test_the_falls_are_those_of_the_points(watched):
    found = RunRecord(watched).outcome().metrics
    points = json.loads(planes(watched)["relative_noise"])["points"]
    for number in (1, 5):
        of_layer = [point for point in points if point["layer"] == f"fc{number}_tanh"]
        assert [point["epoch"] for point in of_layer] == [0, 1, 2]
        upper, lower = ([point[key] for point in of_layer] for key in ("mi_xt", "mi_xt_lower"))
        assert found[f"relative_noise_layer_{number}_fall_nats"] == max(upper) - upper[-1]
        assert found[f"relative_noise_layer_{number}_sure_fall_nats"] == max(lower) - upper[-1]
    assert "bin_width_layer_1_fall_nats" in found
    assert "bin_width_layer_1_sure_fall_nats" not in found  # no bound brackets what bins count


def test_every_row_of_the_data_is_looked_at(watched):
    plane = json.loads(planes(watched)["bin_width"])
    data = load("digits", seed=0, limit=100)
    assert plane["rows"] == len(data.train.x) + len(data.validation.x) + len(data.test.x)
    # On float columns that no two rows share, bins narrow enough count rows: the plane is `InformationPlane`'s own.
    setup = Setup(light(**{"network.hidden": [4], "planes": {"bin_width": 1e-6}}), 0, "cpu", dataset=data)
    made = RunPlanes(setup, watched)
    x = torch.cat([data.train.x, data.validation.x, data.test.x])
    y = torch.cat([data.train.y, data.validation.y, data.test.y])
    alone = InformationPlane(setup.model, (x, y), ["fc1_tanh"], bin_width=1e-6, num_samples=len(x))
    made.planes["bin_width"](0)
    assert made.planes["bin_width"].points[0].mi_xt == pytest.approx(alone(0)[0].mi_xt)


def test_a_state_and_a_file_from_before_reasons_were_kept_are_read(watched, tmp_path):
    later = {"mi_xt_reason", "mi_xt_reliable", "mi_ty_reason", "mi_ty_reliable"}
    written = json.loads(planes(watched)["bin_width"])
    assert all(later <= point.keys() for point in written["points"])
    assert {point["mi_xt_reliable"] for point in written["points"]} <= {True, False}
    old = {
        name: [{key: value for key, value in point.items() if key not in later} for point in json.loads(file)["points"]]
        for name, file in planes(watched).items()
    }
    found = RunPlanes(Setup(light(), 0, "cpu"), tmp_path)
    found.load_state_dict(old)
    assert found.metrics() == pytest.approx(read_metrics(watched))
    (tmp_path / "information_plane.json").write_text(json.dumps(written | {"points": old["bin_width"]}))
    assert len(read_plane(RunRecord(tmp_path), "information_plane.json")["points"]) == len(written["points"])
    with pytest.raises(ValueError, match=r"its plane bin_width: layer_name is unknown"):
        found.load_state_dict(old | {"bin_width": [old["bin_width"][0] | {"layer_name": "1"}]})


def read_metrics(directory):
    metrics = RunRecord(directory).outcome().metrics
    return {name: value for name, value in metrics.items() if name.endswith("fall_nats")}


def test_the_trials_of_a_search_are_not_watched(tmp_path):
    space = {"optimizer.lr": SearchRange(low=1e-3, high=1e-2)}
    search = SearchSettings(space=space, trials=1, seeds=(1000,))
    run(light(epochs=1).model_copy(update={"search": search, "tune": True}), tmp_path / "run", device="cpu")
    assert (tmp_path / "run" / "information_plane_bin_width.json").exists()
    assert not list((tmp_path / "run" / "tuning").rglob("information_plane*"))


def test_an_assumption_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"why-ib-fails: planes\.bins"):
        light(planes={"bins": 3})


def test_a_network_without_activations_is_refused(tmp_path):
    setup = Setup(light(), 0, "cpu", dataset=load("digits", seed=0, limit=50))
    setup.model = torch.nn.Linear(64, 10)
    with pytest.raises(ValueError, match=r"why-ib-fails: planes need a network with hidden activations\."):
        RunPlanes(setup, tmp_path)


def test_a_size_that_is_none_and_data_that_are_graphs_are_refused(tmp_path):
    data = load("digits", seed=0, limit=50)
    with pytest.raises(ValueError, match="InformationPlane: noise_std must be positive"):
        RunPlanes(Setup(light(planes={"noise_std": -1.0}), 0, "cpu", dataset=data), tmp_path)
    setup = Setup(light(), 0, "cpu", dataset=data)
    setup.dataset = dataclasses.replace(data, kind="graphs")
    with pytest.raises(ValueError, match="why-ib-fails: planes need tensors in memory; digits has graphs"):
        RunPlanes(setup, tmp_path)
