"""Where `effort="thorough"` trains networks on images, sentences and many columns, and when they are believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from infotorch.estimators.encoders import form_of
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.learned import LEAST_SAMPLES, label_information, pair_information
from infotorch.numerics.symbols import multiplicity, symbols

# Copies of samples on both sides of a split would be recognised.
_MOST_COPIED = 0.05
# A class in which a network sees fewer samples is not learned.
_LEAST_OF_CLASS = 10
# What other estimates tell beyond the network's value, in nats and as a share of it, above which they disagree.
_ABOVE, _ABOVE_SHARE = 0.2, 0.1
# The same of counts beyond the value, in nats times root n; how sure naive Bayes may be; counts that take a moment.
_ABOVE_CHANCE, _SURENESS, _MOST_COUNTS = 5.0, (1.0, 0.7, 0.4, 0.2), 20_000_000


def suits_networks(values: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], discrete: Sequence[bool]) -> bool:
    """Whether a side is images or sentences, and there are enough different samples to train a network on.

    Args:
        values: x and y flattened, each of shape (n, d) and of the caller's dtype.
        shapes: of one sample of each.
        discrete: whether each counts as one symbol.
    """
    sides = zip(values, shapes, discrete, strict=True)
    unstructured = any(not known and form_of(shape, rows) != "columns" for rows, shape, known in sides)
    return unstructured and _can_be_learned(values, discrete)


def with_networks(
    found: Estimate, values: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], discrete: Sequence[bool]
) -> Estimate:
    """What networks tell on held-out samples, or the estimate found without them where that tells far more.

    The network's value is a lower bound whatever it learned, and neighbours of pixels or of numbers of words err either
    way: so it is the value, unless the other is above and reliable (counts), or far above, where either is doubted.
    """
    if not _can_be_learned(values, discrete):
        return found
    if any(discrete):
        side = discrete.index(False)
        learned = label_information(shapes[side], values[side], symbols(values[1 - side]))
    else:
        learned = pair_information(shapes, *values)
    return _believed(learned, found)


def _can_be_learned(values: Sequence[Tensor], discrete: Sequence[bool]) -> bool:
    numbers = torch.stack([symbols(rows) for rows in values], dim=1)
    classes = [int(column.max()) + 1 for column, known in zip(numbers.T, discrete, strict=True) if known]
    copied = float((multiplicity(numbers) > 1).double().mean())
    return len(numbers) >= max(LEAST_SAMPLES, _LEAST_OF_CLASS * sum(classes)) and copied <= _MOST_COPIED


def _believed(learned: Estimate, found: Estimate) -> Estimate:
    """The network's estimate, or the other where that tells more and nothing speaks against it, or far more."""
    value, other = float(learned), float(found)
    told = f"{learned.reason}; other estimates ({found.estimator}) tell {other:.3g}"
    if found.reliable and other > value:
        return replace(found, reason=f"{found.reason}; {learned.estimator} tells {value:.3g} on held-out samples")
    if other <= value + max(_ABOVE, _ABOVE_SHARE * value):
        return replace(learned, value=learned.value.to(found.value), reason=told)
    apart = f"estimates disagree: {found.reason}; {learned.estimator} tells {value:.3g} on held-out samples"
    return replace(found, reason=apart, reliable=False)


def symbols_tell_more(x: Tensor, labels: Tensor, found: Estimate) -> str:
    """Why neighbours of integers fall short where the integers are symbols; "" where nothing says so.

    How often each symbol occurs in each class, counted on one half of the samples, guesses the labels of the other
    (naive Bayes, made less sure so that its errors cost least): the labels' entropy less the cross-entropy is a lower
    bound.

    Args:
        x: shape (n, d), of the caller's dtype.
        labels: 0 to m - 1, shape (n,).
        found: the estimate by neighbours.
    """
    if form_of((x.shape[1],), x) != "tokens":
        return ""
    words, numbers = x.unique(return_inverse=True)
    classes = int(labels.max()) + 1
    if classes * max(len(words), numbers.numel()) > _MOST_COUNTS:
        return ""
    told = _by_counts(numbers, labels, len(words), classes)
    margin = _ABOVE_CHANCE / math.sqrt(len(x)) + _ABOVE_SHARE * abs(told)
    if told - float(found) <= margin:
        return ""
    return f"integers read as numbers fall short: as symbols they tell {told:.2g} nats or more"


def _by_counts(numbers: Tensor, labels: Tensor, words: int, classes: int) -> float:
    n = len(labels)
    frequency = torch.bincount(labels, minlength=classes).double() / n
    information = []
    for train, test in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        pairs = (labels[train, None] * words + numbers[train]).flatten()
        counts = torch.bincount(pairs, minlength=classes * words).reshape(classes, words).double() + 0.5
        scores = (counts / counts.sum(dim=1, keepdim=True)).log().T[numbers[test]].sum(dim=1)
        y = labels[test]
        own = [
            (scale * scores + frequency.log()).log_softmax(1).gather(1, y[:, None]).mean() - frequency[y].log().mean()
            for scale in _SURENESS
        ]
        information.append(float(torch.stack(own).max()))
    return sum(information) / len(information)
