"""Commands go on when the reader of what they say has left."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from infotorch.commands.options import chosen
from infotorch.commands.streams import lasting_streams


@pytest.fixture
def onto(monkeypatch):
    """Write a stream to a descriptor."""
    opened = []

    def onto(descriptor, name="stdout"):
        opened.append(io.TextIOWrapper(io.FileIO(descriptor, "w")))  # unbuffered: nothing is left for later
        monkeypatch.setattr(sys, name, opened[-1])

    yield onto
    for stream in opened:
        stream.close()


def bash(command, **options):
    """What comes of a pipeline of the command line, `infotorch` in it, and the exit codes of its parts."""
    line = command.replace("infotorch", f"{sys.executable} -m infotorch") + "; echo ${PIPESTATUS[@]} >&3"
    read, write = os.pipe()
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&{write}; {line}"], pass_fds=[write], capture_output=True, text=True, **options
    )
    os.close(write)
    with open(read) as codes:
        return done.stdout, done.stderr, [int(code) for code in codes.read().split()]


def test_what_a_pipe_without_a_reader_refuses_is_dropped_and_the_descriptor_is_the_null_device(onto):
    read, write = os.pipe()
    onto(write)
    with lasting_streams():
        print("heard", flush=True)
        assert os.read(read, 100) == b"heard\n"
        os.close(read)
        print("unheard", flush=True)
        assert os.fstat(write).st_rdev == os.stat(os.devnull).st_rdev
        print("unheard", flush=True)


def test_a_terminal_that_is_hung_up_is_a_reader_that_left(onto):
    leader, follower = pty.openpty()
    onto(follower)
    with lasting_streams():
        os.close(leader)
        print("unheard", flush=True)
        assert os.fstat(follower).st_rdev == os.stat(os.devnull).st_rdev


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_an_error_still(onto):
    onto(os.open("/dev/full", os.O_WRONLY))
    with lasting_streams(), pytest.raises(OSError, match="No space left on device"):
        print("lost", flush=True)
    assert bash("infotorch list >/dev/full") == ("", "infotorch: [Errno 28] No space left on device\n", [2])


@pytest.mark.parametrize("settings", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_list_whose_reader_leaves_is_done(settings):
    options = {"env": {**os.environ, **settings}}
    assert bash("infotorch list variants demo | true", **options) == ("", "", [0, 0])
    assert bash("infotorch list nonsense 2>&1 | true", **options) == ("", "", [2, 0])


def test_a_closed_stream_is_read_by_nobody():
    assert bash("infotorch list >&-") == ("", "", [0])
    assert bash("infotorch list nonsense 2>&-") == ("", "", [2])


@pytest.mark.slow
@pytest.mark.parametrize(("pipe", "said"), [("| head -n 1", "completed"), ("2>&1 | head -n 1", "4 runs in")])
def test_a_table_whose_reader_leaves_trains_to_its_end(tmp_path, pipe, said):
    words = "--variant bp --variant random --seeds 2 --set epochs=1 --set data.limit=100 --device cpu --out t"
    out, _, codes = bash(f"infotorch table demo {words} {pipe}", cwd=tmp_path)
    assert (out.count("\n"), codes) == (1, [0, 0])
    assert said in out
    outcomes = [json.loads(path.read_text()) for path in tmp_path.glob("t/demo/*/*/outcome.json")]
    assert [outcome["status"] for outcome in outcomes] == ["completed"] * 4
    assert (tmp_path / "t/table.md").exists()


def test_the_demo_whose_reader_leaves_writes_its_page(onto, call, tmp_path, monkeypatch):
    pytest.importorskip("plotly")
    small = chosen(["demo"], ["random"], ["epochs=1", "data.limit=100"])
    monkeypatch.setattr("infotorch.commands.demo.chosen", lambda *_: small)
    read, write = os.pipe()
    onto(write, "stderr")
    os.close(read)
    code, out, _ = call("demo", "--seeds", 1, "--device", "cpu", "--out", tmp_path / "d")
    assert (code, out.splitlines()[-1]) == (0, f"report: {tmp_path / 'd/report.html'}")
    assert (tmp_path / "d/report.html").exists()
