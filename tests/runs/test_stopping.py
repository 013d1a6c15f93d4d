"""How a run is stopped: in training, and before it."""

import os
import signal
import subprocess
import sys

import pytest

from infotorch.runs.stopping import interrupting, stop_requests

# An import of numpy swallows what is raised in it or turns it into another error; one in an `exec` marks Python itself.
SIGNALLED = """
import os, signal, sys
from infotorch.commands import main

def app(**_):
    {swallows}
    from infotorch.runs.stopping import stop_requests
    with stop_requests():
        print("trained")

main.app = app
main.main()
"""
SWALLOWED = "\n    ".join(["try:", "    os.kill(os.getpid(), signal.SIGTERM)", "except BaseException:", "    {then}"])


class TestInterrupts:
    def test_the_first_signal_asks_and_the_second_interrupts(self, capsys):
        kept = signal.getsignal(signal.SIGINT)
        with stop_requests() as stop:
            assert not stop.is_set()
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is kept
        assert "stopping at the next step boundary" in capsys.readouterr().err

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_one_before_training_that_was_swallowed_interrupts_where_training_begins(self, number):
        kept = signal.getsignal(number)
        with interrupting() as stopped:
            assert not stopped()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
            assert stopped()
            with pytest.raises(KeyboardInterrupt), stop_requests():
                pytest.fail("trained")
        assert signal.getsignal(number) is kept
        with stop_requests():
            pass

    @pytest.mark.parametrize(
        "swallows",
        [
            SWALLOWED.format(then="pass"),
            SWALLOWED.format(then="raise RecursionError('of numpy')"),
            "exec('os.kill(os.getpid(), signal.SIGTERM)')",
            "import weakref; weakref.finalize(set(), os.kill, os.getpid(), signal.SIGTERM)",
        ],
    )
    def test_whatever_an_import_makes_of_a_signal_it_is_one_line_and_130(self, swallows):
        """Seen in turn: the run went on, a traceback with exit code 1, Python's end by SIGINT, one beside the line."""
        words = [sys.executable, "-c", SIGNALLED.format(swallows=swallows)]
        ended = subprocess.run(words, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "infotorch: interrupted.\n")
