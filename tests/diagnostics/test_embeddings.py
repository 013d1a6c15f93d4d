import numpy as np
import pytest
import torch
from torch import nn

from infotorch.data.graphs import GraphSamples, NodeSamples
from infotorch.diagnostics.embeddings import embed_modules, embed_rows, stratified
from infotorch.training.plan import Plan


def plan_of(*layers, cuts=()):
    objectives = ["Y"] * len(cuts) + ["CE"]
    return Plan.layerwise(nn.Sequential(*layers), cuts, objectives, optimizer=torch.optim.SGD)


def clusters(rows, columns=20, classes=3, *, seed=0, gap=40.0):
    """Rows of well separated classes, in turn; the same centres for every seed."""
    centres = gap * np.random.default_rng(99).normal(size=(classes, columns))
    y = np.arange(rows) % classes
    return centres[y] + np.random.default_rng(seed).normal(size=(rows, columns)), y


def same_class_share(points, labels, k=5):
    """Share of each row's k nearest points that have its class."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((labels[np.argsort(apart, axis=1)[:, :k]] == labels[:, None]).mean())


def split_of(rows, **settings):
    x, y = clusters(rows, **settings)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def test_neighbours_in_the_data_are_neighbours_in_the_picture():
    x, y = clusters(150)
    points, method, perplexity = embed_rows(x, perplexity=15)
    assert (method, perplexity) == ("t-SNE", 15)
    assert same_class_share(points, y) == 1.0  # the clusters are 40 standard deviations apart


def test_more_than_fifty_columns_go_through_pca_and_keep_their_neighbours():
    x, y = clusters(150, columns=300)
    points, method, _ = embed_rows(x, perplexity=15)
    assert method == "t-SNE after PCA to 50"
    assert same_class_share(points, y) == 1.0


def test_rows_of_all_splits_lie_in_one_picture_and_mix_there():
    splits = {"train": split_of(90, seed=1), "test": split_of(90, seed=2)}
    raw, *_ = embed_modules(plan_of(nn.Linear(20, 3)), splits, num_samples=120, perplexity=10)
    assert raw.split.tolist() == ["train"] * 60 + ["test"] * 60
    assert np.bincount(raw.labels).tolist() == [40, 40, 40]
    # Drawn alike, so half of a row's neighbours come from its own split: 600 of them, a standard error of 0.02, more as
    # they overlap. Splits that lay apart would give 1.
    assert same_class_share(raw.points, raw.split) == pytest.approx(0.5, abs=0.12)


def test_two_columns_are_shown_as_they_are_and_one_beside_zeros():
    values = np.random.default_rng(0).normal(size=(30, 2))
    points, method, perplexity = embed_rows(values)
    assert (method, perplexity) == ("its two columns", None)
    np.testing.assert_allclose(points, values, rtol=1e-6)  # float32
    points, method, _ = embed_rows(values[:, :1])
    assert method == "its one column"
    np.testing.assert_array_equal(points, np.column_stack([values[:, 0], np.zeros(30)]).astype(np.float32))


def test_a_constant_representation_is_one_point_whatever_its_value():
    for value in (0.0, 0.1, 1e30):
        points, method, perplexity = embed_rows(np.full((20, 7), value, np.float32))
        assert (method, perplexity) == ("constant", None)
        assert not points.any()


def test_a_representation_that_is_not_finite_has_no_points():
    values = np.ones((20, 7))
    values[3, 2] = np.inf
    points, method, _ = embed_rows(values)
    assert method == "not finite"
    assert np.isnan(points).all()


@pytest.mark.parametrize("factor", [2.0**-120, 2.0**100, 2.0**1000])
def test_the_picture_does_not_depend_on_the_scale(factor):
    x, _ = clusters(40, gap=3.0)
    np.testing.assert_array_equal(embed_rows(x * factor)[0], embed_rows(x)[0])  # powers of two scale exactly


def test_perplexity_is_at_most_a_third_of_the_rows():
    x, _ = clusters(31)
    assert embed_rows(x)[2] == 10.0


def test_places_are_the_raw_data_and_the_modules_outputs_in_evaluation_mode():
    layers = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2), nn.Dropout(0.5)
    plan = plan_of(*layers, cuts=("3",))
    layers[2].eval()
    x, y = split_of(40, columns=6)
    modes = [layer.training for layer in layers]
    found = embed_modules(plan, {"train": (x, y)}, num_samples=40)
    assert [(e.place, e.method) for e in found] == [("raw data", "t-SNE"), ("0", "t-SNE"), ("3", "its two columns")]
    assert [layer.training for layer in layers] == modes
    expected = nn.Sequential(*layers).eval()(x).detach().numpy()
    np.testing.assert_allclose(found[2].points, expected, rtol=1e-5, atol=1e-5)  # float32, other chunks
    assert not layers[1].num_batches_tracked  # running statistics stay


def test_images_are_flattened():
    x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    plan = plan_of(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2), cuts=("1",))
    flat = embed_rows(x.flatten(1).numpy())[0]
    found = embed_modules(plan, {"train": (x, torch.arange(20) % 2)}, num_samples=20)
    np.testing.assert_array_equal(found[0].points, flat)


def test_a_seed_decides_the_picture_and_nothing_else_moves():
    plan, splits = plan_of(nn.Linear(20, 4)), {"train": split_of(60)}
    x, y = splits["train"][0].clone(), splits["train"][1].clone()
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    first, again, other = (embed_modules(plan, splits, num_samples=50, seed=seed) for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
    assert first[0].points.tolist() != other[0].points.tolist()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.equal(splits["train"][0], x)
    assert torch.equal(splits["train"][1], y)
    assert all(parameter.grad is None for parameter in plan[0].parameters())


def test_a_layer_that_draws_noise_in_evaluation_draws_the_same_each_time():
    class Noise(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    plan, state = plan_of(nn.Linear(20, 2), Noise()), torch.get_rng_state()
    first, again = (embed_modules(plan, {"train": split_of(30)}, num_samples=30)[1].points for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_split_without_classes_and_unlabelled_rows_have_class_minus_one():
    x, y = split_of(10)
    found = embed_modules(plan_of(nn.Linear(20, 2)), {"train": (x, torch.where(y == 1, -1, y)), "test": (x, None)})
    assert sorted(set(found[0].labels[:10].tolist())) == [-1, 0, 2]
    assert set(found[0].labels[10:].tolist()) == {-1}


@pytest.mark.parametrize("count", [1, 7, 40, 99])
def test_every_class_keeps_its_share_to_within_one_row(count):
    classes = np.repeat([0, 1, 2, -1], [50, 30, 15, 5])
    for seed in range(20):
        kept = stratified(classes, count, np.random.default_rng(seed))
        assert len(set(kept.tolist())) == count
        for label in (0, 1, 2, -1):
            share = count * (classes == label).mean()
            assert abs((classes[kept] == label).sum() - share) <= 1


def test_every_row_of_a_class_can_be_chosen():
    seen = {int(row) for seed in range(60) for row in stratified(np.zeros(8), 2, np.random.default_rng(seed))}
    assert seen == set(range(8))  # misses one of them with probability 8 * 0.75^60, about 3e-7


def test_fewer_rows_than_asked_are_all_taken():
    assert stratified(np.arange(5), 9, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]


X, Y = torch.zeros(8, 4), torch.zeros(8, dtype=torch.int64)


@pytest.mark.parametrize(
    ("splits", "settings", "error", "message"),
    [
        ({}, {}, ValueError, "splits must name at least one split"),
        ({"train": (X[:0], Y[:0])}, {}, ValueError, "split 'train' must have rows, got none"),
        ({"train": (X[:2], Y[:2]), "test": (X[:2], None)}, {}, ValueError, "at least 5 rows together, got 4"),
        ({"train": (X, Y[:3])}, {}, ValueError, "split 'train': x and y must be paired row by row, got 8 and 3"),
        ({"train": (X, Y.float())}, {}, TypeError, r"classes of 'train' must be one integer a row.*float32"),
        ({"train": (X, Y[:, None])}, {}, TypeError, r"got torch\.int64 of shape \(8, 1\)"),
        (
            {"a": (X, Y), "b": (X, Y)},
            {"num_samples": 1},
            ValueError,
            "num_samples must be at least the number of splits, 2, got 1",
        ),
        ({"train": (X, Y)}, {"num_samples": 0}, ValueError, "num_samples must be at least 1, got 0"),
        ({"train": (X, Y)}, {"num_samples": 2.5}, TypeError, "num_samples must be an integer"),
        ({"train": (X, Y)}, {"perplexity": 0.0}, ValueError, "perplexity must be positive"),
        ({"train": (X, Y)}, {"seed": "0"}, TypeError, "seed must be an integer"),
    ],
)
def test_wrong_arguments_are_refused(splits, settings, error, message):
    with pytest.raises(error, match=message):
        embed_modules(plan_of(nn.Linear(4, 2)), splits, **settings)


class OnGraphs(nn.Module):
    """Two modules: rows of nodes, then class scores of nodes or graphs."""

    def __init__(self, of_graphs):
        super().__init__()
        layers = pytest.importorskip("torch_geometric.nn")
        self.first, self.norm, self.out = layers.GCNConv(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)
        self.pool = layers.global_mean_pool if of_graphs else None

    def forward(self, data):
        hidden = self.norm(self.first(data.x, data.edge_index))
        return self.out(hidden if self.pool is None else self.pool(hidden, data.batch))


def on_graphs(*, of_graphs):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = OnGraphs(of_graphs)
    return model, Plan.layerwise(model, ("out",), "Y,CE", optimizer=torch.optim.SGD)


def rings(count, seed=0):
    """Rings of 3 to 5 nodes of two classes."""
    pyg, generator = pytest.importorskip("torch_geometric.data"), torch.Generator().manual_seed(seed)
    made = []
    for size in (3 + number % 3 for number in range(count)):
        around = torch.arange(size)
        x = torch.randn(size, 6, generator=generator)
        made.append(pyg.Data(x=x, edge_index=torch.stack([around, around.roll(1)])))
    return GraphSamples(made), torch.arange(count) % 2


def test_graphs_are_the_means_over_their_nodes_before_the_read_out(monkeypatch):
    seen = []

    def seeing(values, **settings):
        seen.append(values)
        return embed_rows(values, **settings)

    monkeypatch.setattr("infotorch.diagnostics.embeddings.embed_rows", seeing)
    model, plan = on_graphs(of_graphs=True)
    (train, y), (held, z) = rings(20), rings(20, seed=1)
    found = embed_modules(plan, {"train": (train, y), "validation": (held, z)}, num_samples=40, perplexity=8)
    assert [embedding.place for embedding in found] == ["raw data", "first", "out"]
    assert found[0].labels.tolist() == [*y.tolist(), *z.tolist()]
    assert found[0].split.tolist() == ["train"] * 20 + ["validation"] * 20
    model.eval()
    raw, hidden, scores = [], [], []
    for rows in (train, held):
        for number in range(20):
            graph = rows[torch.tensor([number])]
            raw.append(graph.x.mean(dim=0))
            hidden.append(model.norm(model.first(graph.x, graph.edge_index)).mean(dim=0))
            scores.append(model(graph)[0])
    # What t-SNE is given: it turns the last bit of rounding into other points.
    for given, values in zip(seen, (raw, hidden, scores), strict=True):
        np.testing.assert_allclose(given, torch.stack(values).detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2].points, torch.stack(scores).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_nodes_of_one_graph_are_those_of_each_split_alone():
    pyg = pytest.importorskip("torch_geometric.data")
    model, plan = on_graphs(of_graphs=False)
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    nodes = NodeSamples(pyg.Data(x=x, edge_index=torch.stack([torch.arange(30), torch.arange(30).roll(1)])))
    y = torch.arange(30) % 2
    train = torch.where(torch.arange(30) < 10, y, -1)
    held = torch.where(torch.arange(30) >= 22, y, -1)
    found = embed_modules(plan, {"train": (nodes, train), "validation": (nodes, held)}, num_samples=30, perplexity=4)
    assert found[0].split.tolist() == ["train"] * 10 + ["validation"] * 8
    assert found[0].labels.tolist() == [*y[:10].tolist(), *y[22:].tolist()]
    scores = model.eval()(nodes.graph)[[*range(10), *range(22, 30)]]
    np.testing.assert_allclose(found[2].points, scores.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert not model.norm.num_batches_tracked  # running statistics stay


def test_nodes_without_any_classes_are_all_drawn_from():
    pyg = pytest.importorskip("torch_geometric.data")
    _, plan = on_graphs(of_graphs=False)
    graph = pyg.Data(x=torch.eye(6).repeat(3, 1), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    found = embed_modules(plan, {"all": (NodeSamples(graph), None)}, num_samples=12)
    assert len(found[0].points) == 12
    assert set(found[0].labels.tolist()) == {-1}


def test_more_graphs_than_fit_a_pass_are_cut_into_passes(monkeypatch):
    _, plan = on_graphs(of_graphs=True)
    data = {"train": rings(23)}
    whole = embed_modules(plan, data, num_samples=23)[2].points
    monkeypatch.setattr("infotorch.diagnostics.embeddings._CHUNK", 4)
    np.testing.assert_allclose(embed_modules(plan, data, num_samples=23)[2].points, whole, rtol=1e-4, atol=1e-5)


def test_classes_of_graphs_or_nodes_must_pair():
    _, plan = on_graphs(of_graphs=True)
    rows, y = rings(8)
    with pytest.raises(ValueError, match="split 'train': x and y must be paired row by row, got 8 and 5 rows"):
        embed_modules(plan, {"train": (rows, y[:5])})
