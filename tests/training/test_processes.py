"""Several processes that train one plan end with what one process gives."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from tests.training import watched_in_processes
from tests.training.in_processes import CASES, OF_GRAPHS, run
from torch import nn

from infotorch import Plan, fit
from infotorch.networks.same_draws import SameDraws
from infotorch.numerics.ranks import Ranks
from infotorch.training.loop import train
from infotorch.training.processes import check_processes

PROGRAM = Path(__file__).with_name("in_processes.py")


def in_processes(out, *names, count=2, program=PROGRAM):
    words = ["--nproc-per-node", str(count), "--standalone", str(program), str(out), *names]
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(f"{out}-{rank}.pt") for rank in range(count)]


def compare(found, names):
    """Weights, losses and all that objectives and optimisers hold, in every process, within 1e-9 of one process's."""
    for name in names:
        one = run(name, None)
        for rank, several in enumerate(found):
            assert "error" not in several[name], (name, several[name])
            off = (one["losses"] - several[name]["losses"]).abs().max().item()
            for first, second in zip(one["state"], several[name]["state"], strict=True):
                off = max(off, (first.double() - second.double()).abs().max().item() if first.numel() else 0.0)
            assert off < 1e-9, (name, rank, off)


REFUSALS = {
    "other batches": "the processes read different batches; give each the whole training data",
    "another seed": "train: the processes differ in seed; give each the same plan, samples, epochs and seed",
    "another order": "train: the processes differ in order; give each the same plan, samples, epochs and seed",
    "resumed in one": "train: the processes differ in optimisers and schedules; give each the same plan",
    "experts with norms": "several processes: the rows of each are at the batch norm of another layer",
    "dropout again": "several processes: dropout or noise cannot run again within torch.utils.checkpoint",
    "norm again": "several processes: batch norm cannot run again within torch.utils.checkpoint",
}


@pytest.mark.slow
def test_what_several_processes_cannot_share_is_refused_in_all(tmp_path):
    for each in in_processes(tmp_path / "two", *REFUSALS):
        for name, message in REFUSALS.items():
            assert message in each[name]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_every_objective_update_and_order(tmp_path, count):
    names = sorted(CASES | OF_GRAPHS) if count == 2 else ["X:mine", "Y:supcon", "simultaneous", "proximal chain"]
    compare(in_processes(tmp_path / "out", *names, count=count), names)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:lr_range_test")
def test_what_watches_and_searches_sees_the_same_in_every_process(tmp_path):
    """A plane, a signal and the rates that follow it, a range test and a diagnosis, in a user's own script."""
    watched_in_processes.main(str(tmp_path / "one"))
    one = torch.load(tmp_path / "one-0.pt")
    first, second = in_processes(tmp_path / "two", program=PROGRAM.with_name("watched_in_processes.py"))
    assert first == second
    assert first.keys() == one.keys()
    assert off(first, one) < 1e-9


def off(first, second):
    """The largest difference of two numbers in the same place; what is no number is equal."""
    if isinstance(first, dict):
        return max(off(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return max(0.0, *(off(one, other) for one, other in zip(first, second, strict=True)))
    if isinstance(first, float):
        return abs(first - second)
    assert first == second
    return 0.0


def gathered(part, whole, rows):
    """What the processes would gather: the batch, or what is not yet written."""
    return whole.clone() if torch.equal(part, whole[rows]) else part.new_empty(6, *part.shape[1:])


def test_noise_of_some_rows_is_that_of_the_batch():
    whole, rows = torch.arange(30.0).reshape(6, 5), slice(2, 4)
    layers = [nn.Dropout(0.5), nn.RReLU(), nn.AlphaDropout(0.3)]
    draws = [
        torch.randn_like,
        torch.bernoulli,
        lambda x: torch.normal(x, 1.0),
        lambda x: torch.rand(3 * len(x), 2).reshape(len(x), -1),
        lambda x: torch.poisson(x),
        lambda x: torch.empty_like(x).exponential_(),
        lambda x: torch.nn.functional.gumbel_softmax(x),
    ]
    for draw in (*layers, *draws):
        given = whole / 30 if draw is torch.bernoulli else whole
        torch.manual_seed(0)
        wanted = draw(given)[rows]
        state = torch.get_rng_state()
        torch.manual_seed(0)
        with SameDraws(rows, 6, gather=lambda part, given=given: gathered(part, given, rows)):
            found = draw(given[rows])
        assert torch.equal(found, wanted), draw
        assert torch.equal(torch.get_rng_state(), state), draw


def test_noise_of_a_weight_is_drawn_as_it_is():
    torch.manual_seed(0)
    wanted = torch.randn(5, 2)
    torch.manual_seed(0)
    with SameDraws(slice(0, 2), 4, gather=lambda rows: rows):
        assert torch.equal(torch.randn(5, 2), wanted)


def test_shares_are_as_equal_as_can_be_and_leave_no_row_out():
    for rows in range(12):
        for size in range(1, 5):
            counts = Ranks(0, size).counts(rows)
            assert sum(counts) == rows
            assert max(counts) - min(counts) <= 1
            numbers = list(range(rows))
            assert [n for rank in range(size) for n in numbers[Ranks(rank, size).rows(rows)]] == numbers


LEAVING = """
import atexit, sys, torch
from lightning_fabric import Fabric
from torch import distributed, nn
from infotorch import Plan, TensorBatches, train

# The first to be registered is the last to be called.
atexit.register(lambda: open(f"{sys.argv[1]}-{rank}", "w").write(str(distributed.is_initialized())))
fabric = Fabric(accelerator="cpu", devices=2)
fabric.launch()
rank = fabric.global_rank
for order in ("sequential", "pipelined"):
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    plan = Plan.layerwise(network, objectives="Y,CE", order=order, optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
    batches = TensorBatches(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), batch_size=4)
    steps = train(plan, batches, epochs=2, fabric=fabric)
    next(steps)  # a loop that is not gone through, and kept
"""


@pytest.mark.slow
def test_a_script_that_ends_leaves_the_other_processes_first(tmp_path):
    """gloo aborts one process in some dozens otherwise: too seldom for a test to wait for it."""
    program = tmp_path / "program.py"
    program.write_text(LEAVING)
    words = ["--nproc-per-node", "2", "--standalone", str(program), str(tmp_path / "joined")]
    words = [sys.executable, "-m", "torch.distributed.run", *words]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert "Error" not in done.stderr
    assert [(tmp_path / f"joined-{rank}").read_text() for rank in range(2)] == ["False", "False"]


DYING = """
import os, sys, torch
from lightning_fabric import Fabric
from torch import nn
from infotorch import Plan, TensorBatches, train

fabric = Fabric(accelerator="cpu", devices=2)
fabric.launch()
plan = Plan.layerwise(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), objectives="Y,CE", optimizer=torch.optim.Adam)
batches = TensorBatches(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), batch_size=4)
try:
    for info in train(plan, batches, epochs=20, fabric=fabric):
        if fabric.global_rank == 1 and info.position.epoch == 2:
            os._exit(0)
except RuntimeError as error:
    open(sys.argv[1], "w").write(str(error))
"""


@pytest.mark.slow
def test_a_script_is_told_in_words_that_another_process_has_gone(tmp_path):
    """It was told "[gloo/transport/tcp/pair.cc:537] Connection closed by peer"."""
    program = tmp_path / "program.py"
    program.write_text(DYING)
    words = ["--nproc-per-node", "2", "--standalone", str(program), str(tmp_path / "told")]
    subprocess.run([sys.executable, "-m", "torch.distributed.run", *words], check=True, capture_output=True)
    assert (tmp_path / "told").read_text() == (
        "train: another process has ended or failed, and its own output says why; this one cannot go on without it."
    )


class Joined:
    """What `check_processes` asks of a fabric."""

    def __init__(self, size, dtype=None):
        self.world_size, self.dtype = size, dtype

    def autocast(self):
        return nullcontext() if self.dtype is None else torch.autocast("cpu", dtype=self.dtype)


def test_float16_is_refused_as_nothing_scales_its_gradients():
    check_processes(Joined(1, torch.bfloat16), where="train")
    with pytest.raises(ValueError, match=r"train: the fabric's precision must not be float16, .* Take 'bf16-mixed'"):
        check_processes(Joined(1, torch.float16), where="train")


def test_processes_that_are_not_joined_or_not_asked_for_are_refused(monkeypatch):
    with pytest.raises(TypeError, match=r"train: fabric must be a lightning_fabric\.Fabric or None, got str"):
        check_processes("fabric", where="train")
    with pytest.raises(ValueError, match=r"train: the fabric has 2 processes, and 1 of them is joined; call fabric"):
        check_processes(Joined(2), where="train")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert check_processes(Joined(2), where="train") == Ranks(1, 2)
    model, pair = nn.Linear(2, 2), (torch.ones(4, 2), torch.arange(4) % 2)
    message = r"training is of one process, got 2 that torch\.distributed has joined; for one model in all of them give"
    with pytest.raises(ValueError, match=f"train: {message}"):
        train(Plan.end_to_end(model, optimizer=torch.optim.SGD), pair, epochs=1)
    with pytest.raises(ValueError, match=f"fit: {message}"):
        fit(model, pair, plan="CE", cuts=())
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    assert check_processes(where="train") is None
