"""What speaks against a value whatever made it: copies of samples, and functions of x that tell more than x seems to.

A function of x cannot tell more of y than x does, so that what it tells is a lower bound of I(X; Y): here what the
sample nearest in x tells, which sees fast oscillations without noise, and the length of x, which sees rings and shared
scales in any number of columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.gaussian import average_normal_scores
from infotorch.estimators.normal_scores import TIED
from infotorch.numerics.symbols import multiplicity, symbols
from infotorch.numerics.trees import nearest_by_tree

# Share of the groups of samples alike in x that are alike in y, and the other way, and groups, that make them copies.
_ALIKE, _LEAST_GROUPS = 0.5, 5
# The same of labels, which agree by chance too; where x tells so much of their entropy they agree for that reason.
_OF_ONE_LABEL, _TOLD = 0.95, 0.9
# Share of the samples in one place of several columns, from which on it counts.
_ATOM = 0.1
# Nats, and standard errors of correlations, by which a bound must lie above the value.
_MARGIN, _ERRORS = 0.2, 3.0
# Ranks of n samples tell no more than log n less this.
_UNTOLD = 1.0
# Columns in which the nearest sample is near, and samples that are enough to see a function.
_NEAR_COLUMNS, _MOST_SAMPLES = 5, 20_000


def copies(x: Tensor, y: Tensor) -> str:
    """What samples that occur twice say; "" where they are no more alike than rounding makes them.

    Of rounded numbers and atoms samples alike in x differ in y. Where they do not, samples were copied, or one follows
    from the other without noise; neither can be told from far more information than there is, or far less.

    Args:
        x: shape (n, d_x).
        y: shape (n, d_y).

    Example:
        >>> x = torch.randn(50, 2, 1, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1)
        >>> copies(x[:, 0], x[:, 1])
        'samples alike in x are alike in y: copies of samples, or a function without noise'
        >>> copies(x[:, 0].round(), x[:, 1].round())
        ''
    """
    copied = all(_of_one(one, other, _ALIKE) for one, other in ((x, y), (y, x)))
    return "samples alike in x are alike in y: copies of samples, or a function without noise" * copied


def copies_with_labels(x: Tensor, labels: Tensor, found: Estimate) -> str:
    """The same of x and labels, where these are not what x tells anyway.

    Args:
        x: shape (n, d).
        labels: symbols, shape (n,).
        found: the estimate, whose ceiling is about the entropy of the labels.
    """
    copied = float(found) < _TOLD * found.ceiling and _of_one(x, labels[:, None], _OF_ONE_LABEL)
    return "samples alike in x have the same label: they may be copies of samples" * copied


def one_atom(x: Tensor, y: Tensor) -> str:
    """What a single sample of several columns that occurs again and again says.

    Ties broken at random in each column read 0.1 to 0.25 nats too much of an atom that x and y share.

    Args:
        x: shape (n, d_x).
        y: shape (n, d_y).
    """
    together = torch.cat([x, y], dim=1)
    share = int(multiplicity(together).max()) / len(x)
    told = f"{share:.0%} of the samples are the same in all {together.shape[1]} columns: the value may be too high"
    return told * (share > _ATOM and together.shape[1] > 2)


def _of_one(x: Tensor, y: Tensor, share: float) -> bool:
    """Whether samples occur twice in x, in several groups, and such a share of these groups has one y."""
    count = multiplicity(x)
    repeated = count > 1
    if float(repeated.double().mean()) <= TIED:
        return False
    whole = multiplicity(torch.stack([symbols(x), symbols(y)], dim=1)) == count
    groups, of_one = (float((which / count).sum()) for which in (repeated, repeated & whole))
    return of_one >= max(_LEAST_GROUPS, share * groups)


def told_by_functions(value: float, x: Tensor, y: Tensor) -> str:
    """Why the value lies far below the truth, by functions of x and of y that tell more; "" where none does.

    Args:
        value: the estimate, in nats.
        x: columns without ties, such as normal scores of ranks, shape (n, d_x).
        y: the same, shape (n, d_y).

    Example:
        >>> x = torch.rand(1000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        >>> told_by_functions(0.1, x, (100 * x).sin())
        'the sample nearest in x alone tells 2.5 nats of y: the value is far too low'
    """
    step = -(-len(x) // _MOST_SAMPLES)
    x, y = x[::step], y[::step]
    if 0 in (x.shape[1], y.shape[1]):
        return ""
    bounds = {
        "the sample nearest in x alone tells {:.2g} nats of y": _by_nearest(x, y),
        "the sample nearest in y alone tells {:.2g} nats of x": _by_nearest(y, x),
        "lengths of x and y alone tell {:.2g} nats": _by_lengths(x, y),
    }
    said, most = max(bounds.items(), key=lambda item: item[1])
    most = min(most, math.log(len(x)) - _UNTOLD)
    return (said.format(most) + ": the value is far too low") * (most > value + _MARGIN)


def _by_nearest(x: Tensor, y: Tensor) -> float:
    """h(Y) - h(Y - Y'), at most I(Y; Y'), of a column of y in ranks and that of the sample nearest in x.

    Ranks have the entropy 0; that of differences is read from their spacings.
    """
    if x.shape[1] > _NEAR_COLUMNS:
        return -math.inf
    nearest = nearest_by_tree([x], 1, "chebyshev")[1][:, 0]
    ranks = y.argsort(dim=0).argsort(dim=0).double() / len(y)
    return -min(_entropy_of_column(column - column[nearest]) for column in ranks.T)


def _entropy_of_column(values: Tensor) -> float:
    """Of one column, multiples of 1 / n, by its m-spacings, m about root n, in nats.

    Source: Vasicek 1976, doi:10.1111/j.2517-6161.1976.tb01566.x, with the bias of spacings taken off.
    """
    n, m = len(values), max(1, math.isqrt(len(values)))
    ordered = values.sort().values
    # Differences of ranks are whole multiples of 1 / n: what lies nearer is not told apart.
    spacings = (ordered[m:] - ordered[:-m]).clamp_min(1 / n)
    bias = math.log(m) - float(torch.digamma(torch.tensor(float(m), device="cpu")))
    return float((spacings * n / m).log().mean()) + bias


def _by_lengths(x: Tensor, y: Tensor) -> float:
    """What correlations tell of the length of one side and the other's, or one of its columns, less chance."""
    n, found = len(x), -math.inf
    lengths = [average_normal_scores(rows.square().sum(dim=1, keepdim=True)) for rows in (x, y)]
    for length, rows in zip(lengths, (y, x), strict=True):
        others = torch.cat([average_normal_scores(rows), lengths[0] if rows is x else lengths[1]], dim=1)
        correlations = torch.nn.functional.normalize(others, dim=0).mT @ torch.nn.functional.normalize(length, dim=0)
        r = float(correlations.abs().max().clamp_max(1 - 1e-12))
        # Fisher's z scatters by 1 / sqrt(n); the largest of several lies higher.
        least = math.tanh(max(math.atanh(r) - _ERRORS / math.sqrt(n), 0.0))
        found = max(found, -0.5 * math.log1p(-least * least))
    return found
