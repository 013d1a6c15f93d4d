"""What an estimate says against itself: units that its value depends on, and neighbours that fall short.

A function that reads numbers of samples hands its estimate to `examined` last. What it finds goes into `reason`,
`reliable` and, where units decide the value, `std_error`; and one warning tells whoever called. Values never change.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.numerics.columns import column_scales
from infotorch.numerics.symbols import is_constant

#: How far scales may lie apart before a value that depends on them is doubted.
MOST_APART = 5.0
# Beyond, columns are pixels and the like, small ones no mistake: variables are compared by their middle column.
_MANY_COLUMNS = 40
# Groups of samples that all read the same, up to rounding, tell no error.
_NO_SPREAD = 1e-9
_PACKAGE = str(Path(__file__).parents[1])

ONE_RADIUS = "one radius for all columns: the value depends on their units relative to each other"
STANDARDISE = "standardise the columns"
FROM_NEIGHBOURS = f"{STANDARDISE}, or use mutual_information"
INSTEAD_OF_NEIGHBOURS = "take fewer columns or more samples, gaussian_copula_mi with unbiased=True, or neural_mi"

_examining: ContextVar[bool] = ContextVar("examining", default=True)
_warning: ContextVar[bool] = ContextVar("warning", default=True)


@contextmanager
def unexamined() -> Iterator[None]:
    """Within, estimates are not examined: for what reads them again and again, or examines them itself.

    Example:
        >>> from infotorch.estimators.kraskov import ksg
        >>> x = [0.3, 0.1, 0.4, 0.15, 0.9]
        >>> with unexamined():
        ...     ksg(x, [1e6 * value for value in x]).reason
        ''
    """
    token = _examining.set(False)
    try:
        yield
    finally:
        _examining.reset(token)


@contextmanager
def noting() -> Iterator[None]:
    """Within, `reason` and `reliable` tell what is found and no warning does; standard errors are the estimates' own.

    For what measures the same again and again and keeps what was found beside each number.

    Example:
        >>> from infotorch.estimators.kraskov import ksg
        >>> x = [0.3, 0.1, 0.4, 0.15, 0.9]
        >>> with noting():
        ...     ksg(x, [1e6 * value for value in x]).reliable
        False
    """
    token = _warning.set(False)
    try:
        yield
    finally:
        _warning.reset(token)


def examined(
    estimate: Estimate,
    variables: Mapping[str, Tensor],
    *,
    depends: str = "",
    instead: str = FROM_NEIGHBOURS,
    together: bool = True,
    again: Callable[..., float] | None = None,
    resolution: float = 0.0,
    short: Callable[[], str] = str,
    instead_of_short: str = INSTEAD_OF_NEIGHBOURS,
    off: Callable[[], float] = float,
    name: str = "",
) -> Estimate:
    """The estimate with what there is to say against it, after one warning where that is much.

    Args:
        estimate: what was found; its value stays.
        variables: name -> the columns, shape (n, d), whose relative scales matter to the value.
        depends: how the value depends on units, for `reason`.
        instead: the way out of unlike scales, for the warning.
        together: whether scales of one variable matter to those of another; else only within each.
        again: the value on other columns in place of `variables`. Where scales are unlike, the standard error takes in
            how far the value moves when every column is divided by its scale: its scatter alone may be next to 0.
        resolution: the least standard error of variables that vary, where groups of samples all read the same.
        short: finds why neighbours fall short on these samples, "" where they do not.
        instead_of_short: the way out of that.
        off: how far off `short` found the value, in nats, for the standard error to take in.
        name: of the function, if it is not the first word of `estimate.estimator`.
    """
    if not _examining.get():
        return estimate
    name = name or estimate.estimator.split()[0]
    unlike = tell_unlike_scales(variables, name=name, instead=instead, together=together)
    lacking = short()
    if lacking and not unlike:
        warn(f"{name}: {lacking}; {instead_of_short}.")

    def with_units() -> float:
        own = estimate.std_error
        if own < _NO_SPREAD and not any(map(is_constant, variables.values())):
            own = resolution
        if not unlike or again is None:
            return math.hypot(own, off())
        return math.hypot(own, off(), float(estimate) - again(*_like_scaled(variables.values())))

    return replace(
        estimate,
        reason="; ".join(part for part in (estimate.reason, depends, unlike, lacking) if part),
        reliable=estimate.reliable and not (unlike or lacking),
        error=with_units if estimate.error is not None and _warning.get() else estimate.error,
    )


def tell_unlike_scales(
    variables: Mapping[str, Tensor], *, name: str, instead: str = STANDARDISE, together: bool = True
) -> str:
    """What `unlike_scales` finds, as a clause, after a warning; for what returns a plain tensor this is all."""
    if not _examining.get():
        return ""
    groups = [variables] if together else [{key: rows} for key, rows in variables.items()]
    unlike = ", ".join(found for found in map(unlike_scales, groups) if found)
    if not unlike:
        return ""
    apart = f"scales lie more than a factor of {MOST_APART:g} apart ({unlike})"
    warn(f"{name}: {apart}, and the value depends on them: {instead}.")
    return apart


def unlike_scales(variables: Mapping[str, Tensor]) -> str:
    """The columns of least and of largest scale, "" where these lie within a factor of five of each other.

    Up to 40 columns together each one counts; of more, the middle one of each variable. Constant columns do not.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 100.0], [2.0, 200.0], [3.0, 300.0]])
        >>> unlike_scales({"x": x}), unlike_scales({"x": x[:, :1], "y": x[:, :1]})
        ('x[:, 0] has 0.7, x[:, 1] has 7e+01', '')
    """
    scales = {name: column_scales(rows) for name, rows in variables.items()}
    if sum(len(own) for own in scales.values()) > _MANY_COLUMNS:
        varying = {name: own[own > 0] for name, own in scales.items()}
        found = [(float(own.median()), f"a column of {name}") for name, own in varying.items() if len(own)]
    else:
        found = [
            (scale, name if len(own) == 1 else f"{name}[:, {column}]")
            for name, own in scales.items()
            for column, scale in enumerate(own.tolist())
            if scale > 0
        ]
    if not found:
        return ""
    (least, small), (most, large) = min(found), max(found)
    return f"{small} has {least:.1g}, {large} has {most:.1g}" if most > MOST_APART * least else ""


def _like_scaled(variables: Iterable[Tensor]) -> list[Tensor]:
    """Every column divided by its scale; of more than 40 together, every variable by that of its middle column."""
    rows = list(variables)
    scales = [column_scales(own) for own in rows]
    if sum(len(own) for own in scales) > _MANY_COLUMNS:
        scales = [own[own > 0].median() if bool((own > 0).any()) else own.new_ones(()) for own in scales]
    return [own / torch.where(scale > 0, scale, 1.0) for own, scale in zip(rows, scales, strict=True)]


def warn(message: str) -> None:
    """A warning at the line outside of infotorch from which the call came.

    Example:
        >>> with noting():
        ...     warn("said nowhere")
    """
    if not _warning.get():
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
