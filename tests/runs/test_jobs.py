"""Runs side by side: the numbers of one after the other, whatever happens to the processes."""

import json
import os
import signal
import threading
import time
from contextlib import suppress

import pytest

from infotorch.commands.main import main
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.outcome import Outcome
from infotorch.runs import jobs
from infotorch.runs.job_board import Board, Note, open_board
from infotorch.runs.jobs import run_side_by_side
from infotorch.runs.runner import run_table

FILES = ("metrics.jsonl", "recipe.json")


def recipes(epochs=3, variants=("bp", "random")):
    return [change(find_recipe("demo", name), {"epochs": epochs, "data.limit": 300}) for name in variants]


def contents(directory):
    """What must not depend on how the runs went."""
    found = {}
    for run in sorted((directory / "demo").glob("*/seed-*")):
        outcome = json.loads((run / "outcome.json").read_text())
        found[f"{run.parent.name} {run.name}"] = (
            outcome["status"],
            outcome["metrics"],
            *((run / name).read_text() for name in FILES),
        )
    return found


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory):
    directory = tmp_path_factory.mktemp("one-by-one")
    run_table(recipes(), directory, seeds=2, device="cpu")
    return contents(directory)


@pytest.fixture(scope="module")
def long_one_by_one(tmp_path_factory):
    directory = tmp_path_factory.mktemp("long")
    run_table(recipes(200), directory, seeds=1, device="cpu")
    return contents(directory)


def test_side_by_side_gives_the_numbers_of_one_after_the_other(tmp_path, one_by_one):
    heard = []
    done = run_side_by_side(
        recipes(), tmp_path, seeds=2, workers=2, backend="sequential", device="cpu", finished=heard.append
    )
    assert contents(tmp_path) == one_by_one
    assert [(one.variant, one.seed) for one in done] == [("bp", 0), ("bp", 1), ("random", 0), ("random", 1)]
    assert sorted(heard, key=done.index) == done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]


def test_a_worker_without_the_folder_sends_its_run_back(tmp_path, one_by_one, monkeypatch):
    monkeypatch.setattr(Board, "is_shared", property(lambda board: False))
    run_side_by_side(recipes(), tmp_path, seeds=2, workers=1, backend="sequential", device="cpu")
    assert contents(tmp_path) == one_by_one


def test_what_has_ended_is_kept_and_a_run_that_fails_keeps_nobody_waiting(tmp_path, monkeypatch):
    run_table(recipes(variants=("bp",)), tmp_path, seeds=1, device="cpu")
    before = (tmp_path / "demo/bp/seed-0/outcome.json").stat().st_mtime_ns
    monkeypatch.setattr(jobs, "run", lambda recipe, where, **options: (_ for _ in ()).throw(OSError("no space")))
    done = run_side_by_side(recipes(), tmp_path, seeds=1, workers=1, backend="sequential", device="cpu", resume=True)
    assert [one.status for one in done] == ["failed", "failed"]
    assert done[1].message == "OSError: no space"
    monkeypatch.undo()
    done = run_side_by_side(recipes(), tmp_path, seeds=1, workers=1, backend="sequential", device="cpu", resume=True)
    assert [one.status for one in done] == ["completed", "completed"]
    assert (tmp_path / "demo/bp/seed-0/outcome.json").stat().st_mtime_ns == before


def test_a_stop_ends_all_runs_and_resume_goes_on(tmp_path, long_one_by_one):
    def told():
        with suppress(FileNotFoundError):  # it ended in between
            return [path.read_text() for path in tmp_path.glob(".jobs/*.json")]
        return []

    def stop():
        while not any(json.loads(line)[1] for line in told()):
            time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    options = {"seeds": 1, "workers": 2, "backend": "sequential", "device": "cpu"}
    done = run_side_by_side(recipes(200), tmp_path, **options)
    thread.join()
    assert {one.status for one in done} == {"interrupted"}
    assert len(done) == 1  # the others were not begun
    run_side_by_side(recipes(200), tmp_path, resume=True, **options)
    assert contents(tmp_path) == long_one_by_one


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"address": "tcp://127.0.0.1:1"}, "an address is for the backend 'dask', got 'loky'"),
        ({"backend": "dusk"}, "joblib has no backend 'dusk'; did you mean dask.* Allowed: .*loky"),
        ({"backend": "threading"}, "runs take processes, .* got 'threading', use 'loky'"),
    ],
)
def test_arguments_are_refused_before_anything_runs(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run_side_by_side(recipes(), tmp_path, **{"seeds": 1, "workers": 1} | options)
    assert list(tmp_path.iterdir()) == []


class TestBoard:
    def test_it_knows_a_folder_of_its_own_from_another_of_that_name(self, tmp_path):
        with open_board(tmp_path) as first:
            assert first.is_shared
            assert not Board(first.folder, "another token").is_shared
            assert not Board(tmp_path / "nowhere", first.token).is_shared
        assert not first.is_shared

    def test_it_holds_what_runs_said_last_until_they_end(self, tmp_path):
        with open_board(tmp_path) as board:
            with board.telling("bp seed 0"):
                assert board.notes() == {"bp seed 0": Note("bp seed 0: starting", 0, 1)}
            assert board.notes() == {}
            with pytest.raises(RuntimeError), board.telling("bp seed 1"):
                raise RuntimeError
            assert set(board.notes()) == {"bp seed 1"}
            board.forget(["bp seed 1"])
            assert board.notes() == {}

    def test_a_stop_interrupts_the_thread_that_tells(self, tmp_path):
        with open_board(tmp_path) as board:
            board.ask_to_stop()
            with pytest.raises(KeyboardInterrupt), board.telling("bp seed 0"):
                pytest.fail("told of a stop too late")


def kill_when_begun(directory, signals):
    """Kill the process of a run in `directory` once it has trained a little; its id is in the run's lock."""
    while signals:
        time.sleep(0.05)
        for path in directory.glob("demo/*/seed-*/metrics.jsonl"):
            lock = path.parent / ".lock"
            if path.stat().st_size and lock.exists() and (told := lock.read_text().strip("\0 \n")):
                os.kill(int(told), signals.pop())
                break


@pytest.mark.slow
def test_a_killed_process_costs_the_table_nothing(tmp_path, long_one_by_one):
    killer = threading.Thread(target=kill_when_begun, args=(tmp_path, [signal.SIGKILL]))
    killer.start()
    done = run_side_by_side(recipes(200), tmp_path, seeds=1, workers=2, device="cpu")
    killer.join()
    assert {one.status for one in done} == {"completed"}
    assert contents(tmp_path) == long_one_by_one


@pytest.mark.slow
def test_a_run_that_kills_its_process_each_time_fails_alone(tmp_path, monkeypatch):
    ended = jobs._Ended

    def work(job, directory, board, **options):
        import os
        import signal

        with board.telling(job.name):
            if job.recipe.variant == "bp":
                os.kill(os.getpid(), signal.SIGKILL)
        return ended(job.name, "a worker", Outcome("completed", "", "demo", job.recipe.variant, job.seed))

    monkeypatch.setattr(jobs, "_work", work)
    done = run_side_by_side(recipes(), tmp_path, seeds=1, workers=2, device="cpu")
    assert [(one.variant, one.status) for one in done] == [("bp", "failed"), ("random", "completed")]
    assert done[0].message == "its process was killed each time; was there too little memory?"


@pytest.mark.slow
def test_two_workers_of_dask_of_which_one_is_killed(tmp_path, long_one_by_one):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        killer = threading.Thread(target=kill_when_begun, args=(tmp_path, [signal.SIGKILL]))
        killer.start()
        done = run_side_by_side(
            recipes(200), tmp_path, seeds=1, workers=2, backend="dask", address=cluster.scheduler_address, device="cpu"
        )
        killer.join()
    assert {one.status for one in done} == {"completed"}
    assert contents(tmp_path) == long_one_by_one


def test_the_command_says_which_runs_ended_and_shows_one_table(tmp_path, capsys, monkeypatch):
    words = (
        "table demo --variant bp --variant random --seeds 2 --set epochs=3 --set data.limit=300 --device cpu".split()
    )

    def call(*more):
        monkeypatch.setattr("sys.argv", ["infotorch", *words, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    code, told = call("--jobs", "2", "--backend", "sequential", "--out", str(tmp_path / "runs"))
    assert code == 0
    assert all(f"demo {variant} seed {seed}: completed" in told.out for variant in ("bp", "random") for seed in (0, 1))
    assert told.out.count("measured") == 1
    code, told = call("--address", "tcp://x:1", "--backend", "loky", "--out", str(tmp_path / "other"))
    assert code == 2
    assert "an address is for the backend 'dask', got 'loky'" in told.err
