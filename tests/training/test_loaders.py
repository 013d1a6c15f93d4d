"""Loaders, data sets and splits train as arrays do, and what cannot train is refused before a weight has moved."""

import multiprocessing
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.data.loaders import LoaderBatches
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan

N = 65  # of batches of 16 a lone last sample is left over


def samples(count=N):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)
        )


def plan_of(net):
    return Plan.layerwise(net, objectives="X,Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))


class Pairs(Dataset):
    """Samples one by one, as a user writes them; noise is drawn from the global generators."""

    def __init__(self, x, y, noise=False):
        self.x, self.y, self.noise = x, y, noise

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        noise = torch.rand(()) + random.random() + np.random.rand() if self.noise else 0.0  # noqa: NPY002
        return self.x[row] + noise, self.y[row]


class Stream(IterableDataset):
    def __init__(self, x, y, length=None):
        self.rows = list(zip(x, y, strict=True))
        if length is not None:
            self.__class__ = type("Sized", (Stream,), {"__len__": lambda _: length})

    def __iter__(self):
        return iter(self.rows)


def loader(*, batch_size=16, count=N, noise=False, **options):
    return DataLoader(Pairs(*samples(count), noise), batch_size=batch_size, **options)


def weights(net):
    return [value.clone() for value in net.state_dict().values()]


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def trained(batches, epochs=2, **options):
    net = model()
    infos = list(train(plan_of(net), batches, epochs=epochs, **options))
    return weights(net), [float(loss.total) for info in infos for loss in info.losses.values()]


@pytest.mark.parametrize("count", [64, 65, 70, 17, 16, 1])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_in_order_is_that_of_tensor_batches_bit_for_bit(count, workers):
    if workers and count != N:
        pytest.skip("workers are slow to start, and give the same batches")
    expected = list(TensorBatches(*samples(count), batch_size=16, shuffle=False).epoch(0))
    batches = LoaderBatches(loader(count=count, num_workers=workers), model())
    found = list(batches.epoch(0))
    assert len(batches) == len(expected) == len(found)
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(expected, found, strict=True))
    assert {batch.rows for batch in found} == {None}


def test_weights_and_losses_are_those_of_tensor_batches_bit_for_bit():
    expected = trained(TensorBatches(*samples(), batch_size=16, shuffle=False))
    found = trained(loader())
    assert equal(found[0], expected[0])
    assert found[1] == expected[1]


def test_arrays_splits_and_tensor_data_sets_are_tensor_batches():
    x, y = samples()
    expected = trained(TensorBatches(x, y, batch_size=16, seed=3), seed=3)
    for data in ((x, y), (x.numpy(), y.numpy()), infotorch.Split(x, y), TensorDataset(x, y)):
        found = trained(data, batch_size=16, seed=3)
        assert equal(found[0], expected[0])
        assert found[1] == expected[1]


def test_fit_takes_all_of_them():
    x, y = samples()
    results = {}
    for name, data in {
        "pair": (x, y),
        "split": infotorch.Split(x, y),
        "tensors": TensorDataset(x, y),
        "loader": loader(),
        "data set": Pairs(x, y),
        "stream": DataLoader(Stream(x, y, N), batch_size=16),
        "sampler": loader(sampler=WeightedRandomSampler(torch.ones(N), N)),
    }.items():
        net = model()
        results[name] = fit(net, data, plan="Y,Y,CE", epochs=8, batch_size=16, lr=3e-2).metrics, weights(net)
    assert all(metrics["train_accuracy"] > 0.8 for metrics, _ in results.values())
    for name in ("split", "tensors"):
        assert equal(results[name][1], results["pair"][1])
    assert results["loader"][0] == results["stream"][0]


def test_a_data_set_of_the_library_gives_its_training_part():
    x, y = samples()
    part = infotorch.Split(x, y)
    data = infotorch.data.Dataset("toy", "vectors", part, part, part, num_classes=2)
    one, other = model(), model()
    fit(one, data, epochs=1)
    fit(other, (x, y), epochs=1)
    assert equal(weights(one), weights(other))


def test_the_accuracy_of_a_shuffled_loader_pairs_each_sample_with_its_own_class():
    net = model()
    generator = torch.Generator().manual_seed(0)
    result = fit(net, loader(shuffle=True, generator=generator), plan="CE", cuts=(), epochs=5, lr=1e-2)
    x, y = samples()
    net.eval()
    assert result.metrics["train_accuracy"] == int((net(x).argmax(1) == y).sum()) / N


def test_a_loader_without_a_generator_follows_the_seed_and_leaves_global_states():
    torch.manual_seed(1)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = trained(loader(shuffle=True, noise=True), seed=1)
    torch.manual_seed(1)
    second = trained(loader(shuffle=True, noise=True), seed=1)
    other = trained(loader(shuffle=True, noise=True), seed=2)
    assert first[1] == second[1] != other[1]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002


def test_a_loader_shuffles_by_its_own_generator_which_looking_does_not_move():
    orders = []
    for batch in loader(shuffle=True, generator=(mine := torch.Generator().manual_seed(5))):
        orders.append(batch[0])
    generator = torch.Generator().manual_seed(5)
    batches = LoaderBatches(loader(shuffle=True, generator=generator), model())
    assert torch.equal(next(iter(batches.epoch(0))).x, orders[0])  # left before its end
    assert torch.equal(torch.cat([batch.x for batch in batches.epoch(0)]), torch.cat(orders))
    assert torch.equal(generator.get_state(), mine.get_state())
    assert not torch.equal(torch.cat([batch.x for batch in batches.epoch(1)]), torch.cat(orders))


@pytest.mark.parametrize("own", [False, True])
def test_a_run_goes_on_from_an_epochs_start_bit_for_bit(own):
    def shuffled():
        return loader(shuffle=True, generator=torch.Generator().manual_seed(5) if own else None)

    expected = trained(shuffled(), epochs=3)[0]
    net = model()
    plan, data = plan_of(net), shuffled()
    for info in train(plan, data, epochs=3):
        if info.ends_epoch and info.position.epoch == 1:
            break
    again = model()
    resumed = plan_of(again)
    resumed.prepare(shuffled(), epochs=3, seed=0)
    resumed.load_state_dict(plan.state_dict())
    list(train(resumed, data, epochs=3, start=info.next))
    assert equal(weights(again), expected)


def test_a_run_does_not_go_on_within_an_epoch_of_a_loader():
    plan = plan_of(model())
    steps = train(plan, loader(), epochs=1)
    position = next(steps).next
    with pytest.raises(
        ValueError, match="train: start: an epoch of a DataLoader begins at its start, got step 1; keep"
    ):
        train(plan, loader(), epochs=1, start=position)


def test_no_worker_is_left_behind():
    broken = Pairs(*samples())
    broken.y = broken.y[:40]
    fit(model(), loader(num_workers=2), epochs=1)
    steps = train(plan_of(model()), loader(num_workers=2), epochs=1)
    next(steps)
    assert multiprocessing.active_children()
    steps.close()
    assert not multiprocessing.active_children()
    with pytest.raises(
        ValueError, match="fit: the DataLoader cannot give a batch: IndexError: index 40 is out"
    ) as caught:
        fit(model(), DataLoader(broken, batch_size=16, num_workers=2), epochs=1)
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()


X, Y = samples()
NAN = torch.where(torch.arange(N)[:, None] == 60, torch.nan, X)


def texts(pairs):
    return torch.stack([x for x, _ in pairs]), ["cat" if y else "dog" for _, y in pairs]


def mixed(pairs):
    y = torch.tensor([int(y) for _, y in pairs])
    return torch.stack([x for x, _ in pairs]), y.float() if len(pairs) < 16 else y


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (DataLoader(X), TypeError, r"fit: a DataLoader must give pairs \(x, y\).*, got a Tensor"),
        (TensorDataset(X), TypeError, r"fit: a DataLoader must give pairs \(x, y\).*, got a list of 1"),
        (TensorDataset(X, Y, Y), TypeError, r"fit: a DataLoader must give pairs \(x, y\).*, got a list of 3"),
        (DataLoader([]), ValueError, "fit: the DataLoader has no samples"),
        (Pairs(X[:0], Y[:0]), ValueError, "fit: the Dataset must have a length above 0"),
        (loader(count=5, drop_last=True), ValueError, "fit: the DataLoader has no samples"),
        (DataLoader(Stream(X, Y)), ValueError, "fit: a DataLoader must know its length, and that of an Iterable"),
        (Stream(X, Y), ValueError, "fit: a DataLoader must know its length"),
        (
            DataLoader(Stream(X, Y, 30), batch_size=16),
            ValueError,
            "fit: the DataLoader must give as many batches as its length, 2, got more",
        ),
        (loader(collate_fn=texts), TypeError, r"fit: y must hold real numbers, got dtype <U3; numpy.unique"),
        (
            loader(collate_fn=mixed),
            TypeError,
            r"fit: y must be of one kind in all batches, got torch.int64 and torch.fl",
        ),
        (DataLoader(Pairs(NAN, Y), batch_size=16), ValueError, "fit: x of a DataLoader must be finite, got NaN"),
        (
            DataLoader(Pairs(X, torch.inf * X), batch_size=16),
            ValueError,
            "fit: y must be finite, or NaN where",
        ),
        (
            DataLoader([(X[:1], 0), (X[:2], 1)], 2),
            ValueError,
            "fit: the DataLoader cannot give a batch: stack expects each",
        ),
        (DataLoader([(X[0], None)]), TypeError, "fit: the DataLoader cannot give a batch: default_collate: batch must"),
        (loader(collate_fn=lambda p: ({"x": p}, p)), TypeError, "fit: x must be a tensor or an array of real"),
        (loader(collate_fn=lambda _: (X, Y[:3])), ValueError, "fit: x and y must be paired row by row, got 65 and 3"),
        (loader(collate_fn=lambda _: (X[0, 0], Y)), ValueError, "fit: x of a DataLoader must have rows"),
    ],
)
@pytest.mark.filterwarnings("ignore:Length of IterableDataset")
def test_what_cannot_train_is_refused_and_nothing_has_moved(data, error, message):
    net = model()
    before = weights(net)
    with pytest.raises(error, match=message) as caught:
        fit(net, data)
    assert "\n" not in str(caught.value)
    assert equal(weights(net), before)


def test_a_loader_that_changes_between_epochs_is_refused():
    data = Stream(*samples(), N)
    steps = train(plan_of(model()), DataLoader(data, batch_size=16), epochs=2)
    next(steps)
    data.rows = data.rows[:30]
    with pytest.raises(ValueError, match="train: the DataLoader must give 4 batches an epoch, got 2"):
        list(steps)
    data = Pairs(*samples())
    steps = train(plan_of(model()), DataLoader(data, batch_size=16), epochs=2)
    next(steps)
    data.y = data.y + 1
    with pytest.raises(
        ValueError, match="train: y holds class 2, and the first pass over the DataLoader had none above 1"
    ):
        list(steps)


def test_what_needs_samples_by_number_refuses_a_loader():
    with pytest.raises(
        ValueError, match="fit: a plan of 'auto' holds samples out by their numbers, which a DataLoader"
    ):
        fit(model(), loader(), plan="auto")
    batches = LoaderBatches(loader(), model())
    with pytest.raises(ValueError, match="train: a cache needs batches that hold their samples in memory"):
        train(plan_of(model()), batches, epochs=1, cache="memory")
