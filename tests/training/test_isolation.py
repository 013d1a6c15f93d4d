"""Isolation seen from outside: what a module learns depends on nothing but its inputs and its own objective."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, global_mean_pool

from infotorch import fit
from infotorch.data.batches import TensorBatches
from infotorch.data.graphs import GraphSamples
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY
from infotorch.training.loop import train
from infotorch.training.plan import Plan

ORDERS = ("sequential", "simultaneous")
VECTORS = ("X:reconstruction", "X:infonce", "X:mine", "X:renyi", "X:views")
IMAGES = ("X:dim", "X:greedy-infomax", "X:views")
GRAPHS = ("X:node-infonce", "X:node-mine", "X:gmi", "X:dgi", "X:infograph", "X:graph-renyi")
# Made small, so that a test of every objective takes no time.
OPTIONS = {
    name: {"hidden": (8,)}
    for name in ("X:infonce", "X:mine", "X:nwj", "X:jsd", "Y:infonce", "Y:mine", "Y:nwj", "Y:jsd", "X:dim")
} | {"Y:graph-forward-forward": {"columns": "first"}}


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def state(module):
    return [value.clone() for value in module.state_dict().values()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def rows(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class OnGraphs(nn.Module):
    """Three modules on graphs: nodes, nodes that look at their neighbours, and graphs."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU()),
            GCNConv(8, 5),
            nn.Linear(5, 3),
        ])

    def __getitem__(self, number):
        return self.layers[number]

    def forward(self, graph):
        nodes = self.layers[0](graph.x)
        nodes = self.layers[1](nodes, graph.edge_index).relu()
        return self.layers[2](global_mean_pool(nodes, graph.batch))


def graphs(count):
    """Rings of 3 to 6 nodes, features all different."""
    sizes = [3 + number % 4 for number in range(count)]
    made = []
    for number, size in enumerate(sizes):
        around = torch.arange(size)
        edges = torch.stack([around, (around + 1) % size])
        edges = torch.cat([edges, edges.flip(0)], dim=1)
        made.append(Data(x=rows(size, 6, seed=number), edge_index=edges))
    return GraphSamples(made)


def network(kind):
    """Three modules with batch norm and dropout; on images the first two give grids, on graphs the first two nodes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "graphs":
            return OnGraphs()
        if kind == "vectors":
            first = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())
            second = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 5), nn.BatchNorm1d(5), nn.ReLU())
            return nn.Sequential(first, second, nn.Linear(5, 3))
        first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        second = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU())
        return nn.Sequential(first, second, nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(80, 3)))


CUTS = {"graphs": ("layers.1", "layers.2")}


def data(kind, count=48):
    if kind == "graphs":
        return graphs(count), torch.arange(count) % 3
    return rows(count, 6) if kind == "vectors" else rows(count, 1, 8, 8), torch.arange(count) % 3


def trained(kind, objectives, y=None, *, order="sequential", cache=None, isolated=True, epochs=1, seed=0, lr=adam):
    model, (x, own) = network(kind), data(kind)
    parsed = [objective_from_name(o, OPTIONS) if isinstance(o, str) else o for o in objectives]
    plan = Plan.layerwise(model, CUTS.get(kind, ("1", "2")), parsed, order=order, isolated=isolated, optimizer=lr)
    batches = TensorBatches(x, own if y is None else y, batch_size=16, seed=seed)
    infos = list(train(plan, batches, epochs=epochs, cache=cache, seed=seed))
    assert infos[-1].diverged is None
    return model, infos


LABEL_FREE = [
    *(("vectors", name) for name in VECTORS),
    *(("images", name) for name in IMAGES),
    *(("graphs", name) for name in (*GRAPHS, "X:infonce", "X:views")),
]


def in_both_orders(pairs, *, quick=("simultaneous",)):
    """Modules that are trained together could move one another most: one after another waits for the slow tests.

    An objective for every kind of data, "X:views", is tried in both orders by the quick tests, too.
    """
    return [
        pytest.param(kind, name, order, marks=[] if order in quick or name == "X:views" else pytest.mark.slow)
        for kind, name in pairs
        for order in ORDERS
    ]


class TestLabels:
    @pytest.mark.parametrize(("kind", "name", "order"), in_both_orders(LABEL_FREE))
    def test_a_label_free_module_is_the_same_for_any_labels_bit_for_bit(self, kind, name, order):
        _, y = data(kind)
        some = torch.where(torch.arange(len(y)) % 4 == 0, y, -1)
        results = [
            trained(kind, (name, "Y", "CE"), labels, order=order)[0] for labels in (y, (y + 1) % 3, y.roll(7), some)
        ]
        assert not same(weights(results[0][0]), weights(network(kind)[0]))
        for other in results[1:]:
            assert same(state(results[0][0]), state(other[0]))
            assert not same(weights(results[0][2]), weights(other[2]))

    @pytest.mark.parametrize(("kind", "name", "order"), in_both_orders(LABEL_FREE, quick=()))
    def test_it_is_so_through_fit(self, kind, name, order):
        x, y = data(kind)
        results = []
        for labels in (y, (y + 1) % 3):
            model = network(kind)
            cuts = CUTS.get(kind, ("1", "2"))
            fit(model, (x, labels), plan=f"{name},Y,CE", cuts=cuts, order=order, epochs=1, batch_size=16)
            results.append(model)
        assert same(state(results[0][0]), state(results[1][0]))
        assert not same(weights(results[0][1]), weights(results[1][1]))

    def test_without_any_labels_it_is_the_same_too(self):
        x, y = data("vectors")
        models = [network("vectors"), network("vectors")]
        fit(models[0], (x, None), plan="X:views,frozen,frozen", cuts=("1", "2"), epochs=1, batch_size=16)
        fit(models[1], (x, y), plan="X:views,Y,CE", cuts=("1", "2"), epochs=1, batch_size=16)
        assert same(state(models[0][0]), state(models[1][0]))


class TestLaterObjectives:
    @pytest.mark.parametrize(
        ("kind", "name", "order"),
        in_both_orders([*LABEL_FREE, ("vectors", "Y:supcon+Y"), ("images", "Y:predsim")]),
    )
    def test_no_change_of_a_later_objective_moves_a_module(self, kind, name, order):
        results = [
            trained(kind, (name, *later), order=order)[0]
            for later in (("Y", "CE"), ("X", "CE"), ("Y:supcon", "CE"), ("frozen", "CE"), ("X:views", "Y"))
        ]
        assert not same(weights(results[0][0]), weights(network(kind)[0]))
        assert all(same(state(results[0][0]), state(other[0])) for other in results[1:])

    @pytest.mark.parametrize("order", ORDERS)
    def test_other_weights_of_a_later_module_move_no_earlier_one(self, order):
        results = []
        for scale in (1.0, 100.0):
            model, (x, y) = network("vectors"), data("vectors")
            with torch.no_grad():
                model[2].weight.mul_(scale)
            plan = Plan.layerwise(model, ("1", "2"), "X:views,Y,CE", order=order, optimizer=adam)
            list(train(plan, TensorBatches(x, y, batch_size=16), epochs=2))
            results.append(model)
        assert same(state(results[0][:2]), state(results[1][:2]))
        assert not same(weights(results[0][2]), weights(results[1][2]))

    def test_with_crossing_gradients_every_module_feels_the_last(self):
        settings = {"order": "simultaneous", "isolated": False}
        for later in (("Y", "X"), ("X", "CE")):
            first, second = (
                trained("vectors", (objective, *rest), **settings)[0]
                for objective, rest in (("X:views", ("Y", "CE")), ("X:views", later))
            )
            assert not same(weights(first[0]), weights(second[0]))


class TestDeterminism:
    # The kinds that fit: what needs grids or images has them. Here no module's output is as wide as X.
    @pytest.mark.parametrize("name", sorted({*REGISTRY} - {"X:squared-error"}))
    def test_a_seed_fixes_the_weights_whatever_the_global_stream(self, name):
        kind = {"rows": "vectors"}.get(needs := REGISTRY[name].needs, needs)
        objectives = ("frozen", "frozen", name) if name == "CE" else (name, "frozen", "frozen")
        results = []
        for noise, seed in ((1, 0), (2, 0), (1, 5)):
            with torch.random.fork_rng():
                torch.manual_seed(noise)
                before = torch.get_rng_state()
                model, infos = trained(kind, objectives, seed=seed)
                assert torch.equal(torch.get_rng_state(), before)
            results.append((state(model), [float(loss.total) for info in infos for loss in info.losses.values()]))
        assert same(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]
        assert not same(results[0][0], results[2][0])
        assert not same(results[0][0], state(network(kind)))


class Critical(Objective):
    """An adversary of the smallest kind, and noise."""

    critic_steps = 2

    def build(self, example: LocalBatch, labels):
        self.critic = nn.Linear(example.output[0].numel(), 1)

    def critics(self):
        return [self.critic]

    def critic_loss(self, batch: LocalBatch):
        told = self.critic(batch.output.flatten(1)) - torch.rand((), generator=batch.generator())
        return told.square().mean()

    def forward(self, batch: LocalBatch) -> Loss:
        told = self.critic(batch.output.flatten(1)).square().mean()
        return Loss(-told, {"told": told.detach()})


class TestCache:
    @pytest.mark.parametrize("kind", ["memory", "disk"])
    @pytest.mark.parametrize(
        "objectives",
        [
            ("X:views", "X:views", "CE"),
            ("Y", "critical", "CE"),
            ("frozen", "X:views+Y:supcon", "CE"),
            ("X:infonce|X:views", "Y", "CE"),
        ],
        ids=" ".join,
    )
    def test_cached_and_uncached_training_agree(self, objectives, kind):
        """To rounding: a matrix product over a batch of another size may differ in the last bit."""
        results = []
        for cache in (None, kind):
            made = [Critical() if name == "critical" else name for name in objectives]
            model, infos = trained("vectors", made, cache=cache, epochs=2, lr=lambda p: torch.optim.SGD(p, lr=0.05))
            results.append((state(model), [float(loss.total) for info in infos for loss in info.losses.values()]))
        assert results[0][1] == pytest.approx(results[1][1], abs=1e-5)
        for plain, cached in zip(results[0][0], results[1][0], strict=True):
            torch.testing.assert_close(plain, cached, atol=1e-5, rtol=1e-4)

    def test_it_is_so_where_few_rows_have_labels(self):
        y = torch.where(torch.arange(48) % 3 == 0, data("vectors")[1].roll(1), -1)
        y[1::9] = 0
        # Adam takes a whole step for a gradient that is rounding alone, as that of a bias before batch norm.
        shared = {"epochs": 2, "lr": lambda p: torch.optim.SGD(p, lr=0.05)}
        results = [
            trained("vectors", ("X:views", "Y", "CE"), y, cache=cache, **shared)[0] for cache in (None, "memory")
        ]
        for plain, cached in zip(*map(state, results), strict=True):
            torch.testing.assert_close(plain, cached, atol=1e-5, rtol=1e-4)


class Watching(Objective):
    """Records what `encode` gives for x itself and which parameters it has a gradient in."""

    def __init__(self, model):
        super().__init__()
        self.seen = []
        self.watched = [model]  # in a list, lest its weights become the objective's own

    def forward(self, batch: LocalBatch) -> Loss:
        model = self.watched[0]
        norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d | nn.Dropout)]
        modes = [layer.training for layer in norms]
        before = [buffer.clone() for buffer in model.buffers()]
        again = batch.encode(batch.x)
        other = batch.encode(3 * batch.x[:7] + 1)
        assert all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))
        assert [layer.training for layer in norms] == modes
        parameters = list(model.parameters())
        gradients = torch.autograd.grad(other.square().sum(), parameters, allow_unused=True, retain_graph=True)
        by_output = torch.autograd.grad(batch.output.square().sum(), parameters, allow_unused=True, retain_graph=True)
        self.seen.append({
            "rows": len(other),
            "equal": torch.equal(again, batch.output),
            "encoded": [gradient is not None for gradient in gradients],
            "output": [gradient is not None for gradient in by_output],
        })
        # Both passes are in one backward, as in an objective that compares the two.
        return Loss((batch.output - again).square().mean() + other.square().mean(), {})


def steady():
    """Three linear modules whose batch norm stays in evaluation mode: an output is a function of its row."""
    model = network("vectors")
    model[1][0].p = 0.0
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.forward = lambda x, norm=layer: nn.functional.batch_norm(
                x, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=False
            )
    return model


class TestEncode:
    def watch(self, model, place, *, order, isolated=True, handoff="before", objectives=("Y", "Y", "CE"), epochs=1):
        watching, (x, y) = Watching(model), data("vectors")
        made = [watching if n == place else objective for n, objective in enumerate(objectives)]
        plan = Plan.layerwise(model, ("1", "2"), made, order=order, isolated=isolated, optimizer=adam)
        batches = TensorBatches(x, y, batch_size=16)
        infos = list(train(plan, batches, epochs=epochs, handoff=handoff))
        assert infos[-1].diverged is None
        assert len(watching.seen) == 3 * epochs
        assert all(seen["rows"] == 7 for seen in watching.seen)
        return watching.seen

    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize(
        ("order", "isolated"), [("sequential", True), ("simultaneous", True), ("simultaneous", False)]
    )
    def test_its_gradient_reaches_what_the_outputs_reaches_and_statistics_stay(self, place, order, isolated):
        model = network("vectors")
        counts = [len(list(module.parameters())) for module in model]
        for seen in self.watch(model, place, order=order, isolated=isolated):
            wanted = [n == place or (n < place and not isolated) for n in range(3) for _ in range(counts[n])]
            assert seen["encoded"] == seen["output"] == wanted

    def test_crossing_gradients_pass_through_a_frozen_module_between_two_others(self):
        model = network("vectors")
        objectives = ("Y", "frozen", "CE")
        for seen in self.watch(model, 2, order="simultaneous", isolated=False, objectives=objectives):
            assert seen["encoded"] == seen["output"]
            assert seen["encoded"][:4] == [True] * 4

    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize(
        ("order", "isolated", "handoff"),
        [("sequential", True, "before"), ("simultaneous", True, "after"), ("simultaneous", False, "before")],
    )
    def test_for_x_itself_it_is_the_output(self, place, order, isolated, handoff):
        seen = self.watch(steady(), place, order=order, isolated=isolated, handoff=handoff, epochs=2)
        assert all(step["equal"] for step in seen)

    def test_with_the_hand_off_before_updates_it_reads_the_earlier_modules_as_they_have_become(self):
        first = self.watch(steady(), 0, order="simultaneous")
        second = self.watch(steady(), 1, order="simultaneous")
        assert all(step["equal"] for step in first)
        assert not any(step["equal"] for step in second)

    @pytest.mark.parametrize(
        ("order", "isolated"), [("sequential", True), ("simultaneous", True), ("simultaneous", False)]
    )
    def test_statistics_count_each_batch_once(self, order, isolated):
        model = network("vectors")
        self.watch(model, 1, order=order, isolated=isolated)
        assert [int(model[0][1].num_batches_tracked), int(model[1][2].num_batches_tracked)] == [3, 3]


class TestRowsOfAStage:
    class Counting(Objective):
        """Counts the rows and labels of each step."""

        def __init__(self, *, needs_labels):
            super().__init__()
            self.needs_labels, self.seen = needs_labels, []

        def forward(self, batch: LocalBatch) -> Loss:
            self.seen.append(batch.y.tolist())
            return Loss(batch.output.square().mean(), {})

    def seen(self, *needs, order="sequential", y):
        parts = [self.Counting(needs_labels=needs_labels) for needs_labels in needs]
        trained("vectors", parts, y, order=order)
        return [[label for batch in part.seen for label in batch] for part in parts], [len(part.seen) for part in parts]

    def test_a_stage_that_needs_labels_sees_labelled_rows_alone_in_as_many_steps(self):
        y = torch.where(torch.arange(48) % 8 == 0, torch.arange(48) % 3, -1)
        seen, steps = self.seen(False, True, True, y=y)
        assert steps == [3, 3, 3]
        assert [len(labels) for labels in seen] == [48, 18, 18]  # six labelled rows: each batch holds them all
        assert sorted(seen[0]) == sorted(y.tolist())
        assert -1 not in seen[1] + seen[2]

    def test_modules_trained_together_see_all_rows_if_one_of_them_learns_without_labels(self):
        y = torch.where(torch.arange(48) % 8 == 0, torch.arange(48) % 3, -1)
        for needs, count in (((False, True, True), 48), ((True, True, True), 18)):
            seen, _ = self.seen(*needs, order="simultaneous", y=y)
            assert [len(labels) for labels in seen] == [count] * 3

    def test_where_all_rows_have_labels_nothing_changes(self):
        seen, steps = self.seen(False, True, True, y=data("vectors")[1])
        assert [len(labels) for labels in seen] == [48] * 3
        assert steps == [3, 3, 3]

    def test_resuming_among_labelled_rows_is_bit_for_bit(self):
        x, y = data("vectors")
        y = torch.where(torch.arange(48) % 5 == 0, y, -1)

        def begin():
            model = network("vectors")
            plan = Plan.layerwise(model, ("1", "2"), "X:views,Y:supcon+Y,CE", optimizer=adam)
            batches = TensorBatches(x, y, batch_size=8)
            plan.prepare(batches, epochs=2, seed=0)
            return model, plan, batches

        model, plan, batches = begin()
        copied = []
        for info in train(plan, batches, epochs=2):
            kept = torch.utils._pytree.tree_map(lambda v: v.clone() if torch.is_tensor(v) else v, plan.state_dict())
            copied.append((info.next, kept))
        for stop in (3, 13, 14, 17, 20, 30):  # 6 steps an epoch
            again, plan, batches = begin()
            plan.load_state_dict(copied[stop][1])
            assert len(list(train(plan, batches, epochs=2, start=copied[stop][0]))) == 36 - stop - 1
            assert same(state(again), state(model))
