import copy

import pytest
import torch
from torch import nn

from infotorch.objectives.base import LocalBatch
from infotorch.objectives.precision import PrecisionAndCompression, Watch

Y = torch.arange(6) % 3


class Size(PrecisionAndCompression):
    """Compression is the layer's mean square."""

    def _compression(self, batch):
        return (batch.output if self.watch is None else self.watch.take()[1]).square().mean()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestWatch:
    def test_it_gives_the_last_pass_once_and_keeps_nothing(self):
        layer, x = nn.Linear(3, 2), draw(4, 3)
        watch = Watch(layer, where="T")
        layer(draw(5, 3))
        output = layer(x)
        given, seen = watch.take()
        assert given is x
        assert seen is output
        with pytest.raises(ValueError, match="T: the watched layer must run in the forward pass of this objective's"):
            watch.take()

    def test_what_is_no_layer_is_refused(self):
        with pytest.raises(TypeError, match="T: layer must be a layer of the network, got str"):
            Watch("fc1", where="T")


class TestDifferentLayers:
    def network(self):
        network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        objective, x = Size(beta=2.0, layer=network[1]), draw(6, 4)
        objective.build(LocalBatch(x, x, network(x), Y), Y)
        return network, objective, x

    def test_precision_is_of_the_output_and_compression_of_the_watched_layer(self):
        network, objective, x = self.network()
        loss = objective(LocalBatch(x, x, network(x), Y))
        wanted = (
            nn.functional.cross_entropy(network(x), Y) - torch.tensor(3.0).log() + 2 * network[:2](x).square().mean()
        )
        torch.testing.assert_close(loss.total, wanted)

    def test_the_watched_layer_is_no_part_of_the_objective_and_a_copy_of_the_network_runs(self):
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
