import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from infotorch.data.loading import load
from infotorch.data.sets import Dataset, Split
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.outcome import Outcome
from infotorch.records.right_samples import RightSamples
from infotorch.records.run_record import RunRecord
from infotorch.runs.preflight import check_runs
from infotorch.runs.runner import run, run_table
from infotorch.runs.setup import _keep_labels, load_samples
from infotorch.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from infotorch.training.evaluate import plan_accuracy, plan_right_samples, right_samples

# 300 rows in batches of 64: 5 steps an epoch, 10 a stage, 40 a run of four stages.
SMALL = {"epochs": 2, "data.limit": 300}


def small(variant="full-bound", **settings):
    return change(find_recipe("demo", variant), {**SMALL, **settings})


def metrics_bytes(directory):
    return (directory / "metrics.jsonl").read_bytes()


def same_run(first, second):
    return (
        metrics_bytes(first) == metrics_bytes(second)
        and RunRecord(first).outcome().metrics == RunRecord(second).outcome().metrics
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "whole"
    assert run(small(), directory, device="cpu").status == "completed"
    return directory


class TestARun:
    def test_it_leaves_the_run_directory_of_the_design(self, uninterrupted):
        assert sorted(os.listdir(uninterrupted)) == [
            "checkpoint", "environment.json", "metrics.jsonl", "outcome.json", "recipe.json",
            "test_right.json",
        ]  # fmt: skip
        record = RunRecord(uninterrupted)
        assert record.recipe()["data"]["limit"] == 300
        assert record.recipe()["seed"] == 0
        assert record.environment()["torch"] == torch.__version__
        lines = record.metrics()
        assert [(line["stage"], line["module"], line["epoch"]) for line in lines] == [
            (stage, module, epoch) for stage, module in enumerate(("fc1", "fc2", "fc3", "head")) for epoch in (1, 2)
        ]
        assert [line["step"] for line in lines] == [5 * n for n in range(1, 9)]
        assert all("validation_accuracy" in line and "train_loss" in line for line in lines)
        assert all("train_mi_xt_nats" in line for line in lines[:6])

    def test_the_outcome_has_numbers_that_a_seed_fixes_and_the_memory(self, uninterrupted):
        outcome = RunRecord(uninterrupted).outcome()
        assert set(outcome.metrics) == {
            "train_accuracy", "validation_accuracy", "test_accuracy", "majority_class", "folding_max_difference",
            "mi_xt_nats", "mi_ty_nats",
        }  # fmt: skip
        assert outcome.metrics["folding_max_difference"] < 1e-4
        assert 0.09 < outcome.metrics["majority_class"] < 0.12  # ten classes of nearly equal size
        assert outcome.metrics["mi_ty_nats"] < 2.31  # log 10
        # fc1 keeps a batch of 64 inputs, outputs and scores; all layers together keep several times that
        assert 64 * 128 * 4 < outcome.memory["peak_saved_activation_bytes"] < 4 * 64 * (64 + 2 * 128 + 2 * 10) * 4

    def test_which_test_samples_are_right_is_kept_and_is_the_accuracy(self, uninterrupted):
        record = RunRecord(uninterrupted)
        kept = record.right_samples()
        assert kept.right.mean() == record.outcome().metrics["test_accuracy"]
        labels = load("digits").test.y.numpy()
        assert (len(kept.right), kept.labels) == (len(labels), RightSamples.of(kept.right, labels).labels)

    def test_the_same_seed_gives_the_same_run_and_another_seed_another(self, uninterrupted, tmp_path):
        run(small(), tmp_path / "again", device="cpu")
        run(small(), tmp_path / "other", seed=1, device="cpu")
        assert same_run(uninterrupted, tmp_path / "again")
        assert not same_run(uninterrupted, tmp_path / "other")

    def test_a_line_may_stand_for_several_epochs(self, tmp_path):
        settings = {"epochs": 5, "train_accuracy": True}
        run(small("bp", **settings), tmp_path / "each", device="cpu")
        run(
            small("bp", **settings, log_every=2, validate_every=4),
            tmp_path / "thin",
            device="cpu",
            checkpoint_seconds=0,
        )
        each, thin = (RunRecord(tmp_path / name).metrics() for name in ("each", "thin"))
        assert [line["epoch"] for line in thin] == [2, 4, 5]
        means = [(each[k]["train_loss"] + each[k + 1]["train_loss"]) / 2 for k in (0, 2)] + [each[4]["train_loss"]]
        assert [line["train_loss"] for line in thin] == pytest.approx(means, rel=1e-12)
        assert ["validation_accuracy" in line for line in thin] == ["train_accuracy" in line for line in thin]
        assert ["validation_accuracy" in line for line in thin] == [False, True, True]
        assert thin[-1]["train_accuracy"] == pytest.approx(
            RunRecord(tmp_path / "thin").outcome().metrics["train_accuracy"]
        )

    def test_a_cache_changes_nothing_but_rounding(self, tmp_path):
        accuracies = []
        for cache in (None, "memory", "disk"):
            outcome = run(small(cache=cache), tmp_path / str(cache), device="cpu")
            accuracies.append(outcome.metrics["test_accuracy"])
        assert max(accuracies) - min(accuracies) <= 1 / 359  # one test row at most

    @pytest.mark.parametrize("variant", ["bp", "mi-only", "weight-decay", "deep-bp", "random"])
    def test_every_row_of_the_demo_runs(self, variant, tmp_path):
        outcome = run(small(variant), tmp_path / "run", device="cpu")
        assert outcome.status == "completed"
        assert outcome.metrics["test_accuracy"] > outcome.metrics["majority_class"]

    @pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
    def test_other_precisions_run(self, precision, tmp_path):
        outcome = run(small(precision=precision, epochs=1), tmp_path / "run", device="cpu")
        assert outcome.status == "completed"
        assert outcome.metrics["folding_max_difference"] < (1e-12 if precision == "64-true" else 1e-4)

    def test_a_run_leaves_the_global_random_state_alone(self, tmp_path):
        before = torch.get_rng_state()
        run(small(epochs=1), tmp_path / "run", device="cpu")
        assert torch.equal(torch.get_rng_state(), before)


KILLED = """
import os, signal, sys
from pathlib import Path
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs.runner import run

def progress(what, done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

recipe = change(find_recipe("demo", "full-bound"), {"epochs": 2, "data.limit": 300})
run(recipe, Path(sys.argv[1]), device="cpu", resume=True, progress=progress, checkpoint_seconds=float(sys.argv[3]))
"""


class TestResume:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("steps", "seconds"),
        [
            ((1,), 1e9),  # killed before the first checkpoint: starts afresh
            ((3, 10, 17), 0.0),  # mid-epoch, at the end of a stage, in the middle of the next
            ((5, 39), 0.0),  # at the end of an epoch, before the very last step
        ],
    )
    def test_a_killed_run_goes_on_bit_for_bit(self, steps, seconds, uninterrupted, tmp_path):
        directory = tmp_path / "killed"
        for step in steps:
            killed = subprocess.run([sys.executable, "-c", KILLED, str(directory), str(step), str(seconds)])
            assert killed.returncode == -signal.SIGKILL
            assert RunRecord(directory).outcome() is None
        outcome = run(small(), directory, device="cpu", resume=True)
        assert outcome.status == "completed"
        assert same_run(uninterrupted, directory)
        assert not [path for path in directory.rglob("*") if path.name.startswith(".")]

    @pytest.mark.slow
    def test_a_kill_between_metrics_and_checkpoint_leaves_no_line_twice(self, uninterrupted, tmp_path):
        directory = tmp_path / "killed"
        subprocess.run([sys.executable, "-c", KILLED, str(directory), "12", "0"])
        with (directory / "metrics.jsonl").open("a") as file:
            file.write('{"epoch": 99}\n{"cut sho')
        run(small(), directory, device="cpu", resume=True)
        assert same_run(uninterrupted, directory)

    def test_a_kill_while_the_directory_is_begun_is_no_obstacle(self, uninterrupted, tmp_path):
        directory = tmp_path / "killed"
        directory.mkdir()
        for name in ("metrics.jsonl", "environment.json", ".recipe.json.partial"):
            (directory / name).write_text("")
        assert run(small(), directory, device="cpu", resume=True).status == "completed"
        assert same_run(uninterrupted, directory)
        assert not [path for path in directory.rglob("*") if path.name.startswith(".")]

    @pytest.mark.slow
    def test_a_run_that_goes_on_has_not_ended(self, uninterrupted, tmp_path):
        directory, seen = tmp_path / "run", []
        subprocess.run([sys.executable, "-c", KILLED, str(directory), "12", "0"])
        RunRecord(directory).finish(Outcome("interrupted", "", "demo", "full-bound", 0))
        (directory / "traceback.txt").write_text("from an earlier failure")

        def look(*_):
            seen.append(RunRecord(directory).outcome())

        run(small(), directory, device="cpu", resume=True, progress=look)
        assert set(seen) == {None}
        assert not (directory / "traceback.txt").exists()
        assert same_run(uninterrupted, directory)

    def test_a_finished_run_is_returned_as_it_is(self, uninterrupted):
        before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}
        assert run(small(), uninterrupted, device="cpu", resume=True).status == "completed"
        assert {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")} == before

    def test_without_resume_a_run_is_never_overwritten(self, uninterrupted):
        with pytest.raises(FileExistsError, match="holds a run already; add --resume"):
            run(small(), uninterrupted, device="cpu")

    def test_a_folder_of_other_things_is_refused(self, tmp_path):
        (tmp_path / "letter.txt").write_text("dear")
        for resume in (False, True):
            with pytest.raises(FileExistsError, match="is not empty and holds no run"):
                run(small(), tmp_path, device="cpu", resume=resume)
        with pytest.raises(FileExistsError, match="is a file"):
            run(small(), tmp_path / "letter.txt", device="cpu")
        assert os.listdir(tmp_path) == ["letter.txt"]

    def test_other_settings_are_refused_by_name(self, tmp_path):
        def stop(what, done, total):
            raise KeyboardInterrupt

        run(small(), tmp_path / "run", device="cpu", progress=stop, checkpoint_seconds=0)
        changed = small(**{"optimizer.lr": 0.5})
        with pytest.raises(ValueError, match=r"begun with other settings \(optimizer\.lr\)"):
            run(changed, tmp_path / "run", device="cpu", resume=True)
        with pytest.raises(ValueError, match=r"other settings \(seed\)"):
            run(small(), tmp_path / "run", seed=3, device="cpu", resume=True)

    def test_a_finished_run_of_other_settings_is_not_passed_off_as_this_one(self, uninterrupted):
        with pytest.raises(ValueError, match=r"other settings \(epochs\)"):
            run(small(epochs=1), uninterrupted, device="cpu", resume=True)
        with pytest.raises(ValueError, match=r"other settings \(seed\)"):
            run(small(), uninterrupted, seed=1, device="cpu", resume=True)

    @pytest.mark.slow
    def test_a_damaged_checkpoint_is_an_error_that_names_the_file(self, tmp_path):
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "run"), "3", "0"])
        (tmp_path / "run" / "checkpoint" / "state.pt").write_bytes(b"not a checkpoint")
        with pytest.raises(ValueError, match=r"state\.pt is damaged"):
            run(small(), tmp_path / "run", device="cpu", resume=True)


class TestInterruption:
    @pytest.mark.slow
    def test_ctrl_c_ends_with_130_and_a_directory_that_resumes(self, tmp_path):
        command = [sys.executable, "-m", "infotorch", "run", "demo", "--set", "epochs=12", "--device", "cpu", "--out"]
        interrupted, whole = tmp_path / "interrupted", tmp_path / "whole"
        process = subprocess.Popen([*command, str(interrupted)], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while not (interrupted / "metrics.jsonl").exists() or not RunRecord(interrupted).metrics():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "Traceback" not in errors
        assert RunRecord(interrupted).outcome().status == "interrupted"
        assert has_checkpoint(interrupted / "checkpoint")
        assert subprocess.run([*command, str(interrupted), "--resume"], capture_output=True).returncode == 0
        assert subprocess.run([*command, str(whole)], capture_output=True).returncode == 0
        assert same_run(interrupted, whole)

    def test_ctrl_c_during_the_final_numbers_ends_a_table_after_the_finished_run(self, tmp_path, monkeypatch):
        asked = []

        def interrupted(*arguments):
            if not asked:  # a second Ctrl-C would interrupt at once
                asked.append(True)
                os.kill(os.getpid(), signal.SIGINT)
            return plan_accuracy(*arguments)

        monkeypatch.setattr("infotorch.runs.scores.plan_accuracy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_table([small("random", epochs=1)], tmp_path, seeds=2, device="cpu")
        assert RunRecord(tmp_path / "demo/random/seed-0").outcome().status == "completed"
        assert not (tmp_path / "demo/random/seed-1").exists()


class TestEndings:
    def test_a_diverged_run_is_a_result_with_its_step_and_last_value(self, tmp_path):
        recipe = small("bp", **{"optimizer.name": "sgd", "optimizer.lr": 1e20, "optimizer.schedule": "constant"})
        outcome = run(recipe, tmp_path / "run", device="cpu")
        assert outcome.status == "diverged"
        assert "the loss of module 'network' was not finite at step" in outcome.message
        assert outcome.metrics["diverged_at_step"] >= 1
        assert RunRecord(tmp_path / "run").outcome() == outcome

    def test_the_last_finite_loss_is_the_diverged_modules_own(self, tmp_path):
        wild = {"optimizer.name": "sgd", "optimizer.lr": 1e38, "optimizer.output_lr": 1e-3}
        outcome = run(small("mi-only", **wild, **{"plan.order": "simultaneous"}), tmp_path / "run", device="cpu")
        assert "the loss of module 'fc1' was not finite at step 1" in outcome.message
        assert outcome.metrics["last_finite_loss"] < 1  # CE - H(Y) of fc1; the head's cross-entropy is about log 10

    def test_a_bottleneck_that_diverges_is_no_failure(self, tmp_path):
        wild = {"optimizer.name": "sgd", "optimizer.lr": 1e30, "optimizer.schedule": "constant"}
        outcome = run(small("full-bound", **wild), tmp_path / "run", device="cpu")
        assert (outcome.status, outcome.metrics["diverged_at_step"]) == ("diverged", 1)

    def test_the_coordinates_of_two_layers_are_not_mixed(self, tmp_path):
        recipe = small("full-bound", **{"plan.objectives": ("IB", "Y", "Y", "CE"), "epochs": 1})
        assert "mi_xt_nats" not in run(recipe, tmp_path / "run", device="cpu").metrics

    def test_a_failure_in_training_is_written_down_with_its_traceback(self, tmp_path, monkeypatch):
        def broken(*_, **__):
            raise RuntimeError("the disk is on fire")

        monkeypatch.setattr("infotorch.runs.session.evaluate_modules", broken)
        outcome = run(small("bp"), tmp_path / "run", device="cpu")
        assert (outcome.status, outcome.message) == ("failed", "RuntimeError: the disk is on fire")
        assert "in broken" in (tmp_path / "run" / "traceback.txt").read_text()

    def test_wrong_data_leaves_nothing_behind(self, tmp_path):
        for settings, message in (
            ({"data.name": "digitz"}, "digits"),
            ({"data.limit": 10**6}, "limit"),
            ({"data.limit": 5}, "must leave a sample of each of 10 classes"),
            ({"plan.objectives": ("Y", "CE")}, "3 cuts .* make 4 modules"),
            ({"plan.cuts": ("fc9", "fc3", "head")}, "no layer 'fc9'"),
        ):
            with pytest.raises(ValueError, match=message):
                run(small(**settings), tmp_path / "run", device="cpu")
            assert not (tmp_path / "run").exists()


def scored_rows(monkeypatch):
    """How many rows each later score of a run is of."""
    rows = []

    def counted(score):
        def of_these(plan, x, y):
            rows.append(len(x))
            return score(plan, x, y)

        return of_these

    for score in (plan_accuracy, plan_right_samples, right_samples):
        monkeypatch.setattr(f"infotorch.runs.scores.{score.__name__}", counted(score))
    return rows


class TestTuning:
    def test_a_tuned_run_keeps_its_search_and_uses_what_it_found(self, tmp_path):
        recipe = small("mi-only", **{"epochs": 1, "tune": True, "search.trials": 3, "search.seeds": (1000,)})
        outcome = run(recipe, tmp_path / "run", device="cpu")
        assert outcome.status == "completed"
        trials = [json.loads(line) for line in (tmp_path / "run/tuning/trials.jsonl").read_text().splitlines()]
        best = max(trials, key=lambda trial: trial["mean"])
        assert RunRecord(tmp_path / "run").recipe()["optimizer"]["lr"] == best["settings"]["optimizer.lr"]
        assert not list((tmp_path / "run" / "tuning").rglob("outcome.json"))
        assert run(recipe, tmp_path / "run", device="cpu", resume=True) == outcome

    def test_a_search_never_looks_at_test_rows(self, tmp_path, monkeypatch):
        rows = scored_rows(monkeypatch)
        recipe = small("bp", **{"epochs": 1, "tune": True, "search.trials": 2, "search.seeds": (1000,)})
        run(recipe, tmp_path / "run", device="cpu")
        validation, test = 216, 359  # rows of the digits
        assert rows == [validation, validation, 300, validation, test]


class TestAuto:
    """`plan.objectives=auto`: four modules leave X before none, one, two or all of the three hidden ones."""

    TRIED = ("Y,Y,Y,CE", "X,Y,Y,CE", "X,X,Y,CE", "X,X,X,CE")

    def recipe(self, **settings):
        return small("mi-only", **{"epochs": 1, "plan.objectives": "auto", "search.seeds": (1000,), **settings})

    def trials(self, directory):
        return [json.loads(line) for line in (directory / "tuning/auto/trials.jsonl").read_text().splitlines()]

    def test_it_runs_the_assignment_that_is_best_on_validation_rows(self, tmp_path, monkeypatch):
        rows = scored_rows(monkeypatch)
        outcome = run(self.recipe(), tmp_path / "run", device="cpu")
        assert outcome.status == "completed"
        validation, test = 216, 359  # rows of the digits; only the run itself looks at test rows
        assert rows == [validation] * 4 + [300, validation, test]
        trials = self.trials(tmp_path / "run")
        assert [trial["settings"] for trial in trials] == [{"plan.objectives": tried} for tried in self.TRIED]
        best = max(trials, key=lambda trial: trial["mean"])["settings"]["plan.objectives"]
        assert RunRecord(tmp_path / "run").recipe()["plan"]["objectives"] == best.split(",")
        kept = tmp_path / "run" / "tuning" / "auto"
        assert all((kept / f"trial-{n:03d}/seed-1000/metrics.jsonl").exists() for n in range(4))
        assert not list(kept.rglob("outcome.json"))
        assert not list(kept.rglob("state.pt"))

    def test_it_is_the_run_of_the_chosen_objectives(self, tmp_path):
        run(self.recipe(), tmp_path / "auto", device="cpu")
        chosen = RunRecord(tmp_path / "auto").recipe()["plan"]["objectives"]
        run(self.recipe(**{"plan.objectives": chosen}), tmp_path / "named", device="cpu")
        assert same_run(tmp_path / "auto", tmp_path / "named")

    def test_a_choice_that_was_interrupted_goes_on_and_a_finished_one_stays(self, tmp_path):
        def interrupt(what, done, total):
            if what.startswith("search trial-002") and done == 7:
                raise KeyboardInterrupt

        whole, cut = tmp_path / "whole", tmp_path / "cut"
        outcome = run(self.recipe(), whole, device="cpu")
        with pytest.raises(KeyboardInterrupt):
            run(self.recipe(), cut, device="cpu", progress=interrupt, checkpoint_seconds=0)
        assert len(self.trials(cut)) == 2
        seen = []
        run(self.recipe(), cut, device="cpu", resume=True, progress=lambda what, done, total: seen.append((what, done)))
        searched = [(what.split(",")[0], done) for what, done in seen if what.startswith("search")]
        assert searched[0] == ("search trial-002", 7)  # goes on within the trial, from its last checkpoint
        assert self.trials(cut) == self.trials(whole)
        assert same_run(whole, cut)
        assert run(self.recipe(), whole, device="cpu", resume=True) == outcome

    def test_the_settings_of_trials_alone_hold_in_its_trials(self, tmp_path):
        recipe = find_recipe("demo", "mi-only")
        search = recipe.search.model_copy(update={"during": {"data.limit": 100}, "seeds": (1000,)})
        recipe = change(recipe.model_copy(update={"search": search}), {**SMALL, "epochs": 1, "plan.objectives": "auto"})
        run(recipe, tmp_path / "run", device="cpu")
        limits = [
            RunRecord(tmp_path / "run/tuning/auto" / f"trial-{n:03d}/seed-1000").recipe()["data"]["limit"]
            for n in range(4)
        ]
        assert limits == [100] * 4
        assert RunRecord(tmp_path / "run").recipe()["data"]["limit"] == 300

    def test_objectives_are_chosen_before_settings_are_searched(self, tmp_path):
        recipe = self.recipe(**{"tune": True, "search.trials": 2})
        outcome = run(recipe, tmp_path / "run", device="cpu")
        assert outcome.status == "completed"
        chosen = RunRecord(tmp_path / "run").recipe()
        for number in range(2):
            trial = RunRecord(tmp_path / "run/tuning" / f"trial-{number:03d}" / "seed-1000").recipe()
            assert trial["plan"]["objectives"] == chosen["plan"]["objectives"]
        assert run(recipe, tmp_path / "run", device="cpu", resume=True) == outcome

    def test_an_assignment_that_diverges_is_not_chosen_and_if_all_do_it_says_so(self, tmp_path):
        wild = {"optimizer.name": "sgd", "optimizer.lr": 1e30, "optimizer.schedule": "constant"}
        with pytest.raises(ValueError, match="demo mi-only: every one of 4 trials diverged"):
            run(self.recipe(**wild), tmp_path / "run", device="cpu")

    def test_what_stops_it_is_found_before_anything_is_written(self, tmp_path):
        for settings, message in (
            ({"data.labels": 9}, "demo: data.labels must leave a sample of each of 10 classes"),
            ({"data.labels": 301}, "digits: data.labels must be at most 300, the number of training samples, got 301"),
            ({"plan.cuts": ("fc9", "fc3", "head")}, "no layer 'fc9'"),
        ):
            with pytest.raises(ValueError, match=message):
                check_runs([(self.recipe(**settings), 0)], "cpu")
        check_runs([(self.recipe(), 0)], "cpu")


class TestFewLabels:
    def test_labels_are_kept_in_equal_proportions_on_rows_of_the_seed_alone(self):
        recipe = small(**{"data.labels": 50})
        loaded, again, other = (load_samples(recipe, seed) for seed in (0, 0, 1))
        whole = load_samples(small(), 0)
        known = loaded.train.y >= 0
        assert torch.bincount(loaded.train.y[known]).tolist() == [5] * 10
        assert torch.equal(loaded.train.x, whole.train.x)
        assert torch.equal(loaded.train.y[known], whole.train.y[known])
        assert torch.equal(loaded.train.y, again.train.y)
        assert not torch.equal(known, other.train.y >= 0)
        for part in ("validation", "test"):
            assert torch.equal(getattr(loaded, part).y, getattr(whole, part).y)

    def test_all_labels_kept_is_the_run_without_the_setting(self):
        assert torch.equal(load_samples(small(**{"data.labels": 300}), 0).train.y, load_samples(small(), 0).train.y)

    def test_of_the_nodes_of_one_graph_labels_stay_on_nodes_that_have_one(self):
        """All nodes are rows; drawn among all of them, six labels of 40 rows were two."""
        y = torch.full((40,), -1)
        y[10:19] = torch.arange(9) % 3
        rows = Split(torch.zeros(40, 1), y)
        kept = _keep_labels(Dataset("toy", "graph", rows, rows, rows, num_classes=3), 6, 0).train.y
        assert torch.bincount(kept[kept >= 0]).tolist() == [2, 2, 2]
        assert torch.equal(kept[kept >= 0], y[kept >= 0])
        with pytest.raises(ValueError, match=r"data.labels must be at most 9, the number of training samples, got 10"):
            _keep_labels(Dataset("toy", "graph", rows, rows, rows, num_classes=3), 10, 0)

    def test_a_run_counts_its_labelled_rows_and_resumes(self, tmp_path):
        recipe = small("mi-only", **{"data.labels": 50, "plan.objectives": "X,Y,Y,CE"})
        seen = []

        def stop(what, done, total):
            if done == 27 and not seen:
                seen.append(True)
                raise KeyboardInterrupt

        whole, cut = tmp_path / "whole", tmp_path / "cut"
        outcome = run(recipe, whole, device="cpu")
        assert outcome.metrics["train_accuracy"] * 50 == pytest.approx(round(outcome.metrics["train_accuracy"] * 50))
        assert run(recipe, cut, device="cpu", progress=stop, checkpoint_seconds=0).status == "interrupted"
        assert run(recipe, cut, device="cpu", resume=True).status == "completed"
        assert same_run(whole, cut)


class TestRunsOfOlderVersions:
    NEW = ("data.labels", "network.norm", "network.dropout", "plan.options", "optimizer.critic_lr", "search.during",
           "embedding_samples")  # fmt: skip

    def begun(self, directory, **changes):
        """A run that was interrupted and whose record lacks the settings that came later."""

        def stop(what, done, total):
            if done == 17:
                raise KeyboardInterrupt

        run(small(), directory, device="cpu", progress=stop, checkpoint_seconds=0)
        content = json.loads((directory / "recipe.json").read_text())
        for key in self.NEW:
            *path, last = key.split(".")
            place = content
            for part in path:
                place = place[part]
            del place[last]
        (directory / "recipe.json").write_text(json.dumps({**content, **changes}))

    def test_settings_that_did_not_exist_have_their_defaults(self, uninterrupted, tmp_path):
        self.begun(tmp_path / "run")
        assert run(small(), tmp_path / "run", device="cpu", resume=True).status == "completed"
        assert same_run(uninterrupted, tmp_path / "run")

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"network.norm": "batch"}, "network.norm"),
            ({"data.labels": 100}, "data.labels"),
            ({"plan.options.Y:supcon.temperature": 0.3}, r"plan\.options\.Y:supcon\.temperature"),
            ({"embedding_samples": 5}, "embedding_samples"),
        ],
    )
    def test_and_another_value_is_another_run(self, settings, named, tmp_path):
        self.begun(tmp_path / "run")
        with pytest.raises(ValueError, match=rf"begun with other settings \({named}\)"):
            run(small(**settings), tmp_path / "run", device="cpu", resume=True)

    def test_the_budget_of_a_search_counts_where_one_is_made(self, uninterrupted, tmp_path):
        self.begun(tmp_path / "run")
        assert run(small(**{"search.trials": 2}), tmp_path / "run", device="cpu", resume=True).status == "completed"
        self.begun(tmp_path / "tuned", tune=True)
        with pytest.raises(ValueError, match=r"begun with other settings \(search\.trials\)"):
            run(small(**{"search.trials": 2, "tune": True}), tmp_path / "tuned", device="cpu", resume=True)

    def test_a_record_that_is_no_recipe_any_more_is_refused_by_what_differs(self, tmp_path):
        self.begun(tmp_path / "run", epochs="many", colour="red")
        with pytest.raises(ValueError, match=r"begun with other settings \(.*epochs.*\)"):
            run(small(), tmp_path / "run", device="cpu", resume=True)


class TestPictures:
    def test_the_first_seed_alone_draws_and_no_trial(self, tmp_path, monkeypatch):
        drawn = []
        monkeypatch.setattr(
            "infotorch.diagnostics.embeddings.embed_modules",
            lambda plan, splits, *, num_samples, seed: drawn.append((list(splits), num_samples, seed)),
        )
        monkeypatch.setattr(RunRecord, "write_embeddings", lambda record, _: drawn.append(record.directory.name))
        recipe = small("bp", **{"epochs": 1, "embedding_samples": 7, "tune": True, "search.trials": 1})
        assert run(recipe, tmp_path / "zero", device="cpu").status == "completed"
        assert run(change(recipe, {"tune": False}), tmp_path / "one", seed=1, device="cpu").status == "completed"
        assert drawn == [(["train", "validation"], 14, 0), "zero"]


class TestTables:
    def test_every_row_and_seed_has_its_directory_and_a_bad_row_stops_no_other(self, tmp_path):
        wild = small("bp", **{"optimizer.name": "sgd", "optimizer.lr": 1e20, "optimizer.schedule": "constant"})
        outcomes = run_table([wild, small("random")], tmp_path / "table", seeds=2, device="cpu")
        assert [outcome.status for outcome in outcomes] == ["diverged"] * 2 + ["completed"] * 2
        assert (tmp_path / "table/demo/random/seed-1/outcome.json").exists()

    def test_a_row_that_fails_before_training_stops_no_other_and_each_is_told_at_once(self, tmp_path):
        heard = []
        bad = small("bp", **{"data.limit": 10**6})
        rows = [bad, small("random", epochs=1)]
        assert run_table(rows, tmp_path / "table", seeds=1, device="cpu", finished=heard.append) == heard
        assert [outcome.status for outcome in heard] == ["failed", "completed"]
        assert "limit" in heard[0].message

    def test_no_seed_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
            run_table([small()], tmp_path, seeds=0)


class TestCheckpoints:
    def test_everything_a_step_depends_on_comes_back(self, uninterrupted):
        state = load_checkpoint(uninterrupted / "checkpoint")
        assert set(state["plan"]) == {"fc1", "fc2", "fc3", "head"}
        assert {"body", "objective", "update", "critic_update"} == set(state["plan"]["fc1"])
        assert state["position"] == {"stage": 4, "epoch": 0, "step": 0, "steps": 40}

    def test_a_file_that_would_execute_code_is_refused(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (os.system, (f"touch {tmp_path / 'executed'}",))

        save_checkpoint(tmp_path, {"x": Evil()})  # its checksum is right
        with pytest.raises(ValueError, match="it holds more than tensors and plain values") as error:
            load_checkpoint(tmp_path)
        assert "weights_only" not in str(error.value)
        assert not (tmp_path / "executed").exists()

    def test_a_truncated_file_is_refused(self, tmp_path):
        save_checkpoint(tmp_path, {"x": torch.ones(1000)})
        path = tmp_path / "state.pt"
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(ValueError, match="is damaged"):
            load_checkpoint(tmp_path)

    def test_a_missing_one_says_so(self, tmp_path):
        assert not has_checkpoint(tmp_path)
        with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
            load_checkpoint(Path(tmp_path))
