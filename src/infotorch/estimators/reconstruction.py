"""The reconstruction bound on I(X; T): how well X is guessed from T."""

from __future__ import annotations

import math
import sys

from torch import Tensor

from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.numerics.checks import as_rows, as_tensor, shown
from infotorch.numerics.typing import ArrayLike

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


def reconstruction_bound(log_likelihood: ArrayLike, *, entropy: float | Estimate) -> Estimate:
    """Reconstruction lower bound on I(X; T), in nats: entropy of X + mean of log q(x | t), for any decoder q.

    The gap is the mean divergence of q(x | t) from the true p(x | t). It holds for a decoder that has not seen these
    samples; on samples that it was trained on, the value may lie far above the information.

    Args:
        log_likelihood: log q(x_i | t_i) of every sample, shape (n,): a density for continuous x, a probability for
            discrete x. `gaussian_log_likelihood` gives it for a decoder that predicts x.
        entropy: H(X), or the differential entropy h(X), in nats: the true number, or an estimate, such as
            `discrete_entropy(x)` or `kozachenko_leonenko_entropy(x)`, whose bias adds to that of the value. It has no
            default: without it the value is no information.

    Returns:
        A lower bound, as far as the entropy is right. Not clamped: a poor decoder makes it negative. Differentiable in
        log_likelihood. Standard error from the samples' terms, and from that of the entropy as if independent.

    Raises:
        ValueError: log_likelihood is not one number a sample, or it or the entropy is NaN or infinite.
        TypeError: log_likelihood is not made of real numbers, or entropy is neither a number nor an Estimate.

    Source: Barber & Agakov 2003, "The IM algorithm"; Poole et al. 2019, arXiv:1905.06922, eq. 2.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, noise = torch.randn(2, 5000, generator=generator)
        >>> t = x + noise  # I = 1/2 log 2 = 0.347, and x given t is N(t / 2, 1/2)
        >>> log_q = gaussian_log_likelihood(x, t / 2, std=0.5**0.5)
        >>> estimate = reconstruction_bound(log_q, entropy=0.5 * math.log(2 * math.pi * math.e))
        >>> abs(float(estimate) - 0.347) < 3 * estimate.std_error
        True
    """
    terms = as_rows(log_likelihood, where="reconstruction_bound", name="log_likelihood")
    shape = tuple(as_tensor(log_likelihood, where="reconstruction_bound", name="log_likelihood").shape)
    if len(shape) != 1:
        raise ValueError(
            f"reconstruction_bound: log_likelihood must have shape (n,), one number a sample, got {shape}."
        )
    if isinstance(entropy, bool) or not isinstance(entropy, int | float | Estimate):
        raise TypeError(
            f"reconstruction_bound: entropy must be a number of nats or an Estimate, got {type(entropy).__name__}."
        )
    if not -sys.float_info.max <= entropy <= sys.float_info.max:  # NaN is neither
        raise ValueError(f"reconstruction_bound: entropy must be finite, got {shown(entropy)}.")
    terms = _real(terms)[:, 0]
    return Estimate(
        terms.mean() + float(entropy),
        side="lower",
        n=len(terms),
        estimator="reconstruction_bound",
        error=lambda: _std_error(terms.detach(), entropy),
    )


def gaussian_log_likelihood(x: ArrayLike, prediction: ArrayLike, *, std: float | Tensor | None) -> Tensor:
    """Log-density of every row of x under N(prediction, std^2), in nats, its columns independent.

    Args:
        x: shape (n,) or (n, ...).
        prediction: what the decoder makes of t, the shape of x.
        std: standard deviation of the decoder's error: a number, or a tensor that broadcasts to the shape of x (a
            decoder that also tells how sure it is). None takes the root mean square of x - prediction over all samples
            and columns, the number of greatest likelihood; the mean over samples then lies too high by about 1/(2n).

    Returns:
        Shape (n,), differentiable in prediction and std.

    Raises:
        ValueError: x and prediction differ in shape, NaN or infinite values, std not positive or not broadcastable, or
            std None where the prediction is x itself, so that the density is infinite.
        TypeError: x, prediction or std is not made of real numbers.

    Example:
        >>> import torch
        >>> gaussian_log_likelihood(torch.zeros(1, 2), torch.ones(1, 2), std=1.0)  # -1 - log(2 pi)
        tensor([-2.8379])
    """
    where = "gaussian_log_likelihood"
    shapes = [tuple(as_tensor(v, where=where, name=name).shape) for v, name in ((x, "x"), (prediction, "prediction"))]
    rows, guess = as_rows(x, where=where, name="x"), as_rows(prediction, where=where, name="prediction")
    if shapes[0] != shapes[1]:
        raise ValueError(f"{where}: prediction must have the shape of x, got {shapes[1]} for {shapes[0]}.")
    # Integers first become real numbers: the difference of two bytes is no byte.
    error = _real(rows) - _real(guess.to(rows.device))
    width = _fitted(error) if std is None else _given(std, shapes[0], error)
    return -0.5 * (error / width).square().sum(dim=1) - (width.log().expand_as(error) + _LOG_ROOT_TWO_PI).sum(dim=1)


def _real(rows: Tensor) -> Tensor:
    return rows if rows.is_floating_point() else rows.double()


def _fitted(error: Tensor) -> Tensor:
    # Divided first: squares of numbers beyond 1e19 overflow in float32.
    largest = error.detach().abs().max()
    if largest == 0:
        raise ValueError("gaussian_log_likelihood: std must be given where the prediction is x itself, got None.")
    return largest * (error / largest).square().mean().sqrt()


def _given(std: float | Tensor, shape: tuple[int, ...], error: Tensor) -> Tensor:
    width = as_tensor(std, where="gaussian_log_likelihood", name="std").to(error)
    if not (width.isfinite() & (width > 0)).all():
        raise ValueError(f"gaussian_log_likelihood: std must be positive and finite, got {std}.")
    try:
        return width.expand(shape).reshape(error.shape)
    except RuntimeError as mismatch:
        raise ValueError(
            f"gaussian_log_likelihood: std must broadcast to the shape of x, {shape}, got {tuple(width.shape)}."
        ) from mismatch


def _std_error(terms: Tensor, entropy: float | Estimate) -> float:
    of_entropy = entropy.std_error if isinstance(entropy, Estimate) else 0.0
    return math.hypot(error_of_mean(terms), of_entropy)
