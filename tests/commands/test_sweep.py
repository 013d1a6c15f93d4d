"""`infotorch sweep`: what a person sees, and several processes at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from infotorch.recipes.recipe_file import read_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.study import SharedStudy

SMALL = ["demo", "--variant", "bp", "--set", "epochs=1", "--set", "data.limit=100", "--device", "cpu", "--seeds", "1"]
RATE = ["--set-range", "optimizer.lr=1e-4:1e-1:log"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def kept(directory):
    return [json.loads(line) for line in (directory / "tuning" / "trials.jsonl").read_text().splitlines()]


def start(*words):
    command = [sys.executable, "-m", "infotorch", "sweep", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class TestWhatIsSeen:
    def test_trials_as_they_end_then_all_of_them_and_the_best_as_a_recipe(self, call, tmp_path):
        words = ["sweep", *SMALL, *RATE, "--set-range", "network.norm=none,batch", "--trials", "4", "-q"]
        code, out, errors = call(*words)
        assert (code, errors) == (0, "")
        ended, table, importance, best = out.split("\n\n")
        row = r"trial \d: optimizer\.lr=\S+, network\.norm=(none|batch): validation_accuracy 0\.\d+, \d+\.\d s"
        assert all(re.fullmatch(row, line) for line in ended.splitlines())
        assert len(ended.splitlines()) == 4
        head, *rows = (re.split(r"  +", line) for line in table.splitlines())
        assert head == ["trial", "optimizer.lr", "network.norm", "validation_accuracy", "status"]
        scores = [float(row[3]) for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert {line.split()[0] for line in importance.splitlines()} == {"setting", "optimizer.lr", "network.norm"}
        assert best == f"best: trial {rows[0][0]}, infotorch run runs/sweep-demo-bp/best.json\n"
        again = call(*words)
        assert again == (0, out[out.index("\ntrial  ") :], "")
        code, out, _ = call("run", "runs/sweep-demo-bp/best.json", "--seed", "1000", "--out", "r")
        assert code == 0
        score = RunRecord(tmp_path / "r").outcome().metrics["validation_accuracy"]
        assert score == max(trial["mean"] for trial in kept(tmp_path / "runs/sweep-demo-bp"))

    def test_without_a_range_it_searches_where_the_recipe_does(self, call, tmp_path):
        code, out, _ = call("sweep", *SMALL[:-2], "--trials", "1", "--out", "s")
        assert code == 0
        [trial] = kept(tmp_path / "s")
        assert set(trial["settings"]) == {"optimizer.lr"}
        assert set(trial["scores"]) == {"1000", "1001"}
        assert "importance" not in out

    def test_progress_counts_all_trials(self, call):
        _, _, errors = call("sweep", *SMALL, *RATE, "--trials", "2", "--out", "s")
        assert errors.startswith("2 trials of demo bp in s\n")
        assert "search trial-001, bp seed 1000: network: step 1 of 2" in errors

    def test_a_trial_that_another_process_runs_stands_in_the_list_and_the_best_is_so_far(self, call, tmp_path):
        words = ["sweep", *SMALL, *RATE, "--out", "s", "-q", "--trials"]
        call(*words, "1")
        begun = json.loads((tmp_path / "s/sweep.json").read_text())["study"]
        recipe = read_recipe(tmp_path / "s/best.json")
        search = recipe.search.model_copy(update={"trials": 2})
        other = SharedStudy(recipe.model_copy(update={"search": search}), begun, str(tmp_path / "s/journal.log"))
        asked = other.take()
        rate = other.settings(asked)["optimizer.lr"]
        with other.working(asked, tmp_path / "s/tuning/trial-001"):
            code, out, errors = call(*words, "2")
            assert (code, errors) == (0, "")
            table, best = out[1:].split("\n\n")
            assert [re.split(r"  +", line) for line in table.splitlines()][2] == ["1", f"{rate:.4g}", "running"]
            assert best == "best so far: trial 0, infotorch run s/best.json\n"

    def test_none_that_completes_is_exit_code_1(self, call, tmp_path):
        wild = ["--set", "optimizer.name=sgd", "--set", "optimizer.schedule=constant"]
        wild += ["--set-range", "optimizer.lr=1e29:1e30:log"]
        code, out, errors = call("sweep", *SMALL, *wild, "--trials", "2", "--out", "s", "-q")
        assert (code, errors) == (1, "infotorch: no trial of demo bp has completed; see s.\n")
        assert out.count("diverged, its loss was not finite") == 2
        assert not (tmp_path / "s/best.json").exists()

    def test_ctrl_c_is_one_line_and_the_same_command_goes_on(self, call, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("infotorch.runs.session.Session.run", interrupted)
            code, _, errors = call("sweep", *SMALL, *RATE, "--trials", "1", "--out", "s", "-q")
        assert (code, errors) == (130, "infotorch: interrupted; the same command with --out s goes on.\n")
        code, out, _ = call("sweep", *SMALL, *RATE, "--trials", "1", "--out", "s", "-q")
        assert (code, out.count("completed")) == (0, 1)


WRONG = {
    "demo --set-range epochs": "--set-range takes key=low:high, key=low:high:log or key=a,b,c, got 'epochs'.",
    "demo --set-range epochs=1:2 --set-range epochs=2:3": "epochs has a range, and another; leave one of them out.",
    "demo --set-range epochs=1:2 --set epochs=2": "epochs has a range, and --set too; leave one of them out.",
    "demo --variant bp --set-range epochs=0:1": "demo: epochs: input should be greater than or equal to 1, got 0.",
    "demo --set tune=true": "demo full-bound: tune=true is a search within each run, and a sweep is one; leave it out.",
    "why-ib-fails": re.compile("is a demonstration and trains nothing; choose another --variant"),
    "demo --trials 0": "sweep: --trials: input should be greater than or equal to 1, got '0'.",
    "demo --seeds 0": "sweep: --seeds: input should be greater than or equal to 1, got '0'.",
    "demo --storage foo://x --out s": re.compile("--storage foo://x cannot be opened: NoSuchModuleError"),
    "none.json": "none.json is missing.",
    "": "sweep: RECIPE is missing: table to take it from: a name from `infotorch list`, or a recipe's file.",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_one_line_and_writes_nothing(call, tmp_path, words):
    code, out, errors = call("sweep", *words.split(), *(["--device", "cpu"] if words else []))
    assert (code, out, errors.count("\n")) == (2, "", 1) or errors.count("\n") == 2  # that it begins
    message, expected = errors.splitlines()[-1].removeprefix("infotorch: "), WRONG[words]
    assert message == expected if isinstance(expected, str) else expected.search(message)
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_it_is_the_line_that_installs_it(call, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, errors = call("sweep", *SMALL, *RATE)
    assert (code, errors) == (2, "infotorch: a sweep needs optuna: pip install 'infotorch[sweep]'.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("database", [False, True])
def test_processes_share_the_trials(tmp_path, database):
    words = [
        "demo",
        "--variant",
        "bp",
        "--set",
        "epochs=40",
        "--device",
        "cpu",
        "--seeds",
        "1",
        *RATE,
        "--trials",
        "10",
    ]
    words += ["--storage", f"sqlite:///{tmp_path / 'study.db'}"] if database else []
    # With a database folders may be apart, as on two machines.
    workers = [start(*words, "--out", f"s{n if database else ''}", "-q") for n in range(2)]
    told = [worker.communicate(timeout=100) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    shares = [re.findall(r"^trial (\d+): ", out, re.MULTILINE) for out, _ in told]
    assert all(shares), "one process has run all trials"
    assert sorted(int(number) for share in shares for number in share) == sorted(
        trial["trial"] for trial in max(map(kept, tmp_path.glob("s*/")), key=len)
    )
    trials = max((kept(folder) for folder in tmp_path.glob("s*/")), key=len)
    assert len(trials) == len({trial["settings"]["optimizer.lr"] for trial in trials}) == 10


@pytest.mark.slow
def test_a_killed_worker_loses_one_trial_and_a_rerun_completes(tmp_path):
    words = ["demo", "--variant", "bp", "--set", "epochs=30", "--device", "cpu", "--seeds", "1", *RATE]
    words += ["--trials", "3", "--no-prune", "--out", "s", "-q"]
    killed = start(*words)
    running = tmp_path / "s/tuning/trial-001/seed-1000/metrics.jsonl"
    until = time.monotonic() + 60
    while not running.exists() or running.stat().st_size < 1000:
        assert killed.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert [trial["trial"] for trial in kept(tmp_path / "s")] == [0]
    again = start(*words)
    out, errors = again.communicate(timeout=100)
    assert (again.returncode, errors) == (0, "")
    assert [trial["trial"] for trial in kept(tmp_path / "s")] == [0, 1, 3]
    assert [trial["status"] for trial in kept(tmp_path / "s")] == ["completed"] * 3
    # The third takes over from the killed one, in its folder and under its number.
    assert sorted(path.name for path in (tmp_path / "s/tuning").glob("trial-*")) == [
        "trial-000",
        "trial-001",
        "trial-003",
    ]
    assert out.count("completed") == 3
