"""One-to-one maps of rows, for `Transformed`: they keep the information and make it harder to see.

`half_cube`, `heavy_tails`, `normal_cdf`, `bimodal` and `wiggly` act on each value, as do `torch.asinh`, `torch.exp` and
the like. The others mix columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_number, check_size, shown
from infotorch.numerics.seeds import as_generator
from infotorch.numerics.typing import ArrayLike


def _numbers(rows: Tensor, *, where: str) -> Tensor:
    """Real numbers that torch's functions take; integers become torch's default type."""
    rows = as_tensor(rows, where=where, name="rows")
    return rows if rows.is_floating_point() and rows.element_size() > 1 else rows.to(torch.get_default_dtype())


def half_cube(rows: Tensor) -> Tensor:
    """sign(x) |x|^1.5: longer tails, and a slope of 0 in the middle.

    Source: Czyż et al. 2023, arXiv:2306.11078, Fig. 1.

    Example:
        >>> half_cube(torch.tensor([-4.0, 1.0]))
        tensor([-8.,  1.])
    """
    rows = _numbers(rows, where="half_cube")
    return rows * rows.abs().sqrt()


def heavy_tails(rows: Tensor) -> Tensor:
    """Long tails, x exp(x^2 / 4): of standard normal columns they fall about as t^-2, without a variance.

    In float64 numbers up to 53 have a finite value.

    Source: Tukey's h law with h = 1/2: Hoaglin 1985, Summarizing shape numerically, Sec. 11.

    Example:
        >>> heavy_tails(torch.tensor([-1.0, 0.0, 4.0])).round(decimals=2)
        tensor([ -1.2800,   0.0000, 218.3900])
    """
    rows = _numbers(rows, where="heavy_tails")
    return rows * torch.exp(rows**2 / 4)


def normal_cdf(rows: Tensor) -> Tensor:
    """The distribution function of N(0, 1): standard normal columns become uniform on [0, 1].

    One-to-one in float64 up to about 8; larger values round to 1.

    Example:
        >>> normal_cdf(torch.tensor([0.0, 1.96])).round(decimals=3)
        tensor([0.5000, 0.9750])
    """
    return torch.special.ndtr(_numbers(rows, where="normal_cdf"))


def wiggly(rows: Tensor) -> Tensor:
    """Waves on a line, x + 0.4 sin(2x + 1): increasing, with a slope between 0.2 and 1.8.

    Source: after the "wiggly" family of Czyż et al. 2023, arXiv:2306.11078, with one wave for their three.

    Example:
        >>> bool((wiggly(torch.linspace(-5, 5, 100)).diff() > 0).all())
        True
    """
    rows = _numbers(rows, where="wiggly")
    return rows + 0.4 * torch.sin(2 * rows + 1)


def bimodal(rows: Tensor) -> Tensor:
    """Standard normal columns become an equal mixture of N(-3, 1) and N(3, 1), with order kept.

    The inverse of the mixture's distribution function, by bisection to the last digit.

    Source: the "bimodal" family of Czyż et al. 2023, arXiv:2306.11078.

    Example:
        >>> bimodal(torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)).round(decimals=2)
        tensor([-3.4800,  0.0000,  3.4800], dtype=torch.float64)
    """
    given = _numbers(rows, where="bimodal")
    rows = given.to(torch.promote_types(given.dtype, torch.float32))  # log_ndtr takes no half precision
    # By symmetry, and in the lower tail, where distribution functions keep their relative accuracy.
    target = torch.special.log_ndtr(-rows.abs())
    low, high = -rows.abs() - 3.0, torch.zeros_like(rows)
    for _ in range(80):
        middle = (low + high) / 2
        parts = torch.stack([torch.special.log_ndtr(middle - 3), torch.special.log_ndtr(middle + 3)])
        below = parts.logsumexp(dim=0) - math.log(2) < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return -torch.sign(rows) * high


def swiss_roll(rows: Tensor) -> Tensor:
    """Rolls a line up in the plane: u in [0, 1] -> (t cos t, t sin t) / 21, t = 1.5 pi (1 + 2 u).

    Args:
        rows: shape (n, 1), values in [0, 1]; normal columns go through `normal_cdf` first.

    Returns:
        Shape (n, 2).

    Raises:
        ValueError: rows has another shape, or a value outside [0, 1].

    Source: Czyż et al. 2023, arXiv:2306.11078 ("Swiss roll 2 x 1"); numbers as in the authors' code.

    Example:
        >>> swiss_roll(torch.tensor([[0.0], [0.5]])).round(decimals=2).abs()
        tensor([[0.0000, 0.2200],
                [0.4500, 0.0000]])
    """
    rows = _numbers(rows, where="swiss_roll")
    if rows.ndim != 2 or rows.shape[1] != 1 or not ((rows >= 0) & (rows <= 1)).all():
        raise ValueError(f"swiss_roll: rows must be one column of values in [0, 1], got shape {tuple(rows.shape)}.")
    t = 1.5 * math.pi * (1 + 2 * rows)
    return torch.cat([t * t.cos(), t * t.sin()], dim=1) / 21


class Spiral:
    """Turns each row in the plane of two columns, by an angle that grows with its distance from 0: speed * |x|^2.

    It keeps every distance from 0, and the volume: a diffeomorphism.

    Args:
        speed: radians for each unit of squared length.
        plane: the two columns that turn.

    Raises:
        ValueError: the plane is not two different columns.
        TypeError: speed is not a number, or plane no pair of integers.

    Source: Czyż et al. 2023, arXiv:2306.11078, x -> exp(speed |x|^2 A) x with the generator A of one rotation.

    Example:
        >>> Spiral(speed=torch.pi / 4)(torch.tensor([[1.0, 0.0], [0.0, 0.0]])).round(decimals=2)
        tensor([[0.7100, 0.7100],
                [0.0000, 0.0000]])
    """

    def __init__(self, speed: float, plane: tuple[int, int] = (0, 1)) -> None:
        check_number(speed, where="Spiral", name="speed")
        if not isinstance(plane, tuple | list) or not all(isinstance(column, int) for column in plane):
            raise TypeError(f"Spiral: plane must be a pair of columns such as (0, 1), got {shown(plane)}.")
        if len(plane) != 2 or len(set(plane)) != 2:
            raise ValueError(f"Spiral: plane must name two different columns, got {plane}.")
        self.speed = speed
        self.plane = plane

    def __call__(self, rows: Tensor) -> Tensor:
        """Turned rows, shape (n, d), of d columns that include the plane.

        Raises:
            ValueError: rows has no such columns.
        """
        rows = _numbers(rows, where="Spiral")
        if rows.ndim != 2 or not all(-rows.shape[1] <= column < rows.shape[1] for column in self.plane):
            raise ValueError(f"Spiral: rows must have the columns {self.plane}, got shape {tuple(rows.shape)}.")
        i, j = self.plane
        angle = self.speed * (rows**2).sum(dim=1)
        turned = rows.clone()
        turned[:, i] = angle.cos() * rows[:, i] - angle.sin() * rows[:, j]
        turned[:, j] = angle.sin() * rows[:, i] + angle.cos() * rows[:, j]
        return turned


class Linear:
    """Multiplies each row by a matrix: rotation, scaling, shear; or an embedding in more dimensions.

    Args:
        matrix: shape (d_out, d), of rank d. A vector of d numbers scales the columns.

    Raises:
        ValueError: matrix is not of rank d (the map would lose information).
        TypeError: matrix is not made of real numbers.

    Example:
        >>> Linear([2.0, 1e6])(torch.ones(1, 2))
        tensor([[2.0000e+00, 1.0000e+06]])
    """

    def __init__(self, matrix: ArrayLike) -> None:
        values = as_tensor(matrix, where="Linear", name="matrix").detach().to(torch.float64)
        self.matrix = values.diag() if values.ndim == 1 else values
        if self.matrix.ndim != 2 or self.matrix.numel() == 0:
            raise ValueError(f"Linear: matrix must be a vector or a matrix, got shape {tuple(values.shape)}.")
        # Scales of columns that differ by many orders lose nothing: the rank is that of columns of one scale.
        columns = self.matrix / self.matrix.abs().amax(dim=0)
        if not torch.isfinite(columns).all() or int(torch.linalg.matrix_rank(columns)) < self.matrix.shape[1]:
            raise ValueError("Linear: the columns of matrix must be finite and linearly independent.")

    def __call__(self, rows: Tensor) -> Tensor:
        """Mapped rows, shape (n, d_out), from shape (n, d); integers become float64.

        Raises:
            ValueError: rows has another number of columns.
        """
        rows = as_tensor(rows, where="Linear", name="rows")
        if rows.ndim != 2 or rows.shape[1] != self.matrix.shape[1]:
            raise ValueError(f"Linear: rows must have {self.matrix.shape[1]} columns, got shape {tuple(rows.shape)}.")
        rows = rows if rows.is_floating_point() and rows.element_size() > 1 else rows.double()
        return rows @ self.matrix.T.to(rows)


def random_rotation(dim: int, generator: torch.Generator | None = None) -> Linear:
    """A rotation or reflection drawn uniformly (Haar).

    Args:
        dim: number of columns.
        generator: draws it; None: another one in every call.

    Raises:
        ValueError: dim is below 1.
        TypeError: dim is not an integer.

    Source: Mezzadri 2007, arXiv:math-ph/0609050, Sec. 5 (QR with a positive diagonal of R).

    Example:
        >>> turn = random_rotation(3, torch.Generator().manual_seed(0))
        >>> bool(torch.allclose(turn.matrix @ turn.matrix.T, torch.eye(3, dtype=torch.float64)))
        True
    """
    check_size(dim, where="random_rotation", name="dim")
    generator = as_generator(generator, where="random_rotation")
    noise = torch.randn(dim, dim, generator=generator, dtype=torch.float64, device=generator.device)
    q, r = torch.linalg.qr(noise)
    return Linear(q * r.diagonal().sign())
