"""Auxiliary networks: what looks through them, what trains them, and what they leave alone."""

import copy
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from tests.objectives.on_small_graphs import molecules
from torch import nn

from infotorch import Plan, evaluate_modules, train
from infotorch.data.graphs import GraphSamples, GraphStructure
from infotorch.networks import graph_network, resnet
from infotorch.objectives import LocalBatch, ReadoutInformation, SumOfObjectives
from infotorch.objectives.auxiliary import ThroughAuxiliary
from infotorch.objectives.names import objective_from_name

GRIDS = ({"kind": "convolutions", "channels": 6}, {"kind": "following", "copies": 2})


def rows(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(count, classes=3):
    return torch.arange(count) % classes


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def batch_of(output, y=None, **more):
    return LocalBatch(output, output, output, labels(len(output)) if y is None else y, **more)


def built(objective, auxiliary, output, **more):
    made = ThroughAuxiliary(objective, auxiliary)
    made.build(batch_of(output, **more), labels(len(output)))
    return made


def small_net(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(),
            nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
            nn.Linear(32, 3),
        )  # fmt: skip


def state(module):
    return [value.clone() for value in module.state_dict().values()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def trained(model, cuts, objectives, *, auxiliary=None, of="Y", x=None, y=None, order="simultaneous", epochs=2):
    x = rows(24, 1, 8, 8) if x is None else x
    y = labels(24) if y is None else y
    options = {} if auxiliary is None else {of: {"auxiliary": auxiliary}}
    plan = Plan.layerwise(model, cuts, objectives, options=options, order=order, optimizer=adam)
    losses = [{k: v.total.item() for k, v in info.losses.items()} for info in train(plan, (x, y), epochs=epochs)]
    return plan, losses


class TestWhatItIs:
    @pytest.mark.parametrize("name", ["Y", "X:views", "Y:supcon", "X:mine"])
    def test_the_identity_changes_no_bit(self, name):
        options = {"hidden": (8,), "critic_steps": 2} if name == "X:mine" else {}
        results = []
        for auxiliary in (None, nn.Identity()):
            given = {name: {**options, **({} if auxiliary is None else {"auxiliary": auxiliary})}}
            model = small_net()
            plan = Plan.layerwise(
                model, ["2", "10"], [name, name, "CE"], options=given, order="simultaneous", optimizer=adam
            )
            losses = [info.losses for info in train(plan, (rows(24, 1, 8, 8), labels(24)), epochs=2, batch_size=12)]
            results.append((state(model), [float(loss.total) for step in losses for loss in step.values()]))
        assert same(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]

    def test_its_gradient_is_that_of_the_composition_by_hand(self):
        output, y = rows(12, 5).double().requires_grad_(), labels(12)
        network = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)).double()
        objective = built(ReadoutInformation(), network, output)
        objective(batch_of(output, y)).total.backward()
        by_hand = output.detach().clone().requires_grad_()
        first, _, second = objective.network
        hidden = torch.tanh(by_hand @ first.weight.T + first.bias) @ second.weight.T + second.bias
        readout = objective.objective.readout
        loss = F.cross_entropy(hidden @ readout.weight.T + readout.bias, y)
        wanted = torch.autograd.grad(loss, [by_hand, first.weight, readout.weight])
        for got, want in zip((output.grad, first.weight.grad, readout.weight.grad), wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-14)
        assert objective(batch_of(output, y)).total.item() == pytest.approx(loss.item() - math.log(3), 1e-6)

    def test_the_users_network_is_copied(self):
        network = nn.Linear(4, 4)
        first, second = (built(ReadoutInformation(), network, rows(6, 4)) for _ in range(2))
        places = [module.network.weight.data_ptr() for module in (first, second)] + [network.weight.data_ptr()]
        assert len(set(places)) == 3
        assert torch.equal(first.network.weight, network.weight)

    def test_a_function_makes_it_from_the_output_with_the_seed_of_the_run(self):
        def make(output):
            return nn.Linear(output.shape[1], 3)

        first, second = (built(ReadoutInformation(), make, rows(6, 4)) for _ in range(2))
        assert torch.equal(first.network.weight, second.network.weight)

    def test_bounds_from_above_are_not_claimed(self):
        from infotorch import InformationBottleneck

        objective = ThroughAuxiliary(InformationBottleneck(beta=0.1, noise_std=1.0), "convolutions")
        assert dict(objective.sides) == {"mi_ty_nats": "lower"}

    def test_a_sum_may_look_through_one_or_each_part_through_its_own(self):
        output = rows(12, 4, 6, 6)
        parts = [objective_from_name("Y:supcon"), objective_from_name("Y")]
        assert len(built(SumOfObjectives(parts), "convolutions", output).network) == 4
        both = objective_from_name("Y:supcon+Y", {name: {"auxiliary": "convolutions"} for name in ("Y:supcon", "Y")})
        both.build(batch_of(output), labels(12))
        assert not torch.equal(both.parts[0].network[0].weight, both.parts[1].network[0].weight)

    def test_its_cost_is_told(self):
        objective = built(ReadoutInformation(), {"kind": "convolutions", "channels": (5, 7)}, rows(10, 4, 6, 6))
        convolutions = 4 * 5 * 9, 5 * 7 * 9
        assert objective.num_parameters == sum(convolutions) + 2 * (5 + 7)
        assert objective.operations == 2 * 10 * 36 * sum(convolutions)


class TestKinds:
    def test_convolutions_with_pooling_before_and_behind(self):
        settings = {"kind": "convolutions", "channels": 8, "locations": 4, "pooled": 3}
        output = rows(6, 5, 9, 9)
        objective = built(ReadoutInformation(), settings, output)
        objective.eval()
        convolution, norm = objective.network[1], objective.network[2]
        grid = F.conv2d(F.adaptive_avg_pool2d(output, 4), convolution.weight, padding=1)
        wanted = F.adaptive_avg_pool2d((grid / (1 + norm.eps) ** 0.5).relu(), 3)
        torch.testing.assert_close(objective.network(output), wanted, rtol=1e-5, atol=1e-6)
        assert objective.objective.readout.in_features == 8 * 9

    @pytest.mark.parametrize("auxiliary", GRIDS)
    def test_residual_blocks(self, auxiliary):
        x, y = rows(16, 3, 32, 32), labels(16)
        model = resnet((3, 32, 32), 3, blocks=(1, 2), width=4)
        _, losses = trained(
            model, ["block2_1", "block2_2", "pool"], "Y,Y,Y,CE", auxiliary=auxiliary, x=x, y=y, epochs=20
        )
        assert losses[-1]["conv"] < losses[0]["conv"] - 0.1

    @pytest.mark.parametrize("auxiliary", [{"kind": "attention", "heads": 2}, "following"])
    def test_transformer_blocks(self, auxiliary):
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True), 3, enable_nested_tensor=False
        )
        x, y = rows(12, 5, 8), labels(12)
        _, losses = trained(encoder, ["layers.1", "layers.2"], "Y,Y,frozen", auxiliary=auxiliary, x=x, y=y, epochs=12)
        first, last = losses[0], losses[-1]
        assert all(last[name] < first[name] for name in first)

    @pytest.mark.parametrize("layer", ["gcn", "gin"])
    def test_blocks_of_a_graph_network(self, layer):
        graphs, y = molecules(count=24)
        model = graph_network(8, convolutions=(6, 6), outputs=2, readout="mean")
        auxiliary = {"kind": "message-passing", "widths": (7, 5), "layer": layer}
        plan, losses = trained(model, ["conv2", "readout"], "X:gmi,Y,CE", auxiliary=auxiliary, x=graphs, y=y, epochs=5)
        assert losses[-1]["conv2"] < losses[0]["conv2"]
        assert plan[1].objective.objective.readout.in_features == 5
        assert "accuracy" not in evaluate_modules(plan, GraphSamples(graphs), y, [1])["conv2"]

    def test_message_passing_equals_the_layers_by_hand(self):
        graph = GraphStructure(torch.tensor([[0, 1, 2], [1, 2, 0]]), torch.tensor([0, 0, 0]), 1)
        batch = batch_of(rows(3, 4), torch.tensor([0, 1, 0]), graph=graph)
        objective = ThroughAuxiliary(ReadoutInformation(), {"kind": "message-passing", "widths": 5, "layer": "sage"})
        objective.build(batch, batch.y)
        layer = objective.network.layers[0]
        # A node has one neighbour each: the one before it on the ring.
        by_hand = (
            batch.output[[2, 0, 1]] @ layer.lin_l.weight.T + layer.lin_l.bias + batch.output @ layer.lin_r.weight.T
        )
        torch.testing.assert_close(objective.network(batch.output, graph.edge_index), by_hand.relu())


class TestFollowing:
    def build(self, model, copies=2, cuts=("2", "6", "10"), objectives="Y,Y,Y,CE"):
        return trained(model, cuts, objectives, auxiliary={"kind": "following", "copies": copies}, epochs=1)[0]

    def test_the_layers_are_those_behind_the_module_but_for_the_last(self):
        plan = self.build(small_net())
        kinds = [[type(layer).__name__ for layer in plan[n].objective.network.modules()] for n in (0, 1, 2)]
        assert [k.count("Conv2d") for k in kinds] == [2, 1, 0]
        assert [k.count("Linear") for k in kinds] == [0, 0, 0]
        assert kinds[0].count("BatchNorm2d") == 1

    def test_the_layers_between_are_passed_over_evenly(self):
        plan = self.build(small_net(), copies=1)
        convolutions = [layer for layer in plan[0].objective.network.modules() if isinstance(layer, nn.Conv2d)]
        # One copy is of the layer farthest away; from 4 channels and 8 x 8 locations to its 6 and 4 x 4.
        assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == [(4, 6), (6, 8)]

    def test_copies_share_no_storage_and_hold_none_of_the_weights(self):
        model = small_net()
        plan = self.build(model)
        own = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
        copies = [tensor for part in plan for tensor in (*part.objective.parameters(), *part.objective.buffers())]
        assert own.isdisjoint({tensor.untyped_storage().data_ptr() for tensor in copies})

    def test_what_the_later_layers_hold_decides_nothing_before_them(self):
        results = []
        for change in (False, True):
            model = small_net()
            if change:
                with torch.no_grad():
                    for parameter in model[2:].parameters():
                        parameter.add_(1.0)
            self.build(model)
            results.append(state(model[:2]))
        assert same(*results)

    def test_training_one_module_leaves_the_later_ones_as_they_are(self):
        model = small_net()
        before = state(model[2:])
        trained(model, ["2", "10"], "Y,frozen,frozen", auxiliary={"kind": "following", "copies": 2}, order="sequential")
        assert same(before, state(model[2:]))
        assert not same(state(small_net()[:2]), state(model[:2]))

    def test_a_skip_connection_stays_whole_and_modes_are_followed(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = (nn.Conv2d(n, 4, 3, padding=1) for n in (1, 4, 4))
                self.d = nn.Linear(4 * 16, 3)

            def forward(self, x):
                x = self.a(x).relu()
                x = x + F.dropout(self.b(x), 0.5, self.training)
                x = x + self.c(x).relu()
                return self.d(F.max_pool2d(x, 2).flatten(1))

        plan, _ = trained(Net(), ["b"], "Y,CE", auxiliary={"kind": "following", "copies": 2, "pooled": None})
        network, output = plan[0].objective.network, rows(2, 4, 8, 8)
        convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        hidden = output + convolutions[0](output)
        wanted = F.max_pool2d(hidden + convolutions[1](hidden).relu(), 2).flatten(1)
        torch.testing.assert_close(network.eval()(output), wanted)
        assert not torch.equal(network.train()(output), wanted)

    def test_nothing_of_the_model_is_kept(self):
        plan = self.build(small_net())
        pickled = pickle.loads(pickle.dumps(plan.without_optimizers()))
        x = rows(5, 4, 8, 8)
        assert torch.equal(pickled[0].objective.network.eval()(x), plan[0].objective.network.eval()(x))
        copied = copy.deepcopy(plan[0].objective)
        assert copied.network is not plan[0].objective.network


class TestTraining:
    def test_statistics_count_the_batch_once_whatever_else_is_encoded(self):
        network = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0))
        objective = ThroughAuxiliary(objective_from_name("X:views"), network)
        batch = LocalBatch(rows(8, 4), rows(8, 4), rows(8, 4), None, encode=lambda x: 5 + x)
        objective.build(batch, None)
        objective(batch)
        torch.testing.assert_close(objective.network[0].running_mean, batch.output.mean(dim=0))

    def test_steps_of_a_critic_do_not_move_the_network(self):
        objective = ThroughAuxiliary(
            objective_from_name("X:mine", {"X:mine": {"hidden": (8,), "critic_steps": 2}}), nn.Linear(4, 3)
        )
        batch = LocalBatch(rows(8, 4), rows(8, 4), rows(8, 4), None)
        objective.build(batch, None)
        objective.critic_loss(batch).backward()
        assert all(parameter.grad is None for parameter in objective.network.parameters())
        assert any(parameter.grad is not None for critic in objective.critics() for parameter in critic.parameters())

    def test_dropout_in_it_moves_no_other_draw(self):
        after = []
        for auxiliary in (nn.Identity(), nn.Dropout(0.9)):
            model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 3))
            with torch.no_grad():
                for number, parameter in enumerate(model.parameters()):
                    parameter.copy_(rows(*parameter.shape, seed=number))
            still = [lambda p: torch.optim.SGD(p, lr=0.0), adam]
            options = {"Y": {"auxiliary": auxiliary}}
            plan = Plan.layerwise(model, ["2"], "Y,CE", options=options, order="simultaneous", optimizer=still)
            losses = [info.losses["0"].total.item() for info in train(plan, (rows(24, 4), labels(24)), epochs=2)]
            after.append((state(model), losses))
        assert same(after[0][0], after[1][0])
        assert after[0][1] != after[1][1]

    def test_a_run_goes_on_from_its_state(self):
        def make():
            return Plan.layerwise(
                small_net(), ["2", "10"], "Y,Y,CE", options={"Y": {"auxiliary": GRIDS[1]}}, order="simultaneous",
                optimizer=adam,
            )  # fmt: skip

        data = (rows(24, 1, 8, 8), labels(24))
        whole = make()
        infos = [(info, copy.deepcopy(whole.state_dict())) for info in train(whole, data, epochs=2, batch_size=12)]
        again = make()
        again.prepare(data, epochs=2, seed=0, batch_size=12)
        again.load_state_dict(infos[1][1])
        for _ in train(again, data, epochs=2, batch_size=12, start=infos[1][0].next):
            pass
        assert same(state(whole[0].objective), state(again[0].objective))
        assert same(state(whole[0].body), state(again[0].body))


class TestBadInput:
    @pytest.mark.parametrize(
        ("auxiliary", "message"),
        [
            ("convolution", "auxiliary: there is no kind 'convolution'; did you mean convolutions"),
            ({"channels": 3}, "auxiliary: there is no kind None; allowed: convolutions"),
            ({"kind": "following", "copys": 2}, "auxiliary 'following' has no setting 'copys'; did you mean copies"),
            ({"kind": "convolutions", "kernel": 4}, "kernel must be odd"),
            ({"kind": "convolutions", "channels": 0}, "every width of channels must be at least 1"),
            ({"kind": "following", "copies": 0}, "copies must be at least 1"),
            ({"kind": "attention", "heads": 0}, "heads must be at least 1"),
            ({"kind": "message-passing", "layer": "gnn"}, "layer must be"),
            (3, "auxiliary: must be one of 'convolutions', .*got 3"),
            ({"kind": ["convolutions"]}, r"auxiliary: there is no kind \['convolutions'\]"),
            (nn.Linear, "auxiliary: must be one of 'convolutions', .*got the class Linear"),
        ],
    )
    def test_settings_are_refused_in_one_line(self, auxiliary, message):
        with pytest.raises((TypeError, ValueError), match=message) as raised:
            ThroughAuxiliary(ReadoutInformation(), auxiliary)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize(
        ("auxiliary", "shape", "message"),
        [
            ("convolutions", (6, 4), r"must be a grid \(b, channels, height, width\), got \(6, 4\)"),
            ("attention", (6, 4), r"must be tokens \(b, tokens, width\), got \(6, 4\)"),
            ({"kind": "attention", "heads": 3}, (6, 5, 4), "heads must divide the width 4, got 3"),
            ("message-passing", (6, 4), "a row .* for each node, got samples that are no graphs"),
            ("following", (6, 4), "no layer follows the plan's last module"),
            (nn.Linear(3, 2), (6, 4), r"the auxiliary network cannot take an output, float32 of shape \(6, 4\): mat1"),
            (nn.Flatten(0), (6, 4), r"must give a row for each of 6 samples, got \(24,\)"),
            (lambda output: 3, (6, 4), r"the function must give an nn\.Module, got 3"),
        ],
    )
    def test_a_network_that_does_not_fit(self, auxiliary, shape, message):
        with pytest.raises((TypeError, ValueError), match=message) as raised:
            built(ReadoutInformation(), auxiliary, rows(*shape))
        assert "\n" not in str(raised.value)

    def test_a_network_that_changes_the_output_in_place(self):
        """The next module would see it, in training alone; what changes its own values is as good as any."""
        for first, fits in ((nn.ReLU(inplace=True), False), (nn.Linear(4, 4), True)):
            auxiliary = nn.Sequential(first, nn.ReLU(inplace=True), nn.Linear(4, 2))
            if fits:
                built(ReadoutInformation(), auxiliary, rows(6, 4))
                continue
            with pytest.raises(ValueError, match="auxiliary network changes its input in place, the module's output"):
                built(ReadoutInformation(), auxiliary, rows(6, 4))

    def test_what_looks_through_must_be_an_objective(self):
        with pytest.raises(TypeError, match=r"objective must be an Objective such as CrossEntropy\(\), got 'Y'"):
            ThroughAuxiliary("Y", "convolutions")

    @pytest.mark.parametrize("number", [0, 1])
    def test_the_last_module_has_no_layers_behind_it(self, number):
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        before = state(model)
        with pytest.raises(ValueError, match="no layer follows the plan's last module"):
            trained(model, ["2"][:number], ["Y", "Y"][: number + 1], auxiliary="following", x=rows(24, 4))
        assert same(before, state(model))

    def of(self, tail, message, cuts=("1",), size=(24, 4)):
        model = nn.Sequential(nn.Linear(4, 4), *tail)
        before = state(model)
        with pytest.raises(ValueError, match=message) as raised:
            trained(model, cuts, "Y,CE", auxiliary={"kind": "following", "copies": 4}, x=rows(*size))
        assert "\n" not in str(raised.value)
        assert same(before, state(model))

    def test_layers_that_share_state(self):
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
        second.weight = first.weight
        self.of([first, nn.ReLU(), second, nn.Linear(4, 3)], "layers that share state cannot be copied one by one")

    def test_layers_with_hooks(self):
        hooked = nn.Linear(4, 4)
        hooked.register_forward_hook(lambda *_: None)
        self.of([hooked, nn.ReLU(), nn.Linear(4, 3)], "a layer with hooks cannot be copied.*got one on Linear")

    def test_layers_whose_weights_nobody_draws_anew(self):
        class Scale(nn.Module):
            def __init__(self):
                super().__init__()
                self.gamma = nn.Parameter(torch.ones(1, 4))

            def forward(self, x):
                return x * self.gamma

        self.of([Scale(), nn.Linear(4, 3)], r"no reset_parameters\(\) draws .*gamma'; give the layer one")

    def test_layers_that_read_the_raw_input(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

            def forward(self, x):
                return self.c(self.b(self.a(x)) + x)

        with pytest.raises(ValueError, match=r"layers that read the network's raw input.*cannot be copied"):
            trained(Net(), ["b"], "Y,CE", auxiliary="following", x=rows(24, 4))

    def test_edges_where_there_are_none(self):
        class Edges(nn.Module):
            def forward(self, x, edge_index):
                return x

        with pytest.raises(ValueError, match="reads edges, and the samples are no graphs"):
            built(ReadoutInformation(), Edges(), rows(6, 4))
