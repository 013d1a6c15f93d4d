"""A folder that is being written: commands that write are refused in one line, those that read go on."""

import os
import signal
import sys

import pytest

from infotorch.commands.main import main
from infotorch.records.lock import sole_writer
from infotorch.records.run_record import RunRecord
from infotorch.runs.setup import Setups

SMALL = ["--set", "epochs=1", "--set", "data.limit=100", "--device", "cpu"]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line in a folder of the test: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def calling(*words):
        monkeypatch.setattr(sys, "argv", ["infotorch", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return calling


@pytest.mark.parametrize("command", ["run demo", "table demo", "demo", "run why-ib-fails"])
@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_a_command_that_writes_is_refused(call, tmp_path, command, more):
    (tmp_path / "d").mkdir()
    with sole_writer(tmp_path / "d"):
        code, out, errors = call(*command.split(), "--out", "d", *more)
    assert (code, out) == (2, "")
    told = "d is being written by another thread of this process; wait until it ends, or choose another --out."
    assert errors == f"infotorch: {told}\n"
    assert list((tmp_path / "d").iterdir()) == []


def test_a_run_of_a_table_that_another_writes_fails_and_the_others_go_on(call, tmp_path):
    words = ["table", "demo", "--variant", "random", "--seeds", "2", *SMALL, "--out", "t", "--resume"]
    with sole_writer(tmp_path / "t/demo/random/seed-0"):
        code, out, _ = call(*words)
    assert code == 1
    assert "demo random seed 0: failed" in out
    assert "demo random seed 1: completed" in out
    assert call(*words)[0] == 0


@pytest.mark.parametrize(
    "command",
    ["report r --out page.html", "collect r --out results", pytest.param("diagnose r", marks=pytest.mark.slow)],
)
def test_readers_are_not_kept_out(call, tmp_path, command):
    assert call("run", "demo", "--variant", "random", *SMALL, "--out", "r")[0] == 0
    before = RunRecord(tmp_path / "r").files()
    with sole_writer(tmp_path / "r"):
        assert RunRecord(tmp_path / "r").files() == before
        assert call(*command.split())[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_training_is_one_line_and_the_command_can_go_on(call, tmp_path, monkeypatch, number):
    """SIGTERM ended the process without a word, by the signal."""
    take = Setups.take

    def signalled(*arguments):
        os.kill(os.getpid(), number)
        return take(*arguments)

    words = ["run", "demo", "--variant", "random", *SMALL, "--out", "r"]
    with monkeypatch.context() as patched:
        patched.setattr(Setups, "take", signalled)
        assert call(*words) == (
            130, "", "infotorch: interrupted; the same command with --resume --out r goes on.\n",
        )  # fmt: skip
    assert not (tmp_path / "r").exists()
    assert call(*words, "--resume")[0] == 0
