"""One writer a directory: another thread, another process, a killed one."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from infotorch.records.lock import LOCK, is_empty, sole_writer

HOLDS = """
import sys, time
from pathlib import Path
from infotorch.records.lock import sole_writer

with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that writes a directory, which exists when it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def refused(directory):
    with pytest.raises(BlockingIOError) as caught, sole_writer(directory):
        pass
    return str(caught.value)


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path, holder):
    told = rf"{tmp_path}/run is being written by another process \(pid {holder.pid}\); wait until it ends, or choose .*"
    for _ in range(2):
        assert re.fullmatch(told, refused(tmp_path / "run"))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    assert is_empty(tmp_path / "run")
    with sole_writer(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_text() == str(os.getpid())
    assert list((tmp_path / "run").iterdir()) == []  # it was there before


def test_a_second_thread_is_refused(tmp_path):
    found = []
    with sole_writer(tmp_path):
        thread = threading.Thread(target=lambda: found.append(refused(tmp_path)))
        thread.start()
        thread.join()
    assert "is being written by another thread of this process" in found[0]
    with sole_writer(tmp_path):
        pass


def test_what_is_written_stays_and_what_was_made_for_nothing_goes(tmp_path):
    with sole_writer(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with sole_writer(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_of_many_at_once_one_writes_at_a_time(tmp_path):
    """A lock's file is taken away by its holder: one who waited for that file must not take it for the lock."""
    inside, most, deadline = [], [], time.monotonic() + 60

    def enter():
        entered = 0
        while entered < 30 and time.monotonic() < deadline:
            try:
                with sole_writer(tmp_path / "run"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                    entered += 1
            except (BlockingIOError, FileNotFoundError):
                pass

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) == 4 * 30


def test_a_file_is_no_directory_to_write(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileExistsError, match="is a file, and a run needs a directory"), sole_writer(tmp_path / "file"):
        pass


def test_where_the_file_system_has_no_locks_it_is_said(tmp_path, monkeypatch):
    import fcntl

    def lacks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", lacks)
    with (
        pytest.warns(UserWarning, match=r"its file system has no locks \(Function not implemented\); see that"),
        sole_writer(tmp_path),
    ):
        pass
