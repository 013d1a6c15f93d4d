"""Who takes which trial of a shared study; nothing is trained here."""

import threading
import time

import pytest

from infotorch.recipes.registry import find_recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.records.lock import sole_writer
from infotorch.runs import study as studies
from infotorch.runs.study import SharedStudy, patient_writer

SPACE = {
    "optimizer.lr": SearchRange(low=1e-4, high=1.0),
    "epochs": SearchRange(low=1, high=50, log=False, whole=True),
    "network.norm": SearchRange(values=("none", "batch")),
}


def searching(trials):
    recipe = find_recipe("demo", "bp")
    search = recipe.search.model_copy(update={"space": SPACE, "trials": trials, "seeds": (1000,)})
    return recipe.model_copy(update={"search": search})


@pytest.fixture
def opened(tmp_path):
    """Open the same study once more, as another process does."""

    def opening(trials=3, storage=None, **options):
        where = storage or str(tmp_path / "journal.log")
        return SharedStudy(searching(trials), "demo", where, **options)

    return opening


def ended(study, asked, folder, *, status="completed", value=0.5):
    settings = study.settings(asked)
    with study.working(asked, folder):
        told = {"status": status, "message": "", "scores": {}, "seconds": 0.0}
        assert study.end(asked, value if status == "completed" else None, **told)
    return settings


@pytest.mark.parametrize("database", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_processes_that_ask_at_once_run_as_many_trials_as_there_shall_be(opened, tmp_path, database):
    storage = f"sqlite:///{tmp_path / 'study.db'}" if database else None
    opened(9, storage)  # makes the tables
    found, lock = [], threading.Lock()

    def work(study):
        while (asked := study.take()) is not None:
            settings = ended(study, asked, tmp_path / f"trial-{asked.number}")
            with lock:
                found.append((asked.number, tuple(settings.items())))

    workers = [threading.Thread(target=work, args=(opened(9, storage),)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 9
    assert len({settings for _, settings in found}) == 9
    assert [trial.number for trial in opened(9, storage).ended()] == sorted(number for number, _ in found)
    assert opened(9, storage).take() is None


def test_a_trial_that_another_tool_ended_does_not_count(opened):
    study = opened(1)
    study.study.tell(study.take().number, state=study._states.FAIL)
    assert (study.ended(), study.take().number) == ([], 1)


def test_the_total_may_grow_and_divergence_counts(opened, tmp_path):
    study = opened(1)
    ended(study, study.take(), tmp_path / "first", status="diverged")
    assert study.take() is None
    more = opened(2)
    assert more.take().number == 1


def test_what_a_trial_tries_depends_on_its_number_alone(opened, tmp_path):
    first = opened(2)
    trials = [first.take(), first.take()]
    tried = [first.settings(asked) for asked in trials]
    assert tried[0] != tried[1]
    again = opened(2, str(tmp_path / "another.log"))
    one, two = again.take(), again.take()
    assert [again.settings(two), again.settings(one)] == tried[::-1]
    assert all(isinstance(settings["epochs"], int) for settings in tried)


def test_a_trial_whose_folder_nobody_holds_is_lost_and_another_takes_it_over(opened, tmp_path):
    study, other = opened(2), opened(2)
    killed = study.take()
    settings = study.settings(killed)
    with study.working(killed, tmp_path / "trial-000"):
        (tmp_path / "trial-000" / "kept").write_text("")
        assert other.take().number == 1  # the first still runs
        assert other.take() is None
    taken = other.take()  # its lock is free now, and it never ended
    assert taken.number == 2
    assert other.settings(taken) == settings
    assert taken.user_attrs["folder"] == "trial-000"
    assert [trial.number for trial in other.trials()] == [1, 2]
    told = {"status": "completed", "message": "", "scores": {}, "seconds": 0.0}
    assert not study.end(killed, 0.9, **told)  # as if it had only slept
    lost = other.study.get_trials()[0]
    assert lost.user_attrs["lost"] == "killed"
    assert lost.value is None


def test_settings_that_kill_twice_are_not_tried_again(opened, tmp_path):
    study, tried = opened(2), []
    for _ in range(3):
        asked = study.take()
        tried.append(study.settings(asked))
        with study.working(asked, tmp_path / "trial"):
            (tmp_path / "trial" / "kept").write_text("")
    assert tried[0] == tried[1] != tried[2]


def test_an_interrupted_trial_is_handed_back_as_often_as_need_be(opened, tmp_path):
    study, tried = opened(1), []
    for _ in range(4):
        asked = study.take()
        tried.append(study.settings(asked))
        with study.working(asked, tmp_path / "trial"):
            study.hand_back(asked)
    assert tried == tried[:1] * 4


def test_what_is_tried_after_an_interruption_is_what_would_have_been(opened, tmp_path):
    whole, cut, found = opened(13), opened(13, str(tmp_path / "cut.log")), []  # beyond ten, draws follow the scores
    expected = [ended(whole, whole.take(), tmp_path / "whole", value=number % 5) for number in range(13)]
    while (asked := cut.take()) is not None:
        if asked.number in {1, 2, 7, 13}:  # the second trial twice
            cut.settings(asked)
            with cut.working(asked, tmp_path / "cut"):
                cut.hand_back(asked)
        else:
            found.append(ended(cut, asked, tmp_path / "cut", value=len(found) % 5))
    assert found == expected


def test_a_trial_of_another_machine_is_lost_when_it_is_silent_for_long(opened, tmp_path, monkeypatch):
    study, other = opened(1), opened(1)
    asked = study.take()
    study.settings(asked)
    with monkeypatch.context() as elsewhere, study.working(asked, tmp_path / "trial"):
        elsewhere.setattr(studies.platform, "node", lambda: "elsewhere")
        assert other.take() is None
        now = time.time()
        elsewhere.setattr(studies.time, "time", lambda: now + studies.SILENCE - 60)
        assert other.take() is None
        elsewhere.setattr(studies.time, "time", lambda: now + studies.SILENCE + 60)
        assert other.take().number == 1


def test_a_worker_is_heard_of_while_it_runs(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "BEAT", 0.01)
    study, other = opened(1), opened(1)
    asked = study.take()

    def heard():
        return other.running()[0].user_attrs["heard"]

    with study.working(asked, tmp_path / "trial"):
        first, until = heard(), time.monotonic() + 5
        while heard() == first:
            assert time.monotonic() < until


def test_a_folder_that_is_held_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    def hold(held, seconds):
        with sole_writer(tmp_path / "folder"):
            held.set()
            time.sleep(seconds)

    for patience, seconds in ((5.0, 0.1), (0.05, 0.5)):
        monkeypatch.setattr(studies, "PATIENCE", patience)
        held = threading.Event()
        holder = threading.Thread(target=hold, args=(held, seconds))
        holder.start()
        held.wait()
        if patience > seconds:
            with patient_writer(tmp_path / "folder"):
                assert not holder.join()
        else:
            with pytest.raises(BlockingIOError, match="folder is being written by another thread"):
                patient_writer(tmp_path / "folder").__enter__()
            holder.join()


def test_a_lock_that_a_killed_process_has_left_is_broken(tmp_path, monkeypatch):
    """A journal of a relative path: whoever waited for its lock waited for ever, and as fast as it could."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "GRACE", 3)
    (tmp_path / "sweep").mkdir()
    journal = studies._open("sweep/journal.log")
    assert journal._backend._lock.acquire()  # and now it is killed
    assert SharedStudy(searching(1), "demo", "sweep/journal.log").take() is not None


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("foo://me:secret@here/x", r"--storage foo://here/x cannot be opened: NoSuchModuleError: .*foo"),
        ("postgresql://me:secret@here/x", r"--storage postgresql://here/x cannot be opened: "),
        ("sqlite:////nowhere/at/all.db", r"--storage sqlite:////nowhere/at/all.db cannot be opened: "),
        ("{}/broken.log", r"broken.log cannot be opened: JSONDecodeError: "),
        ("{}", r"cannot be opened: IsADirectoryError: "),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_line_without_the_password(opened, tmp_path, storage, message):
    (tmp_path / "broken.log").write_text("no journal\nat all\n")
    with pytest.raises(ValueError, match=message) as refused:
        opened(storage=storage.format(tmp_path))
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
