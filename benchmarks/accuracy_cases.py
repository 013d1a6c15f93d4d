"""The laws of the accuracy benchmark: what is drawn, and what the answer is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infotorch.distributions import (
    AmplitudeImages,
    CorrelatedGaussian,
    DiscreteJoint,
    JointLaw,
    LabelledClusters,
    mixed_suite,
    suite,
)


@dataclass(frozen=True)
class Sample:
    """Paired rows, what a known channel or a conditioning needs beside them, and chance for the estimator."""

    x: Tensor
    y: Tensor
    generator: torch.Generator
    noise_std: float = 0.0
    z: Tensor | None = None


@dataclass(frozen=True)
class Case:
    """A law with its answer in nats; `draw(n, generator)` samples it."""

    draw: Callable[[int, torch.Generator], Sample]
    truth: float


def _pairs(law: JointLaw) -> Case:
    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        return Sample(x, y, generator)

    return Case(draw, law.mutual_information())


def _channel(dim: int, mi: float) -> Case:
    """Independent standard normal features seen through Gaussian noise: the estimator sees the clean features."""
    noise_std = 1 / math.sqrt(math.expm1(2 * mi / dim))
    law = AmplitudeImages(torch.eye(dim, dtype=torch.float64), noise_std=noise_std)

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        return Sample(x, y, generator, noise_std=noise_std)

    return Case(draw, law.mutual_information())


def _entropy(dim: int) -> Case:
    """Differential entropy of a Gaussian with correlation 1/2 between any two columns."""
    law = CorrelatedGaussian.dense(dim, 1, correlation=0.5)
    truth = 0.5 * (dim * math.log(2 * math.pi * math.e) + float(law.covariance[:dim, :dim].logdet()))

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        return Sample(x, y, generator)

    return Case(draw, truth)


def _given_z(dim: int) -> Case:
    """X and Y share Z, and a correlation of 0.6 in the first column of what Z leaves of them."""
    law = CorrelatedGaussian.sparse(dim, dim, correlations=(0.6,))

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        z = torch.randn(n, dim, generator=generator, dtype=torch.float64)
        return Sample(x + z, y + z, generator, z=z)

    return Case(draw, law.mutual_information())


def _symbols_given_z() -> Case:
    """Each symbol is shifted round by a z that both share: given z, the shift can be taken back."""
    law = mixed_suite()["symbols 4x3"]

    def draw(n: int, generator: torch.Generator) -> Sample:
        a, b = law.sample(n, generator)
        z = torch.randint(3, (n,), generator=generator)
        return Sample((a + z) % 4, (b + z) % 3, generator, z=z)

    return Case(draw, law.mutual_information())


def _renyi(alpha: float) -> Case:
    """Rényi's information of symbols, S(A) + S(B) - S(A, B), from the table; alpha is in the estimator's name."""
    law = mixed_suite()["symbols 4x3"]
    assert isinstance(law, DiscreteJoint)
    tables = [law.table.sum(dim=1), law.table.sum(dim=0), law.table]
    entropies = [math.log(float((p**alpha).sum())) / (1 - alpha) for p in tables]
    return replace(_pairs(law), truth=entropies[0] + entropies[1] - entropies[2])


def _true_scores(dim: int, mi: float) -> Case:
    """In place of a critic the truth: x holds log p(x_i, y_j) / p(x_i) p(y_j), y holds log p(y_j | x_i) + constant."""
    law = CorrelatedGaussian.for_information(mi, dim)
    rho = float(law.covariance[0, dim])

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        log_conditional = -torch.cdist(rho * x, y).square() / (2 * (1 - rho**2))
        log_marginal = -y.square().sum(dim=1) / 2
        return Sample(log_conditional - log_marginal + law.mutual_information(), log_conditional, generator)

    return Case(draw, law.mutual_information())


def _true_posterior() -> Case:
    """In place of a trained read-out the truth: x holds log p(label | x) up to a constant."""
    law = LabelledClusters([[-2.0], [0.0], [2.0]], noise_std=1.0)

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, label = law.sample(n, generator)
        return Sample(-(x - law.centres[:, 0]).square() / 2, label, generator)

    return Case(draw, law.mutual_information())


def _true_decoder(dim: int) -> Case:
    """In place of a trained decoder the truth: x holds log p(x_i | y_i) of standard normal x."""
    law = CorrelatedGaussian.for_information(1.0, dim)
    rho = float(law.covariance[0, dim])

    def draw(n: int, generator: torch.Generator) -> Sample:
        x, y = law.sample(n, generator)
        left = (1 - rho**2) ** 0.5
        log_p = -((x - rho * y) / left).square() / 2 - math.log(left) - math.log(2 * math.pi) / 2
        return Sample(log_p.sum(dim=1), y, generator)

    return Case(draw, law.mutual_information())


def _symbols(count: int) -> DiscreteJoint:
    """Neighbouring symbols are confused with each other: p(b | a) falls as exp(-|a - b|)."""
    numbers = torch.arange(count, dtype=torch.float64)
    table = torch.exp(-(numbers[:, None] - numbers).abs())
    return DiscreteJoint(table / table.sum())


def cases() -> dict[str, Case]:
    """Every case by name."""
    broad, mixed = suite(), mixed_suite()
    # One name here may be longer there; each stands for a family of the suite.
    chosen = {
        "student 3x3 dof 2": broad["student 3x3 two pairs dof 2"],
        "spiral 3x3": broad["normal 3x3 two pairs, spiral"],
        "normal-cdf 5x5": broad["normal 5x5 two pairs, normal-cdf"],
        "uniform noise 0.1": broad["uniform noise 0.1"],
        "swiss roll 2x1": broad["swiss roll 2x1"],
        "cross 1x1": broad["cross 1x1"],
    }
    return {
        **{f"normal {d}x{d}": _pairs(CorrelatedGaussian.for_information(1.0, d)) for d in (1, 2, 5, 10, 20)},
        "independent 5x5": _pairs(CorrelatedGaussian.for_information(0.0, 5)),
        **{name: _pairs(law) for name, law in chosen.items()},
        **{name: _pairs(law) for name, law in mixed.items()},
        "symbols 30x30": _pairs(_symbols(30)),
        **{f"channel of {d}": _channel(d, 1.0) for d in (1, 5, 20)},
        **{f"entropy of {d}": _entropy(d) for d in (1, 2, 5, 10)},
        **{f"given z, {d}x{d}": _given_z(d) for d in (1, 3)},
        "given z, symbols": _symbols_given_z(),
        **{f"symbols 4x3, order {alpha}": _renyi(alpha) for alpha in (1.01, 2)},
        "true scores, 1 nat": _true_scores(1, 1.0),
        "true scores, 1 nat, 10x10": _true_scores(10, 1.0),
        "true scores, 4 nats": _true_scores(1, 4.0),
        "true scores, 4 nats, 10x10": _true_scores(10, 4.0),
        "true posterior of 3 labels": _true_posterior(),
        "true decoder, 5x5": _true_decoder(5),
    }
