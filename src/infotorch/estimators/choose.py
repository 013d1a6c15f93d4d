"""Choosing an estimator by the type and the number of columns of the data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from infotorch.estimators.absence import Given, by_presence, without_absent
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import examined_mi
from infotorch.estimators.doubts import examined, noting
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.normal_scores import TIED
from infotorch.estimators.score_function import refuse_as_score_function
from infotorch.estimators.shadows import copies_with_labels
from infotorch.estimators.trained import suits_networks, symbols_tell_more, with_networks
from infotorch.estimators.weighed import Effort, K, numbers_with_numbers
from infotorch.numerics.checks import as_tensor, check_choice, check_neighbours, check_paired, is_discrete, paired_rows
from infotorch.numerics.frames import Missing
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.seeds import as_generator
from infotorch.numerics.symbols import multiplicity, symbols
from infotorch.numerics.typing import ArrayLike

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame, IntoSeries

Kind = Literal["discrete", "continuous", "continuous with ties"]

# A symbol that occurs less often on average says little about its frequency; such integers are treated as numbers.
_ROWS_PER_INTEGER = 2
# Samples beyond which some are drawn, each some 25 seconds of one core (measured): of single columns, of columns that a
# k-d tree takes, and differences of numbers where all distances are taken, a distance costing as much as 60 of them.
_MOST_SINGLE, _MOST_BY_TREE, _TREE_COLUMNS = 2_000_000, 1_000_000, 10
_MOST_DISTANCES, _DISTANCE_AS_COLUMNS = 10**11, 60


def mutual_information(
    x: ArrayLike | IntoDataFrame | IntoSeries,
    y: ArrayLike | IntoDataFrame | IntoSeries,
    *,
    discrete_x: bool | None = None,
    discrete_y: bool | None = None,
    missing: Missing = "error",
    effort: Effort = "default",
    generator: torch.Generator | None = None,
) -> Estimate:
    """Mutual information of x and y, in nats, by the estimator that suits their types and dimensions.

    Discrete with discrete: `discrete_mi` with Miller and Madow's correction. Discrete with anything else: `ross`.
    Numbers with numbers, several estimates:

    - Neighbours. Up to 40 columns together each column's ranks are mapped to a normal distribution, ties broken at
      random, and `ksg` (two single columns) or `ksg_ensemble` (more) is taken. The map changes no information, makes
      units and heavy tails harmless, and serves rounded variables and those with atoms (the output of a ReLU). Beyond
      40 columns `ksg_ensemble` takes x and y as they are, each divided by its length.
    - `gaussianised_mi`, up to 100 columns together, with each column made normal first and with columns as they are:
      for high values, idle columns, mixed signals. Of columns with ties, of the ranks alone.
    - With `effort="thorough"` also `neural_mi` on held-out samples.

    Of 50 to 6,000 samples without ties, up to five columns on either side and up to 4 nats, the network of
    `amortised_mi` weighs them and thirteen cheaper ones, and gives `interval`. Otherwise the larger weigh more where
    they differ, as each errs low where it errs; where they agree the value is about their mean.

    With `effort="thorough"` a network reads images, of shape (n, h, w) or (n, c, h, w) from 8 x 8 pixels, and tokens,
    several columns of integers that occur again and again: a classifier where the other side is labels, else a critic
    with an encoder for each side. It is trained on some of the samples and read on others, so that the value is a lower
    bound, and trained again on half of them: `reliable` is False where the value still grows, or nothing was learned.

    A warning, `reason` and `reliable` tell where the value is known to be far too low, where the network's interval is
    wide, where the largest estimate stands alone, and where samples look like copies of others. Against symbols the
    units of several columns of x relative to each other matter, as for `ross`.

    Neighbours of very many samples would take minutes to days: beyond 2,000,000 samples of one column (each), 1,000,000
    divided by the columns for 3 to 10 of them, and some 37,000 for more (fewer in hundreds of columns), so many are
    drawn at random. The value then takes half a minute at most on two cores, whatever n is. Counts take all samples.

    Integers are discrete unless nearly every sample is different (the pixels of an image), real numbers are discrete
    when few different samples occur again and again (one-hot labels); `discrete_x` and `discrete_y` say otherwise. What
    was picked, and why, is in `estimator` and `reason`.

    Args:
        x: real or integer, shape (n,) or (n, ...); or a series or frame of pandas, polars, pyarrow or whatever narwhals
            reads, of columns of one kind: words, categories and booleans are symbols, dates and times are numbers; an
            array or a list of words or dates is read like a series.
        y: the same number of samples.
        discrete_x: True: equal samples of x are one symbol, and symbols have no order (class numbers in floats). False:
            x is numbers (ages, counts); only a constant, which has 0 nats either way, stays one symbol. None: as above.
        discrete_y: the same of y.
        missing: what NaN is, and null in tables. "error"; "drop": a row that lacks a value on either side is left out;
            "category": being absent is something that x or y says, a symbol beside others. Numbers that may be absent
            then tell I(A; Y) + P(present) I(X; Y | present), of which A is whether x is absent.
        effort: "fast", of numbers with numbers neighbours alone, which no increasing map of a column changes, with an
            interval that counts chance alone; "default", at most seconds; "thorough", networks too, up to a minute.
        generator: draws the samples where there are too many; None: others in every call.

    Returns:
        Not clamped. `reason` says why this estimator was picked and what to beware of; `n`, how many samples were used.

    Raises:
        ValueError: samples not paired, fewer than 4 rows, infinite values, missing ones that are an error or stand in
            several columns of numbers and are to be a category, symbols beside numbers, or words, or an x of
            `discrete_x=True`, of which none occurs twice (likewise y).
        TypeError: x or y is made of neither real numbers nor what a table's columns hold, or another argument is of
            another kind; or a selector of scikit-learn calls it for scores, which
            `infotorch.sklearn.mutual_info_scores` gives.

    Example:
        >>> labels = torch.arange(100) % 2
        >>> estimate = mutual_information(labels, labels)  # log 2 = 0.69
        >>> round(float(estimate), 2), estimate.estimator
        (0.7, 'discrete_mi miller-madow')
        >>> ages = torch.arange(100) // 2
        >>> mutual_information(ages, labels, discrete_x=False).reason.split(":")[0]
        'x is continuous with ties as told (1 column), y is discrete (1 column)'
    """
    refuse_as_score_function("mutual_information")
    generator = as_generator(generator, where="mutual_information")
    check_choice(effort, get_args(Effort), where="mutual_information", name="effort")
    check_choice(missing, get_args(Missing), where="mutual_information", name="missing")
    sides = (
        Given.read(x, discrete_x, missing=missing, where="mutual_information", name="x"),
        Given.read(y, discrete_y, missing=missing, where="mutual_information", name="y"),
    )
    if sides[0].absent is None and sides[1].absent is None:
        return _measured(*sides, effort, generator)
    check_paired(sides[0].values, sides[1].values, where="mutual_information")
    if missing == "drop":
        return _measured(*without_absent(*sides), effort, generator)
    return by_presence(*sides, lambda first, second: _measured(first, second, effort, generator))


def _measured(x_given: Given, y_given: Given, effort: Effort, generator: torch.Generator) -> Estimate:
    """Of sides that have a value in every row."""
    x, y = x_given.values, y_given.values
    discrete_x, discrete_y = x_given.discrete, y_given.discrete
    xs, ys = paired_rows(x, y, where="mutual_information")
    check_neighbours(K, len(xs), where="mutual_information")
    xs, ys = xs.detach(), ys.detach()
    kinds = _kind(xs, x_given), _kind(ys, y_given)
    told = [
        " as told" * (given is (kind == "discrete"))
        for given, kind in zip((discrete_x, discrete_y), kinds, strict=True)
    ]
    columns = sum(rows.shape[1] for rows, kind in zip((xs, ys), kinds, strict=True) if kind != "discrete")
    most, n, whole = _most_samples(columns), len(xs), (xs, ys)
    if n > most:
        drawn = torch.randperm(n, generator=generator, device=generator.device)[:most].to(xs.device)
        xs, ys = xs[drawn], ys[drawn]
    if kinds == ("discrete", "discrete"):
        estimate = _both_discrete(symbols(xs), symbols(ys))
    elif effort == "thorough":
        shapes = [tuple(as_tensor(given, where="mutual_information", name="x or y").shape[1:]) for given in (x, y)]
        estimate = _thorough((xs, ys), whole, [kind == "discrete" for kind in kinds], shapes)
    else:
        estimate = _of_columns((xs, ys), [kind == "discrete" for kind in kinds], effort)
    shape = f"x is {kinds[0]}{told[0]} ({_columns(xs)}), y is {kinds[1]}{told[1]} ({_columns(ys)})"
    few = f"; of {most:,} of the {n:,} samples, drawn at random, so that it takes seconds" * (estimate.n <= most < n)
    return dataclasses.replace(estimate, reason=f"{shape}: {estimate.reason}{few}")


def _most_samples(columns: int) -> float:
    """Among how many samples neighbours are sought, for so many columns of numbers."""
    if columns == 0:  # counts of symbols
        return math.inf
    if columns <= 2:
        return _MOST_SINGLE
    if columns <= _TREE_COLUMNS:
        return _MOST_BY_TREE // columns
    return math.isqrt(_MOST_DISTANCES // (columns + _DISTANCE_AS_COLUMNS))


def _columns(rows: Tensor) -> str:
    return f"{rows.shape[1]} column" + "s" * (rows.shape[1] != 1)


def _kind(rows: Tensor, given: Given) -> Kind:
    discrete, name = given.discrete, given.name
    said = f"discrete_{name}"
    check_kind(discrete, (bool, type(None)), where="mutual_information", name=said, said="True, False or None")
    n, count = len(rows), multiplicity(rows)
    distinct = float((1 / count.double()).sum())
    if given.words and bool((count == 1).all()):
        raise ValueError(
            f"mutual_information: words of {name} must occur again, got {n} different ones in {n} rows; merge some, or "
            "read numbers that are written as text by numpy.asarray(values, float)."
        )
    if discrete and bool((count == 1).all()):
        raise ValueError(
            f"mutual_information: {said} must be False or None where no sample of {name} occurs twice, got True; "
            "frequencies say nothing there."
        )
    if discrete or (discrete is False and bool((count == n).all())):
        return "discrete"
    if discrete is False:
        return _numbers(count)
    # Real numbers pass for symbols only when they repeat like symbols: classes, outputs of a dead network.
    most = n / _ROWS_PER_INTEGER if is_discrete(rows) or _one_hot(rows) else math.sqrt(n)
    if distinct <= max(most, 1) + 0.5:
        return "discrete"
    return _numbers(count)


def _numbers(count: Tensor) -> Kind:
    """Of numbers, by how often each sample occurs."""
    return "continuous with ties" if float((count > 1).double().mean()) > TIED else "continuous"


def _one_hot(rows: Tensor) -> bool:
    return rows.shape[1] > 1 and bool((((rows == 0) | (rows == 1)).all(dim=1) & (rows.sum(dim=1) == 1)).all())


def _both_discrete(x: Tensor, y: Tensor) -> Estimate:
    estimate = examined_mi(x, y, "miller-madow", name="discrete_mi miller-madow", where="mutual_information")
    reason = "; ".join(part for part in ("counts of symbols", estimate.reason) if part)
    return dataclasses.replace(estimate, reason=reason)


def _thorough(
    drawn: Sequence[Tensor], whole: Sequence[Tensor], discrete: Sequence[bool], shapes: Sequence[tuple[int, ...]]
) -> Estimate:
    """Neighbours of the samples that were drawn for them, networks of all."""
    if suits_networks(whole, shapes, discrete):
        with noting():
            found = _of_columns(drawn, discrete, "default")
        return with_networks(found, whole, shapes, discrete)
    found = _of_columns(drawn, discrete, "thorough")
    return found if found.reliable or not any(discrete) else with_networks(found, whole, shapes, discrete)


def _of_columns(values: Sequence[Tensor], discrete: Sequence[bool], effort: Effort) -> Estimate:
    """Without regard to what the columns are: x or y, or neither, is one symbol."""
    x, y = values
    if not any(discrete):
        return numbers_with_numbers(x, y, effort=effort)
    numbers, labels = (x, y) if discrete[1] else (y, x)
    found = _against_symbols(numbers, labels)
    found = examined(
        found,
        {},
        short=lambda: copies_with_labels(numbers, symbols(labels), found),
        instead_of_short="leave out copies",
        name="mutual_information",
    )
    if effort == "fast" or not found.reliable:
        return found
    return examined(
        found,
        {},
        short=lambda: symbols_tell_more(numbers, symbols(labels), found),
        instead_of_short='effort="thorough" reads them as symbols',
        name="mutual_information",
    )


def _against_symbols(x: Tensor, labels: Tensor) -> Estimate:
    estimate = ross(x, symbols(labels), k=K)
    alone = len(x) - estimate.n
    why = "neighbours within each class, ties counted" + f"; {alone} classes of one sample left out" * (alone > 0)
    return dataclasses.replace(estimate, reason="; ".join(part for part in (why, estimate.reason) if part))
