"""Sets of laws with known information: one to report an estimator's error on, one to tune on, one with atoms.

After the benchmark of Czyż et al. 2023, arXiv:2306.11078: the same families (normal with dense and sparse covariance,
Student t, additive uniform noise; seen through asinh, half-cube, normal-cdf, wiggly and bimodal maps, spirals and the
Swiss roll), in 1 to 5 columns instead of up to 50, and mixtures. Student t has correlated pairs here, and the identity
as dispersion there. Laws were chosen by family and dimension, never by how an estimator does on them; a law, once here,
stays.
"""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.distributions.base import JointLaw
from infotorch.distributions.discrete import BinarySymmetricChannel, DiscreteJoint
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.images import PatternImages
from infotorch.distributions.maps import (
    Spiral,
    bimodal,
    half_cube,
    normal_cdf,
    random_rotation,
    swiss_roll,
    wiggly,
)
from infotorch.distributions.mixed import DiscretePlusUniform, ZeroInflatedPoisson
from infotorch.distributions.mixtures import GaussianMixture, LabelledClusters
from infotorch.distributions.student import StudentT
from infotorch.distributions.transformed import Map, Stacked, Transformed
from infotorch.distributions.uniform import AdditiveUniformNoise


def suite() -> dict[str, JointLaw]:
    """The broad suite on which errors are reported: continuous X and Y, 1 to 5 columns each, 0 to 2 nats.

    Nothing may be tuned on it; `tuning_suite` is for that.

    Example:
        >>> round(suite()["student 1x1 dof 1"].mutual_information(), 4)
        0.6375
    """
    return {
        **_one_column(correlation=0.75, half_widths=(0.1, 0.75), dof=1),
        **_normals(dims=(2, 3, 5), pair=0.8, dense=0.5, shapes=((4, 2), (1, 5)), seed=1),
        **_mapped_normals(dims=(3, 5), pair=0.8, speed=1 / 3),
        **_students([(2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)], pair=0.8),
        **_mixtures(correlation=0.9, distance=2.5, dims=(1, 2), seed=3),
    }


def tuning_suite() -> dict[str, JointLaw]:
    """The families of `suite` with other parameters, dimensions and seeds: what may be looked at while tuning.

    Example:
        >>> round(tuning_suite()["student 3x3 two pairs dof 1"].mutual_information(), 4)
        1.1342
    """
    return {
        **_one_column(correlation=-0.9, half_widths=(0.05, 0.4, 1.5), dof=1.5),
        **_normals(dims=(2, 4, 5), pair=0.6, dense=0.7, shapes=((1, 3), (3, 2)), seed=11),
        **_mapped_normals(dims=(2, 4), pair=0.85, speed=0.5),
        **_students([(1, 3), (2, 1.5), (3, 1), (4, 2), (4, 5)], pair=0.65),
        **_mixtures(correlation=0.7, distance=2.0, dims=(1, 3), seed=13),
    }


def mixed_suite() -> dict[str, JointLaw]:
    """Laws with a discrete side or with atoms: symbols, labels, counts, classes of noisy images.

    Example:
        >>> x, y = mixed_suite()["poisson"].sample(4, torch.Generator().manual_seed(0))
        >>> x.dtype, y.dtype
        (torch.float64, torch.int64)
    """
    wide = torch.zeros(3, 5, dtype=torch.float64)
    wide[1, 0], wide[2, 1] = 2.5, 2.5
    return {
        "binary symmetric": BinarySymmetricChannel(0.1),
        "symbols 4x3": DiscreteJoint([[0.2, 0.05, 0.0], [0.05, 0.2, 0.05], [0.0, 0.05, 0.2], [0.1, 0.05, 0.05]]),
        "symbols plus uniform": DiscretePlusUniform(5),
        "poisson": ZeroInflatedPoisson(0.0),
        "poisson, zeros inflated": ZeroInflatedPoisson(0.15),
        "labels of 1 column": LabelledClusters([[-2.0], [0.0], [2.0]], noise_std=1.0, weights=[0.5, 0.3, 0.2]),
        "labels of 5 columns": LabelledClusters(wide, noise_std=1.0),
        "labels of images": PatternImages.digits(noise_std=2.0),
    }


def _one_column(*, correlation: float, half_widths: tuple[float, ...], dof: float) -> dict[str, JointLaw]:
    normal, student = CorrelatedGaussian(correlation), StudentT(correlation, dof=dof)
    return {
        "normal 1x1": normal,
        "normal 1x1, normal-cdf": Transformed(normal, normal_cdf, normal_cdf),
        "normal 1x1, half-cube": Transformed(normal, half_cube, half_cube),
        "normal 1x1, wiggly": Transformed(normal, wiggly, wiggly),
        "normal 1x1, bimodal": Transformed(normal, bimodal, bimodal),
        "swiss roll 2x1": Transformed(normal, lambda rows: swiss_roll(normal_cdf(rows)), normal_cdf),
        **{f"uniform noise {width}": AdditiveUniformNoise(width) for width in half_widths},
        f"student 1x1 dof {dof}": student,
        f"student 1x1 dof {dof}, asinh": Transformed(student, torch.asinh, torch.asinh),
    }


def _normals(
    *, dims: tuple[int, ...], pair: float, dense: float, shapes: tuple[tuple[int, int], ...], seed: int
) -> dict[str, JointLaw]:
    generator = torch.Generator().manual_seed(seed)
    laws: dict[str, JointLaw] = {"independent 3x3": CorrelatedGaussian.sparse(3, 3, correlations=())}
    for d in dims:
        laws[f"normal {d}x{d} two pairs"] = _two_pairs(d, pair)
        laws[f"normal {d}x{d} dense"] = CorrelatedGaussian.dense(d, d, correlation=dense)
    for d_x, d_y in shapes:
        a, b = (torch.randn(d, 2, generator=generator, dtype=torch.float64) for d in (d_x, d_y))
        laws[f"normal {d_x}x{d_y} rank 2"] = CorrelatedGaussian.low_rank(a, b)
    return laws


def _mapped_normals(*, dims: tuple[int, ...], pair: float, speed: float) -> dict[str, JointLaw]:
    laws: dict[str, JointLaw] = {}
    for d in dims:
        normal = _two_pairs(d, pair)
        turn_x, turn_y = Spiral(speed, plane=(0, 1)), Spiral(speed, plane=(d - 2, d - 1))
        laws |= {
            f"normal {d}x{d} two pairs, half-cube": Transformed(normal, half_cube, half_cube),
            f"normal {d}x{d} two pairs, normal-cdf": Transformed(normal, normal_cdf, normal_cdf),
            f"normal {d}x{d} two pairs, spiral": Transformed(normal, turn_x, turn_y),
            f"normal {d}x{d} two pairs, normal-cdf, spiral": Transformed(
                normal, _chain(normal_cdf, turn_x), _chain(normal_cdf, turn_y)
            ),
        }
    return laws


def _students(dims_and_dof: list[tuple[int, float]], *, pair: float) -> dict[str, JointLaw]:
    laws: dict[str, JointLaw] = {}
    for d, dof in dims_and_dof:
        law = StudentT(_two_pairs(d, pair), dof=dof)
        laws[f"student {d}x{d} two pairs dof {dof}"] = law
        if dof <= 2:
            laws[f"student {d}x{d} two pairs dof {dof}, asinh"] = Transformed(law, torch.asinh, torch.asinh)
    return laws


def _mixtures(*, correlation: float, distance: float, dims: tuple[int, ...], seed: int) -> dict[str, JointLaw]:
    """A cross of two correlations, and three clusters; in more columns independent copies, turned."""
    generator = torch.Generator().manual_seed(seed)
    up = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    cross = GaussianMixture(torch.zeros(2, 2), torch.stack([up, up * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])]))
    places = distance * torch.tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]])
    clusters = GaussianMixture(places, torch.eye(2), weights=[0.5, 0.25, 0.25])
    laws: dict[str, JointLaw] = {}
    for d in dims:
        for name, law in (("cross", cross), ("clusters", clusters)):
            if d == 1:
                laws[f"{name} 1x1"] = law
            else:
                turns = random_rotation(d, generator), random_rotation(d, generator)
                laws[f"{name} {d}x{d} turned"] = Transformed(Stacked(*[law] * d), *turns)
    return laws


def _two_pairs(dim: int, correlation: float) -> CorrelatedGaussian:
    """The first two columns of X and Y are correlated in pairs, or the only ones."""
    return CorrelatedGaussian.sparse(dim, dim, correlations=[correlation] * min(dim, 2))


def _chain(first: Map, second: Map) -> Map:
    def both(rows: Tensor) -> Tensor:
        return second(first(rows))

    return both
