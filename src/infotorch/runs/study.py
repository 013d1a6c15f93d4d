"""The study of a sweep, which processes and machines share: who takes which trial, and what a killed one leaves.

A trial of Optuna is a numbered row of the journal or the database. These attributes are ours:

    folder    its folder, which the trial that takes over from a lost one has too
    worker    machine and folder of the process that runs it; it holds the lock of that folder
    heard     when it last said that it lives, in seconds since 1970
    done      seed -> score of its runs that have ended, which the trial that takes over does not run again
    lost      "killed", "interrupted" or "surplus": it does not count as a trial
    status    how it ended, with message, scores and seconds
"""

from __future__ import annotations

import platform
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from infotorch.numerics.extras import require
from infotorch.numerics.seeds import derive_seed
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search import SAMPLER_SEED, direction_of, suggest
from infotorch.recipes.settings import SettingValue
from infotorch.records.lock import sole_writer

#: Seconds between two signs of life, and without any until a trial of another machine is lost.
BEAT, SILENCE = 30.0, 300.0
#: Seconds for which a folder may be looked at by others, who each hold its lock for a moment.
PATIENCE = 10.0
#: Seconds after which others break the lock of a journal that nobody writes: whoever held it was killed.
GRACE = 30
#: Trials that complete before any is pruned, as Optuna has it.
UNPRUNED = 5


class SharedStudy:
    """The study of one sweep, in a journal file or a database; it is made where it is missing.

    Args:
        recipe: whose search it is: `recipe.search` says where, and how many trials there shall be.
        name: of the study.
        storage: a journal file, or the URL of a database.
        prune: whether trials may be pruned.

    Raises:
        ModuleNotFoundError: optuna is not installed (extra `sweep`), or what a database needs is not.
        ValueError: the storage cannot be opened.
    """

    def __init__(self, recipe: Recipe, name: str, storage: str, *, prune: bool = True) -> None:
        self._optuna = require("sweep", "optuna", "a sweep")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self.recipe, self._states = recipe, self._optuna.trial.TrialState
        self._storage = _open(storage)
        pruners = self._optuna.pruners
        self.study = self._optuna.create_study(
            study_name=name,
            storage=self._storage,
            direction=direction_of(recipe),
            pruner=pruners.MedianPruner(UNPRUNED) if prune else pruners.NopPruner(),
            load_if_exists=True,
        )
        self._id = self._storage.get_study_id_from_name(name)

    def trials(self) -> list[Any]:
        """The trials that count, in order: those that have ended or run, and those that wait to be taken over."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if self._counts(trial)]

    @staticmethod
    def _counts(trial: Any) -> bool:
        # Without a status it was another tool that ended it.
        return "lost" not in trial.user_attrs and (not trial.state.is_finished() or "status" in trial.user_attrs)

    @staticmethod
    def _draws(trial: Any) -> bool:
        return "fixed_params" not in trial.system_attrs and trial.user_attrs.get("lost") != "surplus"

    def running(self) -> list[Any]:
        """The trials that run now."""
        return [trial for trial in self.trials() if trial.state == self._states.RUNNING]

    def ended(self) -> list[Any]:
        """The trials that have ended, be it by divergence."""
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def take(self) -> Any | None:
        """A trial for this process to run, or None where the study has as many as it shall have.

        Two processes that ask at once may both find the last one free. The numbers of their trials differ, so that the
        one with the higher number knows that it is one too many.
        """
        while True:
            self._release_lost()
            if sum(trial.state != self._states.WAITING for trial in self.trials()) >= self.recipe.search.trials:
                return None
            asked = self.study.ask()
            before = sum(trial.number < asked.number for trial in self.trials())
            if before < self.recipe.search.trials:
                return asked
            self._set_aside(asked.number, "surplus")

    def reported(self, asked: Any) -> set[int]:
        """Where scores of a trial are known already: it takes over from another."""
        return set(self._storage.get_trial(self._trial_id(asked.number)).intermediate_values)

    def settings(self, asked: Any) -> dict[str, SettingValue]:
        """What a trial tries. The sampler's seed is of the trial, so that no two processes draw the same.

        It counts the trials that have drawn: what a trial that takes over tries is known, and the next draws as if
        nothing had been interrupted.
        """
        drawn = sum(
            trial.number < asked.number and self._draws(trial) for trial in self.study.get_trials(deepcopy=False)
        )
        seed = derive_seed(SAMPLER_SEED, "sweep", drawn) % 2**32
        self.study.sampler = self._optuna.samplers.TPESampler(seed=seed)
        return {key: suggest(asked, key, where) for key, where in self.recipe.search.space.items()}

    @contextmanager
    def working(self, asked: Any, folder: Path) -> Iterator[None]:
        """Within, the trial is known to be run by this process: by the lock of its folder, and by signs of life."""
        with patient_writer(folder):
            # Only now: whoever reads these may try the lock.
            asked.set_user_attr("folder", folder.name)
            asked.set_user_attr("heard", time.time())
            asked.set_user_attr("worker", {"machine": platform.node(), "folder": str(folder.resolve())})
            stopped = threading.Event()
            beating = threading.Thread(target=self._beat, args=(asked, stopped), daemon=True)
            beating.start()
            try:
                yield
            finally:
                stopped.set()
                beating.join()

    def _beat(self, asked: Any, stopped: threading.Event) -> None:
        while not stopped.wait(BEAT):
            # A trial that others took for lost is found out when it ends; a storage that is away may come back.
            with suppress(self._optuna.exceptions.OptunaError, OSError):
                asked.set_user_attr("heard", time.time())

    def end(self, asked: Any, value: float | None, **told: Any) -> bool:
        """Write down how a trial ended: status, message, scores and seconds.

        Returns:
            Whether it was still ours: a machine that slept for long may find that another has run the trial since.
        """
        states = {"completed": self._states.COMPLETE, "pruned": self._states.PRUNED}
        return self._finish(asked.number, told, value, states.get(told["status"], self._states.FAIL))

    def hand_back(self, asked: Any) -> None:
        """Give up a trial that was interrupted: whoever asks next goes on with it."""
        self._give_up(asked.number, "interrupted")

    def _release_lost(self) -> None:
        for trial in self.running():
            if _is_lost(trial):
                self._give_up(trial.number, "killed")

    def _give_up(self, number: int, why: str) -> None:
        if not self._set_aside(number, why):
            return
        trial = self._storage.get_trial(self._trial_id(number))
        kills = trial.user_attrs.get("kills", 0) + (why == "killed")
        # Settings that kill whoever tries them, as memory runs out, are not tried a third time.
        if kills < 2 and "folder" in trial.user_attrs:
            told = {"folder": trial.user_attrs["folder"], "kills": kills, "done": trial.user_attrs.get("done", {})}
            again = self._optuna.trial.create_trial(
                state=self._states.WAITING,
                system_attrs={"fixed_params": trial.params},  # as `enqueue_trial` has it, which forgets the scores
                user_attrs=told,
                intermediate_values=trial.intermediate_values,
            )
            self.study.add_trial(again)

    def _set_aside(self, number: int, why: str) -> bool:
        return self._finish(number, {"lost": why}, None, self._states.FAIL)

    def _finish(self, number: int, told: Mapping[str, Any], value: float | None, state: Any) -> bool:
        """End a trial; whether no other process had."""
        try:
            for key, one in told.items():
                self._storage.set_trial_user_attr(self._trial_id(number), key, one)
            self.study.tell(number, value, state=state)
        except (RuntimeError, ValueError):  # Optuna has one for each of the two, where another was quicker
            if not self._storage.get_trial(self._trial_id(number)).state.is_finished():
                raise
            return False
        return True

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)


@contextmanager
def patient_writer(folder: Path) -> Iterator[None]:
    """As `sole_writer`, of a folder that others hold for moments only.

    Raises:
        BlockingIOError: another process, or another thread of this one, has held it for long.
    """
    until = time.monotonic() + PATIENCE
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(sole_writer(folder))
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield


def _is_lost(trial: Any) -> bool:
    """Whether nobody runs a trial any more.

    On this machine its folder's lock tells at once; of another one there is only its silence.
    """
    worker = trial.user_attrs.get("worker")
    if worker is not None and worker["machine"] == platform.node() and Path(worker["folder"]).is_dir():
        try:
            with sole_writer(Path(worker["folder"])):
                return True
        except BlockingIOError:
            return False
    heard = trial.user_attrs.get("heard") or trial.datetime_start.timestamp()
    return time.time() - heard > SILENCE


def _open(storage: str) -> Any:
    storages = require("sweep", "optuna.storages", "a sweep")
    journal = require("sweep", "optuna.storages.journal", "a sweep")
    refused = require("sweep", "sqlalchemy.exc", "a sweep").SQLAlchemyError, OSError, ValueError, KeyError, ImportError
    try:
        if "://" in storage:
            return _database(storages, storage)
        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        # The whole path: a lock that a killed process has left is broken by its age, which is read through the link.
        path = str(Path(storage).resolve())
        # Links need rights on Windows.
        lock = journal.JournalFileOpenLock if sys.platform == "win32" else journal.JournalFileSymlinkLock
        return storages.JournalStorage(journal.JournalFileBackend(path, lock(path, grace_period=GRACE)))
    except refused as error:
        told = " ".join(str(error).split())
        where = without_password(storage)
        raise ValueError(f"--storage {where} cannot be opened: {type(error).__name__}: {told:.200}") from error


def _database(storages: Any, url: str) -> Any:
    databases = require("sweep", "sqlalchemy.exc", "a sweep")
    for _ in range(3):  # processes that begin at once all make the tables, and one of them can
        with suppress(databases.DBAPIError):
            return storages.RDBStorage(url)
        time.sleep(0.2)
    return storages.RDBStorage(url)


def without_password(storage: str) -> str:
    """The URL of a database as it may be written down: without user and password.

    Example:
        >>> without_password("postgresql://me:secret@host/sweeps")
        'postgresql://host/sweeps'
    """
    return re.sub(r"://[^/]*@", "://", storage)
