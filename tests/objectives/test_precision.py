import copy

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.stochastic import GaussianLayer
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.labels import CrossEntropy
from infotorch.objectives.layer_hook import LayerHook, hooks_paused
from infotorch.objectives.precision import PrecisionAndCompression
from infotorch.objectives.regularisers import SameClassPenalty
from infotorch.objectives.variational import VariationalBottleneck
from infotorch.objectives.views import ViewInformation
from infotorch.training.loop import train
from infotorch.training.plan import Plan

Y = torch.arange(6) % 3


class Size(PrecisionAndCompression):
    """Compression is the layer's mean square."""

    def _compression(self, batch):
        return (batch.output if self.hook is None else self.hook.take()[1]).square().mean()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestLayerHook:
    def test_it_gives_the_last_pass_once_and_keeps_nothing(self):
        layer, x = nn.Linear(3, 2), draw(4, 3)
        hook = LayerHook(layer, where="T")
        layer(draw(5, 3))
        output = layer(x)
        given, seen = hook.take()
        assert torch.equal(given, x)
        assert torch.equal(seen, output)
        with pytest.raises(ValueError, match="T: the layer must run in the forward pass of this objective's"):
            hook.take()

    def test_what_is_no_layer_is_refused(self):
        with pytest.raises(TypeError, match="T: layer must be a layer of the network, got str"):
            LayerHook("fc1", where="T")


class TestDifferentLayers:
    def network(self):
        network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        objective, x = Size(beta=2.0, layer=network[1]), draw(6, 4)
        objective.build(LocalBatch(x, x, network(x), Y), Y)
        return network, objective, x

    def test_precision_is_of_the_output_and_compression_of_the_hooked_layer(self):
        network, objective, x = self.network()
        loss = objective(LocalBatch(x, x, network(x), Y))
        wanted = (
            nn.functional.cross_entropy(network(x), Y) - torch.tensor(3.0).log() + 2 * network[:2](x).square().mean()
        )
        torch.testing.assert_close(loss.total, wanted)

    def test_the_hooked_layer_is_no_part_of_the_objective_and_a_copy_of_the_network_runs(self):
        network, objective, x = self.network()
        assert list(objective.parameters()) == []
        objective(LocalBatch(x, x, network(x), Y))
        torch.testing.assert_close(copy.deepcopy(network)(x), network(x))

    def test_of_a_hidden_module_a_read_out_is_trained_with_it(self):
        objective, rows = Size(beta=0.0), draw(6, 5)
        objective.build(LocalBatch(rows, rows, rows, Y), Y)
        assert [tuple(p.shape) for p in objective.parameters()] == [(3, 5), (3,)]
        wanted = nn.functional.cross_entropy(objective.readout(rows), Y) - torch.tensor(3.0).log()
        torch.testing.assert_close(objective(LocalBatch(rows, rows, rows, Y)).total, wanted)


def test_a_hooked_layer_is_read_before_what_follows_changes_it_in_place():
    x, y = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    linear, found = nn.Linear(4, 2), []
    for inplace in (False, True):
        objective = SameClassPenalty(layer=linear)
        network = nn.Sequential(linear, nn.ReLU(inplace=inplace))
        found.append(objective(LocalBatch(x, x, network(x), y)).total)
    assert torch.equal(*found)
    for total in found:
        total.backward()  # what was kept has its gradient


def test_passes_of_other_rows_are_not_kept():
    layer = nn.Linear(3, 2)
    hook = LayerHook(layer, where="test")
    output = layer(torch.ones(4, 3))
    with hooks_paused():
        layer(torch.zeros(9, 3))
    given, seen = hook.take()
    assert torch.equal(given, torch.ones(4, 3))
    assert torch.equal(seen, output)


@pytest.mark.parametrize("first", [0, 1])
def test_an_objective_that_encodes_other_rows_does_not_change_what_is_kept(first):
    """The penalty in a sum with moved views is the penalty alone, in either order."""
    x = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = torch.arange(50) % 5
    seen = []
    for beside in ([], [ViewInformation()]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 5))
        parts = [SameClassPenalty(layer=network[1]), *beside]
        plan = Plan.end_to_end(
            network,
            SumOfObjectives(parts[::-1] if first else parts),
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0),
        )
        (info,) = list(train(plan, TensorBatches(x, y, batch_size=50), epochs=1))
        (loss,) = info.losses.values()
        seen.append(next(value for name, value in loss.terms.items() if name == parts[0].term))
    assert torch.equal(*seen)


def test_several_draws_without_their_mean_are_refused_in_training_too():
    network = nn.Sequential(GaussianLayer(4, 3, draws=5), nn.Linear(3, 2))
    x, y = torch.zeros(10, 4), torch.arange(10) % 2
    objective = VariationalBottleneck(layer=network[0])
    objective.build(LocalBatch(x, x, network.eval()(x), y), y)
    with pytest.raises(ValueError, match="the output must have a row for each input, 10, got 50; behind a layer of"):
        objective(LocalBatch(x, x, network.train()(x), y))
    with pytest.raises(ValueError, match=r"CrossEntropy: the output must be class scores \(b, classes\), got \(10, 5,"):
        CrossEntropy()(LocalBatch(x, x, network(x).unflatten(0, (10, 5)), y))
