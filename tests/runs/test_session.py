"""One process's share of a run: how it is stopped."""

import os
import signal

import pytest

from infotorch.runs.session import stop_requests


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
