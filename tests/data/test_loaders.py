"""What looks at a model takes loaders, data sets and splits, and holds their first samples."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import infotorch
from infotorch.data.samples import read_samples

X = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


class Pairs(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        return X[row], Y[row]


def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


LOOKS = {
    "diagnose": lambda data: infotorch.diagnose(net(), data, properties=False, num_samples=100).as_dict(),
    "InformationPlane": lambda data: infotorch.InformationPlane(net(), data, num_samples=100, num_bins=5)(0),
    "InformationSignal": lambda data: infotorch.schedules.InformationSignal(net(), data, num_samples=100)(),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_what_looks_takes_what_fit_takes(look):
    whole = look((X, Y))
    assert look(infotorch.Split(X, Y)) == look(TensorDataset(X, Y)) == whole
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    loader = DataLoader(Pairs(), batch_size=32, shuffle=True, generator=generator)
    xs, ys = zip(*loader, strict=True)
    generator.set_state(before)
    assert look(loader) == look((torch.cat(xs)[:100], torch.cat(ys)[:100]))
    assert torch.equal(generator.get_state(), before)
    state = torch.get_rng_state()
    assert look(Pairs()) == look(Pairs())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_what_looks_refuses_a_loader_that_gives_no_pairs(look):
    with pytest.raises(TypeError, match=r"a DataLoader must give pairs \(x, y\).*, got a Tensor"):
        look(DataLoader(X))
    with pytest.raises(ValueError, match="the DataLoader has no samples"):
        look(DataLoader([]))


def test_no_more_is_read_than_is_held_and_unlabelled_samples_are_left_out():
    read = []

    class Counting(Pairs):
        def __getitem__(self, row):
            read.append(row)
            return X[row], torch.tensor(-1) if row % 2 else Y[row]

    x, y = read_samples(DataLoader(Counting(), batch_size=10), net(), 25, seed=0, where="here", labelled=True)
    assert torch.equal(x, X[:50:2])
    assert torch.equal(y, Y[:50:2])
    assert read == list(range(50))
