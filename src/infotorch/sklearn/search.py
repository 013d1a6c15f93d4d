"""Which feature comes next: greedy search by what a feature tells beside those that are selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from infotorch.estimators.column_conditionals import conditional_column_informations
from infotorch.estimators.column_errors import errors_by_groups
from infotorch.estimators.single_columns import Column, column_informations
from infotorch.sklearn.independence import noise_of

Criterion = Literal["relevance", "mrmr", "jmi"]


@dataclass
class Search:
    """A search under way.

    Args:
        columns: the features.
        y: the target.
        criterion: see `MutualInformationSelector`.
        relevance: I(X_j; Y), (d,).
        p_values: for relevance, (d,).
        alpha: the chance that noise alone passes, in all.
        selected: features in the order in which they were selected.
        beside: of every feature the terms beside each selected one, (d, selected).
        dropped: features that are left out.
    """

    columns: Sequence[Column]
    y: Column
    criterion: Criterion
    relevance: np.ndarray
    p_values: np.ndarray
    alpha: float
    selected: list[int] = field(default_factory=list)
    beside: np.ndarray = field(init=False)
    dropped: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.beside = np.zeros((len(self.columns), 0))

    def run(self, most: int | None) -> None:
        """Select so many features; None: until what is left lies within its error of nothing, but one at least."""
        while (left := self._left()) and (most is None or len(self.selected) < most):
            best = left[int(np.argmax(self.gains()[left]))]
            verdict = "take" if most is not None else self._verdict(best)
            if verdict == "take" or not self.selected:
                self._select(best)
            else:
                self.dropped.add(best)
            if verdict == "stop":
                return

    def gains(self) -> np.ndarray:
        """What each feature adds, in nats, (d,)."""
        if self.criterion == "relevance" or not self.selected:
            return self.relevance
        mean = self.beside.mean(axis=1)
        return mean if self.criterion == "jmi" else self.relevance - mean

    def ranking(self) -> np.ndarray:
        """1 for the feature that was selected first, and so on; the others follow by what they would add."""
        others = [j for j in np.argsort(-self.gains(), kind="stable") if j not in self.selected]
        ranking = np.empty(len(self.columns), np.int64)
        ranking[[*self.selected, *others]] = np.arange(1, len(self.columns) + 1)
        return ranking

    def _left(self) -> list[int]:
        return [j for j in range(len(self.columns)) if j not in self.selected and j not in self.dropped]

    def _select(self, best: int) -> None:
        self.selected.append(best)
        if self.criterion == "relevance":
            return
        terms, left = np.zeros(len(self.columns)), self._left()
        if left:
            terms[left] = self._terms([self.columns[j] for j in left], self.columns[best], self.y).numpy()
        self.beside = np.column_stack([self.beside, terms])

    def _terms(self, columns: Sequence[Column], beside: Column, y: Column) -> Tensor:
        if self.criterion == "jmi":
            return conditional_column_informations(columns, y, beside)
        return column_informations(columns, beside)

    def _verdict(self, best: int) -> Literal["take", "drop", "stop"]:
        """Of the feature that adds most: whether that is more than chance, beside all and beside each of the selected.

        As many standard errors as a share alpha / d of a normal law lies above; of relevance, by its p-value.
        """
        chance = self.alpha / len(self.columns)
        if self.criterion == "relevance" or not self.selected:
            return "take" if self.p_values[best] <= chance else "stop"
        if self.criterion == "mrmr" and self.p_values[best] > chance:
            return "drop"
        gain = self.gains()[best]
        least = self.beside[best].min() if self.criterion == "jmi" else gain
        nearest = [self.selected[int(self.beside[best].argmin())]] if self.criterion == "jmi" else self.selected

        def on(rows: Tensor) -> Tensor:
            y, x = self.y.take(rows), self.columns[best].take(rows)
            terms = torch.cat([self._terms([x], self.columns[s].take(rows), y) for s in nearest])
            alone = column_informations([x], y) if self.criterion == "mrmr" else 0.0
            return alone - terms.mean() if self.criterion == "mrmr" else terms

        # A difference of two estimates that err alike scatters little: what noise alone may score is not believed.
        error = NormalDist().inv_cdf(1 - chance) * float(errors_by_groups(on, len(self.y.codes))[0])
        enough = max(error, noise_of(self.columns[best], self.y).above(chance))
        if not gain > enough:
            return "stop"
        return "take" if least > enough else "drop"
