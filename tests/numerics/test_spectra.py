"""Eigenvalues in float64 where the routine for float32 does not converge."""

import pytest
import torch

from infotorch.numerics.spectra import eigenvalues

FOUND = torch.linalg.eigvalsh


def in_float64_alone(matrix):
    """LAPACK's routine on a machine where it gives up in float32."""
    if matrix.dtype != torch.float64:
        raise torch.linalg.LinAlgError("linalg.eigh: The algorithm failed to converge")
    return FOUND(matrix)


def test_what_does_not_converge_in_float32_is_found_in_float64(monkeypatch):
    rows = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected = FOUND(rows @ rows.T)
    (expected.square().sum()).backward()
    gradient, rows.grad = rows.grad, None
    monkeypatch.setattr(torch.linalg, "eigvalsh", in_float64_alone)
    found = eigenvalues(rows @ rows.T)
    found.square().sum().backward()
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(rows.grad, gradient, rtol=1e-4)


def test_what_does_not_converge_at_all_is_an_error(monkeypatch):
    def never(_):
        raise torch.linalg.LinAlgError("linalg.eigh: The algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "eigvalsh", never)
    with pytest.raises(torch.linalg.LinAlgError, match="failed to converge"):
        eigenvalues(torch.eye(3))
