import pytest
import torch
from tests.diagnostics.zoo import Apply, gaussian
from torch import nn

from infotorch.networks.feature_extractor import FeatureExtractor, as_columns, check_layers, in_double, layers_that_run
from infotorch.networks.stochastic import stochastic_mlp
from infotorch.numerics.columns import narrowed, spread


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.net = inner

    def forward(self, x):
        return self.net(x)


def test_a_wrapped_network_is_unwrapped_and_one_without_children_has_its_output():
    inner = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    assert layers_that_run(Wrapped(Wrapped(inner)), torch.ones(2, 4)) == ("net.net.0", "net.net.1")
    assert layers_that_run(nn.Linear(4, 3), torch.ones(2, 4)) == ("output",)


class Listed(nn.Module):
    """A stem, blocks in a list, branches in lists of a dict, and what never runs."""

    def __init__(self):
        super().__init__()
        self.stem, self.out = nn.Linear(4, 4), nn.Linear(4, 2)
        self.spare = nn.ModuleList([nn.Linear(4, 4)])
        self.branches = nn.ModuleDict({"left": nn.ModuleList([nn.Tanh()]), "right": nn.Linear(4, 4)})
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.out(self.branches["right"](x) + self.branches["left"][0](x))


def test_the_layers_of_lists_and_dicts_run_and_their_containers_do_not():
    in_order = ("stem", "blocks.0", "blocks.1", "blocks.2", "branches.right", "branches.left.0", "out")
    assert layers_that_run(Listed(), torch.ones(2, 4)) == in_order
    assert layers_that_run(Wrapped(Listed()), torch.ones(2, 4)) == tuple(f"net.{name}" for name in in_order)


def test_layers_that_do_not_run_are_no_layers():
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    network.spare = nn.Linear(4, 4)
    network.forward = lambda x: network[1](network[0](x))
    assert layers_that_run(network, torch.ones(2, 4)) == ("0", "1")


def test_a_layer_is_heard_before_a_later_one_changes_it_in_place():
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    x = gaussian(10, 4)
    with torch.no_grad(), FeatureExtractor(network, ["0", "1"]) as extract:
        features = extract(x)
    torch.testing.assert_close(features["0"], network[0](x))
    assert bool((features["0"] < 0).any())
    assert bool((features["1"] >= 0).all())


def test_tuples_and_integers_become_columns_side_by_side():
    network = Apply(lambda x: (x, {"classes": (x[:, :1] > 0)}, "a word", x.sum()))
    with FeatureExtractor(network, ["output"]) as extract:
        features = extract(torch.ones(3, 2))
    assert features["output"].tolist() == [[1.0, 1.0, 1.0]] * 3


def test_modes_and_buffers_come_back_also_after_an_error():
    network = nn.Sequential(nn.BatchNorm1d(2), Apply(lambda x: x @ torch.ones(3, 1))).train()
    network[1].eval()
    with FeatureExtractor(network, []) as extract:
        network.train()
        network[0](gaussian(4, 2))
        with pytest.raises(ValueError, match=r"does not run on x of shape \(4, 2\)"):
            extract.run(torch.ones(4, 2))
    assert network[0].training
    assert not network[1].training
    assert network[0].running_mean.tolist() == [0.0, 0.0]


def test_a_buffer_that_the_forward_replaces_comes_back_with_its_value():
    class Counts(nn.Module):
        calls: torch.Tensor
        last: torch.Tensor | None

        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.register_buffer("last", None)

        def forward(self, x):
            self.calls += 1  # in place, and then by a tensor of its own
            self.calls, self.last = self.calls + 1, x
            return x

    network = Counts()
    calls = network.calls
    with FeatureExtractor(network, []) as extract:
        extract.run(torch.ones(2, 2))
        assert network.calls.item() == 2
    assert network.calls is calls
    assert calls.item() == 0
    assert network.last is None


def test_of_several_draws_of_a_row_the_first_counts():
    rows = gaussian(5, 2)
    draws = rows.repeat_interleave(3, dim=0) + torch.arange(3).repeat(5)[:, None]
    assert torch.equal(as_columns(draws, "code", 5), rows)
    assert torch.equal(as_columns((rows, draws), "code", 5), rows)  # what has a row for each input comes first
    for wrong in (draws[:14], draws[:0], rows.sum(), "a word"):
        with pytest.raises(ValueError, match="layers: 'code' gives no tensor with a row for each of the 5 inputs"):
            as_columns(wrong, "code", 5)


def test_the_layers_of_a_network_that_draws_several_times_in_evaluation_are_extracted():
    network, x = stochastic_mlp(4, (8,), 3, 2, evaluation_draws=12), gaussian(6, 4)
    with torch.no_grad(), FeatureExtractor(network, ["fc1", "bottleneck", "head", "mean"]) as extract:
        features = extract(x)
    assert {name: len(t) for name, t in features.items()} == {"fc1": 6, "bottleneck": 6, "head": 6, "mean": 6}
    torch.testing.assert_close(features["head"], network.get_submodule("head")(features["bottleneck"]))
    centre = network.get_submodule("bottleneck.encoder")(features["fc1"].relu())[0]
    assert float((features["bottleneck"] - centre).detach().abs().max()) < 0.2  # deviations start near 0.007


def test_gradients_reach_the_input():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    x = torch.ones(1, 2, requires_grad=True)
    with FeatureExtractor(network, ["1"]) as extract:
        extract(x)["1"].sum().backward()
    assert x.grad is not None


def test_columns_are_averaged_until_there_are_few():
    t = gaussian(3, 100)
    assert narrowed(t, 100) is t
    assert narrowed(t, 10).shape == (3, 10)
    torch.testing.assert_close(narrowed(t, 10).mean(dim=1), t.mean(dim=1))


def test_the_spread_does_not_drown_in_a_large_mean():
    t = gaussian(500, 3)
    assert spread(t + 1e4) == pytest.approx(spread(t), rel=1e-3)
    assert spread(torch.ones(5, 2)) == 0.0


def test_a_twin_in_float64_where_the_network_allows_it():
    network, x = nn.Sequential(nn.Linear(2, 2)), torch.ones(3, 2)
    twin, inputs = in_double(network, x)
    assert inputs.dtype == twin[0].weight.dtype == torch.float64
    assert network[0].weight.dtype == torch.float32
    stubborn = Apply(lambda x: x @ torch.ones(2, 2))  # float32 written into the forward
    assert in_double(stubborn, x)[1].dtype == torch.float32
    words = nn.Embedding(5, 2)
    assert in_double(words, torch.ones(3, 2).long())[1].dtype == torch.int64


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated
@pytest.mark.parametrize("make", [torch.jit.script, lambda network: torch.jit.trace(network, torch.ones(1, 2))])
def test_torchscript_shows_no_layers_and_its_output(make):
    network = make(nn.Sequential(nn.Linear(2, 3), nn.Tanh()).train())
    words = "layers: '.*' is in TorchScript, which shows no layer: give the network that it was made from"
    for wrapped, name in ((network, "0"), (Wrapped(network), "net"), (Wrapped(network), "net.0")):
        with pytest.raises(TypeError, match=words), FeatureExtractor(wrapped, [name]):
            pass
        with pytest.raises(TypeError, match=f"here: {words}"):
            check_layers(wrapped, [name], where="here")
        with pytest.raises(TypeError, match=words):
            layers_that_run(wrapped, torch.ones(2, 2))
        assert wrapped.training
    with FeatureExtractor(network, ["output"]) as extract:
        assert extract(torch.ones(5, 2))["output"].shape == (5, 3)


def test_names_are_checked():
    network = nn.Sequential(nn.Linear(2, 2))
    assert check_layers(network, ["0", "output"], where="here") == ("0", "output")
    with pytest.raises(ValueError, match="here: layers: the network has no layer 'O'; it has 0, output"):
        check_layers(network, ["O"], where="here")
    deep = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(4)))
    with pytest.raises(
        ValueError, match=r"no layer 'tanh'; it has 0, 1, 2, 3, 0\.0, 0\.1, 1\.0, 1\.1, \.\.\., output\."
    ):
        check_layers(deep, ["tanh"], where="here")
    with pytest.raises(ValueError, match=r"no layer '3\.'; it has 3\.1, 3\.0, 3, \.\.\., output\."):
        check_layers(deep, ["3."], where="here")
    with pytest.raises(TypeError, match="here: layers must be a list of names"):
        check_layers(network, "0", where="here")
    with pytest.raises(ValueError, match="here: layers must name one layer or more, each once"):
        check_layers(network, ["0", "0"], where="here")
