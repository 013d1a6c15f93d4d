"""Choosing an estimator by the type and the number of columns of the data."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from torch import Tensor

from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.gaussian import average_normal_scores
from infotorch.estimators.ksg import ksg
from infotorch.estimators.mixed import mixed_ksg
from infotorch.estimators.ross import ross
from infotorch.numerics.checks import as_rows, as_samples, check_neighbours, check_paired, is_discrete
from infotorch.numerics.symbols import multiplicity, symbols

Kind = Literal["discrete", "continuous", "mixture"]

_K = 3
# A symbol that occurs less often on average says little about its frequency; such integers are treated as numbers.
_ROWS_PER_INTEGER = 2
# Real numbers pass for symbols only when they repeat like symbols: one-hot labels, outputs of a dead network.
_ROWS_PER_REAL = 10
# Share of rows that occur more than once: beyond rounding, the variable has atoms.
_TIED = 0.05
_KS = (1, 2, 4, 8)
# With one column on each side KSG has next to no bias, and a weighted sum would only add variance.
_TWO_COLUMNS = 2
# Pixels and the like: to give each column the same weight would turn their smallest noise into the largest distances.
_MANY_COLUMNS = 40


def mutual_information(x: Any, y: Any) -> Estimate:
    """Mutual information of x and y, in nats, by the estimator that suits their types and dimensions.

    Discrete with discrete: `discrete_mi` with Miller and Madow's correction. Discrete with anything else: `ross`.
    Variables with atoms and a density (the output of a ReLU): `mixed_ksg`. Continuous with continuous: `ksg_ensemble`,
    or `ksg` for two single columns, after each column's ranks are mapped to a normal distribution, which changes no
    information and makes units and heavy tails harmless; beyond 40 columns `ksg` as the data are.

    Integers are discrete unless nearly every row is different (the pixels of an image), real numbers are discrete when
    few different rows occur again and again (one-hot labels). What was picked, and why, is in `estimator` and `reason`.

    Args:
        x: real or integer, shape (n,) or (n, ...).
        y: real or integer, the same number of rows.

    Returns:
        Not clamped. `reason` says why this estimator was picked and what to beware of.

    Raises:
        ValueError: rows not paired, fewer than 4 rows, or NaN or infinite values.
        TypeError: x or y is not made of real numbers.

    Example:
        >>> import torch
        >>> labels = torch.arange(100) % 2
        >>> estimate = mutual_information(labels, labels)  # log 2 = 0.69
        >>> round(float(estimate), 2), estimate.estimator
        (0.7, 'discrete_mi miller-madow')
    """
    xs, ys = (as_rows(v, where="mutual_information", name=name) for v, name in ((x, "x"), (y, "y")))
    check_paired(xs, ys, where="mutual_information")
    check_neighbours(_K, len(xs), where="mutual_information")
    xs, ys = xs.detach(), ys.detach()
    kinds = _kind(xs), _kind(ys)
    if kinds == ("discrete", "discrete"):
        estimate, why = discrete_mi(symbols(xs), symbols(ys), correction="miller-madow"), "counts of symbols"
    elif "discrete" in kinds:
        estimate, why = _against_symbols(xs, ys) if kinds[1] == "discrete" else _against_symbols(ys, xs)
    elif "mixture" in kinds:
        estimate, why = mixed_ksg(xs, ys, k=_K), "rows repeat, so there are atoms beside a density"
    else:
        estimate, why = _both_continuous(xs, ys)
    shape = f"x is {kinds[0]} ({xs.shape[1]} columns), y is {kinds[1]} ({ys.shape[1]} columns)"
    return dataclasses.replace(estimate, reason=f"{shape}: {why}")


def _kind(rows: Tensor) -> Kind:
    count = multiplicity(rows)
    distinct = float((1 / count.double()).sum())
    if distinct * (_ROWS_PER_INTEGER if is_discrete(rows) else _ROWS_PER_REAL) <= len(rows) + 0.5 or distinct < 1.5:
        return "discrete"
    return "mixture" if float((count > 1).double().mean()) > _TIED else "continuous"


def _against_symbols(x: Tensor, labels: Tensor) -> tuple[Estimate, str]:
    estimate = ross(x, symbols(labels), k=_K)
    return estimate, "neighbours within each class, ties counted"


def _both_continuous(x: Tensor, y: Tensor) -> tuple[Estimate, str]:
    x, y = (as_samples(v, where="mutual_information", name="x") for v in (x, y))
    columns = x.shape[1] + y.shape[1]
    if columns > _MANY_COLUMNS or len(x) <= max(_KS):
        estimate = ksg(x, y, k=_K, metric="euclidean")
        few = "with so few rows" if columns <= _MANY_COLUMNS else "in so many columns"
        return estimate, f"nearest neighbours; {few} the value lies below the truth, and scales matter"
    mapped = "after each column's ranks are mapped to a normal distribution"
    x, y = average_normal_scores(x), average_normal_scores(y)
    if columns == _TWO_COLUMNS:
        return ksg(x, y, k=_K), f"nearest neighbours {mapped}"
    estimate = ksg_ensemble(x, y, ks=_KS)
    return estimate, f"nearest neighbours for several k, weighted so that their biases cancel, {mapped}"
