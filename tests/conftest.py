"""What several test files share."""

import gc
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from infotorch.data import check
from infotorch.numerics import compiled

#: Words of a skipped test that an integration of ours is to blame for, which CI installs.
MISSING = ("could not import", "is not installed", "no Chromium")


UNSEEN = pytest.StashKey[list[str]]()


def pytest_collection_finish():
    """What is there now stays to the end: Python's collector need not look through it again and again."""
    gc.freeze()


def pytest_sessionfinish(session):
    """In CI a test of an integration that skips is a failure: it would be believed to have passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    reasons = [(report.nodeid, str(report.longrepr)) for report in reporter.stats.get("skipped", [])]
    unseen = [f"{node}: {reason}" for node, reason in reasons if any(word in reason for word in MISSING)]
    if unseen:
        session.config.stash[UNSEEN] = unseen
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config):
    """These are told at the very end, behind pytest's own last line, because a reader of CI's log sees its end."""
    for line in config.stash.get(UNSEEN, []):
        print(f"FAILED, skipped in CI: {line}")


@pytest.fixture
def two_blobs():
    """256 points of two classes in four dimensions, linearly separable but for noise."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(256) % 2
    x = torch.randn(256, 4, generator=generator) + 2.0 * y[:, None]
    return x, y


@pytest.fixture
def make_mlp():
    """A function that makes the same three-layer network every time it is called."""

    def make(widths=(4, 8, 6, 2)):
        generator = torch.Generator().manual_seed(1)
        layers = []
        for before, after in pairwise(widths):
            linear = nn.Linear(before, after)
            with torch.no_grad():
                linear.weight.copy_(torch.randn(after, before, generator=generator) / before**0.5)
                linear.bias.zero_()
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return make


@pytest.fixture
def real() -> Callable[[str], Path]:
    """The folder of a real set's data, or skip the test."""

    def folder(name: str) -> Path:
        root = os.environ.get("INFOTORCH_DATA")
        if not root or any(status.status == "missing" for status in check(name, root)):
            pytest.skip(f"INFOTORCH_DATA does not hold {name}")
        return Path(root)

    return folder


@pytest.fixture(params=["numba", "without numba"])
def either_way(request, monkeypatch):
    """Runs a test twice: with the compiled loops, and as if numba were not installed."""
    if request.param == "without numba":
        monkeypatch.setitem(sys.modules, "numba", None)
        for name in ("jit", "tree_loops", "plane_loops", "block_loops"):
            monkeypatch.delitem(sys.modules, f"infotorch.numerics.{name}", raising=False)
    compiled._loops.cache_clear()
    assert (compiled.tree_loops() is None) == (request.param == "without numba")
    yield
    compiled._loops.cache_clear()
