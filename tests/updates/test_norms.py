"""Norm, curvature and finiteness over several tensors."""

import pytest
import torch
from tests.reference.halves import batch, halves, loss_of, split_of

from infotorch.updates.norms import curvature, norm


def test_curvature_is_the_rayleigh_quotient():
    generator = torch.Generator().manual_seed(0)
    hessian = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    v = torch.randn(5, generator=generator, dtype=torch.float64)
    expected = (v @ hessian @ v / (v @ v)).item()
    product = hessian @ v
    for scale in (1.0, 1e-200, 1e200):
        found = curvature((scale * v).split([2, 3]), (scale * product).split([2, 3]))
        assert found.item() == pytest.approx(expected, rel=1e-12)


def test_curvature_of_nothing_is_0():
    assert curvature([torch.zeros(3)], [torch.zeros(3)]).item() == 0


@pytest.mark.parametrize("scale", [1.0, 1e-25])
def test_the_curvature_that_a_step_reports_scales_with_the_loss(scale):
    f, g = halves("mlp")
    x, y = batch()
    expected = split_of(f, g).accumulate(x, loss_of(y), share=1.0).curvatures[0].item()
    found = split_of(f, g).accumulate(x, lambda output: scale * loss_of(y)(output), share=1.0).curvatures[0].item()
    assert found / scale == pytest.approx(expected, rel=1e-9)


def test_the_norm_is_taken_in_float32_where_the_parts_are_narrower():
    parts = [torch.full((10_000,), 0.1, dtype=torch.bfloat16), torch.zeros(1)]
    assert norm(parts).item() == pytest.approx(10.0, rel=2e-3)  # 0.1 itself is off by 0.1 %
    assert norm(parts).dtype == torch.float32
