import threading
import time

import pytest
import torch

from infotorch.numerics import blocks, neighbours, trees
from infotorch.numerics.distances import common_unit, product_eps, squared_distances


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lattice(n, d, seed=0):
    """Few different values: many ties, at 0 and at every other distance."""
    return torch.randint(-3, 4, (n, d), generator=seeded(seed)).double() / 4


def exact(points, metric):
    gaps = points[:, None] - points
    return gaps.abs().amax(dim=2) if metric == "chebyshev" else gaps.pow(2).sum(dim=2).sqrt()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", neighbours.METRICS)
@pytest.mark.parametrize("d", [1, 3, 12, 40])
@pytest.mark.parametrize("make", [lattice, lambda n, d: torch.randn(n, d, generator=seeded(1), dtype=torch.float64)])
def test_counts_and_distances_are_exact(make, d, metric):
    points = make(80, d)
    truth = exact(points, metric)
    others = truth.clone().fill_diagonal_(torch.inf).sort(dim=1).values
    assert torch.allclose(neighbours.nearest_distances(points, 5, metric), others[:, :5], atol=1e-7)
    radius = neighbours.nearest_distances(points, 5, metric)[:, -1]
    expected = (truth <= others[:, 4:5] * (1 + 1e-12)).sum(dim=1)
    assert torch.equal(neighbours.count_within(points, radius, metric), expected)


@pytest.mark.usefixtures("either_way")
def test_a_neighbour_on_the_radius_counts_however_it_rounds():
    """0.1 + 0.2 > 0.3 in floating point: searching for x + radius would miscount; the difference itself decides."""
    x = torch.tensor([0.1, 0.3, 0.30000000000000004, 1e16, 1e16 + 2], dtype=torch.float64)[:, None]
    radius = (x[:, 0] - x[[1, 0, 0, 4, 3], 0]).abs()
    assert neighbours.count_within(x, radius, "chebyshev").tolist() == [2, 3, 3, 2, 2]
    below = torch.nextafter(radius, torch.zeros_like(radius))
    assert neighbours.count_within(x, below, "chebyshev").tolist() == [1, 2, 2, 1, 1]


@pytest.mark.usefixtures("either_way")
def test_one_column_counts_agree_with_all_differences():
    x = torch.cat([torch.randn(300, generator=seeded(2), dtype=torch.float64), torch.zeros(50, dtype=torch.float64)])
    radius = torch.rand(350, generator=seeded(3), dtype=torch.float64)
    radius[::7] = 0
    expected = ((x[:, None] - x).abs() <= radius[:, None]).sum(dim=1)
    assert torch.equal(neighbours.count_within(x[:, None], radius, "chebyshev"), expected)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("d", [3, 40])
def test_a_row_is_never_its_own_neighbour(d):
    points = torch.zeros(20, d, dtype=torch.float64)
    points[10:] = torch.randn(10, d, generator=seeded(4), dtype=torch.float64)
    _, index = trees.nearest_by_tree([points], 4, "chebyshev")
    assert not (index == torch.arange(20)[:, None]).any()
    assert (neighbours.nearest_distances(points, 4, "euclidean")[:10] == 0).all()


def test_matrix_products_survive_outliers_and_copies():
    points = torch.randn(50, 30, generator=seeded(5), dtype=torch.float64)
    points[0] *= 1e6
    points[7] = points[8]
    between = blocks.distances_between(points, "euclidean")
    distances = torch.empty(50, 50, dtype=torch.float64)
    between(slice(0, 50), distances)
    assert torch.allclose(distances[1:, 1:], exact(points, "euclidean")[1:, 1:], rtol=1e-6)
    assert distances[7, 8] == distances[8, 7] == 0
    assert (distances.diagonal() == 0).all()


@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_the_centre_of_distances_is_torchs_median(n):
    points = torch.randn(n, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(n)).round(decimals=1)
    assert torch.equal(blocks._median(points), points.median(dim=0).values)


def test_row_blocks_cover_every_row_once(monkeypatch):
    monkeypatch.setattr(blocks, "_FEWEST_ROWS", 5)
    monkeypatch.setattr(blocks, "_CPU_ENTRIES", 400)
    rows = [i for block in blocks.row_blocks(33) for i in range(block.start, block.stop)]
    assert rows == list(range(33))


@pytest.mark.parametrize("d", [2, 12])
def test_threads_change_nothing(d, monkeypatch):
    x, y = (torch.randn(150, d, generator=seeded(s), dtype=torch.float64) for s in (0, 1))

    def counts():
        found = neighbours.joint_counts([x, y], 3, "chebyshev", lambda nearest, _: [nearest[:, -1]] * 2)
        return torch.stack([found.radius, *(count.double() for count in found.marginal)])

    alone = counts()
    for place, name in ((blocks, "_THREADED_WORK"), (trees, "_THREADED_ROWS"), (blocks, "_CPU_ENTRIES")):
        monkeypatch.setattr(place, name, 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(counts(), alone)


def test_an_interrupted_search_does_not_finish_its_other_threads_blocks(monkeypatch):
    for name, value in (("_CPU_ENTRIES", 80), ("_FEWEST_ROWS", 8), ("_THREADED_WORK", 0)):
        monkeypatch.setattr(blocks, name, value)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    points, seen, other_began = torch.zeros(80, 1, dtype=torch.float64), [], threading.Event()

    def task(rows, room):
        seen.append(rows.start)
        if rows.start == 0:
            assert other_began.wait(10)
            raise KeyboardInterrupt
        other_began.set()
        time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        blocks.each_block([points], "chebyshev", task)
    assert seen.count(0) == 1
    assert 2 <= len(seen) < 6  # of ten blocks of eight rows, five for each thread


def test_squared_distances_and_their_gradient():
    a, b = (torch.randn(n, 4, generator=seeded(n), dtype=torch.float64, requires_grad=True) for n in (5, 7))
    expected = (a[:, None] - b).pow(2).sum(dim=2)
    assert torch.allclose(squared_distances(a, b), expected, atol=1e-12)
    assert torch.autograd.gradcheck(squared_distances, (a, b))
    far = (a + 1e6).detach()
    assert torch.allclose(squared_distances(far, far), (far[:, None] - far).pow(2).sum(dim=2), atol=1e-6)


def test_common_unit_brings_the_largest_number_to_size_one():
    for largest in (5e-324, 1e-200, 1e200, torch.finfo(torch.float64).max):
        x = torch.tensor([largest, 0.0], dtype=torch.float64)
        assert 0.5 <= float((x / common_unit(x)).max()) < 2
        assert (x / common_unit(x) * common_unit(x)).equal(x)
    assert common_unit(torch.zeros(2)) == common_unit(torch.ones(2), torch.full((2,), 1e30)) == 1.0


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_products_of_lowered_precision_are_known(precision):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        assert product_eps(torch.zeros(1)) == torch.finfo(torch.bfloat16).eps
        assert product_eps(torch.zeros(1, dtype=torch.float64)) == torch.finfo(torch.float64).eps
    finally:
        torch.set_float32_matmul_precision(before)
    assert product_eps(torch.zeros(1)) == torch.finfo(torch.float32).eps
