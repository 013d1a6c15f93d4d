"""Mutual information by a critic that is trained on some samples and read on others."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from infotorch.estimators.bounds import MineGradient, infonce, jsd, nwj
from infotorch.estimators.critic_rows import Split, as_columns, random_splits, standardised
from infotorch.estimators.critic_training import TrainingOutcome, train_until_no_better, trainable
from infotorch.estimators.critics import BilinearCritic, Critic, EncoderCritic, JointCritic, SeparableCritic
from infotorch.estimators.estimate import Estimate, Side
from infotorch.estimators.held_out import HeldOut, Measure, held_out, pooled
from infotorch.numerics.checks import as_rows, check_callable, check_choice, check_count, check_paired, check_positive
from infotorch.numerics.kinds import as_device
from infotorch.numerics.seeds import streams_from
from infotorch.numerics.symbols import is_constant
from infotorch.numerics.typing import ArrayLike

CriticName = Literal["separable", "joint", "bilinear"]
BoundName = Literal["infonce", "mine", "nwj", "jsd", "smile"]
#: called with the step and the value on validation samples, in nats
OnCheck = Callable[[int, float], None]


@dataclass(frozen=True)
class CriticSettings:
    """How a critic is trained by Adam.

    Args:
        batch_size: rows per step, at least 2.
        max_steps: most steps.
        lr: learning rate.
        patience: checks without improvement, one every 50 steps, after which training stops.
    """

    batch_size: int
    max_steps: int
    lr: float
    patience: int

    def check(self, *, where: str) -> None:
        """Refuse settings out of range.

        Raises:
            TypeError: not a number of the right kind.
            ValueError: out of range.
        """
        for name in ("batch_size", "max_steps", "patience"):
            check_count(getattr(self, name), where=where, name=name)
        check_positive(self.lr, where=where, name="lr")
        if self.batch_size < 2:
            raise ValueError(f"{where}: batch_size must be at least 2, got {self.batch_size}.")


@dataclass(frozen=True)
class _Way:
    """By what training is stopped, what is reported, and on which side of the truth that lies."""

    validated: Measure
    reported: Measure
    side: Side


_WAYS: dict[BoundName, _Way] = {
    "infonce": _Way("infonce", "infonce", "lower"),
    "mine": _Way("donsker_varadhan", "donsker_varadhan", "lower"),
    "nwj": _Way("nwj", "nwj", "lower"),
    "jsd": _Way("jsd", "donsker_varadhan", "lower"),
    "smile": _Way("jsd", "smile", "none"),
}
# Rows that are scored against each other, for a critic whose pairs cost a product each, and for one whose network runs
# for every pair.
_TEST_GROUP = (4096, 512)
_VALIDATION_GROUP = {bound: (1024, 64 if bound == "infonce" else 16) for bound in _WAYS}


def neural_mi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    bound: BoundName = "infonce",
    critic: CriticName | nn.Module = "separable",
    hidden: Sequence[int] = (256, 256),
    batch_size: int | None = None,
    max_steps: int = 5000,
    lr: float = 5e-4,
    patience: int = 10,
    validation: float = 0.2,
    test: float = 0.2,
    folds: int | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    on_check: Callable[[int, float], None] | None = None,
) -> Estimate:
    """Mutual information of x and y, in nats, by a trained critic, read on rows it was neither trained nor chosen on.

    The samples are split at random. The critic is trained by Adam on one part and looked at every 50 steps on the
    validation part; the best one, which may be the untrained one, is kept and read on the test part. The value is then
    a lower bound on average (but for "smile"), and low where the critic is weak or the samples are few. Samples must be
    independent: with repeated or neighbouring rows on both sides of the split the critic recognises what it has seen.

    - "infonce": the steadiest; at most log of the number of test samples that are scored together.
    - "mine": Donsker-Varadhan, trained with MINE's gradient; tighter, noisier, high on average for few test samples.
    - "nwj": the f-GAN bound; noisy, and training may diverge beyond a few nats.
    - "jsd": trained by the Jensen-Shannon objective, which is steady, reported by Donsker-Varadhan.
    - "smile": trained as "jsd", reported by SMILE with clip 5: no bound.

    Every column is divided by its spread over the training samples (their quartiles), and long tails are drawn in by a
    one-to-one map, which changes no information. One column of integers becomes a one-hot vector (1024 values at most);
    several are read as numbers.

    Args:
        x: real or integer, shape (n,) or (n, ...); trailing axes are flattened.
        y: the same number of samples.
        bound: one of those above.
        critic: "separable" (n + m network evaluations for n x m pairs), "joint" (one for every pair, more general),
            "bilinear", or a module: critic(x, y) -> scores of shape (n, m), called with columns prepared as above. A
            copy of it is trained, with its weights as they are.
        hidden: widths of the named critics' hidden layers.
        batch_size: rows per training step; 256, and 64 for "joint" with "infonce", whose cost grows with its square.
        max_steps: most training steps (per fold).
        lr: Adam's learning rate.
        patience: checks without improvement on validation samples after which training stops.
        validation: share of the samples that decides when to stop.
        test: share of the samples that gives the value; not used with folds.
        folds: train this many critics, each read on its own 1/folds of the samples, so that every sample is a test
            sample once.
        generator: splits, initialises and orders; None: a fresh seed, so that two calls differ.
        device: where to train; None: where x lies.
        on_check: called with the step and the value on validation samples (for "jsd" and "smile" that of `jsd`).

    Returns:
        Not clamped, without gradient, float64. `ceiling` for "infonce" alone. `std_error` from the influence of the
        test samples; what training on other samples would have changed is not part of it. `reason` says how training
        went. 0 when x or y is constant.

    Raises:
        ValueError: samples not paired, NaN or infinite values, a part of the split with fewer than two samples, an
            unknown bound or critic, a share or a setting out of range, a module that does not give (n, m) scores, or a
            training that never had a finite value on validation samples.
        TypeError: x or y is not made of real numbers, or a setting is of the wrong type.

    Source: Belghazi et al. 2018, arXiv:1801.04062; Poole et al. 2019, arXiv:1905.06922; Song & Ermon 2020,
    arXiv:1910.06222. They report training batches; we report rows that were held out.

    Example:
        >>> noise = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
        >>> estimate = neural_mi(  # 0.347 nats
        ...     noise[0], noise[0] + noise[1], hidden=(32,), max_steps=300, generator=torch.Generator().manual_seed(0)
        ... )
        >>> estimate.side, abs(float(estimate) - 0.347) < 3 * estimate.std_error
        ('lower', True)
    """
    where = "neural_mi"
    rows = [as_rows(values, where=where, name=name) for values, name in ((x, "x"), (y, "y"))]
    check_paired(*rows, where=where)
    check_choice(bound, tuple(_WAYS), where=where, name="bound")
    if batch_size is None:
        batch_size = 64 if critic == "joint" and bound == "infonce" else 256
    settings = CriticSettings(batch_size, max_steps, lr, patience)
    settings.check(where=where)
    if on_check is not None:
        check_callable(on_check, where=where, name="on_check")
    streams = streams_from(generator, where=where)
    order = streams.generator("split")
    splits = random_splits(len(rows[0]), validation=validation, test=test, folds=folds, generator=order, where=where)
    columns = [as_columns(values, where=where, name=name) for values, name in zip(rows, "xy", strict=True)]
    device = rows[0].device if device is None else as_device(device, where=where)
    runs = []
    for number, split in enumerate(splits):
        with trainable(device), streams.as_global("fold", number, device=device):
            with torch.device("cpu"):  # one initialisation, whatever default device the caller has set
                model = _as_critic(critic, columns[0].shape[1], columns[1].shape[1], hidden)
            model = model.to(device)
            fold = _Fold(model, [_for_network(c, split, model, device) for c in columns], split)
            fold.check_scores()
            if any(is_constant(values) for values in rows):
                return _nothing(bound, _name(critic), len(rows[0]))
            outcome = fold.train(bound, settings, streams.generator("order", number), on_check)
            runs.append((fold.read(_WAYS[bound].reported, split.test, _TEST_GROUP), outcome))
    return _estimate(bound, _name(critic), runs, len(rows[0]))


def batch_loss(
    bound: BoundName, critic: nn.Module, *, device: torch.device | str = "cpu"
) -> Callable[[Tensor, Tensor], Tensor]:
    """What is minimised on a batch of pairs: minus the objective that trains a critic for this bound.

    Example:
        >>> loss = batch_loss("infonce", BilinearCritic(1, 1))
        >>> loss(torch.ones(4, 1), torch.ones(4, 1)).item()
        -0.0
    """
    if bound == "infonce":
        return lambda x, y: -infonce(critic(x, y))
    with torch.device(device):
        objectives = {"mine": MineGradient(), "nwj": nwj, "jsd": jsd, "smile": jsd}
    objective = objectives[bound]
    if isinstance(critic, Critic):
        return lambda x, y: -objective(*critic.contrast(x, y))
    return lambda x, y: -objective(critic(x, y))


def group_size(critic: nn.Module, sizes: tuple[int, int]) -> int:
    """How many samples are scored against each other: the first of the sizes where a pair costs one product."""
    while isinstance(critic, EncoderCritic):
        critic = critic.critic
    return sizes[0] if isinstance(critic, SeparableCritic | BilinearCritic) else sizes[1]


def check_finite(outcome: TrainingOutcome, lr: float, *, where: str) -> None:
    """Refuse a training that has nothing to show.

    Raises:
        ValueError: after the untrained critic's, the value on validation samples was never finite.
    """
    if not math.isfinite(outcome.best_loss) or (outcome.ended == "diverged" and outcome.best_step == 0):
        raise ValueError(
            f"{where}: training never gave a finite value on validation samples; lr must be smaller, got {lr:g}."
        )


def describe_training(outcomes: Sequence[TrainingOutcome]) -> str:
    """One line on how training went.

    Example:
        >>> describe_training([TrainingOutcome(steps=900, best_step=400, best_loss=-1.0, ended="patience")])
        'kept step 400 of 900, no better on validation samples since'
    """
    endings = {
        "patience": "no better on validation samples since",
        "max_steps": "stopped by max_steps",
        "diverged": "then training diverged",
        "nothing to train": "nothing to train",
    }
    # Too few samples and no information both give about 0: the number alone does not tell which.
    untrained = " (as it began: nothing learned held on validation samples; more samples or a simpler critic may)"
    told = [
        f"kept step {o.best_step} of {o.steps}{untrained * (o.best_step == 0 < o.steps)}, {endings[o.ended]}"
        for o in outcomes
    ]
    return told[0] if len(told) == 1 else "; ".join(f"fold {k}: {line}" for k, line in enumerate(told, start=1))


@dataclass(frozen=True)
class _Fold:
    """One critic with the samples it reads and how they are split."""

    critic: nn.Module
    columns: list[Tensor]
    split: Split

    def train(
        self, bound: BoundName, settings: CriticSettings, order: torch.Generator, on_check: OnCheck | None
    ) -> TrainingOutcome:
        validated = _WAYS[bound].validated
        told = None if on_check is None else lambda step, loss: on_check(step, -loss)
        outcome = train_until_no_better(
            self.critic,
            batch_loss(bound, self.critic, device=self.columns[0].device),
            [columns[self.split.train] for columns in self.columns],
            lambda: -self.read(validated, self.split.validation, _VALIDATION_GROUP[bound]).value,
            batch_size=settings.batch_size,
            max_steps=settings.max_steps,
            lr=settings.lr,
            patience=settings.patience,
            generator=order,
            on_check=told,
        )
        check_finite(outcome, settings.lr, where="neural_mi")
        return outcome

    def read(self, measure: Measure, rows: Tensor, sizes: tuple[int, int]) -> HeldOut:
        x, y = (columns[rows] for columns in self.columns)
        return held_out(measure, self.critic, x, y, group_size=group_size(self.critic, sizes))

    def check_scores(self) -> None:
        x, y = (columns[:rows] for columns, rows in zip(self.columns, (2, 3), strict=True))
        with torch.no_grad():
            scores = self.critic.eval()(x, y)
        if not isinstance(scores, Tensor) or scores.shape != (2, 3):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise ValueError(f"neural_mi: critic must give (n, m) scores, (2, 3) for 2 rows against 3, got {got}.")


def _as_critic(critic: str | nn.Module, dim_x: int, dim_y: int, hidden: Sequence[int]) -> nn.Module:
    if isinstance(critic, nn.Module):
        return copy.deepcopy(critic)
    if not isinstance(critic, str):
        raise TypeError(f"neural_mi: critic must be a name or a module, got {type(critic).__name__}.")
    check_choice(critic, get_args(CriticName), where="neural_mi", name="critic")
    if critic == "bilinear":
        return BilinearCritic(dim_x, dim_y)
    return (JointCritic if critic == "joint" else SeparableCritic)(dim_x, dim_y, hidden=hidden)


def _for_network(columns: Tensor, split: Split, model: nn.Module, device: torch.device) -> Tensor:
    weight = next(model.parameters(), None)
    dtype = torch.float32 if weight is None else weight.dtype
    return standardised(columns, split.train).to(dtype).to(device)


def _name(critic: str | nn.Module) -> str:
    return critic if isinstance(critic, str) else type(critic).__name__


def _nothing(bound: BoundName, critic: str, n: int) -> Estimate:
    zero = torch.zeros((), dtype=torch.float64, device="cpu")
    side, estimator = _WAYS[bound].side, f"neural_mi {bound} {critic}"
    return Estimate(zero, side, n, estimator, reason="x or y is constant", error=lambda: 0.0)


def _estimate(bound: BoundName, critic: str, runs: Sequence[tuple[HeldOut, TrainingOutcome]], n: int) -> Estimate:
    value, error, ceiling = pooled([held for held, _ in runs])
    read = sum(len(held.influence) for held, _ in runs)
    return Estimate(
        torch.tensor(value, dtype=torch.float64, device="cpu"),
        side=_WAYS[bound].side,
        n=n,
        estimator=f"neural_mi {bound} {critic}",
        ceiling=ceiling,
        reason=f"read on {read} of {n} rows; {describe_training([outcome for _, outcome in runs])}",
        error=lambda: error,
    )
