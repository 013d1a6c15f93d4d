"""Laws made of laws: one-to-one maps and idle columns keep the information, independent parts add theirs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.distributions.base import JointLaw, generator_for, is_upper_limit
from infotorch.numerics.checks import check_size
from infotorch.numerics.kinds import check_function, check_index, shown

#: Rows to rows, one to one.
Map = Callable[[Tensor], Tensor]


class Transformed:
    """(f(X), g(Y)) for one-to-one f and g: I(f(X); g(Y)) = I(X; Y).

    `infotorch.distributions.maps` has maps; any function of samples will do. That it is one-to-one cannot be checked
    here.

    Args:
        law: of (X, Y).
        transform_x: f, None for the identity.
        transform_y: g, None for the identity.

    Raises:
        TypeError: no law, or a map that is no function.

    Source: Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641, Appendix; Czyż et al. 2023,
    arXiv:2306.11078, Theorem 2.1.

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> law = Transformed(CorrelatedGaussian(0.9), torch.exp, torch.asinh)
        >>> x, y = law.sample(100, torch.Generator().manual_seed(0))
        >>> bool((x > 0).all()), round(law.mutual_information(), 4)
        (True, 0.8304)
    """

    def __init__(self, law: JointLaw, transform_x: Map | None = None, transform_y: Map | None = None) -> None:
        _check_law(law, where="Transformed")
        for name, transform in (("transform_x", transform_x), ("transform_y", transform_y)):
            if transform is not None:
                check_function(transform, where="Transformed", name=name)
        self.law = law
        self.transform_x = transform_x
        self.transform_y = transform_y
        self.is_upper_limit = is_upper_limit(law)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs of the law and map them."""
        x, y = self.law.sample(n, generator)
        return _mapped(x, self.transform_x, "transform_x"), _mapped(y, self.transform_y, "transform_y")

    def mutual_information(self) -> float:
        """I(X; Y) in nats, as exact as the law's."""
        return self.law.mutual_information()


class Stacked:
    """Independent laws side by side, X = (X_1, X_2, ...) and Y = (Y_1, Y_2, ...): I is the sum of theirs.

    Args:
        laws: at least one; each with samples of shape (n,) or (n, d), all discrete or all continuous.

    Raises:
        TypeError: what has no sample and no mutual_information.
        ValueError: no law is given.

    Source: Cover & Thomas 2006, Theorem 2.5.2 (chain rule).

    Example:
        >>> from infotorch.distributions import AdditiveUniformNoise, CorrelatedGaussian
        >>> law = Stacked(CorrelatedGaussian(0.9), AdditiveUniformNoise(0.5))
        >>> x, y = law.sample(3, torch.Generator().manual_seed(0))
        >>> x.shape, round(law.mutual_information(), 4)
        (torch.Size([3, 2]), 1.3304)
    """

    def __init__(self, *laws: JointLaw) -> None:
        if not laws:
            raise ValueError("Stacked: needs at least one law.")
        for law in laws:
            _check_law(law, where="Stacked")
        self.laws = laws
        self.is_upper_limit = is_upper_limit(*laws)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: the columns of the laws in their order, shapes (n, sum of d)."""
        x, y = zip(*(law.sample(n, generator) for law in self.laws), strict=True)
        return torch.cat([part.reshape(n, -1) for part in x], dim=1), torch.cat(
            [part.reshape(n, -1) for part in y], dim=1
        )

    def mutual_information(self) -> float:
        """I(X; Y) in nats, as exact as the laws'."""
        return sum(law.mutual_information() for law in self.laws)


class WithIdleColumns:
    """Columns of standard normal noise beside those of a law, on either side: I stays what it was.

    Turned by `random_rotation`, no column is idle any more, and the information hides in a few directions.

    Args:
        law: of (X, Y), with samples of numbers; integers become float64.
        idle_x: columns that X gets behind its own, at least 0.
        idle_y: the same of Y.

    Raises:
        TypeError: no law, or a number of columns that is no integer.
        ValueError: a number of columns below 0.

    Source: Cover & Thomas 2006, Theorem 2.5.2 (chain rule).

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> law = WithIdleColumns(CorrelatedGaussian(0.9), 3, 1)
        >>> x, y = law.sample(5, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([5, 4]), torch.Size([5, 2]), 0.8304)
    """

    def __init__(self, law: JointLaw, idle_x: int = 0, idle_y: int = 0) -> None:
        _check_law(law, where="WithIdleColumns")
        for name, idle in (("idle_x", idle_x), ("idle_y", idle_y)):
            check_index(idle, where="WithIdleColumns", name=name)
            if idle:
                check_size(idle, where="WithIdleColumns", name=name)
        self.law = law
        self.idle_x = idle_x
        self.idle_y = idle_y
        self.is_upper_limit = is_upper_limit(law)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, shapes (n, d_x + idle_x) and (n, d_y + idle_y)."""
        generator = generator_for(n, generator, where="WithIdleColumns.sample")
        x, y = self.law.sample(n, generator)
        return _widened(x, self.idle_x, generator), _widened(y, self.idle_y, generator)

    def mutual_information(self) -> float:
        """I(X; Y) in nats, as exact as the law's."""
        return self.law.mutual_information()


def _widened(values: Tensor, idle: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(len(values), idle, generator=generator, dtype=torch.float64, device=generator.device)
    return torch.cat([values.reshape(len(values), -1).to(torch.float64), noise], dim=1)


def _mapped(values: Tensor, transform: Map | None, name: str) -> Tensor:
    if transform is None:
        return values
    mapped = transform(values)
    if not isinstance(mapped, Tensor):
        raise TypeError(f"Transformed: {name} must return a tensor, got {shown(mapped)}.")
    return mapped


def _check_law(law: object, *, where: str) -> None:
    if isinstance(law, type) or not isinstance(law, JointLaw):
        raise TypeError(f"{where}: a law must have sample and mutual_information, got {shown(law)}.")
