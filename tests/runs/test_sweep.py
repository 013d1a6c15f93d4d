import json
import multiprocessing
import os
import re
import signal
import sys

import pytest

from infotorch.recipes.changes import change
from infotorch.recipes.recipe_file import read_recipe
from infotorch.recipes.registry import find_recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.records.lock import sole_writer
from infotorch.records.run_record import RunRecord
from infotorch.runs import sweep as sweeps
from infotorch.runs.runner import run
from infotorch.runs.study import SharedStudy
from infotorch.runs.sweep import check_sweep, sweep

RATES = {"optimizer.lr": SearchRange(low=1e-4, high=0.1)}
CPU = {"device": "cpu"}


def searching(space=RATES, trials=3, seeds=(1000,), variant="bp", **settings):
    """100 samples in batches of 64: 2 steps an epoch."""
    recipe = change(find_recipe("demo", variant), {"epochs": 1, "data.limit": 100, **settings})
    search = recipe.search.model_copy(update={"space": space, "trials": trials, "seeds": seeds})
    return recipe.model_copy(update={"search": search})


def kept(directory):
    return [json.loads(line) for line in (directory / "tuning" / "trials.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sweeps") / "sweep"
    space = RATES | {"network.norm": SearchRange(values=("none", "batch"))}
    recipe = searching(space, trials=5, seeds=(1000, 1001))
    heard = []
    return recipe, directory, sweep(recipe, directory, finished=heard.append, **CPU), heard


class TestASweep:
    def test_it_leaves_the_trials_and_the_best_recipe(self, swept):
        _, directory, found, heard = swept
        assert sorted(path.name for path in directory.iterdir()) == ["best.json", "journal.log", "sweep.json", "tuning"]
        assert kept(directory) == found.trials == heard
        assert [trial["trial"] for trial in found.trials] == [0, 1, 2, 3, 4]
        for trial in found.trials:
            assert trial["mean"] == pytest.approx(sum(trial["scores"].values()) / 2)
            assert set(trial["scores"]) == {"1000", "1001"}
        assert found.best["mean"] == max(trial["mean"] for trial in found.trials)
        assert found.running == {}
        assert not list(directory.rglob("outcome.json"))
        assert not list(directory.rglob("state.pt"))

    def test_the_best_recipe_gives_the_same_scores_bit_for_bit(self, swept, tmp_path):
        _, directory, found, _ = swept
        recipe = read_recipe(directory / "best.json")
        assert recipe == found.recipe
        assert recipe.variant == "bp-swept"
        assert recipe.changed == tuple(
            f"{k}={v if isinstance(v, str) else repr(v)}" for k, v in found.best["settings"].items()
        )
        for seed in (1000, 1001):
            outcome = run(recipe, tmp_path / str(seed), seed=seed, **CPU)
            assert outcome.metrics["validation_accuracy"] == found.best["scores"][str(seed)]

    def test_importance_is_a_share_of_each_setting(self, swept):
        _, _, found, _ = swept
        assert set(found.importance) == {"optimizer.lr", "network.norm"}
        assert sum(found.importance.values()) == pytest.approx(1.0)
        assert list(found.importance.values()) == sorted(found.importance.values(), reverse=True)

    def test_a_rerun_trains_nothing_and_finds_the_same(self, swept, monkeypatch):
        recipe, directory, found, _ = swept
        monkeypatch.setattr(sweeps, "trial_runner", None)
        assert sweep(recipe, directory, **CPU) == found

    def test_no_test_sample_is_looked_at(self, tmp_path, monkeypatch):
        def looked(*_):
            raise AssertionError("test samples were looked at")

        monkeypatch.setattr("infotorch.runs.scores.right_samples", looked)
        recipe = searching(trials=1, test_scores=True)
        assert sweep(recipe, tmp_path / "s", **CPU).trials[0]["status"] == "completed"
        [line] = RunRecord(tmp_path / "s/tuning/trial-000/seed-1000").metrics()
        assert not [name for name in line if name.startswith("test_")]


class TestEndings:
    def test_what_falls_behind_is_pruned_on_validation_samples(self, tmp_path, monkeypatch):
        monkeypatch.setattr("infotorch.runs.study.UNPRUNED", 2)
        space = {"optimizer.lr": SearchRange(values=(1e-9, 0.01, 0.02, 0.03))}
        found = sweep(searching(space, trials=7, epochs=8), tmp_path / "s", **CPU)
        assert found.best["settings"]["optimizer.lr"] > 1e-9
        pruned = next(trial for trial in found.trials if trial["status"] == "pruned")
        assert pruned["settings"]["optimizer.lr"] == 1e-9
        assert (pruned["mean"], pruned["scores"]) == (None, {})
        assert pruned["trial"] >= 2
        assert re.fullmatch(r"pruned after epoch 2: validation accuracy [\d.]+, its best .*", pruned["message"])
        metrics = RunRecord(tmp_path / f"s/tuning/trial-{pruned['trial']:03d}/seed-1000").metrics()
        assert [line["epoch"] for line in metrics] == [1, 2]  # a quarter of 8 is trained at least

        def stop(what, done, _total):
            if f"trial-{pruned['trial']:03d}" in what and done == 4:  # where it is pruned
                os.kill(os.getpid(), signal.SIGINT)

        recipe = searching(space, trials=pruned["trial"] + 1, epochs=8)
        with pytest.raises(KeyboardInterrupt):
            sweep(recipe, tmp_path / "stopped", progress=stop, **CPU)
        whole = sweep(recipe, tmp_path / "whole", prune=False, **CPU)
        assert {trial["status"] for trial in whole.trials} == {"completed"}
        assert whole.trials[-1]["settings"] == pruned["settings"]

    def test_a_trial_is_compared_at_the_same_epoch_of_the_same_seed_though_epochs_are_searched(self, tmp_path):
        space = {"epochs": SearchRange(values=(2, 3))}
        recipe = searching(space, trials=4, seeds=(1000, 1001))
        found = sweep(recipe, tmp_path / "s", prune=True, **CPU)
        assert {trial["settings"]["epochs"] for trial in found.trials} == {2, 3}
        begun = json.loads((tmp_path / "s/sweep.json").read_text())["study"]
        told = SharedStudy(recipe, begun, str(tmp_path / "s/journal.log")).ended()
        steps = {tuple(trial.intermediate_values) for trial in told}
        second = {steps_of[len(steps_of) // 2] for steps_of in steps}
        assert len(second) == 1  # where the second seed's first epoch stands
        assert second.isdisjoint(step for steps_of in steps for step in steps_of[: len(steps_of) // 2])

    def test_watching_moves_no_number(self, tmp_path):
        recipe = searching(trials=2, epochs=3, variant="mi-only")
        first = sweep(recipe, tmp_path / "watched", **CPU)
        second = sweep(recipe, tmp_path / "unwatched", prune=False, **CPU)
        assert [trial["scores"] for trial in first.trials] == [trial["scores"] for trial in second.trials]

    def test_divergence_and_failure_are_told_and_the_others_go_on(self, tmp_path, monkeypatch):
        space = {"optimizer.lr": SearchRange(values=(1e30, 0.01))}
        wild = {"optimizer.name": "sgd", "optimizer.schedule": "constant"}
        found = sweep(searching(space, trials=6, **wild), tmp_path / "s", **CPU)
        told = {(trial["settings"]["optimizer.lr"], trial["status"], trial["mean"] is None) for trial in found.trials}
        assert told == {(1e30, "diverged", True), (0.01, "completed", False)}
        assert found.recipe.optimizer.lr == 0.01

        def broken(*_, **__):
            raise MemoryError("out of memory")

        monkeypatch.setattr("infotorch.runs.session.train", broken)
        failed = sweep(searching(trials=2), tmp_path / "f", **CPU)
        assert [trial["status"] for trial in failed.trials] == ["failed"] * 2
        assert [trial["message"] for trial in failed.trials] == ["MemoryError: out of memory"] * 2
        assert (failed.best, failed.recipe, failed.importance) == (None, None, {})
        assert not (tmp_path / "f" / "best.json").exists()

    def test_an_interrupted_trial_goes_on_from_its_checkpoint(self, tmp_path):
        recipe = searching(trials=2, epochs=4)

        def interrupt(what, done, _total):
            if "trial-001" in what and done == 5:
                raise KeyboardInterrupt

        whole, seen = sweep(recipe, tmp_path / "whole", **CPU), []
        with pytest.raises(KeyboardInterrupt):
            sweep(recipe, tmp_path / "cut", progress=interrupt, checkpoint_seconds=0, **CPU)
        again = sweep(recipe, tmp_path / "cut", progress=lambda what, done, _: seen.append((what, done)), **CPU)
        assert seen[0] == ("search trial-001, bp seed 1000: network", 5)  # four steps were kept
        assert [trial["scores"] for trial in again.trials] == [trial["scores"] for trial in whole.trials]
        assert [trial["settings"] for trial in again.trials] == [trial["settings"] for trial in whole.trials]

    def test_a_trial_that_is_taken_over_keeps_its_number_and_runs_no_seed_again_that_has_ended(self, tmp_path):
        recipe, seen = searching(trials=1, epochs=2, seeds=(1000, 1001, 1002)), []

        def interrupt(what, done, _total):
            if "seed 1002" in what and done == 3:
                raise KeyboardInterrupt

        whole = sweep(recipe, tmp_path / "whole", **CPU)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                sweep(recipe, tmp_path / "cut", progress=interrupt, checkpoint_seconds=1e6, **CPU)
        again = sweep(recipe, tmp_path / "cut", progress=lambda what, *_: seen.append(what), **CPU)
        assert set(seen) == {"search trial-000, bp seed 1002: network"}
        assert [trial["trial"] for trial in again.trials] == [trial["trial"] for trial in kept(tmp_path / "cut")] == [0]
        assert [trial["scores"] for trial in again.trials] == [trial["scores"] for trial in whole.trials]
        assert again.best["mean"] == whole.best["mean"]

    @pytest.mark.filterwarnings("error:The reported value is ignored")
    @pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e6])
    def test_an_interrupted_trial_keeps_the_scores_that_pruning_looks_at(self, tmp_path, checkpoint_seconds):
        recipe = searching(trials=1, epochs=4, seeds=(1000, 1001))

        def interrupt(what, done, _total):
            if "seed 1001" in what and done == 7:
                raise KeyboardInterrupt

        def scores(directory):
            begun = json.loads((directory / "sweep.json").read_text())["study"]
            [trial] = SharedStudy(recipe, begun, str(directory / "journal.log")).trials()
            return trial.intermediate_values

        sweep(recipe, tmp_path / "whole", **CPU)
        with pytest.raises(KeyboardInterrupt):
            sweep(recipe, tmp_path / "cut", progress=interrupt, checkpoint_seconds=checkpoint_seconds, **CPU)
        assert scores(tmp_path / "cut") == scores(tmp_path / "whole")  # its last epoch is no place to prune
        sweep(recipe, tmp_path / "cut", **CPU)
        assert scores(tmp_path / "cut") == scores(tmp_path / "whole")


class TestRefusals:
    @pytest.mark.parametrize(
        ("recipe", "message"),
        [
            (searching(tune=True), "demo bp: tune=true is a search within each run, and a sweep is one; leave it out."),
            (searching(variant="mi-only", **{"plan.objectives": "auto"}), "plan.objectives=auto is a search within"),
            (searching({}), "demo bp: there is nothing to search; say what by --set-range key=low:high."),
            (searching({"epochs": SearchRange(low=-1, high=2, log=False, whole=True)}), "demo: epochs: input should"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_swept(self, tmp_path, recipe, message):
        with pytest.raises(ValueError, match=message):
            check_sweep(recipe, tmp_path / "s")
        assert not (tmp_path / "s").exists()

    def test_a_folder_of_other_things_or_of_another_sweep(self, swept, tmp_path):
        recipe, directory, _, _ = swept
        (tmp_path / "dear.txt").write_text("dear")
        with pytest.raises(ValueError, match="is not empty and holds no sweep; choose another"):
            check_sweep(recipe, tmp_path)
        more = recipe.model_copy(update={"search": recipe.search.model_copy(update={"trials": 50})})
        check_sweep(more, directory)
        with pytest.raises(ValueError, match=r"holds a sweep of other settings \(settings.epochs, study\)"):
            check_sweep(change(recipe, {"epochs": 2}), directory)
        with pytest.raises(ValueError, match=r"holds a sweep of other settings \(storage\); choose another --out"):
            check_sweep(recipe, directory, "sqlite:///study.db")

    def test_the_password_of_a_database_is_written_nowhere(self):
        begun = sweeps._begun(searching(), "postgresql://me:secret@host/sweeps")
        assert begun["storage"] == "postgresql://host/sweeps"
        assert "secret" not in json.dumps(begun)

    def test_without_optuna_it_says_what_to_install(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "optuna", None)
        with pytest.raises(ModuleNotFoundError, match=r"a sweep needs optuna: pip install 'infotorch\[sweep\]'"):
            sweep(searching(), tmp_path / "s", **CPU)
        assert not (tmp_path / "s").exists()


def test_what_is_written_down_is_read_while_no_other_process_writes(tmp_path, monkeypatch):
    """A process read five trials, another wrote six, and the first then wrote its five over them."""
    ended, held = SharedStudy.ended, []

    def watched(study):
        try:
            with sole_writer(tmp_path / "s"):
                held.append(False)
        except BlockingIOError:
            held.append(True)
        return ended(study)

    monkeypatch.setattr(SharedStudy, "ended", watched)
    monkeypatch.setattr(sweeps, "_importance", lambda _: {})  # it writes nothing
    sweep(searching(trials=2), tmp_path / "s", **CPU)
    assert held == [True] * 3  # after each trial, and at the end


def work(directory, storage, begin, told):
    begin.wait()
    try:
        sweep(searching(trials=6), directory, storage=storage, **CPU)
        told.put("done")
    except BaseException as error:
        told.put(repr(error))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes that are ready to begin at one moment are forked")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("database", [False, True])
def test_processes_that_begin_at_the_same_moment_do_not_meet(tmp_path, database):
    """One found what another had half written in the folder, or its tables in the database, and gave up."""
    context = multiprocessing.get_context("fork")
    for attempt in range(3):
        directory, begin, told = tmp_path / str(attempt), context.Event(), context.Queue()
        storage = f"sqlite:///{tmp_path / f'{attempt}.db'}" if database else None
        folders = [directory / str(n) if database else directory for n in range(3)]
        workers = [context.Process(target=work, args=(folder, storage, begin, told)) for folder in folders]
        for worker in workers:
            worker.start()
        begin.set()
        assert [told.get(timeout=60) for _ in workers] == ["done"] * 3
        for worker in workers:
            worker.join()
        trials = max(map(kept, folders), key=len)
        assert len({trial["settings"]["optimizer.lr"] for trial in trials}) == len(trials) == 6
