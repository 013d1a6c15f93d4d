"""Much information, in one to ten columns, among columns of noise, rotated: where neighbours and bounds fall short.

Every family in every shape, chosen by family and dimension alone, never by how an estimator does; a law, once here,
stays. Families after Czyż et al. 2023, arXiv:2306.11078, Butakov et al. 2024, arXiv:2403.02187 (correlated and smoothed
uniform, log-gamma-exponential) and Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from scipy.special import polygamma

from infotorch.distributions.base import JointLaw, check_information
from infotorch.distributions.clusters import SharedClusters
from infotorch.distributions.gamma import LogGammaExponential
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.maps import Linear, Spiral, half_cube, heavy_tails, normal_cdf, random_rotation, wiggly
from infotorch.distributions.student import StudentT
from infotorch.distributions.transformed import Map, Stacked, Transformed, WithIdleColumns
from infotorch.distributions.uniform import AdditiveNormalNoise, AdditiveUniformNoise
from infotorch.numerics.seeds import derive_seed

# (informative columns, idle columns), of X and of Y alike.
_SHAPES = ((1, 0), (2, 0), (5, 0), (5, 5), (10, 0), (10, 15), (3, 20))
# Of the laws with Student's t: a variance, and no fourth moment.
_DOF = 3.0


@dataclass(frozen=True)
class _Family:
    """How a family makes its laws.

    Args:
        columns: (nats, d) -> a law of d informative columns.
        bend: number of columns -> the map of X and of Y behind the rotation, or None.
        least: columns that the map needs.
    """

    columns: Callable[[float, int], JointLaw]
    bend: Callable[[int], Map] | None = field(default=None)
    least: int = 1

    def law(self, nats: float, informative: int, idle: int, generator: torch.Generator) -> JointLaw:
        """Informative and idle columns, rotated where there is more than one, then bent."""
        law, columns = self.columns(nats, informative), informative + idle
        if idle:
            law = WithIdleColumns(law, idle, idle)
        if columns > 1:
            law = Transformed(law, random_rotation(columns, generator), random_rotation(columns, generator))
        return law if self.bend is None else Transformed(law, self.bend(columns), self.bend(columns))


def high_information_suite(nats: float = 5.0) -> dict[str, JointLaw]:
    """Eleven families with 1 to 10 informative and up to 20 idle columns on either side, all of one given information.

    The name says family, informative and idle columns: "normal 10+15". X and Y are rotated at random, idle columns
    included; margins that a family is named for (uniform, wiggly, half-cube, heavy-tailed, spiral) are made thereafter.
    Before the rotation
    informative columns have variance 1, as idle ones, or more (Student, mixture). Nothing may be tuned on it.

    Args:
        nats: I(X; Y) of every law, between 1 and 10.

    Raises:
        ValueError: nats is out of range.
        TypeError: nats is not a number.

    Example:
        >>> laws = high_information_suite(5.0)
        >>> x, y = laws["log-gamma 3+20"].sample(4, torch.Generator().manual_seed(0))
        >>> len(laws), x.shape, round(laws["log-gamma 3+20"].mutual_information(), 6)
        (76, torch.Size([4, 23]), 5.0)
    """
    check_information(nats, least=1.0, most=10.0, where="high_information_suite", name="nats")
    laws: dict[str, JointLaw] = {}
    for family, made in _FAMILIES.items():
        for informative, idle in _SHAPES:
            if informative + idle >= made.least:
                name = f"{family} {informative}+{idle}"
                generator = torch.Generator().manual_seed(derive_seed(0, f"high information {name}"))
                laws[name] = made.law(nats, informative, idle, generator)
    return laws


def _smoothed_uniform(nats: float, dim: int) -> JointLaw:
    law = AdditiveUniformNoise.for_information(nats / dim)
    return _copies(law, dim, 1 / 12, 1 / 12 + law.half_width**2 / 3)


def _uniform_plus_normal(nats: float, dim: int) -> JointLaw:
    law = AdditiveNormalNoise.for_information(nats / dim)
    return _copies(law, dim, 1 / 12, 1 / 12 + law.noise_std**2)


def _log_gamma(nats: float, dim: int) -> JointLaw:
    law = LogGammaExponential.for_information(nats / dim)
    variance = float(polygamma(1, law.shape))
    return _copies(law, dim, variance, variance + float(polygamma(1, 1)))


def _copies(law: JointLaw, dim: int, variance_x: float, variance_y: float) -> JointLaw:
    """Independent columns of one law, of variance 1, as the idle ones have."""
    scaled = Transformed(law, Linear([variance_x**-0.5]), Linear([variance_y**-0.5]))
    return scaled if dim == 1 else Stacked(*[scaled] * dim)


def _same(map_: Map, columns: int) -> Map:
    """A map of single values is the same for any number of columns."""
    del columns
    return map_


def _spiral(columns: int) -> Map:
    """As in Czyż et al. up to three columns; slower where rows are longer, so that the angle stays of order 1."""
    return Spiral(1 / max(3, columns))


_NORMAL = CorrelatedGaussian.for_information
_FAMILIES = {
    "normal": _Family(_NORMAL),
    "student": _Family(partial(StudentT.for_information, dof=_DOF)),
    "uniform": _Family(_NORMAL, partial(_same, normal_cdf)),
    "smoothed uniform": _Family(_smoothed_uniform),
    "uniform plus normal": _Family(_uniform_plus_normal),
    "log-gamma": _Family(_log_gamma),
    "mixture": _Family(SharedClusters.for_information),
    "wiggly": _Family(_NORMAL, partial(_same, wiggly)),
    "half-cube": _Family(_NORMAL, partial(_same, half_cube)),
    "heavy-tailed": _Family(_NORMAL, partial(_same, heavy_tails)),
    "spiral": _Family(_NORMAL, _spiral, least=2),
}
