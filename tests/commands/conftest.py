"""What tests of commands share."""

import sys

import pytest

from infotorch.commands.main import main


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line: (exit code, stdout, stderr)."""

    def calling(*words):
        monkeypatch.setattr(sys, "argv", ["infotorch", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return calling
