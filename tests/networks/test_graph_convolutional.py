import itertools
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.graph_convolutional import GRAPH_LAYERS, graph_network
from infotorch.networks.segments import split

pytest.importorskip("torch_geometric")

from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCNConv

from infotorch.networks.graph_layers import GraphConvolution, ReadOut, graph_layer


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def some_graph(nodes=12, features=5, seed=0, share=0.3):
    """Both directions of every edge, no loop, each once; the last node is isolated."""
    upper = (torch.rand(nodes, nodes, generator=stream(seed)) < share).triu(1)
    upper[:, -1] = False
    x = torch.randn(nodes, features, generator=stream(seed + 1), dtype=torch.float64)
    return Data(x=x, edge_index=(upper | upper.T).nonzero().T.contiguous())


def some_batch(count=4, features=5):
    graphs = [some_graph(3 + 2 * number, features, seed=number) for number in range(count)]
    return Batch.from_data_list(graphs)


def adjacency(data):
    """A[i, j] = number of edges from j to i."""
    dense = torch.zeros(len(data.x), len(data.x), dtype=torch.float64)
    for source, target in data.edge_index.T.tolist():
        dense[target, source] += 1
    return dense


def initialised(seed=0):
    """Weights of a network that do not depend on the tests before."""
    torch.manual_seed(seed)


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng():
        initialised()
        yield


class TestGraphConvolution:
    def test_words_of_documents_give_what_dense_rows_give_also_after_a_change_in_place(self):
        data, layer = some_graph(), GraphConvolution(400, 3).double()
        twin = GCNConv(400, 3).double()
        twin.load_state_dict(layer.state_dict())
        x = torch.zeros(data.num_nodes, 400, dtype=torch.float64)
        x[torch.arange(data.num_nodes), torch.arange(data.num_nodes) * 7] = 1.5
        for _ in range(2):
            for one in (layer, twin):
                one.zero_grad()
                one(x, data.edge_index).square().sum().backward()
            assert torch.allclose(layer(x, data.edge_index), twin(x, data.edge_index), rtol=1e-12, atol=1e-14)
            assert torch.allclose(layer.lin.weight.grad, twin.lin.weight.grad, rtol=1e-12, atol=1e-14)
            x[:, 399] = 2.0  # seen, though it is the same tensor

    def test_a_gradient_reaches_sparse_rows_that_ask_for_it(self):
        data, layer = some_graph(), GraphConvolution(400, 3).double()
        x = torch.zeros(data.num_nodes, 400, dtype=torch.float64, requires_grad=True)
        layer(x, data.edge_index).sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum() > 0

    def test_it_is_the_formula_of_the_paper(self):
        data = some_graph()
        layer = GraphConvolution(5, 3).double()
        nn.init.normal_(layer.bias, generator=stream(3))
        looped = adjacency(data) + torch.eye(12, dtype=torch.float64)
        scale = looped.sum(1).rsqrt().diag()
        wanted = scale @ looped @ scale @ data.x @ layer.lin.weight.T + layer.bias
        torch.testing.assert_close(layer(data.x, data.edge_index), wanted, atol=1e-12, rtol=1e-12)

    def test_an_isolated_node_keeps_its_own_row_alone(self):
        data, layer = some_graph(), GraphConvolution(5, 3).double()
        wanted = data.x[-1] @ layer.lin.weight.T + layer.bias
        torch.testing.assert_close(layer(data.x, data.edge_index)[-1], wanted, atol=1e-13, rtol=0)

    @pytest.mark.parametrize("kind", ["plain", "loops", "twice", "one way", "none"])
    def test_whatever_the_edges_it_is_torch_geometrics_layer(self, kind):
        data, layer = some_graph(), GraphConvolution(5, 3).double()
        other = GCNConv(5, 3).double()
        other.load_state_dict(layer.state_dict())
        edges = data.edge_index
        edges = {
            "plain": edges,
            "loops": torch.cat([edges, torch.tensor([[2, 4], [2, 4]])], dim=1),
            "twice": edges.repeat(1, 2),
            "one way": edges[:, ::2],
            "none": edges[:, :0],
        }[kind]
        x, y = (data.x.clone().requires_grad_() for _ in range(2))
        ours, theirs = layer(x, edges), other(y, edges)
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)
        direction = torch.randn(ours.shape, generator=stream(5), dtype=torch.float64)
        for output in (ours, theirs):
            output.backward(direction)
        torch.testing.assert_close(x.grad, y.grad, atol=1e-12, rtol=1e-12)
        for (name, one), (_, two) in zip(layer.named_parameters(), other.named_parameters(), strict=True):
            torch.testing.assert_close(one.grad, two.grad, atol=1e-11, rtol=1e-11, msg=name)

    def test_gradients_of_both_orders(self):
        """The second order is what a gradient penalty needs, and a proximal split."""
        data, layer = some_graph(6, 3), GraphConvolution(3, 2).double()

        def function(x, weight):
            return torch.func.functional_call(layer, {"lin.weight": weight}, (x, data.edge_index)).tanh()

        inputs = (data.x.requires_grad_(), layer.lin.weight)
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)

    def test_autocast_leaves_the_sum_over_neighbours_in_full_precision(self):
        data, layer = some_graph(), GraphConvolution(5, 3)
        x = data.x.float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = layer(x, data.edge_index)
        assert narrow.dtype == torch.float32
        # bfloat16 keeps 8 bits of the linear map: 1 / 256 of values about 1, a few of them added
        torch.testing.assert_close(narrow, layer(x, data.edge_index), atol=0.03, rtol=0.03)

    @pytest.mark.parametrize("share", [0.0, 0.98], ids=["dense", "sparse"])
    def test_the_way_back_from_autocast_is_that_without_it_to_its_digits(self, share):
        """It was an error of torch: the product itself had been narrowed, and its gradient with it."""
        x = torch.rand(20, 50, generator=torch.Generator().manual_seed(0))
        x, edges = x * (x > share), torch.stack([torch.arange(20), torch.arange(20).roll(1)])
        first, last = GraphConvolution(50, 8), GraphConvolution(8, 2)
        found = []
        for enabled in (True, False):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                loss = last(first(x, edges).relu(), edges).square().mean()
            found.append(torch.autograd.grad(loss, [*first.parameters(), *last.parameters()]))
        for narrow, full in zip(*found, strict=True):
            torch.testing.assert_close(narrow, full, atol=0.03 * float(full.abs().max()), rtol=0.03)


class TestReadOut:
    @pytest.mark.parametrize("how", ["mean", "sum", "max"])
    def test_each_graph_by_hand_the_last_ones_without_nodes(self, how):
        rows = torch.tensor([[1.0, -2.0], [3.0, -4.0], [5.0, 6.0]])
        empty = Data(x=torch.zeros(0, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))
        data = Batch.from_data_list([
            Data(x=rows[:2], edge_index=empty.edge_index), empty, Data(x=rows[2:], edge_index=empty.edge_index), empty
        ])  # fmt: skip
        first = {"mean": [2.0, -3.0], "sum": [4.0, -6.0], "max": [3.0, -2.0]}[how]
        assert ReadOut(how)(rows, data).tolist() == [first, [0.0, 0.0], [5.0, 6.0], [0.0, 0.0]]

    @pytest.mark.parametrize("how", ["mean", "sum", "max"])
    def test_without_a_batch_it_is_one_graph(self, how):
        rows = torch.tensor([[1.0], [2.0], [6.0]])
        alone = Data(x=rows, edge_index=torch.zeros(2, 0, dtype=torch.int64))
        assert ReadOut(how)(rows, alone).tolist() == [[{"mean": 3.0, "sum": 9.0, "max": 6.0}[how]]]

    def test_print_shows_which(self):
        assert str(ReadOut("max")) == "ReadOut(max)"


class TestLayers:
    @pytest.mark.parametrize(
        ("kind", "norm", "count"),
        [
            ("gcn", False, 4 * 3 + 3),
            ("sage", False, 2 * 4 * 3 + 3),
            ("gat", False, 4 * 3 + 2 * 3 + 3),
            ("gin", False, 4 * 3 + 3 + 3 * 3 + 3),
            ("gin", True, 4 * 3 + 3 + 2 * 3 + 3 * 3 + 3),
        ],
    )
    def test_parameters_are_counted_by_the_papers_formulas(self, kind, norm, count):
        assert sum(p.numel() for p in graph_layer(kind, 4, 3, norm=norm).parameters()) == count

    def test_gin_is_a_perceptron_of_a_node_and_the_sum_of_its_neighbours(self):
        data, layer = some_graph(), graph_layer("gin", 5, 3).double()
        first, _, second = layer.nn
        wanted = second(first(data.x + adjacency(data) @ data.x).relu())
        torch.testing.assert_close(layer(data.x, data.edge_index), wanted, atol=1e-12, rtol=1e-12)

    def test_sage_is_a_node_beside_the_mean_of_its_neighbours(self):
        data, layer = some_graph(), graph_layer("sage", 5, 3).double()
        among = adjacency(data)
        mean = among @ data.x / among.sum(1, keepdim=True).clamp(min=1)
        wanted = layer.lin_l(mean) + layer.lin_r(data.x)
        torch.testing.assert_close(layer(data.x, data.edge_index), wanted, atol=1e-12, rtol=1e-12)

    def test_gat_weighs_neighbours_by_a_softmax(self):
        data, layer = some_graph(), graph_layer("gat", 5, 3).double()
        rows = data.x @ layer.lin.weight.T
        source, target = (rows * layer.att_src[0]).sum(1), (rows * layer.att_dst[0]).sum(1)
        scores = F.leaky_relu(target[:, None] + source[None, :], 0.2)
        looped = adjacency(data) + torch.eye(12, dtype=torch.float64)
        wanted = scores.masked_fill(looped == 0, -torch.inf).softmax(1) @ rows + layer.bias
        torch.testing.assert_close(layer(data.x, data.edge_index), wanted, atol=1e-12, rtol=1e-12)


class TestGraphNetwork:
    def test_it_is_its_layers_written_by_hand(self):
        data = some_batch()
        network = graph_network(
            5, embedding=(4,), convolutions=(6, 3), hidden=(7,), outputs=2, norm="batch", readout="mean"
        ).double()
        rows = network.embed1_norm(network.embed1(data.x)).relu()
        for convolution, norm in ((network.conv1, network.conv1_norm), (network.conv2, network.conv2_norm)):
            rows = norm(convolution(rows, data.edge_index)).relu()
        means = torch.stack([rows[data.batch == number].mean(0) for number in range(4)])
        wanted = network.fc2(network.fc1_norm(network.fc1(means)).relu())
        torch.testing.assert_close(network(data), wanted, atol=1e-12, rtol=1e-12)

    @pytest.mark.parametrize(
        ("norm", "names"),
        [
            ("none", "embed1 embed1_relu embed1_drop conv1 conv1_relu conv1_drop readout fc1 fc1_relu fc1_drop fc2"),
            (
                "batch",
                "embed1 embed1_norm embed1_relu embed1_drop conv1 conv1_norm conv1_relu conv1_drop readout "
                "fc1 fc1_norm fc1_relu fc1_drop fc2",
            ),
            (
                "length",
                "embed1_length embed1 embed1_relu embed1_drop conv1_length conv1 conv1_relu conv1_drop readout "
                "fc1_length fc1 fc1_relu fc1_drop fc2",
            ),
        ],
    )
    def test_names(self, norm, names):
        network = graph_network(
            3, embedding=(4,), convolutions=(4,), hidden=(4,), outputs=2, norm=norm, dropout=0.2, readout="sum"
        )
        assert [name for name, _ in network.named_children()] == names.split()

    @pytest.mark.parametrize(("kind", "readout"), list(itertools.product(GRAPH_LAYERS, [None, "sum"])))
    def test_cut_at_every_layer_it_is_the_same_network(self, kind, readout):
        """Only the rows cross a cut; edges are read from the data again."""
        network = graph_network(
            5, embedding=(4,), convolutions=(6, 3), hidden=(7,), outputs=2, norm="batch", layer=kind, readout=readout
        )
        network, data = network.double().eval(), some_batch()
        cuts = ["conv1", "conv1_norm", "conv2", *(["readout"] if readout else []), "fc1", "fc2"]
        hidden = data
        for segment in split(network, cuts):
            hidden = segment.eval()(hidden, data)
        assert torch.equal(hidden, network(data))
        assert len(hidden) == (4 if readout else len(data.x))

    def test_graphs_of_a_batch_do_not_see_each_other(self):
        network = graph_network(5, convolutions=(6, 6), outputs=3, layer="gat", readout="max").double()
        data = some_batch()
        alone = torch.cat([network(graph) for graph in data.to_data_list()])
        torch.testing.assert_close(network(data), alone, atol=1e-12, rtol=1e-12)

    @pytest.mark.parametrize("kind", GRAPH_LAYERS)
    def test_the_order_of_nodes_and_edges_does_not_matter(self, kind):
        data = some_graph()
        network = graph_network(5, convolutions=(6, 6), outputs=3, layer=kind).double()
        order = torch.randperm(12, generator=stream(1))
        edges = torch.argsort(order)[data.edge_index][:, torch.randperm(data.edge_index.shape[1], generator=stream(2))]
        moved = network(Data(x=data.x[order], edge_index=edges))
        torch.testing.assert_close(moved, network(data)[order], atol=1e-12, rtol=1e-12)

    @pytest.mark.parametrize("kind", GRAPH_LAYERS)
    def test_a_graph_without_edges_and_one_of_a_single_node(self, kind):
        network = graph_network(5, convolutions=(6, 6), outputs=3, layer=kind, readout="mean")
        for nodes in (1, 4):
            scores = network(Data(x=torch.ones(nodes, 5), edge_index=torch.zeros(2, 0, dtype=torch.int64)))
            assert scores.shape == (1, 3)
            assert torch.isfinite(scores).all()

    def test_parameters_are_those_of_the_tables_networks(self):
        cora = graph_network(1433, convolutions=(512, 512), outputs=7)
        assert sum(p.numel() for p in cora.parameters()) == 1434 * 512 + 513 * 512 + 513 * 7
        molecules = graph_network(14, embedding=(64,), convolutions=(64, 64), outputs=2, layer="gin", norm="batch")
        norms, perceptron = 2 * 64, 2 * 65 * 64 + 2 * 64
        assert sum(p.numel() for p in molecules.parameters()) == 15 * 64 + norms + 2 * (perceptron + norms) + 65 * 2

    def test_length_norm_hides_the_goodness_of_the_layer_before(self):
        network = graph_network(5, convolutions=(6, 6), outputs=3, norm="length").double()
        data = some_graph()
        louder = Data(x=7 * data.x, edge_index=data.edge_index)
        torch.testing.assert_close(network(louder), network(data), atol=1e-9, rtol=1e-9)

    def test_dropout_is_silent_in_evaluation(self):
        data = some_graph()
        network = graph_network(5, convolutions=(64,), outputs=3, dropout=0.5).double()
        initialised(1)
        first, second = network(data), network(data)
        assert not torch.equal(first, second)
        network.eval()
        assert torch.equal(network(data), network(data))

    def test_a_tensor_is_no_graph(self):
        with pytest.raises(TypeError, match=r"GraphNetwork: takes a torch_geometric Data or Batch, got a tensor"):
            graph_network(5, convolutions=(6,), outputs=3)(torch.zeros(4, 5))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"convolutions": ()}, r"needs a message-passing layer, got convolutions \(\)"),
            ({"convolutions": (4, 0)}, "every width of convolutions must be at least 1, got 0"),
            ({"embedding": (0,)}, "every width of embedding must be at least 1, got 0"),
            ({"hidden": (-1,)}, "every width of hidden must be at least 1, got -1"),
            ({"layer": "gnc"}, "graph_network: layer must be one of gcn, gin, sage, gat, got 'gnc'"),
            ({"norm": "group"}, "graph_network: norm must be one of none, batch, length, got 'group'"),
            ({"readout": "median"}, "graph_network: readout must be one of mean, sum, max, got 'median'"),
            ({"dropout": 1.0}, "graph_network: dropout must be at least 0 and below 1, got 1.0"),
            ({"dropout": -0.1}, "dropout must be at least 0"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            graph_network(5, **{"convolutions": (4,), "outputs": 3, **settings})


def test_without_torch_geometric_the_error_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "torch_geometric"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"graph_network needs torch_geometric: pip install 'infotorch\[graph"
    ):
        graph_network(5, convolutions=(4,), outputs=3)
