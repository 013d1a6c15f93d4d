"""I(X; F(X) + noise) by a MINE that knows the encoder F."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.estimators.bounds import MineGradient
from infotorch.estimators.critic_rows import Split, random_splits
from infotorch.estimators.critic_training import train_until_no_better, trainable
from infotorch.estimators.critics import JointCritic
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.held_out import HeldOut, held_out, pooled
from infotorch.estimators.neural import CriticSettings, check_finite, describe_training
from infotorch.numerics.checks import as_rows, as_tensor, check_callable, check_noise_std
from infotorch.numerics.kinds import as_device
from infotorch.numerics.model_copy import model_copy
from infotorch.numerics.seeds import streams_from
from infotorch.numerics.symbols import is_constant
from infotorch.numerics.typing import ArrayLike

# Rows passed through the encoder at once.
_ROWS_AT_ONCE = 1024
# Rows scored against each other on validation and on test samples: the critic's network runs once for every pair.
_VALIDATION_GROUP, _TEST_GROUP = 16, 512


def architecture_aware_mine(
    encoder: nn.Module,
    x: ArrayLike,
    noise_std: float | Tensor,
    *,
    hidden: Sequence[int] = (512, 512),
    batch_size: int = 256,
    max_steps: int = 5000,
    lr: float = 5e-4,
    patience: int = 10,
    validation: float = 0.2,
    test: float = 0.2,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    on_check: Callable[[int, float], None] | None = None,
) -> Estimate:
    """I(X; F(X) + noise), in nats, for an encoder F and Gaussian noise: MINE whose critic passes x through F first.

    The critic tells (F(x1), F(x1) + noise) from (F(x1), F(x2) + noise) and never sees x, of which F(x) keeps all that
    the noisy output depends on. Noise and pairs are fresh in every step, the gradient is MINE's (`MineGradient`), and
    the value is read on rows the critic was neither trained nor chosen on.

    A lower bound on average, and a loose one beyond a few nats, where its own error grows as exp(I)/n: it is here
    because the paper uses it. Since the noise is known, `pairwise_bounds`, `infonce_known_channel` and
    `gaussian_channel_bound` need no critic. As a penalty that is minimised a lower bound is unsound.

    Args:
        encoder: F, called on rows of x as they come; used in evaluation mode, on a copy. Its output is flattened.
        x: inputs of the encoder, shape (n, ...); real numbers are cast to the type of its weights, integers stay.
        noise_std: standard deviation of the noise in every coordinate of F(x), a number or a 0-d tensor.
        hidden: widths of the critic's hidden layers.
        batch_size: rows per training step.
        max_steps: most training steps.
        lr: Adam's learning rate.
        patience: checks without improvement, one every 50 steps, after which training stops.
        validation: share of the samples that decides when to stop.
        test: share of the samples that gives the value.
        generator: splits, initialises, orders and draws noise; None: a fresh seed, so that two calls differ.
        device: where to train; None: where x lies.
        on_check: called with the step and the value on validation samples.

    Returns:
        A lower bound by Donsker-Varadhan, not clamped, without gradient, float64. `std_error` from the influence of
        the test samples. 0 when F is constant on these samples.

    Raises:
        ValueError: an encoder that does not run on x or has no weights yet, NaN or infinite values in x or F(x), F(x)
            without one row for each row of x, noise_std not positive, too few samples to split, a setting out of range,
            or a training that never had a finite value.
        TypeError: encoder is not a module or does not give a tensor, or x or noise_std is not made of real numbers.

    Source: Elad, Haviv, Blau & Michaeli 2019, "Direct Validation of the Information Bottleneck Principle for Deep
    Nets", Sec. 3. The widths, the fresh noise and MINE's gradient are ours; the paper's supplement has its own. The
    copy of F is not trained, so F(x) is computed once.

    Example:
        >>> x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
        >>> estimate = architecture_aware_mine(  # 2 * 1/2 log(1 + 1) = 0.69 nats
        ...     nn.Identity(), x, 1.0, hidden=(32,), max_steps=400, lr=5e-3, generator=torch.Generator().manual_seed(0)
        ... )
        >>> estimate.side, abs(float(estimate) - 0.69) < 0.25
        ('lower', True)
    """
    where = "architecture_aware_mine"
    if not isinstance(encoder, nn.Module):
        raise TypeError(f"{where}: encoder must be a torch.nn.Module, got {type(encoder).__name__}.")
    check_noise_std(noise_std, where=where)
    settings = CriticSettings(batch_size, max_steps, lr, patience)
    settings.check(where=where)
    if on_check is not None:
        check_callable(on_check, where=where, name="on_check")
    streams = streams_from(generator, where=where)
    n = len(as_rows(x, where=where, name="x"))
    order = streams.generator("split")
    (split,) = random_splits(n, validation=validation, test=test, folds=None, generator=order, where=where)
    inputs = as_tensor(x, where=where, name="x")
    device = inputs.device if device is None else as_device(device, where=where)
    with trainable(device), streams.as_global("critic", device=device):
        clean = _encoded(encoder, inputs, device)
        if is_constant(clean):
            return _estimate(HeldOut(0.0, clean.new_zeros(len(split.test)), math.inf), n, "F(x) is constant")
        channel = _channel(clean, float(noise_std), split, streams.generator("noise", device=device))
        with torch.device("cpu"):  # one initialisation, whatever default device the caller has set
            critic, mine = JointCritic(clean.shape[1], clean.shape[1], hidden=hidden), MineGradient()
        critic, mine = critic.to(device, torch.float32), mine.to(device)
        outcome = train_until_no_better(
            critic,
            lambda rows: -mine(*critic.contrast(rows, channel.noisy(rows))),
            [channel.clean[split.train]],
            lambda: -channel.read(critic, split.validation, _VALIDATION_GROUP).value,
            batch_size=batch_size,
            max_steps=max_steps,
            lr=lr,
            patience=patience,
            generator=streams.generator("order"),
            on_check=None if on_check is None else lambda step, loss: on_check(step, -loss),
        )
    check_finite(outcome, lr, where=where)
    return _estimate(channel.read(critic, split.test, _TEST_GROUP), n, describe_training([outcome]))


@dataclass(frozen=True)
class _Channel:
    """F(x) in a unit that makes F(x) + noise of size 1, a fixed noisy reading of every sample, and fresh ones."""

    clean: Tensor
    fixed: Tensor
    noise_std: float
    generator: torch.Generator

    def noisy(self, rows: Tensor) -> Tensor:
        noise = torch.randn(rows.shape, generator=self.generator, device=rows.device, dtype=rows.dtype)
        return rows + self.noise_std * noise

    def read(self, critic: nn.Module, rows: Tensor, group_size: int) -> HeldOut:
        return held_out("donsker_varadhan", critic, self.clean[rows], self.fixed[rows], group_size=group_size)


def _channel(clean: Tensor, noise_std: float, split: Split, generator: torch.Generator) -> _Channel:
    train = clean[split.train]
    # One unit for all columns: the noise is equally strong in all of them.
    unit = math.hypot(float(train.std(dim=0, unbiased=False).square().mean().sqrt()), noise_std)
    rows = ((clean - train.mean(dim=0)) / unit).float()
    channel = _Channel(rows, rows, noise_std / unit, generator)
    return replace(channel, fixed=channel.noisy(rows))


@torch.no_grad()
def _encoded(encoder: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """F(x) without gradient, shape (n, d), by a copy of the encoder in evaluation mode."""
    where = "architecture_aware_mine"
    if any(is_lazy(weight) for weight in encoder.parameters()):
        raise ValueError(f"{where}: encoder has no weights yet; run it on some rows first.")
    weight = next(encoder.parameters(), None)
    if x.is_floating_point():
        x = x.to(torch.float32 if weight is None else weight.dtype)
    x = x.detach()
    before = x.clone()
    try:
        model = model_copy(encoder).eval().to(device)
        parts = [model(rows.to(device)) for rows in x.split(_ROWS_AT_ONCE)]
    except Exception as error:  # whatever the encoder raises
        got = f"shape {tuple(x.shape)}, {x.dtype}: {error}".splitlines()[0]
        raise ValueError(f"{where}: encoder does not run on x of {got}") from error
    if not all(isinstance(part, Tensor) and part.ndim for part in parts):
        got = type(parts[0]).__name__
        raise TypeError(f"{where}: encoder must give one tensor with a row for each row of x, got {got}.")
    output = torch.cat(parts)
    if not torch.equal(x, before):  # by a layer that works in place
        x.copy_(before)
    if len(output) != len(x):
        raise ValueError(f"{where}: encoder must give one row for each row of x, got {len(output)} for {len(x)}.")
    clean = as_rows(output, where=where, name="encoder(x)")
    return clean if clean.is_floating_point() else clean.float()


def _estimate(found: HeldOut, n: int, how: str) -> Estimate:
    value, error, ceiling = pooled([found])
    return Estimate(
        torch.tensor(value, dtype=torch.float64, device="cpu"),
        side="lower",
        n=n,
        estimator="architecture_aware_mine",
        ceiling=ceiling,
        reason=f"read on {len(found.influence)} of {n} rows; {how}",
        error=lambda: error,
    )
