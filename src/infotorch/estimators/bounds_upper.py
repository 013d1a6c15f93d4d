"""Upper bounds on information from a matrix of conditional log-densities, as plain differentiable functions.

They are what a penalty needs: minimising a lower bound says nothing about the information. The matrix holds
log p(y_j | x_i), shape (n, n); its diagonal holds the true pairs. Values that are not finite are passed on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.bounds import as_square, off_diagonal
from infotorch.numerics.typing import ArrayLike


def club(log_conditional: ArrayLike) -> Tensor:
    """Contrastive log-ratio upper bound (CLUB) on I(X; Y), in nats: mean log p of true pairs - mean log p of others.

    Its gap is the divergence of p(x) p(y) from p(x, y), so it is loose: for Gaussians of correlation rho it is
    rho^2 / (1 - rho^2), 4.3 nats at rho = 0.9 where the information is 0.83. **With a fitted q(y | x) in place of
    p(y | x) (vCLUB) it need not be an upper bound**: it is one where q(y | x) p(x) is nearer to p(x, y) than to
    p(x) p(y).

    Args:
        log_conditional: log p(y_j | x_i), shape (n, n), n >= 2.

    Returns:
        0-d, differentiable, not clamped, without ceiling.

    Raises:
        ValueError: log_conditional is not square, or n < 2.
        TypeError: it is not made of real numbers.

    Source: Cheng et al. 2020, arXiv:2006.12013, eq. 8 and 10. We average over the pairs j != i, which is unbiased; the
    paper's average over all j is ours times (n - 1)/n.

    Example:
        >>> round(club(torch.tensor([[-1.0, -3.0], [-3.0, -1.0]])).item(), 4)
        2.0
    """
    matrix = as_square(log_conditional, where="club", name="log_conditional")
    return matrix.diagonal().mean() - off_diagonal(matrix).mean()


def leave_one_out_upper(log_conditional: ArrayLike) -> Tensor:
    """Leave-one-out upper bound on I(X; Y), in nats: mean_j [log p(y_j|x_j) - log 1/(n-1) sum_{i != j} p(y_j|x_i)].

    The other samples stand for the marginal of y. Needs the true conditional; with a fitted one it is no bound. For a
    known Gaussian channel `leave_one_out_bound` computes the matrix too.

    Args:
        log_conditional: log p(y_j | x_i), shape (n, n), n >= 2; the column is y.

    Returns:
        0-d, differentiable, not clamped, without ceiling: where the conditionals hardly overlap it is far too large.

    Raises:
        ValueError: log_conditional is not square, or n < 2.
        TypeError: it is not made of real numbers.

    Source: Poole et al. 2019, arXiv:1905.06922, eq. 13.

    Example:
        >>> round(leave_one_out_upper(torch.tensor([[-1.0, -3.0], [-4.0, -1.0]])).item(), 4)  # (3 + 2) / 2
        2.5
    """
    matrix = as_square(log_conditional, where="leave_one_out_upper", name="log_conditional")
    on_diagonal = torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    others = matrix.masked_fill(on_diagonal, -math.inf).logsumexp(dim=0) - math.log(len(matrix) - 1)
    return (matrix.diagonal() - others).mean()
