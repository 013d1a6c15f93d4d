"""Worker processes: copies that hold together, the same numbers, and plain words where it cannot work."""

import importlib
import os
import random

import pytest
import torch
from torch import nn

from infotorch.schedules import range_workers
from infotorch.schedules.range_bench import Bench, Work, random_state, set_random_state, train_watched
from infotorch.schedules.range_test import RangeOptions, lr_range_test

TWO = RangeOptions(workers=2)
VISIBLE = "CUDA_VISIBLE_DEVICES"
# What a user would write at the top of a module: processes import it by name.
TRAINEE = """
import os
import random
import torch
from torch import nn

from infotorch.schedules.signal import InformationSignal


def rows():
    x = torch.randn(192, 4, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


class Trainee:
    def __init__(self):
        torch.manual_seed(1)
        self.x, self.y = rows()
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.3, momentum=0.9, fused=True)
        self.order = torch.Generator().manual_seed(2)
        self.signal = InformationSignal(self.model, (self.x, self.y), num_samples=100)

    def epoch(self):
        self.model.train()
        for part in torch.randperm(192, generator=self.order).split(48):
            noise = random.gauss(1.0, 0.1)
            loss = nn.functional.cross_entropy(self.model(self.x[part].tanh() + noise * self.x[part]), self.y[part])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.model.eval()
        right = self.model(self.x).argmax(1) == self.y
        return {"loss": loss.item(), "accuracy": right.float().mean().item()}

    def deadly(self):
        os._exit(3)

    def where(self):
        self.epoch()
        return {"loss": float(os.environ["CUDA_VISIBLE_DEVICES"].replace(",", ""))}


lonely = Trainee()


def by_name():
    return lonely.epoch()


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


def failing():
    raise Unpicklable("the loader", "broke")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "trainee_of_a_test.py").write_text(TRAINEE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.import_module("trainee_of_a_test")


def made(trainee, **changes):
    parts = {
        "model": trainee.model,
        "optimizer": trainee.optimizer,
        "train_epoch": trainee.epoch,
        "signal": trainee.signal,
        "stop_dead": True,
        "generators": (trainee.order,),
        "reset": None,
        "seed": 0,
    }
    return Work(**{**parts, **changes})


class Pipe:
    """The parent's side of a worker that runs in this process."""

    def __init__(self, *tasks):
        self.tasks, self.answers = list(tasks), []

    def recv(self):
        if not self.tasks:
            raise EOFError
        return self.tasks.pop(0)

    def send(self, answer):
        self.answers.append(answer)


@pytest.fixture
def serve(monkeypatch):
    """Answers of a worker, which sets up this process as its own but for Ctrl-C."""
    monkeypatch.setattr(range_workers.signal, "signal", lambda *_: None)

    def serving(work, *tasks):
        pipe, random_states = Pipe(*tasks), random_state(work)
        range_workers._serve(pipe, range_workers._packed(work), torch.get_num_threads())
        set_random_state(work, random_states)
        return pipe.answers

    return serving


@pytest.mark.slow
def test_two_processes_find_what_one_does_and_leave_everything_as_it_was(module):
    trainee = module.Trainee()
    before = [tensor.clone() for tensor in trainee.model.state_dict().values()]
    states = random.getstate(), torch.get_rng_state(), trainee.order.get_state()
    options = {
        "signal": trainee.signal,
        "rates": (1e-4, 1e-2, 0.3, 3.0, 100.0),
        "trials": 2,
        "epochs": 2,
    }
    told = []
    one, two = (RangeOptions(generators=[trainee.order], workers=workers) for workers in (1, 2))
    alone = lr_range_test(trainee.model, trainee.optimizer, trainee.epoch, options=one, **options)
    several = lr_range_test(
        trainee.model,
        trainee.optimizer,
        trainee.epoch,
        options=two,
        progress=lambda *words: told.append(words),
        **options,
    )
    assert repr(several.probes) == repr(alone.probes)
    assert (several.lr_min, several.lr_max, several.lr_top) == (alone.lr_min, alone.lr_max, alone.lr_top)
    assert several.epochs == alone.epochs == told[-1][1]
    assert all(map(torch.equal, trainee.model.state_dict().values(), before))
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert torch.equal(trainee.order.get_state(), states[2])
    assert trainee.optimizer.param_groups[0]["lr"] == 0.3


@pytest.mark.parametrize(
    ("place", "before", "seen"),
    [
        (0, None, ["0,1,2", "1,0,2", "2,1,0", "0,1,2"]),
        (1, "4,5,7", ["4,5,7", "4,7,5", "5,4,7", "4,5,7"]),
        (None, "4,5,7", ["4,5,7"] * 4),
        (None, None, [None] * 4),
    ],
)
def test_processes_take_turns_at_the_gpus(monkeypatch, place, before, seen):
    """On a machine without any: what each process would know as its devices, in their order."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv(VISIBLE, raising=False)
    if before is not None:
        monkeypatch.setenv(VISIBLE, before)
    for number, known in enumerate(seen):
        with range_workers._seeing(place, number):
            assert os.environ.get(VISIBLE) == known
        assert os.environ.get(VISIBLE) == before


@pytest.mark.slow
def test_a_process_is_told_of_its_gpu_before_it_starts(module, monkeypatch):
    monkeypatch.setattr(range_workers, "_place", lambda _: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv(VISIBLE, "3,4")
    trainee = module.Trainee()
    work = made(trainee, train_epoch=trainee.where, signal=None)
    with range_workers.Workers(work, (0.1, 0.2), 2, lambda *_: None) as workers:
        probes = workers.probe(0, (0.1, 0.2), 1)
    assert [-probe.last("loss") for probe in probes] == [34, 43]
    assert all(pipe.closed for pipe in workers.pipes)


def test_a_network_on_no_gpu_has_no_turns(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert range_workers._place(nn.Linear(2, 2)) is None


@pytest.mark.slow
def test_a_process_that_ends_on_its_own_is_named(module):
    trainee = module.Trainee()
    with pytest.raises(RuntimeError, match="a worker process ended on its own"):
        lr_range_test(trainee.model, trainee.optimizer, trainee.deadly, rates=[0.1], options=TWO)


def test_a_worker_goes_on_with_a_paused_probe_and_counts_what_it_took(module, serve):
    trainee = module.Trainee()
    bench = Bench(made(trainee))
    with bench:
        (whole,) = bench.probe(1, [0.1], 3)
    answers = serve(
        made(module.Trainee()), (1, [0.1], 1, (0.1,)), (1, [0.2], 1, (0.1,)), (1, [0.1], 3, ()), (1, [0.1], 3, ())
    )
    assert [epochs for _, epochs in answers] == [1, 1, 2, 3]
    assert answers[2][0] == answers[3][0] == whole
    assert answers[0][0].values["accuracy"] == whole.values["accuracy"][:1]


def test_what_cannot_be_copied_is_refused_at_once(module):
    trainee = module.Trainee()
    with pytest.raises(TypeError, match=r"cannot be copied: use functools.partial .* or workers=1"):
        lr_range_test(trainee.model, trainee.optimizer, lambda: trainee.epoch(), options=TWO)


def test_a_copy_that_cannot_be_unpacked_is_refused_in_plain_words(serve, module, monkeypatch):
    packed = range_workers._packed(made(module.Trainee()))
    monkeypatch.delattr(module, "Trainee")
    pipe = Pipe((0, [0.1], 1, ()))
    range_workers._serve(pipe, packed, torch.get_num_threads())
    assert isinstance(pipe.answers[0], TypeError)
    assert "worker processes need a copy" in str(pipe.answers[0])


def test_an_epoch_that_trains_another_network_by_its_name_is_refused(module, serve):
    (answer,) = serve(made(module.Trainee(), train_epoch=module.by_name, generators=()), (0, [0.1], 1, ()))
    assert isinstance(answer, ValueError)
    assert "train_epoch took no step of the optimizer that it was given with" in str(answer)


@pytest.mark.parametrize("has_hooks", [True, False])
def test_weights_that_move_without_a_step_are_trained_where_a_step_has_no_hooks(module, monkeypatch, has_hooks):
    trainee = module.Trainee()
    monkeypatch.setattr(torch.optim.SGD.step, "hooked", has_hooks)  # torch's own mark
    work = made(trainee, train_epoch=Nudge(trainee.model))
    if has_hooks:
        with pytest.raises(ValueError, match="took no step of the optimizer"):
            train_watched(work)
    else:
        assert train_watched(work) == 1.0


class Nudge:
    def __init__(self, model):
        self.model = model

    def __call__(self):
        with torch.no_grad():
            self.model[0].weight.add_(1.0)
        return 1.0


def test_the_callers_own_errors_come_back_with_where_they_happened(module, serve):
    (answer,) = serve(made(module.Trainee(), train_epoch=Broken(ValueError), signal=None), (0, [0.1], 1, ()))
    assert isinstance(answer, ValueError)
    assert str(answer) == "broken"
    assert "in a worker process" in answer.__notes__[0]
    (answer,) = serve(made(module.Trainee(), train_epoch=module.failing, signal=None), (0, [0.1], 1, ()))
    assert isinstance(answer, RuntimeError)
    assert str(answer) == "Unpicklable: the loader broke"


class Broken:
    def __init__(self, kind):
        self.kind = kind

    def __call__(self):
        raise self.kind("broken")


def test_networks_of_one_object_stay_one_in_the_copy():
    network = nn.Linear(2, 2)
    work = Work(network, torch.optim.SGD(network.parameters(), lr=0.1), Nudge([network]), None, True, (), None, 0)
    bench = range_workers._unpacked(range_workers._packed(work), lambda *_: None)
    copied = bench.work
    assert copied.optimizer.param_groups[0]["params"][0] is copied.model.weight
    assert copied.train_epoch.model[0] is copied.model
    assert copied.model.weight.data_ptr() != network.weight.data_ptr()
