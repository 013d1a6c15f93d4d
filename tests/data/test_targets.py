"""What targets are is read from their type, or said; what they cannot be is refused in one line."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotorch.data.batches import TensorBatches
from infotorch.data.loaders import LoaderBatches
from infotorch.data.samples import read_samples
from infotorch.data.targets import kind_of_targets, known_targets, labelled_samples, precision_of_targets, read_targets

NAN = math.nan


@pytest.mark.parametrize(
    ("y", "targets", "wanted", "kind"),
    [
        (torch.tensor([True, False]), "auto", [1, 0], "classes"),
        (torch.tensor([0, 7, -1], dtype=torch.int16), "auto", [0, 7, -1], "classes"),
        (torch.tensor([[True, False]]), "auto", [[1, 0]], "multilabel"),
        (torch.tensor([[1, -1]]), "auto", [[1, -1]], "multilabel"),
        (torch.tensor([0.5, NAN]), "auto", [0.5, NAN], "real"),
        (torch.tensor([0.0, 2.0, NAN]), "classes", [0, 2, -1], "classes"),
        (torch.tensor([[3], [1]]), "classes", [3, 1], "classes"),
        (torch.tensor([4, 0, -3]), "real", [4.0, 0.0, -3.0], "real"),
        (torch.tensor([[0.0, NAN], [1.0, 0.0]]), "multilabel", [[0, -1], [1, 0]], "multilabel"),
        (torch.tensor([1, 0, -1]), "multilabel", [[1], [0], [-1]], "multilabel"),
    ],
)
def test_targets_are_read_by_type_or_as_said(y, targets, wanted, kind):
    read = read_targets(y, targets, where="fit")
    torch.testing.assert_close(read, torch.tensor(wanted), equal_nan=True)
    assert kind_of_targets(read) == kind


@pytest.mark.parametrize(
    ("y", "targets", "message"),
    [
        (torch.tensor([0.5]), "classes", r"fit: y must hold class numbers from 0, -1 for none, .*='classes', got 0.5"),
        (torch.tensor([-2]), "classes", "got -2"),
        (torch.zeros(2, 3), "classes", r"fit: y must have shape \(n,\) for targets='classes', got \(2, 3\)"),
        (torch.tensor([2]), "multilabel", "fit: y must hold 0, 1, or -1 or NaN .*='multilabel', got 2"),
        (torch.zeros(2, 3, 4), "multilabel", r"must have shape \(n, labels\) .* got \(2, 3, 4\)"),
        (torch.tensor([math.inf]), "auto", "fit: y must be finite, or NaN where a target is missing"),
        (torch.tensor([0]), "labels", "fit: targets must be .*auto.* got 'labels'"),
    ],
)
def test_what_they_cannot_be_is_refused(y, targets, message):
    with pytest.raises(ValueError, match=message):
        read_targets(y, targets, where="fit")


def test_integers_of_more_axes_are_left_to_a_loss_of_ones_own():
    tokens = torch.zeros(2, 3, 4, dtype=torch.int32)
    assert kind_of_targets(read_targets(tokens, where="fit")) is None


def test_a_sample_with_one_known_target_of_several_is_labelled():
    y = torch.tensor([[1.0, NAN], [NAN, NAN]])
    assert known_targets(y).tolist() == [[True, False], [False, False]]
    assert labelled_samples(y).tolist() == [True, False]
    assert precision_of_targets(torch.float64) == torch.float64


@pytest.mark.parametrize("y", [[[NAN], [0.5], [NAN], [1.5]], [[-1], [0], [-1], [1]]])
def test_batches_of_labelled_samples_know_missing_targets_of_every_kind(y):
    x = torch.arange(4.0)
    batches = TensorBatches(x, torch.tensor(y), batch_size=2)
    assert [sorted(batch.x.tolist()) for batch in batches.labelled().epoch(0)] == [[1.0, 3.0]] * 2


def loader_of(y, **settings):
    return DataLoader(TensorDataset(torch.arange(float(len(y)))[:, None], y), batch_size=4, **settings)


def test_the_labelled_samples_of_a_loader_fill_every_step():
    y = torch.full((22,), -1)
    y[[2, 9, 15, 20]] = torch.tensor([0, 1, 2, 0])
    loader = loader_of(y, shuffle=True)
    batches = LoaderBatches(loader, nn.Linear(1, 3))
    some = batches.labelled()
    steps = list(some.epoch(0))
    assert len(steps) == len(some) == len(batches) == 6
    assert all(sorted(batch.x.flatten().tolist()) == [2, 9, 15, 20] for batch in steps)
    again, other = list(some.epoch(0)), list(some.epoch(1))
    assert all(torch.equal(a.x, b.x) for a, b in zip(steps, again, strict=True))
    assert not all(torch.equal(a.x, b.x) for a, b in zip(steps, other, strict=True))


def test_a_loader_with_many_labels_or_none_keeps_its_batches():
    for y in (torch.arange(8) % 3 - 1, torch.full((8,), -1), torch.randn(8)):
        batches = LoaderBatches(loader_of(y), nn.Linear(1, 3))
        assert batches.labelled() is batches


def test_the_generator_of_a_loader_moves_on_by_one_epoch():
    y = torch.tensor([0, -1, -1, -1, -1, 1, -1, -1])
    kept = []
    for labelled in (False, True):
        generator = torch.Generator().manual_seed(0)
        batches = LoaderBatches(loader_of(y, shuffle=True, generator=generator), nn.Linear(1, 2))
        list((batches.labelled() if labelled else batches).epoch(0))
        kept.append(generator.get_state())
    assert torch.equal(*kept)


def test_an_epoch_without_a_label_is_refused():
    class Once(torch.utils.data.Dataset):
        reads = 0

        def __len__(self):
            return 8

        def __getitem__(self, row):
            Once.reads += 1
            return torch.zeros(1), 0 if row == 0 and Once.reads <= 8 else -1

    batches = LoaderBatches(DataLoader(Once(), batch_size=4), nn.Linear(1, 1)).labelled()
    with pytest.raises(ValueError, match="LoaderBatches: an epoch of the DataLoader must hold samples with a target"):
        list(batches.epoch(0))


def test_a_loader_reads_targets_as_it_is_told():
    batches = LoaderBatches(loader_of(torch.tensor([0.0, 2.0, NAN])), nn.Linear(1, 3), targets="classes")
    assert batches.y.tolist() == [0, 2, -1]
    wide = LoaderBatches(loader_of(torch.tensor([0, 2, 4])), nn.Linear(1, 3).double(), targets="real")
    assert next(wide.epoch(0)).y.dtype == torch.float64


def test_a_look_at_samples_leaves_out_those_without_a_real_target_where_it_is_told_to():
    loader = loader_of(torch.tensor([0.5, NAN, 1.5]))
    x, y = read_samples(loader, nn.Linear(1, 1), 3, seed=0, where="look", labelled=True)
    assert x.flatten().tolist() == [0, 2]
    assert y.tolist() == [0.5, 1.5]
    assert len(read_samples(loader, nn.Linear(1, 1), 3, seed=0, where="look")[1]) == 3
