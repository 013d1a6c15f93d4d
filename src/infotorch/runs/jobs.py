"""The runs of a table side by side: processes of this machine, or a cluster's, through joblib's backends."""

from __future__ import annotations

import io
import os
import secrets
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from infotorch.numerics.extras import require
from infotorch.numerics.near_misses import suggest
from infotorch.numerics.threads import take_threads, threads_are_chosen
from infotorch.recipes.demonstration import AnyRecipe
from infotorch.records.outcome import Outcome
from infotorch.records.progress import Progress
from infotorch.runs.job_board import LOOK_S, Board, open_board
from infotorch.runs.resume import collected_outcomes
from infotorch.runs.runner import run
from infotorch.runs.setup import Setups
from infotorch.runs.stopping import stop_requests

#: A run that was under way when processes were killed is begun again beside others so often, and then once alone.
_TRIES = 2
_TOKEN = secrets.token_hex(8)  # of this load of the file: with it process ids of several machines differ
_of_thread = threading.local()  # a worker's runs load their samples once


class Job(NamedTuple):
    """One run of a table."""

    recipe: AnyRecipe
    seed: int

    @property
    def name(self) -> str:
        """In words, and as a file."""
        return f"{self.recipe.name} {self.recipe.variant} seed {self.seed}"

    def where(self, directory: Path) -> Path:
        """Its run directory."""
        return directory / self.recipe.name / self.recipe.variant / f"seed-{self.seed}"

    def ended(self, status: Any, message: str) -> Outcome:
        """An outcome without numbers."""
        return Outcome(status, message, self.recipe.name, self.recipe.variant, self.seed)


def run_side_by_side(
    recipes: Sequence[AnyRecipe],
    directory: Path,
    *,
    seeds: int,
    workers: int,
    backend: str = "loky",
    address: str | None = None,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    finished: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """What `run_table` does, with several runs at a time, each in a process of its own.

    A run gives the numbers that it gives alone with as many threads: this machine's cores are divided among the
    processes, unless OMP_NUM_THREADS or MKL_NUM_THREADS says otherwise. Where a process is killed, what was under way
    goes on from its checkpoints; a run that kills its process again and again fails, and the others go on. A process
    that does not see `directory` sends its run directory back.

    Args:
        recipes: the table's variants.
        directory: the caller holds it.
        seeds: of every variant, as in `run_table`.
        workers: processes.
        backend: of joblib: "loky" for this machine, "dask" for a cluster, whose workers should have one thread each, so
            that they take one run at a time; or another that is registered.
        address: of dask's scheduler; None for a cluster of `workers` processes on this machine.
        device: see `launch`.
        resume: keep what has ended, and go on from checkpoints.
        progress: told of the runs that are under way, their steps together.
        finished: hears of each outcome at once.

    Returns:
        The outcomes in the order of the table; after an interruption those of the runs that had begun.

    Raises:
        ValueError: seeds or workers below 1, a backend of threads or one that joblib does not know, or an address for
            another than dask.
        ModuleNotFoundError: dask is not installed.
        OSError: nobody answers at the address.
    """
    for name, count in (("seeds", seeds), ("workers", workers)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}.")
    _check_backend(backend)
    jobs = [Job(recipe, seed) for recipe in recipes for seed in recipe.seeds(seeds)]
    collected = collected_outcomes(recipes, directory, seeds) if resume else {}
    known = {job.name: collected.get((job.recipe.name, job.recipe.variant, job.seed)) for job in jobs}
    outcomes: dict[str, Outcome] = {}

    def ended(name: str, outcome: Outcome) -> None:
        outcomes[name] = outcome
        if finished is not None:
            finished(outcome)

    waiting = {}
    for job in jobs:
        outcome = known[job.name]
        if outcome is not None and not job.where(directory).exists():
            ended(job.name, outcome)
        else:
            waiting[job.name] = job
    with (
        _cluster(backend, address, workers),
        open_board(directory) as board,
        stop_requests() as stop,
        _attended(board, progress, stop),
    ):
        rounds = _Rounds(directory, board, workers, backend, device, resume, ended)
        while waiting and not stop.is_set():
            rounds.next(waiting, stop)
    return [outcomes[job.name] for job in jobs if job.name in outcomes]


def _check_backend(backend: str) -> None:
    from joblib.parallel import BACKENDS, EXTERNAL_BACKENDS

    if backend == "threading":
        raise ValueError(
            "runs take processes, as threads of one would share its settings; got 'threading', use 'loky'."
        )
    known = [name for name in (*BACKENDS, *EXTERNAL_BACKENDS) if name != "threading"]
    if backend not in known:
        raise ValueError(f"joblib has no backend {backend!r}; {suggest(backend, known)}")


@contextmanager
def _cluster(backend: str, address: str | None, workers: int) -> Iterator[None]:
    """What a backend needs in this process: dask a client, of which joblib takes the present one."""
    if backend != "dask":
        if address is not None:
            raise ValueError(f"an address is for the backend 'dask', got {backend!r}.")
        yield
        return
    distributed = require("cluster", "distributed", "running on a dask cluster")
    where = {"address": address} if address else {"n_workers": workers, "threads_per_worker": 1}
    with distributed.Client(**where):
        yield


@contextmanager
def _attended(board: Board, progress: Progress | None, stop: threading.Event) -> Iterator[None]:
    """Tell of all runs together, and hand on a stop, twice a second from a thread of its own."""
    over = threading.Event()

    def attend() -> None:
        while not over.wait(LOOK_S):
            if stop.is_set():
                board.ask_to_stop()
            notes = board.notes()
            if progress is not None:
                told = "; ".join(f"{note.what}, {note.share:.0%}" for note in notes.values()) or "starting processes"
                done, total = (sum(getattr(note, name) for note in notes.values()) for name in ("done", "total"))
                progress(told, done, max(total, 1))

    thread = threading.Thread(target=attend, name="infotorch-jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Ended(NamedTuple):
    """What a worker sends: no outcome of a run that was not begun, files where the table does not see its folder."""

    name: str
    process: str
    outcome: Outcome | None = None
    files: bytes | None = None


class _Rounds:
    """Rounds of runs: where a process is killed joblib gives up all of them, and what is left makes the next round."""

    def __init__(
        self,
        directory: Path,
        board: Board,
        workers: int,
        backend: str,
        device: str,
        resume: bool,
        ended: Callable[[str, Outcome], None],
    ) -> None:
        self.directory, self.board, self.ended = directory, board, ended
        self.workers, self.backend, self.device, self.resume = workers, backend, device, resume
        self.tries: Counter[str] = Counter()

    def next(self, waiting: dict[str, Job], stop: threading.Event) -> None:
        """Another round of what waits; what ends in it waits no longer."""
        together = {name: job for name, job in waiting.items() if self.tries[name] < _TRIES}
        if together:
            self._round(together, waiting, self.workers, stop)
            return
        name, job = next(iter(waiting.items()))
        self._round({name: job}, waiting, 2, stop)  # with one joblib would take this process, to be killed with it
        if name in waiting and not stop.is_set():
            del waiting[name]
            self.ended(name, job.ended("failed", "its process was killed each time; was there too little memory?"))

    def _round(self, jobs: dict[str, Job], waiting: dict[str, Job], workers: int, stop: threading.Event) -> None:
        from joblib import Parallel, delayed, parallel_config

        # A cluster's workers have their own share of their own machines.
        own = self.backend != "loky" or threads_are_chosen()
        threads = None if own else max(1, (os.cpu_count() or 1) // workers)
        options = {"device": self.device, "resume": self.resume, "threads": threads}
        tasks = [delayed(_work)(job, self.directory, self.board, **options) for job in jobs.values()]
        before = len(waiting)
        try:
            with parallel_config(backend=self.backend, n_jobs=workers):
                # A batch is one run: joblib's own choice would hold back what is done until its neighbours are.
                parallel: Any = Parallel(return_as="generator_unordered", batch_size=1)  # pyright: ignore[reportArgumentType]
                for ended in parallel(tasks):
                    self._take(waiting, ended, stop)
        except Exception:  # every backend has errors of its own for a worker that is gone, and our tasks raise none
            begun = [name for name in self.board.notes() if name in waiting]
            if not begun and len(waiting) == before:
                raise  # nothing was under way: it is not a worker's end, and would come again
            self.tries.update(begun)
            self.board.forget(begun)
            which = ", ".join(begun) or "what it would have done"
            print(f"a process was killed; {which}: goes on from the last checkpoint ...", file=sys.stderr)

    def _take(self, waiting: dict[str, Job], found: _Ended, stop: threading.Event) -> None:
        if found.outcome is None:
            return
        if found.outcome.status == "interrupted":
            if found.process == _process():
                # joblib takes this process where there is one job alone, and the run has heard of it in our place.
                stop.set()
                self.board.ask_to_stop()
            if not stop.is_set():
                return  # its process was asked to stop and the table was not: it waits for the next round
        if found.files is not None:
            _unpack(found.files, waiting[found.name].where(self.directory))
        del waiting[found.name]
        self.ended(found.name, found.outcome)


def _process() -> str:
    """This process and no other, on any machine."""
    return f"{_TOKEN} {os.getpid()}"


def _work(job: Job, directory: Path, board: Board, *, device: str, resume: bool, threads: int | None) -> _Ended:
    """One run, in a worker."""
    if threads is not None:
        take_threads(threads)
    if board.is_shared:
        if board.stops:
            return _Ended(job.name, _process())
        with board.telling(job.name) as tell:
            outcome = _outcome(job, job.where(directory), device, resume=resume, progress=tell)
            return _Ended(job.name, _process(), outcome)
    with tempfile.TemporaryDirectory(prefix="infotorch-job-") as scratch:
        outcome = _outcome(job, Path(scratch) / "run", device, resume=False, progress=None)
        return _Ended(job.name, _process(), outcome, _packed(Path(scratch) / "run"))


def _outcome(job: Job, where: Path, device: str, *, resume: bool, progress: Progress | None) -> Outcome:
    setups = _of_thread.__dict__.setdefault("setups", Setups())
    try:
        # Whatever is there was begun by this table, or is to be gone on with: of another the caller has refused.
        there = resume or where.exists()
        return run(job.recipe, where, seed=job.seed, device=device, resume=there, progress=progress, setups=setups)
    except KeyboardInterrupt:
        return job.ended("interrupted", "interrupted")
    except Exception as error:  # before training: this run fails, the others go on
        return job.ended("failed", f"{type(error).__name__}: {error}")


def _packed(folder: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return held.getvalue()


def _unpack(files: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(files)) as archive:
        archive.extractall(folder)  # nothing leaves the folder, whatever an archive names
