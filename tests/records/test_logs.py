"""Metrics of runs as TensorBoard and tables of values read them."""

import csv
import json

import pytest

from infotorch.records.finding import find_runs
from infotorch.records.logs import write_logs
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord

LINES = [
    {"stage": 0, "module": "fc1", "epoch": 1, "step": 8, "train_loss": 0.5, "mi_ty_nats_bound": "lower"},
    {"stage": 0, "module": "fc1", "epoch": 2, "step": 16, "train_loss": 0.25, "validation_loss": float("nan")},
    {"stage": 1, "module": "fc2", "epoch": 1, "step": 24, "train_loss": 0.125},
]


def record(folder, seed=0, lines=LINES, ended=True, **settings):
    made = RunRecord(folder)
    recipe = {"name": "demo", "variant": "bp", "seed": seed, **settings}
    made.begin(recipe, {"started": "2026-01-01T00:00:00+00:00"})
    for line in lines:
        made.append(line)
    if ended:
        made.finish(Outcome("completed", "", "demo", "bp", seed, {"test_accuracy": 0.75}))
    return made


def test_a_table_has_a_line_for_each_line_of_each_run(tmp_path):
    record(tmp_path / "runs" / "a"), record(tmp_path / "runs" / "b", seed=1, lines=LINES[:1], ended=False)
    out = write_logs([tmp_path / "runs"], tmp_path / "new" / "metrics.csv", to="csv")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["module"], row["step"]) for row in rows] == [
        *(("0", "fc1", "8"), ("0", "fc1", "16"), ("0", "fc2", "24"), ("1", "fc1", "8"))
    ]
    assert rows[0]["mi_ty_nats_bound"] == "lower"
    assert (rows[1]["validation_loss"], rows[1]["mi_ty_nats_bound"]) == ("", "")
    before = out.read_bytes()
    assert write_logs([tmp_path / "runs"], out, to="csv").read_bytes() == before


def test_tensorboard_reads_scalars_by_module_and_step_the_end_and_the_settings(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    made = record(tmp_path / "runs" / "a", lines=LINES[:2], ended=False)
    write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")  # of a run that goes on
    made.append(LINES[2])
    made.finish(Outcome("completed", "", "demo", "bp", 0, {"test_accuracy": 0.75}))
    write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    [file] = (tmp_path / "tb" / "demo" / "bp" / "seed-0").iterdir()
    read = accumulator.EventAccumulator(str(file))
    read.Reload()
    assert sorted(read.Tags()["scalars"]) == ["fc1/train_loss", "fc2/train_loss", "final/test_accuracy"]
    assert [(event.step, event.value) for event in read.Scalars("fc1/train_loss")] == [(8, 0.5), (16, 0.25)]
    assert [(event.step, event.value) for event in read.Scalars("fc2/train_loss")] == [(24, 0.125)]
    assert [(event.step, event.value) for event in read.Scalars("final/test_accuracy")] == [(24, 0.75)]
    text = read.Tensors("settings")[0].tensor_proto.string_val[0].decode()
    assert json.loads(text.removeprefix("```json").removesuffix("```"))["variant"] == "bp"


def test_a_damaged_run_takes_nothing_away_that_was_written_of_it(tmp_path):
    pytest.importorskip("tensorboard")
    made = record(tmp_path / "runs" / "a")
    write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    [file] = (tmp_path / "tb" / "demo" / "bp" / "seed-0").iterdir()
    before = file.read_bytes()
    (made.directory / "outcome.json").write_text("{")
    with pytest.raises(ValueError, match="outcome"):
        write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


def test_a_full_disk_takes_nothing_away_that_was_written_before(tmp_path):
    pytest.importorskip("tensorboard")
    resource = pytest.importorskip("resource")
    record(tmp_path / "runs" / "a")
    write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    [file] = (tmp_path / "tb" / "demo" / "bp" / "seed-0").iterdir()
    before, (soft, hard) = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match=rf"\[Errno \d+\] .*: '{file.parent}/events"):
            write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


@pytest.mark.parametrize("whole", [True, False])
def test_a_run_of_strangers_writes_and_removes_nothing_outside(tmp_path, whole):
    pytest.importorskip("tensorboard")
    theirs = tmp_path / "theirs" / "seed-0" / "events.out.tfevents.1"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    made = record(tmp_path / "runs" / "a", ended=False)
    variant = str(tmp_path / "theirs") if whole else "../../theirs"
    made.begin({"name": "demo", "variant": variant, "seed": 0}, {"started": "2026-01-01T00:00:00+00:00"})
    with pytest.raises(ValueError, match=r"recipe\.json is damaged: variant must be a variant's, and no path"):
        write_logs([tmp_path / "runs"], tmp_path / "tb", to="tensorboard")
    assert list(theirs.parent.iterdir()) == [theirs]


@pytest.mark.parametrize(
    ("line", "started", "message"),
    [
        ({"step": 1}, "2026-01-01", r"metrics\.jsonl, line 4, is damaged: module is missing"),
        ({"module": "fc1"}, "2026-01-01", r"metrics\.jsonl, line 4, is damaged: step is missing"),
        ({"module": "fc1", "step": "1"}, "2026-01-01", r"line 4, is damaged: step must be a whole number"),
        (
            {"module": "fc1", "step": 10**19},
            "2026-01-01",
            r"line 4, is damaged: step must be at most 9223372036854775807",
        ),
        (
            LINES[0],
            "yesterday",
            r"environment\.json is damaged: started must be a date and time by ISO 8601, got 'yest",
        ),
        (LINES[0], None, r"environment\.json is damaged: started must be a date and time by ISO 8601, got None"),
    ],
)
def test_a_damaged_line_or_start_is_one_error_that_names_the_file(tmp_path, line, started, message):
    pytest.importorskip("tensorboard")
    made = record(tmp_path / "run")
    made.append(line)
    (made.directory / "environment.json").write_text(json.dumps({"started": started}))
    with pytest.raises(ValueError, match=message):
        write_logs([tmp_path], tmp_path / "tb", to="tensorboard")
    assert not (tmp_path / "tb").exists()


def test_a_sweep_is_written_trial_by_trial(tmp_path):
    sweep = tmp_path / "sweep"
    for trial in ("trial-000", "trial-001"):
        record(sweep / "tuning" / trial / "seed-1000", seed=1000, lines=LINES[:1], ended=False)
    with pytest.raises(ValueError, match=r"holds no run: no recipe.json at or below it, but trials of a search"):
        write_logs([sweep], tmp_path / "x.csv", to="csv")  # of a search within a run
    (sweep / "sweep.json").write_text("{}")
    with pytest.raises(ValueError, match=r"but trials of a search; `infotorch log \S+sweep` has their curves\.$"):
        find_runs(tmp_path)  # as `report` does
    (sweep / "best.json").write_text("{}")
    with pytest.raises(ValueError, match=r"has their curves, and \S+best\.json runs as a recipe\.$"):
        find_runs(sweep)
    record(tmp_path / "run")
    out = write_logs([tmp_path / "run", sweep, sweep], tmp_path / "metrics.csv", to="csv")
    with out.open(newline="") as file:
        rows = [(row["trial"], row["seed"], row["step"]) for row in csv.DictReader(file)]
    assert rows[3:] == [("trial-000", "1000", "8"), ("trial-001", "1000", "8")]
    assert {trial for trial, *_ in rows[:3]} == {""}
    pytest.importorskip("tensorboard")
    write_logs([sweep], tmp_path / "tb", to="tensorboard")
    [file] = (tmp_path / "tb" / "demo" / "bp" / "trial-001" / "seed-1000").iterdir()
    (tmp_path / "new" / "tuning").mkdir(parents=True)
    (tmp_path / "new" / "sweep.json").write_text("{}")
    with pytest.raises(ValueError, match="new holds no trial: no process has begun one yet"):
        write_logs([tmp_path / "new"], tmp_path / "x.csv", to="csv")


def test_runs_of_one_variant_with_other_settings_are_told_apart_by_them(tmp_path):
    """As a table's file holds them: two collected commands of one recipe."""
    hidden = {"network": {"hidden": [64, 32], "norm": None}, "title": "words"}
    for number, epochs in enumerate((5, 10)):
        for seed in (0, 1):
            record(tmp_path / f"{number}{seed}", seed, LINES[:1], epochs=epochs, **hidden | {"title": f"{number}"})
    record(tmp_path / "20", 0, LINES[:1], epochs=10, network={"hidden": [64, 32], "norm": "batch"})
    out = write_logs([tmp_path], tmp_path / "metrics.csv", to="csv")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["recipe", "variant", "seed", "epochs", "network.norm"]
    told = [(row["variant"], row["seed"], row["epochs"], row["network.norm"], row["step"]) for row in rows]
    assert told == [
        *(("bp", seed, epochs, "none", "8") for epochs in ("5", "10") for seed in "01"),
        ("bp", "0", "10", "batch", "8"),
    ]
    pytest.importorskip("tensorboard")
    out = write_logs([tmp_path], tmp_path / "tb", to="tensorboard")
    folders = sorted(str(path.parent.relative_to(out)) for path in out.rglob("events.*"))
    assert folders == [f"demo/bp{n}/seed-{seed}" for n, seed in (("-2", 0), ("-2", 1), ("-3", 0), ("", 0), ("", 1))]


def test_trials_in_a_table_have_the_settings_that_were_searched(tmp_path):
    sweep = tmp_path / "sweep"
    for number, rate in enumerate((0.1, 0.25)):
        folder = sweep / "tuning" / f"trial-{number:03d}" / "seed-1000"
        record(folder, 1000, LINES[:1], ended=False, optimizer={"lr": rate, "momentum": 0.9})
    (sweep / "sweep.json").write_text("{}")
    out = write_logs([sweep], tmp_path / "metrics.csv", to="csv")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["optimizer.lr"]) for row in rows] == [("trial-000", "0.1"), ("trial-001", "0.25")]
    assert "optimizer.momentum" not in rows[0]


def test_what_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(ValueError, match=r"write_logs: to must be one of csv, tensorboard, got 'xls'"):
        write_logs([tmp_path], tmp_path / "x", to="xls")
    with pytest.raises(ValueError, match=r"write_logs: directories is empty"):
        write_logs([], tmp_path / "x", to="csv")
    for name in ("a", "b"):
        record(tmp_path / name)
    with pytest.raises(ValueError, match=r"a and .*b are both demo bp seed 0; write one at a time"):
        write_logs([tmp_path], tmp_path / "x", to="csv")
