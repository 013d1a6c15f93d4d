"""P1 and P3: what probes of different power tell of the classes from a representation."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.labels import readout_mi
from infotorch.numerics.columns import spread
from infotorch.numerics.process import alone

#: Columns that a probe reads; more are first reduced to as many principal components.
COLUMNS = 64
#: Parts of the rows, each predicted by probes that were trained on the others.
FOLDS = 5
_NEIGHBOURS, _HIDDEN = 10, 64
# Of the perceptron: a few dozen passes are enough on a thousand samples.
_TRAINING = {"alpha": 1e-2, "max_iter": 40, "tol": 1e-3, "n_iter_no_change": 5, "learning_rate_init": 5e-3}
# No probe is surer than this: a single error would cost it everything.
_LEAST = 1e-4


@dataclass(frozen=True)
class Probe:
    """How well one kind of classifier tells the classes of rows that it was not trained on.

    Args:
        accuracy: share of the rows.
        std_error: of the accuracy, over rows.
        information: H(Y) - cross-entropy, in nats: a lower bound on I(T; Y), negative where the probe is worse than the
            classes' shares.
        information_error: its standard error.

    Example:
        >>> Probe(accuracy=0.9, std_error=0.03, information=0.41, information_error=0.05).information  # of log 2 = 0.69
        0.41
    """

    accuracy: float
    std_error: float
    information: float
    information_error: float


@dataclass(frozen=True)
class Decisions:
    """P1 and P3 of one layer T.

    Args:
        linear: logistic regression.
        neighbours: the ten nearest rows.
        network: a perceptron with 64 hidden units.
        neighbour_information: I(T; Y) by nearest neighbours (`ross`), in nats; no bound.
        neighbour_information_error: its standard error.
        label_entropy: H(Y), the ceiling, in nats.
        majority: accuracy of always naming the most frequent class.
        num_samples: labelled samples that were used; classes with fewer than five are left out.

    Example:
        >>> y = torch.arange(60) % 2
        >>> found = decisions(y[:, None] + 0.01 * torch.arange(60)[:, None], y)  # two intervals that do not meet
        >>> found.linear.accuracy, found.simplicity, found.num_samples
        (1.0, 0.0, 60)
    """

    linear: Probe
    neighbours: Probe
    network: Probe
    neighbour_information: float
    neighbour_information_error: float
    label_entropy: float
    majority: float
    num_samples: int

    @property
    def information(self) -> float:
        """P1: the best of the probes' lower bounds on I(T; Y), in nats."""
        return max(probe.information for probe in (self.linear, self.neighbours, self.network))

    @property
    def simplicity(self) -> float:
        """P3: accuracy of the linear probe less that of the best other one; near 0 a simple decision is enough."""
        return self.linear.accuracy - max(self.neighbours.accuracy, self.network.accuracy)


def decisions(t: Tensor, y: Tensor, *, seed: int = 0) -> Decisions | None:
    """Measure P1 and P3 by probes, each on rows that it was not trained on (five folds).

    The linear probe and the perceptron see standardised columns, neighbours the layer's own distances; more than 64
    columns are reduced by PCA. Neither scaling nor PCA sees a class. The probes' settings are fixed, so that layers can
    be compared; with searched settings each could be better.

    Args:
        t: the layer, (n, d).
        y: classes, (n,), -1 for unlabelled samples.
        seed: decides the folds and the perceptron's start.

    Returns:
        None where fewer than two classes have five rows.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 3 (P1, P3) and Sec. 9 (the bound); Alain & Bengio 2016,
        arXiv:1610.01644 (linear probes).

    Example:
        >>> angle = torch.linspace(0, 25, 200)
        >>> y = torch.arange(200) % 2
        >>> rings = torch.stack([angle.cos(), angle.sin()], dim=1) * (1 + y[:, None])
        >>> found = decisions(rings, y)
        >>> found.linear.accuracy < 0.6, found.neighbours.accuracy
        (True, 1.0)
    """
    t, y = _usable(t.detach().cpu().double(), y.cpu())
    if len(y.unique()) < 2:
        return None
    _, labels = y.unique(return_inverse=True)
    count = torch.bincount(labels).double() / len(labels)
    size = spread(t)
    own = ((t - t.mean(dim=0)) / (size if size > 0 else 1.0)).numpy()
    with alone(), threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alike = _reduced(StandardScaler().fit_transform(own), seed)
        found = {
            "linear": _probe(LogisticRegression(max_iter=300), alike, labels, seed),
            "neighbours": _probe(KNeighborsClassifier(_NEIGHBOURS), _reduced(own, seed), labels, seed),
            "network": _probe(MLPClassifier((_HIDDEN,), **_TRAINING, random_state=seed), alike, labels, seed),
        }
    with unexamined():  # three probes stand beside it, for where neighbours fall short
        estimate = ross(t, labels)
    return Decisions(
        **found,
        neighbour_information=float(estimate),
        neighbour_information_error=estimate.std_error,
        label_entropy=float(torch.special.entr(count).sum()),
        majority=float(count.max()),
        num_samples=len(labels),
    )


def _usable(t: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The labelled samples of classes that every fold can hold."""
    t, y = t[y >= 0], y[y >= 0]
    if len(y) == 0:
        return t, y
    _, numbers, sizes = y.unique(return_inverse=True, return_counts=True)
    kept = sizes[numbers] >= FOLDS
    return t[kept], y[kept]


def _reduced(values: np.ndarray, seed: int) -> np.ndarray:
    if min(values.shape) <= COLUMNS:
        return values
    return PCA(COLUMNS, svd_solver="randomized", random_state=seed).fit_transform(values)


def _probe(model: Any, values: np.ndarray, labels: Tensor, seed: int) -> Probe:
    known = labels.numpy()
    shares = np.zeros((len(known), int(labels.max()) + 1))
    for learnt, told in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(values, known):
        if isinstance(model, KNeighborsClassifier):
            model.set_params(n_neighbors=min(_NEIGHBOURS, len(learnt)))
        shares[told] = model.fit(values[learnt], known[learnt]).predict_proba(values[told])
    if isinstance(model, KNeighborsClassifier):
        # Shares of ten neighbours are counts: Laplace's rule keeps the unseen possible.
        shares = (_NEIGHBOURS * shares + 1) / (_NEIGHBOURS + shares.shape[1])
    shares = (1 - _LEAST) * shares + _LEAST / shares.shape[1]
    right = float((shares.argmax(axis=1) == known).mean())
    told = readout_mi(torch.from_numpy(shares).log(), labels)
    return Probe(right, math.sqrt(right * (1 - right) / len(known)), float(told), told.std_error)
