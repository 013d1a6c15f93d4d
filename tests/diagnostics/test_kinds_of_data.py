"""Planes, signals and diagnoses of what people have: several inputs, loaders, graphs, and targets of every kind."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from tests.diagnostics.zoo import gaussian
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from infotorch import InformationPlane, InformationSignal, diagnose
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.kraskov import ksg

X = gaussian(120, 4)
Y = (X[:, 0] > 0).long()
PYG = pytest.importorskip("torch_geometric")


def numbers(points):
    return [(p.layer, p.mi_xt, p.mi_xt_lower, p.mi_ty, p.mi_ty_error) for p in points]


def plane(model, data, layers=None, **settings):
    return InformationPlane(model, data, layers, **({"relative_noise": 0.3} | settings))(0)


class Split(nn.Module):
    """Two inputs, or one that holds both."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.act, self.out = nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)

    def forward(self, left, right=None):
        x = left if right is None else torch.cat([left, right], 1)
        return self.out(self.act(self.first(x)))


PARTS = {"right": X[:, 1:].clone(), "left": X[:, :1].clone()}


class Labelled(Dataset):
    """One dict a sample, its targets among them."""

    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        return {"right": X[row, 1:], "left": X[row, :1], "labels": Y[row]}


class TestSeveralInputs:
    @pytest.mark.parametrize(
        "data",
        [
            (PARTS, Y),
            (PARTS | {"left": PARTS["left"].numpy()}, Y.numpy()),
            PARTS | {"label": Y},
            Labelled(),
            DataLoader(Labelled(), batch_size=50),
        ],
        ids=["dict", "arrays", "one dict", "dataset", "loader"],
    )
    def test_the_plane_and_the_signal_are_those_of_one_tensor(self, data):
        whole = plane(Split(), (X, Y), ["first", "act", "output"])
        found = plane(Split(), data, ["first", "act", "output"])
        # A Dataset is shuffled; neighbours and distances do not care for the order.
        assert [value for line in numbers(found) for value in line[1:4]] == pytest.approx(
            [value for line in numbers(whole) for value in line[1:4]], abs=1e-5
        )
        settings = {"num_samples": len(X), "layers": ["first", "out"]}
        one, several = InformationSignal(Split(), (X, Y), **settings), InformationSignal(Split(), data, **settings)
        assert several() == pytest.approx(one(), abs=1e-9)
        assert several.ceiling == one.ceiling

    def test_a_tuple_is_in_the_order_of_forward(self):
        class Needs(Split):
            def forward(self, left, right):
                return super().forward(left, right)

        pair = (PARTS["left"], PARTS["right"])
        assert numbers(plane(Needs(), (pair, Y), ["act"])) == numbers(plane(Needs(), (PARTS, Y), ["act"]))

    def test_the_ceiling_of_real_targets_reads_all_inputs(self):
        real = X[:, 1] + 0.1 * X[:, 2]
        signals = [InformationSignal(Split(), (x, real), num_samples=100) for x in (X, dict(reversed(PARTS.items())))]
        assert signals[0].ceiling == pytest.approx(signals[1].ceiling, abs=1e-9)

    def test_a_diagnosis_is_that_of_one_tensor(self):
        one, several = diagnose(Split(), (X, Y), num_samples=80), diagnose(Split(), (PARTS, Y), num_samples=80)
        assert [layer.name for layer in several] == ["first", "act", "out"]
        for ours, theirs in zip(several, one, strict=True):
            assert (ours.verdict, ours.columns) == (theirs.verdict, theirs.columns)
            assert ours.compression == theirs.compression
            assert ours.decisions == theirs.decisions
            assert ours.robustness.accuracy == theirs.robustness.accuracy
        assert diagnose(Split(), (PARTS, Y), layers=["act"], properties=False)["act"].verdict == "infinite"

    def test_a_dict_of_one_tensor_is_diagnosed_as_that_tensor(self):
        settings = {"num_samples": 60, "properties": False}
        one, named = diagnose(Split(), (X, Y), **settings), diagnose(Split(), ({"left": X}, Y), **settings)
        assert [layer.evidence for layer in named] == [layer.evidence for layer in one]

    def test_token_ids_make_no_small_steps_and_real_inputs_beside_them_do(self):
        class Tokens(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.embed, self.out = nn.Embedding(20, 8), nn.Linear(8, 2)

            def forward(self, input_ids, attention_mask, scale=None):
                hidden = self.embed(input_ids) * attention_mask[:, :, None].float()
                return self.out(hidden.sum(1) if scale is None else hidden.sum(1) * scale)

        ids = torch.randint(0, 20, (60, 5), generator=torch.Generator().manual_seed(0))
        words = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        found = diagnose(Tokens(), (words, None), properties=False)
        assert {layer.evidence.input for layer in found} == {"discrete"}
        assert {layer.verdict for layer in found} == {"saturated"}
        scaled = diagnose(Tokens(), (words | {"scale": gaussian(60, 1)}, None), properties=False)
        assert scaled["embed"].verdict == "saturated" or scaled["embed"].evidence.smooth == 0
        assert (scaled["out"].verdict, scaled["out"].evidence.input) == ("infinite", "mixed")

    def test_a_forward_that_changes_its_inputs_leaves_the_samples(self):
        class Halves(Split):
            def forward(self, left, right):
                return super().forward(left.mul_(0.5), right)

        inputs = {name: value.clone() for name, value in PARTS.items()}
        watched = InformationPlane(Halves(), (inputs, Y), ["act"], relative_noise=0.3)
        assert [p.mi_ty for p in watched(0)] == [p.mi_ty for p in watched(1)]
        assert torch.equal(inputs["left"], PARTS["left"])

    def test_a_transformer_keeps_padded_sequences_at_one_length(self):
        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.embed, self.out = nn.Embedding(20, 8), nn.Linear(8, 2)
                layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, dropout=0.0, batch_first=True)
                self.encoder = nn.TransformerEncoder(layer, num_layers=2)

            def forward(self, ids, mask=None):
                mask = torch.arange(6) < 3 + ids[:, :1] % 4 if mask is None else mask
                hidden = self.encoder(self.embed(ids), src_key_padding_mask=~mask.bool())
                return self.out((hidden * mask[:, :, None]).sum(1))

        ids = torch.randint(0, 20, (80, 6), generator=torch.Generator().manual_seed(0))
        mask, y = (torch.arange(6) < 3 + ids[:, :1] % 4).long(), (ids[:, 0] > 9).long()
        model = Encoder()
        t = model.train().encoder.layers[0](model.embed(ids), src_key_padding_mask=mask == 0)
        (found,) = plane(model, ({"ids": ids, "mask": mask}, y), ["encoder.layers.0"])
        same(found, t.flatten(1), y)
        signal = InformationSignal(model, ({"ids": ids, "mask": mask}, y), num_samples=80, layers=["encoder.layers.0"])
        assert signal()[0] == pytest.approx(found.mi_ty, abs=1e-6)
        assert torch.backends.mha.get_fastpath_enabled()
        if Encoder().eval().encoder.enable_nested_tensor:  # a mask of the model's own is packed as before
            for call in (lambda: plane(model, (ids, y), ["encoder.layers.0"]),
                         InformationSignal(model, (ids, y), num_samples=80, layers=["encoder.layers.0"])):  # fmt: skip
                with pytest.raises(ValueError, match="gives a nested tensor, whose samples differ in length"):
                    call()

    def test_names_that_forward_does_not_take_are_refused(self):
        for call in (
            lambda data: plane(Split(), data),
            lambda data: InformationSignal(Split(), data, num_samples=50),
            lambda data: diagnose(Split(), data),
        ):
            with pytest.raises(ValueError, match=r"x must hold what the model's forward takes, left, right, got third"):
                call((PARTS | {"third": X}, Y))


class TestLoaders:
    def test_the_plane_of_a_loader_is_that_of_the_tensors_it_holds(self):
        model = Split()
        loader = DataLoader(TensorDataset(X, Y), batch_size=32)
        assert numbers(plane(model, loader)) == numbers(plane(model, (X, Y)))
        first = numbers(plane(model, loader, num_samples=64))
        assert first == numbers(plane(model, (X[:64], Y[:64])))

    def test_no_more_than_the_first_samples_are_read(self):
        read = []

        class Counting(Dataset):
            def __len__(self):
                return 1000

            def __getitem__(self, row):
                read.append(row)
                return X[row % 120], Y[row % 120]

        InformationPlane(Split(), DataLoader(Counting(), batch_size=10), num_bins=3, num_samples=25)
        assert max(read) == 29


def ring(size):
    return torch.stack([torch.arange(size), torch.arange(size).roll(1)])


def molecules(n=60):
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(3, 7, (n,), generator=generator).tolist()
    graphs = []
    for number, size in enumerate(sizes):
        label = number % 2
        x = torch.randn(size, 4, generator=generator) + label
        graphs.append(PYG.data.Data(x=x, edge_index=ring(size), y=torch.tensor([label])))
    return graphs


class Molecule(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.out = PYG.nn.GCNConv(4, 6), nn.Linear(6, 2)

    def forward(self, x, edge_index, batch=None):
        return self.out(PYG.nn.global_mean_pool(self.first(x, edge_index).relu(), batch))


class Nodes(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = PYG.nn.GCNConv(4, 6), PYG.nn.GCNConv(6, 3)

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).tanh(), edge_index)


def one_graph(n=90):
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(n) % 3
    edges = torch.randint(0, n, (2, 3 * n), generator=generator)
    return PYG.data.Data(x=torch.randn(n, 4, generator=generator) + y[:, None], edge_index=edges, y=y)


def same(found, t, y):
    """The plane's point, and what neighbours read of hand-made rows."""
    with unexamined():
        assert found.mi_ty == pytest.approx(float(ross(t.detach(), y)), abs=1e-6)


class TestGraphs:
    def data(self):
        graphs = molecules()
        y = torch.cat([graph.y for graph in graphs])
        from torch_geometric.loader import DataLoader as Loader

        return {
            "list": graphs,
            "pair": (graphs, y),
            "batch": PYG.data.Batch.from_data_list(graphs),
            "loader": Loader(graphs, batch_size=16),
        }

    @pytest.mark.parametrize("kind", ["list", "pair", "batch", "loader"])
    def test_layers_of_graphs_are_means_over_their_nodes_as_by_hand(self, kind):
        model, graphs = Molecule(), molecules()
        y = torch.cat([graph.y for graph in graphs])
        pooled = torch.stack([model.first(graph.x, graph.edge_index).mean(0) for graph in graphs])
        scores = torch.cat([model(graph.x, graph.edge_index) for graph in graphs])
        first, out = plane(model, self.data()[kind], ["first", "out"])
        same(first, pooled, y)
        same(out, scores, y)
        signal = InformationSignal(model, self.data()[kind], num_samples=60, layers=["first", "out"])
        assert signal() == pytest.approx([first.mi_ty, out.mi_ty], abs=1e-6)
        assert first.ceiling == pytest.approx(math.log(60))

    def test_nodes_of_one_graph_are_the_samples_and_those_outside_the_mask_have_no_target(self):
        model, graph = Nodes(), one_graph()
        hidden = model.first(graph.x, graph.edge_index)
        (found,) = plane(model, graph, ["first"])
        same(found, hidden, graph.y)
        masked = copy.copy(graph)
        masked.train_mask = torch.arange(90) < 60
        (found,) = plane(model, masked, ["first"])
        same(found, hidden[:60], graph.y[:60])
        assert found.ceiling == pytest.approx(math.log(90))  # X is one of all nodes
        signal = InformationSignal(model, masked, num_samples=60, layers=["first"])
        assert signal()[0] == pytest.approx(found.mi_ty, abs=1e-6)

    def test_of_parts_of_a_graph_the_first_nodes_are_the_samples(self):
        model, graph = Nodes(), one_graph()
        hidden = model.first(graph.x, graph.edge_index)

        def part(seeds):  # all in-neighbours of one hop, as NeighborLoader lays them out
            source, target = graph.edge_index
            kept = torch.isin(target, seeds)
            behind = source[kept].unique()
            nodes = torch.cat([seeds, behind[~torch.isin(behind, seeds)]])
            place = torch.full((90,), -1)
            place[nodes] = torch.arange(len(nodes))
            edges = place[torch.stack([source[kept], target[kept]])]
            return PYG.data.Data(x=graph.x[nodes], edge_index=edges, y=graph.y[nodes], batch_size=len(seeds))

        loader = DataLoader(torch.arange(90).split(20), batch_size=None, collate_fn=part)

        class Plain(nn.Module):  # GCN's degrees would need two hops
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.first = PYG.nn.GraphConv(4, 6)

            def forward(self, x, edge_index):
                return self.first(x, edge_index)

        model = Plain()
        hidden = model.first(graph.x, graph.edge_index)
        (found,) = plane(model, loader, ["first"])
        same(found, hidden, graph.y)
        (fewer,) = plane(model, loader, ["first"], num_samples=30)
        same(fewer, hidden[:30], graph.y[:30])

    def test_what_has_no_row_for_a_sample_is_refused(self):
        class Whole(Nodes):
            def forward(self, x, edge_index):
                return super().forward(x, edge_index).mean(0, keepdim=True)

        with pytest.raises(ValueError, match=r"'output' gives no tensor with a row for each of the graph's nodes"):
            plane(Whole(), one_graph(), ["output"])
        with pytest.raises(
            ValueError, match=r"diagnose: layers: 'output' gives no tensor with a row for each of the gra"
        ):
            diagnose(Whole(), one_graph(), layers=["output"])

    def test_a_look_leaves_the_graph_and_the_model_as_they_were(self):
        model, graph = Nodes().train(), one_graph()
        before = {key: graph[key].clone() for key in graph.keys()}
        weights = copy.deepcopy(model.state_dict())
        plane(model, graph)
        assert all(torch.equal(graph[key], value) for key, value in before.items())
        assert all(torch.equal(value, model.state_dict()[key]) for key, value in weights.items())
        assert model.training


class TestTargets:
    def test_missing_labels_equal_the_labelled_subset(self):
        model, known = Split(), torch.arange(120) % 3 > 0
        (found,) = plane(model, (X, torch.where(known, Y, -1)), ["act"])
        same(found, model.act(model.first(X[known])), Y[known])

    def test_real_targets_are_read_by_neighbours_and_missing_ones_left_out(self):
        model, real = Split(), X[:, :2].double()
        missing = real.clone()
        missing[::4, 1] = torch.nan
        (found,) = plane(model, (X, missing), ["act"])
        kept = torch.arange(120) % 4 > 0
        with unexamined():
            truth = float(ksg(model.act(model.first(X[kept])).detach(), real[kept]))
        assert found.mi_ty == pytest.approx(truth, abs=1e-6)
        assert found.ty_estimator.startswith("ksg")
        signal = InformationSignal(model, (X, missing), num_samples=90, layers=["act"])
        assert signal()[0] == pytest.approx(truth, abs=1e-6)
        (binned,) = plane(model, (X, X[:, 0]), ["act"], relative_noise=None, num_bins=2)
        (classes,) = plane(model, (X, (X[:, 0] > (X[:, 0].max() + X[:, 0].min()) / 2).long()), ["act"],
                           relative_noise=None, num_bins=2)  # fmt: skip
        assert binned.mi_ty == pytest.approx(classes.mi_ty, abs=1e-6)

    def test_several_labels_are_one_class(self):
        model, labels = Split(), (X[:, :2] > 0).long()
        labels[::5, 0] = -1
        kept = labels[:, 0] >= 0
        (found,) = plane(model, (X, labels), ["act"])
        same(found, model.act(model.first(X[kept])), 2 * labels[kept, 0] + labels[kept, 1])
        signal = InformationSignal(model, (X, labels), num_samples=int(kept.sum()), layers=["act"])
        assert signal()[0] == pytest.approx(found.mi_ty, abs=1e-6)
        with pytest.raises(ValueError, match="'readout' reads scores of classes, and y holds several labels"):
            InformationSignal(model, (X, labels), num_samples=50, estimator="readout")

    def test_classes_that_are_stored_as_floats_are_classes_where_it_is_said(self):
        stored = torch.where(torch.arange(120) % 3 > 0, Y.double(), torch.nan)
        classes = torch.where(torch.arange(120) % 3 > 0, Y, -1)
        for data in ((X, stored), DataLoader(TensorDataset(X, stored), batch_size=50)):
            assert numbers(plane(Split(), data, targets="classes")) == numbers(plane(Split(), (X, classes)))
        signals = [
            InformationSignal(Split(), (X, y), num_samples=60, targets=targets)()
            for y, targets in ((stored, "classes"), (classes, "auto"))
        ]
        assert signals[0] == signals[1]
        settings = {"properties": False, "num_samples": 60}
        found = diagnose(Split(), (X, stored), targets="classes", **settings)
        assert found.as_dict() == diagnose(Split(), (X, classes), **settings).as_dict()
        with pytest.raises(TypeError, match=r"y must be one class a row.*InformationPlane and InformationSignal take"):
            diagnose(Split(), (X, stored))


class TestDoubts:
    """What an examined call warns of stands beside each number; numbers are those of the plain estimate."""

    def model(self):
        model = Split()
        with torch.no_grad():
            model.first.weight[0] *= 100
        return model

    def test_a_plane_keeps_reasons_without_a_warning_or_another_number(self):
        model = self.model()
        t = model.first(X).detach()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = plane(model, (X, Y), ["first"])[0]
        with pytest.warns(UserWarning, match="scales lie more than a factor"):
            told = ross(t, Y)
        with unexamined():
            plain = ross(t, Y)
            error = plain.std_error
        assert (found.mi_ty_reliable, found.mi_ty_reason) == (False, told.reason)
        assert "scales lie more than a factor of 5 apart" in found.mi_ty_reason
        assert (found.mi_ty, found.mi_ty_error) == (float(plain), error)
        assert found.mi_xt_reliable is True
        watched = InformationPlane(model, (X, None), ["first"], bin_width=0.1)
        (line,) = (watched(0), watched.table())[1]
        assert line["mi_xt_reason"].startswith("bins in the units of the columns")
        assert (line["mi_xt_reliable"], line["mi_ty_reliable"]) == (False, None)

    def test_a_signal_keeps_those_of_its_last_measurement(self):
        model = self.model()
        signal = InformationSignal(model, (X, Y), num_samples=120, layers=["first", "out"])
        assert signal.table() == []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = signal()
        first, out = signal.table()
        assert [first["layer"], out["layer"]] == ["first", "out"]
        assert [first["mi_ty"], out["mi_ty"]] == values
        assert first["reliable"] is False
        assert "scales lie more" in first["reason"]
        plain = InformationSignal(model, (X, Y), num_samples=120, estimator=lambda t, y: 0.5)
        assert plain() == 0.5
        assert plain.table() == [{"layer": "output", "mi_ty": 0.5, "reason": "", "reliable": None}]

    def test_numpy_arrays_of_whole_numbers_stay_classes(self):
        assert numbers(plane(Split(), (X.numpy(), Y.numpy().astype(np.uint8)))) == numbers(plane(Split(), (X, Y)))
