"""Classifiers of scikit-learn and their kin, asked as modules are."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.numerics.checks import shown


class PredictsProbabilities(Protocol):
    """A fitted classifier: a column of probabilities for each of `classes_`."""

    classes_: Any

    def predict_proba(self, X: Any, /) -> Any:
        """The probability of each class, (n, classes)."""
        ...


class Predicted(nn.Module):
    """Such a classifier as a module: samples -> probabilities, (n, classes), float64.

    Args:
        classifier: fitted to classes that are numbered from 0.

    Raises:
        ValueError: its classes have other names.

    Example:
        >>> from sklearn.dummy import DummyClassifier
        >>> Predicted(DummyClassifier(strategy="prior").fit([[0], [0]], [0, 1]))(torch.zeros(1, 1)).tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, classifier: PredictsProbabilities) -> None:
        super().__init__()
        self.classifier = classifier
        classes = np.asarray(getattr(classifier, "classes_", ()))
        if classes.dtype.kind not in "iub" or not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(
                "calibration_table: model must be fitted to classes 0, 1, ..., as y has them, got "
                f"{shown(classes.tolist())}; numpy.unique(names, return_inverse=True)[1] numbers them."
            )

    def forward(self, x: Tensor) -> Tensor:
        """The classifier's probabilities."""
        return torch.from_numpy(np.array(self.classifier.predict_proba(x.cpu().numpy()), np.float64))
