import contextlib
import random
import threading
import time

import numpy as np
import pytest
import torch

from infotorch.numerics.seeds import as_generator, derive_seed, seed_streams, streams_from


def draw(streams, *key):
    return torch.rand(4, generator=streams.generator(*key))


def test_streams_are_functions_of_seed_name_and_position():
    streams = seed_streams(3)
    assert torch.equal(draw(streams, "noise", 1, 2), draw(seed_streams(3), "noise", 1, 2))
    different = [draw(streams, "noise", 1, 2), draw(streams, "data", 1, 2), draw(streams, "noise", 2, 1)]
    different.append(draw(seed_streams(4), "noise", 1, 2))
    assert len({tuple(d.tolist()) for d in different}) == 4
    assert 0 <= derive_seed(3, "noise") < 2**63


def test_a_stream_as_global_state_leaves_the_global_state_as_it_was():
    state = torch.get_rng_state()
    with seed_streams(0).as_global("init"):
        inside = torch.rand(3)
    with contextlib.suppress(ArithmeticError), seed_streams(0).as_global("init"):
        assert torch.equal(torch.rand(3), inside)
        raise ArithmeticError
    assert torch.equal(torch.get_rng_state(), state)


def everywhere():
    return random.random(), float(np.random.normal()), float(torch.rand(()))  # noqa: NPY002


def test_a_stream_everywhere_holds_for_python_and_numpy_too():
    np.random.normal()  # noqa: NPY002 the second of a pair is kept in the state
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    with seed_streams(0).as_global_everywhere("look", 1):
        first = everywhere()
    with contextlib.suppress(ArithmeticError), seed_streams(0).as_global_everywhere("look", 1):
        assert everywhere() == first
        raise ArithmeticError
    now = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    assert now[0] == kept[0]
    assert all(np.array_equal(a, b) for a, b in zip(now[1], kept[1], strict=True))
    assert torch.equal(now[2], kept[2])
    with seed_streams(0).as_global_everywhere("look", 2):
        assert not set(everywhere()) & set(first)
    with seed_streams(0).as_global("look", 1):  # torch draws what it draws without the others
        assert float(torch.rand(())) == first[2]


def test_python_and_numpy_do_not_draw_the_same_bits():
    with seed_streams(0).as_global_everywhere("look"):
        assert random.random() != np.random.random()  # noqa: NPY002


def test_a_stream_on_another_device_seeds_that_devices_generator(monkeypatch):
    """Two stand-ins for the generators of two GPUs, the first of them the current one."""
    gpus = tuple(torch.Generator() for _ in range(2))
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)
    for device, mine, other in (("cuda:1", 1, 0), ("cuda", 0, 1)):
        before = [gpu.get_state() for gpu in gpus]
        with seed_streams(0).as_global("init", device=device):
            assert gpus[mine].initial_seed() == derive_seed(0, "init")
            assert torch.equal(gpus[other].get_state(), before[other])
        assert all(torch.equal(gpu.get_state(), state) for gpu, state in zip(gpus, before, strict=True))


def test_wrong_seeds_are_refused():
    with pytest.raises(TypeError, match="seed_streams: seed must be an integer, got bool"):
        seed_streams(True)
    with pytest.raises(ValueError, match="seed_streams: seed must be at least 0, got -1"):
        seed_streams(-1)


def test_no_generator_means_fresh_entropy_and_global_state_is_neither_read_nor_moved():
    state = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(torch.rand(4, generator=as_generator(None, where="f")))
    assert not torch.equal(*drawn)
    assert streams_from(None, where="f") != streams_from(None, where="f")
    torch.manual_seed(0)
    untouched = torch.get_rng_state()
    as_generator(None, where="f")
    assert torch.equal(torch.get_rng_state(), untouched)
    torch.set_rng_state(state)


@pytest.mark.parametrize("rule", [as_generator, streams_from])
def test_a_seed_is_no_generator(rule):
    with pytest.raises(TypeError, match=r"f: generator must be a torch\.Generator or None, got int"):
        rule(0, where="f")


def test_threads_do_not_draw_from_each_others_streams():
    streams, before = seed_streams(0), (torch.get_rng_state(), random.getstate())

    def draws(number):
        found = []
        with streams.as_global_everywhere("dropout", number):
            for _ in range(3):
                found += [float(torch.rand(())), random.random()]
                time.sleep(0.001)  # another thread's turn
        return found

    alone, met, beside = [draws(number) for number in range(4)], threading.Barrier(4), {}

    def thread(number):
        met.wait()
        beside[number] = draws(number)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [beside[number] for number in range(4)] == alone
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
