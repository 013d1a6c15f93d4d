"""Every example runs, as a user would run it, and says what its comments promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def printed():
    def output(path):
        ended = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, timeout=120)
        return ended.stdout

    return {path.stem: output(path) for path in EXAMPLES}


def test_there_are_examples(printed):
    assert set(printed) >= {"measure", "own_loop", "own_model"}


def test_the_measured_information_is_the_known_one(printed):
    value, error = (float(n) for n in re.search(r"^(\S+) nats .*error (\S+)", printed["measure"]).groups())
    assert abs(value - 0.8047) < 3 * error + 0.05  # three standard errors, and the bias of three dimensions


def test_the_own_model_learns(printed):
    assert float(re.search(r"test accuracy (\S+)", printed["own_model"]).group(1)) > 0.9


def test_the_own_loop_reports_both_bounds(printed):
    lines = printed["own_loop"].splitlines()
    assert len(lines) == 3
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert losses[2] < losses[0]
