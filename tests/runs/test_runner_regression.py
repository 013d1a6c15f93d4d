"""Runs of milr-temperature from end to end, on a small table of the same columns."""

import datetime

import pytest
import torch

from infotorch.data.assembly import Options, assemble
from infotorch.data.temperature import FEATURES, FORECASTS, TARGETS, read_temperature
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.finding import find_runs
from infotorch.records.run_record import RunRecord
from infotorch.report.figures import module_figure
from infotorch.report.page import write_report
from infotorch.report.runs import load_runs
from infotorch.report.table import markdown_table, summarise
from infotorch.runs.runner import run
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup
from infotorch.schedules.ceiling import regression_ceiling

SMALL = {"epochs": 6, "batch_size": 32, "log_every": 2, "validate_every": 2, "schedule.num_samples": 60}


@pytest.fixture(autouse=True)
def seoul(tmp_path_factory, monkeypatch):
    """Sixty days of two years at two stations: tomorrow is the forecast, 1 degree warmer, and some noise."""
    generator = torch.Generator().manual_seed(0)
    lines = [",".join(["station", "Date", *FEATURES, *TARGETS])]
    for year in (2016, 2017):
        for day in range(60):
            date = datetime.date(year, 6, 30) + datetime.timedelta(days=day)
            for station in (1, 2):
                x = 25 + 5 * torch.randn(len(FEATURES), generator=generator)
                told = [x[FEATURES.index(name)].item() for name in FORECASTS]
                y = [value + 1 + 0.2 * torch.randn((), generator=generator).item() for value in told]
                lines.append(",".join([str(station), str(date), *(f"{v:.4f}" for v in [*x.tolist(), *y])]))
    path = tmp_path_factory.mktemp("seoul") / "Bias_correction_ucl.csv"
    path.write_text("\n".join(lines) + "\n")

    def load(name, *, seed, image_size, **options):
        raw = read_temperature({path.name: path}, seed)
        return assemble(raw, name, Options(seed=seed, image_size=image_size, **options))

    monkeypatch.setattr("infotorch.runs.setup.load", load)


def small(variant="network", **settings):
    return change(find_recipe("milr-temperature", variant), {**SMALL, **settings})


def test_a_run_is_told_by_its_error_in_degrees_beside_both_floors(tmp_path):
    recipe = small("adam", epochs=60, **{"optimizer.lr": 0.01, "log_every": 30})
    assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
    metrics = RunRecord(tmp_path / "r").outcome().metrics
    floors = ["least_squares_mae", "raw_forecast_mae"]
    assert list(metrics) == ["train_mae", "validation_mae", "test_mae", *floors, "lowest_test_mae"]
    # |1 + 0.2 e| has the mean 1; the mean of |0.2 e| is 0.16, and 22 weights on 108 days cost a little
    assert metrics["raw_forecast_mae"] == pytest.approx(1.0, abs=0.05)
    assert metrics["least_squares_mae"] == pytest.approx(0.18, abs=0.03)
    assert metrics["least_squares_mae"] < metrics["test_mae"] < 4.0  # the targets' own deviation is 5
    lines = RunRecord(tmp_path / "r").metrics()
    assert [line["epoch"] for line in lines] == [30, 60]
    assert lines[-1]["validation_mae"] == pytest.approx(metrics["validation_mae"])
    assert not any("accuracy" in name for name in lines[-1])


def test_the_lowest_error_on_the_way_is_told_and_changes_nothing_else(tmp_path):
    recipe = small("adam", epochs=40, **{"optimizer.lr": 0.05})
    run(recipe, tmp_path / "r", device="cpu")
    run(change(recipe, {"test_scores": False}), tmp_path / "without", device="cpu")
    record, without = RunRecord(tmp_path / "r"), RunRecord(tmp_path / "without")
    lines = record.metrics()
    told = [line.pop("test_mae") for line in lines]
    assert lines == without.metrics()
    metrics = record.outcome().metrics
    assert metrics["lowest_test_mae"] == min(told) <= metrics["test_mae"] == pytest.approx(told[-1])
    assert {**without.outcome().metrics, "lowest_test_mae": min(told)} == metrics
    table = markdown_table(summarise([record]))
    assert "| minimum reached | measured test MAE, last |" in table.splitlines()[0]
    assert "minimum reached" not in markdown_table(summarise([without]))


def test_outputs_may_be_trained_in_degrees(tmp_path):
    recipe = small("adam", **{"data.scaling": "none"})
    assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
    metrics = RunRecord(tmp_path / "r").outcome().metrics
    assert metrics["raw_forecast_mae"] == pytest.approx(1.0, abs=0.05)
    assert metrics["least_squares_mae"] == pytest.approx(0.18, abs=0.03)


@pytest.mark.parametrize("variant", ["network", "layerwise", "best"])
def test_informed_rows_measure_with_ksg_against_the_ceiling_of_all_rows(variant, tmp_path):
    session = Session(Setup(small(variant), 0, "cpu"), RunRecord(tmp_path / "r"))
    assert (len(session.controller.signal.x), len(session.dataset.train)) == (60, 108)
    rows = session.dataset.train
    assert session.controller.signal.ceiling == pytest.approx(regression_ceiling(rows.x, rows.y), rel=1e-6)
    assert session.run(resume=False).status == "completed"
    told = [line for line in RunRecord(tmp_path / "r").metrics() if "train_mi_ty_nats" in line]
    assert len(told) == 3 * (3 if variant == "layerwise" else 1)


def test_a_run_that_goes_on_repeats_the_uninterrupted_one(tmp_path):
    def kill(what, done, total):
        if done == 10:
            raise KeyboardInterrupt

    assert run(small(), tmp_path / "whole", device="cpu").status == "completed"
    assert run(small(), tmp_path / "r", device="cpu", checkpoint_seconds=0, progress=kill).status == "interrupted"
    assert run(small(), tmp_path / "r", device="cpu", resume=True).status == "completed"
    assert (tmp_path / "r/metrics.jsonl").read_bytes() == (tmp_path / "whole/metrics.jsonl").read_bytes()


def test_a_trial_is_scored_on_validation_rows_alone(tmp_path):
    session = Session(Setup(small("adam"), 1000, "cpu"), RunRecord(tmp_path / "t"), is_trial=True)
    assert list(session.run(resume=False).metrics) == ["validation_mae"]


def test_training_rows_are_told_of_where_a_recipe_asks(tmp_path):
    assert run(small("adam", **{"train_accuracy": True}), tmp_path / "r", device="cpu").status == "completed"
    record = RunRecord(tmp_path / "r")
    assert record.metrics()[-1]["train_mae"] == pytest.approx(record.outcome().metrics["train_mae"])


def test_table_and_report_show_the_error_with_its_floors_and_a_curve_for_each_layer(tmp_path):
    assert run(small("layerwise"), tmp_path / "r", device="cpu").status == "completed"
    for key in ("learning_rate", "train_mi_ty_nats", "d_p", "d_s"):
        figure = module_figure(load_runs(find_runs(tmp_path)), key.removeprefix("train_"))
        assert [trace.name for trace in figure.data] == ["fc1", "fc2", "fc3"]
        told = [line[key] for line in RunRecord(tmp_path / "r").metrics() if line["module"] == "fc2"]
        assert list(figure.data[1].y) == pytest.approx(told, rel=1e-5)
    table = markdown_table(summarise(find_runs(tmp_path)))
    assert "measured test MAE" in table
    assert "the forecast as it comes has a mean absolute error of 1.0" in table
    assert "a linear map has 0.1" in table
    page = write_report([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8")
    for said in ("Validation MAE during training", "Learning rate", "I(T; Y)", "Missing share d_p", "fc1", "fc3"):
        assert said in page
