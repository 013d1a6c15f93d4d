"""Lower bounds on information from critic scores, as plain differentiable functions of the scores.

A critic scores pairs: high for pairs drawn together, low for pairs drawn apart. Each function takes a matrix of scores,
s_ij = f(x_i, y_j), whose diagonal holds the true pairs and whose other entries stand for the product of the marginals.
All but `infonce` also take the two kinds apart: `scores` of n true pairs, and `product` of pairs drawn apart.

A bound holds for any critic that has not seen these samples. On samples that it was trained on, the value may lie far
above the information. Values that are not finite are passed on and not looked for: looking would make every training
step wait for the device.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.numerics.checks import as_tensor, check_positive, check_share
from infotorch.numerics.typing import ArrayLike


def infonce(scores: ArrayLike) -> Tensor:
    """InfoNCE lower bound on I(X; Y), in nats: log n + mean_i log softmax_j(s_ij) at j = i.

    The steadiest of the bounds, and the one with the lowest ceiling. Adding a function of x to the critic changes
    nothing.

    Args:
        scores: critic values s_ij = f(x_i, y_j), shape (n, n), n >= 2. The diagonal holds the true pairs.

    Returns:
        0-d, differentiable; float16 scores give float32. Not clamped: it may be negative, and it never exceeds log n,
        so a value close to log n means "at least this much" and not "this much".

    Raises:
        ValueError: scores is not square, or n < 2.
        TypeError: scores is not made of real numbers.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748, Sec. 2.3.

    Example:
        >>> round(infonce(torch.tensor([[2.0, 0.0], [0.0, 2.0]])).item(), 4)
        0.5662
    """
    matrix = as_square(scores, where="infonce", name="scores")
    return math.log(len(matrix)) + matrix.log_softmax(dim=1).diagonal().mean()


def donsker_varadhan(scores: ArrayLike, product: ArrayLike | None = None) -> Tensor:
    """Donsker-Varadhan lower bound on I(X; Y), in nats: mean of s over true pairs - log mean of exp(s) over the others.

    The tightest of the bounds for a given critic, at least `nwj` on the same scores, and without ceiling. The price is
    variance: of the order exp(I)/n once the critic is good, and since the logarithm is taken of a mean over a sample,
    the value lies above the bound on average, the more so the fewer the pairs. Adding a constant to the critic changes
    nothing.

    Args:
        scores: shape (n, n), n >= 2, the diagonal holds the true pairs; or shape (n,), true pairs alone.
        product: scores of pairs drawn apart, shape (m,), with `scores` of shape (n,) only.

    Returns:
        0-d, differentiable, not clamped. As a training objective on small batches its gradient is biased, for which
        there is `MineGradient`.

    Raises:
        ValueError: scores is neither square with n >= 2, nor one-dimensional with `product` beside it, or it is empty.
        TypeError: scores or product is not made of real numbers.

    Source: Donsker & Varadhan 1983; Belghazi et al. 2018, arXiv:1801.04062, eq. 2.

    Example:
        >>> round(donsker_varadhan(torch.tensor([[2.0, 0.0], [0.0, 2.0]])).item(), 4)
        2.0
        >>> round(donsker_varadhan(torch.tensor([2.0, 2.0]), torch.tensor([0.0])).item(), 4)
        2.0
    """
    joint, apart = _joint_and_product(scores, product, where="donsker_varadhan")
    return joint.mean() - log_mean_exp(apart)


def nwj(scores: ArrayLike, product: ArrayLike | None = None) -> Tensor:
    """Nguyen-Wainwright-Jordan lower bound on I(X; Y), in nats: mean of s over true pairs - mean of exp(s - 1).

    The f-GAN bound of the Kullback-Leibler divergence. A true lower bound on average for any number of pairs, without
    ceiling; its variance grows as exp(I)/n. It is tight at s = 1 + log p(x, y)/(p(x) p(y)): the constant matters.

    Args:
        scores: shape (n, n), n >= 2, the diagonal holds the true pairs; or shape (n,), true pairs alone.
        product: scores of pairs drawn apart, shape (m,), with `scores` of shape (n,) only.

    Returns:
        0-d, differentiable, not clamped. exp(s) overflows beyond s = 89 in float32 (710 in float64) and the value is
        then -inf, as it should be. A steadier way: train with `jsd` and report nwj(1 + s).

    Raises:
        ValueError: scores is neither square with n >= 2, nor one-dimensional with `product` beside it, or it is empty.
        TypeError: scores or product is not made of real numbers.

    Source: Nguyen, Wainwright & Jordan 2010, arXiv:0809.0853; Poole et al. 2019, arXiv:1905.06922, eq. 5.

    Example:
        >>> round(nwj(torch.ones(3, 3)).item(), 4)
        0.0
    """
    joint, apart = _joint_and_product(scores, product, where="nwj")
    return joint.mean() - (apart - 1).exp().mean()


def jsd(scores: ArrayLike, product: ArrayLike | None = None) -> Tensor:
    """Lower bound on the Jensen-Shannon divergence of p(x, y) from p(x) p(y), in nats: no bound on I(X; Y).

    log 2 - 1/2 mean of softplus(-s) over true pairs - 1/2 mean of softplus(s) over the others. This is what can be told
    about a fair coin that decides whether a pair was drawn together or apart. Low variance and no overflow make it
    the usual training objective (of DIM); at its maximum s = log p(x, y)/(p(x) p(y)), so that `nwj(1 + s)`, or `smile`,
    then tells I(X; Y).

    Args:
        scores: shape (n, n), n >= 2, the diagonal holds the true pairs; or shape (n,), true pairs alone.
        product: scores of pairs drawn apart, shape (m,), with `scores` of shape (n,) only.

    Returns:
        0-d, differentiable, not clamped; at most log 2.

    Raises:
        ValueError: scores is neither square with n >= 2, nor one-dimensional with `product` beside it, or it is empty.
        TypeError: scores or product is not made of real numbers.

    Source: Hjelm et al. 2019, arXiv:1808.06670, eq. 4, whose objective is 2 (jsd - log 2); Nowozin et al. 2016,
    arXiv:1606.00709.

    Example:
        >>> round(jsd(torch.zeros(3, 3)).item(), 4)
        0.0
    """
    joint, apart = _joint_and_product(scores, product, where="jsd")
    return math.log(2) - 0.5 * (F.softplus(-joint).mean() + F.softplus(apart).mean())


def smile(scores: ArrayLike, product: ArrayLike | None = None, *, clip: float = 5.0) -> Tensor:
    """Donsker-Varadhan with exp(s) clipped to [exp(-clip), exp(clip)] over pairs drawn apart, in nats: not a bound.

    Clipping bounds the variance, by about exp(2 clip)/n, and brings a bias of either sign. Train the critic with
    `jsd`, as the paper does: the gradient of this value itself vanishes where scores are clipped.

    Args:
        scores: shape (n, n), n >= 2, the diagonal holds the true pairs; or shape (n,), true pairs alone.
        product: scores of pairs drawn apart, shape (m,), with `scores` of shape (n,) only.
        clip: the paper's tau; as it grows the value becomes `donsker_varadhan`.

    Returns:
        0-d, differentiable, not clamped; it may lie above I(X; Y).

    Raises:
        ValueError: clip is not positive, or scores is neither square with n >= 2, nor one-dimensional with `product`
            beside it, or it is empty.
        TypeError: scores or product is not made of real numbers.

    Source: Song & Ermon 2020, arXiv:1910.06222, Sec. 5.

    Example:
        >>> round(smile(torch.tensor([[9.0, 9.0], [9.0, 9.0]])).item(), 4)  # 9 - 5
        4.0
    """
    check_positive(clip, where="smile", name="clip")
    joint, apart = _joint_and_product(scores, product, where="smile")
    return joint.mean() - log_mean_exp(apart.clamp(-clip, clip))


class MineGradient(nn.Module):
    """The Donsker-Varadhan bound with MINE's gradient: exp(s) is weighed by its moving average, not by the batch's.

    The gradient of log mean exp(s) on a batch is biased, because the mean stands under a fraction line. MINE divides by
    a moving average over batches instead. The value stays that of `donsker_varadhan`. The average is kept as a
    logarithm, so that it does not overflow, and it is part of the state: a resumed run goes on as if it had not
    stopped. In evaluation mode nothing is averaged, and the gradient is the batch's own.

    Args:
        decay: how much of the average is kept per step, in [0, 1); 0 gives the gradient of `donsker_varadhan`.

    Raises:
        ValueError: decay is out of range.

    Source: Belghazi et al. 2018, arXiv:1801.04062, Sec. 3.2. The average starts at the first batch's mean.

    Example:
        >>> objective = MineGradient()
        >>> value = objective(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
        >>> value.item(), objective.log_average.item()  # log mean exp(0)
        (2.0, 0.0)
    """

    log_average: Tensor

    def __init__(self, *, decay: float = 0.99) -> None:
        super().__init__()
        check_share(decay, where="MineGradient", name="decay")
        self.decay = decay
        # NaN until the first batch: there is no average yet.
        self.register_buffer("log_average", torch.tensor(math.nan))

    def forward(self, scores: ArrayLike, product: ArrayLike | None = None) -> Tensor:
        """The bound to maximise: 0-d, in nats; arguments as in `donsker_varadhan`."""
        joint, apart = _joint_and_product(scores, product, where="MineGradient")
        log_mean = log_mean_exp(apart)
        if not self.training:
            return joint.mean() - log_mean
        # At most 1 / (1 - decay), since the average holds that share of this batch.
        weight = (log_mean.detach() - self._averaged(log_mean.detach())).exp()
        return joint.mean() - log_mean.detach().lerp(log_mean, weight)

    @torch.no_grad()
    def _averaged(self, log_mean: Tensor) -> Tensor:
        before = self.log_average.to(log_mean)
        after = log_mean
        if self.decay > 0:
            mixed = torch.logaddexp(before + math.log(self.decay), log_mean + math.log1p(-self.decay))
            after = torch.where(before.isnan(), log_mean, mixed)
        self.log_average.copy_(after)
        return after


def log_mean_exp(values: Tensor) -> Tensor:
    """Log of the mean of exp over all entries, without overflow.

    Args:
        values: of any shape.

    Raises:
        TypeError: not real numbers.
        ValueError: no entry.

    Example:
        >>> log_mean_exp(torch.tensor([1000.0, 1000.0])).item()
        1000.0
    """
    values = as_scores(values, where="log_mean_exp", name="values")
    if values.numel() == 0:
        raise ValueError(f"log_mean_exp: values must not be empty, got shape {tuple(values.shape)}.")
    return values.flatten().logsumexp(dim=0) - math.log(values.numel())


def as_square(scores: ArrayLike, *, where: str, name: str) -> Tensor:
    """A square matrix of floating-point scores with at least two samples; float16 and integers become float32.

    Raises:
        ValueError: not square, or n < 2.
        TypeError: not real numbers.
    """
    matrix = as_scores(scores, where=where, name=name)
    shape = tuple(matrix.shape)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
        raise ValueError(f"{where}: {name} must be square with at least 2 rows, got shape {shape}.")
    return matrix


def off_diagonal(matrix: Tensor) -> Tensor:
    """The entries of a square matrix beside the diagonal, shape (n - 1, n), in the order of the samples.

    Example:
        >>> off_diagonal(torch.tensor([[0, 1, 2], [3, 0, 4], [5, 6, 0]])).tolist()
        [[1, 2, 3], [4, 5, 6]]
    """
    n = len(matrix)
    # Without its first entry the flattened matrix has the diagonal at the end of every n + 1 entries.
    return matrix.flatten()[1:].view(n - 1, n + 1)[:, :-1]


def _joint_and_product(scores: ArrayLike, product: ArrayLike | None, *, where: str) -> tuple[Tensor, Tensor]:
    if product is None:
        matrix = as_square(scores, where=where, name="scores")
        return matrix.diagonal(), off_diagonal(matrix)
    both = [as_scores(v, where=where, name=name) for v, name in ((scores, "scores"), (product, "product"))]
    for values, name in zip(both, ("scores", "product"), strict=True):
        if values.ndim != 1 or len(values) == 0:
            raise ValueError(
                f"{where}: with product given, {name} must be one-dimensional and not empty, "
                f"got shape {tuple(values.shape)}."
            )
    return both[0], both[1]


def as_scores(scores: ArrayLike, *, where: str, name: str) -> Tensor:
    """Scores of any shape in float32 or float64.

    Raises:
        TypeError: not real numbers.
    """
    values = as_tensor(scores, where=where, name=name)
    return values if values.dtype in {torch.float32, torch.float64} else values.float()
