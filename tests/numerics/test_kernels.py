import math

import numpy as np
import pytest
import torch
from tests.reference import kernels as slow

from infotorch.numerics.kernels import (
    KERNELS,
    find_bandwidth,
    gaussian_gram,
    gram_blocks,
    kernel_columns,
    knn_bandwidth,
    median_bandwidth,
    unit_gram,
    unit_gram_rows,
)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 3, 30])
def test_gaussian_gram_is_the_formula(kernel, d):
    x = noise(12, d)
    ours = gaussian_gram(x, bandwidth=1.7, kernel=kernel).numpy()
    np.testing.assert_allclose(ours, slow.gram(x.numpy(), 1.7, kernel), atol=1e-13)


def test_gaussian_gram_is_that_of_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x = noise(40, 6)
    np.testing.assert_allclose(gaussian_gram(x, bandwidth=3.0), pairwise.rbf_kernel(x, gamma=1 / 3.0), atol=1e-13)


def test_the_two_conventions_meet_at_s_equal_two_s_squared():
    x = noise(10, 4)
    first = gaussian_gram(x, bandwidth=2 * 1.3**2)
    second = gaussian_gram(x, bandwidth=1.3, kernel="exp(-d2/2s2)")
    torch.testing.assert_close(first, second, atol=1e-14, rtol=0)


def test_a_product_of_kernels_is_the_kernel_of_columns_side_by_side():
    x, y = noise(10, 4), noise(10, 2, seed=1)
    both = [kernel_columns(x, 2.0, "exp(-d2/s)"), kernel_columns(y, 0.5, "exp(-d2/2s2)")]
    product = unit_gram(both[0]) * unit_gram(both[1])
    torch.testing.assert_close(unit_gram(torch.cat(both, dim=1)), product, atol=1e-14, rtol=0)


def test_rows_are_rows_of_the_whole():
    z = noise(9, 3)
    rows = unit_gram_rows(z)(slice(4, 9))
    assert torch.equal(rows.diagonal(4), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(rows, unit_gram(z)[4:9], atol=1e-14, rtol=0)


def test_blocks_cover_all_rows_and_stay_small():
    for n in (1, 5000, 100_000):
        blocks = list(gram_blocks(n))
        assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
        assert blocks[-1].stop == n
        assert max(block.stop - block.start for block in blocks) * n <= 2**22


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e2, 1e4, 1e8, 1e30])
def test_far_rows_and_huge_offsets_lose_no_digits(dtype, scale):
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.5, 0.0], [3.0, 4.0]], dtype=dtype)
    x = torch.cat([x, torch.tensor([[scale, scale]], dtype=dtype)])
    ours = unit_gram(x)
    expected = torch.from_numpy(slow.gram(x.double().numpy(), 1.0, "exp(-d2/s)"))
    # 1e-4: rounding of squared distances in float32 where they are taken by a matrix product.
    torch.testing.assert_close(ours.double(), expected, atol=2e-4 if dtype == torch.float32 else 1e-8, rtol=0)
    assert torch.equal(ours.diagonal(), torch.ones(5, dtype=dtype))


def test_largest_numbers_of_a_type_are_read():
    for dtype in (torch.float32, torch.float64):
        largest = torch.finfo(dtype).max
        x = torch.tensor([[largest], [-largest], [largest]], dtype=dtype, requires_grad=True)
        gram = unit_gram(x)
        assert gram.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
        gram.sum().backward()
        assert torch.isfinite(x.grad).all()


def test_gradients():
    x = noise(6, 3)
    x[4] = x[1]  # equal rows
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: gaussian_gram(x, bandwidth=2.0), (x,))
    far = (1e7 * noise(1, 1) + torch.tensor([[0.0], [0.4], [-2e7]], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(unit_gram, (far,), eps=1e-4, atol=1e-3)


@pytest.mark.parametrize("d", [2, 40])
def test_knn_bandwidth_is_the_mean_distance_to_the_nearest_others(d):
    x = noise(30, d)
    assert knn_bandwidth(x) == pytest.approx(slow.knn_bandwidth(x.numpy(), 10), rel=1e-10)
    assert knn_bandwidth(x, k=3) == pytest.approx(slow.knn_bandwidth(x.numpy(), 3), rel=1e-10)
    assert knn_bandwidth(x[:5]) == pytest.approx(slow.knn_bandwidth(x[:5].numpy(), 4), rel=1e-10)


@pytest.mark.parametrize("rule", [knn_bandwidth, median_bandwidth])
def test_bandwidths_do_not_see_the_order_of_rows(rule):
    # Two clusters, sorted: the first ten columns of the distances would hold one of them only.
    x = torch.cat([0.1 * noise(40, 3), 100 + 10 * noise(40, 3, seed=1)])
    shuffled = x[torch.randperm(80, generator=torch.Generator().manual_seed(2))]
    assert rule(x) == pytest.approx(rule(shuffled), rel=1e-12)


def test_median_bandwidth_is_the_median_of_all_distances():
    x = noise(31, 4)
    assert median_bandwidth(x) == pytest.approx(slow.median_bandwidth(x.numpy()), rel=1e-10)


def test_median_of_many_rows_is_found_among_some():
    x, state = noise(5000, 1), torch.get_rng_state()
    # |x - y| ~ |N(0, 2)|: median 0.6745 sqrt 2; its standard error over samples of 1000 rows is about 0.02.
    assert median_bandwidth(x) == pytest.approx(0.6745 * math.sqrt(2), abs=0.06)
    assert median_bandwidth(x) == median_bandwidth(x)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rule", [knn_bandwidth, median_bandwidth])
@pytest.mark.parametrize("scale", [1e-250, 1e-20, 1.0, 1e20, 1e250])
def test_bandwidths_follow_the_scale(rule, scale):
    x = noise(30, 4)
    assert rule(scale * x) == pytest.approx(scale * rule(x), rel=1e-9)


@pytest.mark.parametrize("rule", [knn_bandwidth, median_bandwidth])
def test_repeated_rows_leave_a_positive_bandwidth(rule):
    assert rule(torch.zeros(20, 3)) == 1
    assert rule(torch.full((20, 3), 1e-30)) == 1
    assert rule(torch.ones(1, 3)) == 1
    assert rule(torch.tensor([0.0, 3.0]).repeat_interleave(50)[:, None]) == pytest.approx(3.0)
    nearly = torch.tensor([1.0, 1.0 + 2.0**-52], dtype=torch.float64).repeat_interleave(40)[:, None].repeat(1, 30)
    assert rule(nearly) > 0


def test_find_bandwidth_reads_numbers_and_names():
    x = noise(30, 2)
    assert find_bandwidth(x, 2, where="f") == 2.0
    assert find_bandwidth(x, "knn", where="f") == knn_bandwidth(x)
    assert find_bandwidth(x, "median", where="f") == median_bandwidth(x)
    with pytest.raises(ValueError, match="f: bandwidth must be one of knn, median, got 'scott'"):
        find_bandwidth(x, "scott", where="f")
    with pytest.raises(ValueError, match="f: bandwidth must be positive and finite, got 0"):
        find_bandwidth(x, 0.0, where="f")
    with pytest.raises(TypeError, match="f: bandwidth must be a number, got NoneType"):
        find_bandwidth(x, None, where="f")


def test_inputs_are_untouched():
    x = noise(12, 3)
    before = x.clone()
    gaussian_gram(x, bandwidth=1.0)
    knn_bandwidth(x)
    median_bandwidth(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("rule", [knn_bandwidth, median_bandwidth])
def test_the_bandwidth_of_the_smallest_numbers_is_not_zero(rule):
    x = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 5e-324], dtype=torch.float64)[:, None]
    assert rule(x) > 0


def test_lowered_precision_of_products_does_not_reach_the_kernel():
    # Two clouds far apart: products of 7 bits would move the exponents of near rows by several tenths.
    x = noise(200, 64, dtype=torch.float32) * 0.05 + 4 * (torch.arange(200) % 2)[:, None]
    exact, before = gaussian_gram(x.double(), bandwidth=10.0), torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        found = gaussian_gram(x, bandwidth=10.0)
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.allclose(found.double(), exact, atol=1e-4)
