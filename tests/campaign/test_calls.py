"""The judge of generated calls tells a result, a clear error, a raw one, a moved state and a hang apart."""

import random
import time

import torch

import infotorch
from campaign import calls
from campaign.call_targets import Target, targets


def judged(function, **arguments):
    return calls.judged(Target("toy", function), arguments)


def test_a_result_and_a_clear_error_are_no_failures():
    x = torch.randn(20, 1, generator=torch.Generator().manual_seed(0))
    assert judged(infotorch.ksg, x=x, y=x) == ("a result", [])
    assert judged(infotorch.ksg, x=x, y=None) == ("a TypeError", [])
    assert judged(infotorch.ksg, x=x, y=x[:3]) == ("a ValueError", [])


def test_a_raw_error_is_told_with_its_place():
    outcome, (failure,) = judged(lambda x: x @ x, x=torch.ones(2, 3))
    assert outcome == "an error of Python's"
    assert failure.startswith("raw RuntimeError at")


def test_what_a_call_moves_is_told():
    def meddle(x):
        torch.rand(1)
        random.random()
        x.add_(1)

    with torch.random.fork_rng():
        state = random.getstate()
        outcome, failures = judged(meddle, x=torch.zeros(2))
        random.setstate(state)
    assert outcome == "a result"
    assert failures == ["moved Python's random state", "moved torch's random state", "moved x (0)"]


def test_a_hang_ends(monkeypatch):
    monkeypatch.setattr(calls, "SECONDS", 0.2)

    def endless():
        while True:
            pass

    began = time.monotonic()
    outcome, _ = judged(endless)
    assert outcome == "too long"
    assert time.monotonic() - began < 30


def test_every_public_name_is_called_and_a_seed_names_the_call():
    everything = targets()
    called = {target.name.split(".")[0] for target in everything if target.name[0].islower()} | {
        target.name.split(".")[0] for target in everything
    }
    assert set(infotorch.HOMES) - called == {"Objective"}  # nothing to call before a subclass defines it
    target = next(target for target in everything if target.name == "ksg")
    once, again = (calls._arguments(target, random.Random("0:7"))[1] for _ in range(2))
    assert once == again != {}


def test_generated_calls_give_a_result_or_one_clear_error(tmp_path):
    part = calls.run(0, 0.06, tmp_path)
    assert sum(part.tried.values()) == 600 >= len(targets())
    assert part.failures == []
