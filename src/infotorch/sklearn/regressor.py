"""A regressor of scikit-learn whose network is trained module by module."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin

from infotorch.sklearn.checks import checked_samples
from infotorch.sklearn.local import LocalEstimator
from infotorch.sklearn.weighted import weighted_squared_error


class LocalRegressor(RegressorMixin, LocalEstimator):
    """A neural network for numbers, trained module by module: no gradient passes from one module to another.

    Every hidden layer learns by the squared error of a linear read-out of its own, the last layer by that of its
    output. The target is standardised within; scale the features first, as for any network: `make_pipeline(
    StandardScaler(), LocalRegressor())`.

    Weights of samples enter each loss exactly. In one batch a sample of weight 2 is two samples; with several batches
    an epoch this holds on average alone. Samples of weight 0 are left out.

    Args:
        hidden_layer_sizes: the width of each hidden layer, with ReLU; () for none.
        make_module: (number of features, 1) -> the network, in place of hidden layers; every child with weights is a
            module. To be pickled it must be a function of a file, no lambda.
        plan: objectives as `infotorch.fit` takes them, such as "X,Y,MSE"; then without weights.
        order: "sequential", one module after the other, or "simultaneous".
        epochs: epochs of each module (sequential) or of all (simultaneous).
        batch_size: samples a step.
        lr: rate of Adam.
        device: "auto", "cpu", "cuda", ...; None: the CPU.
        random_state: an integer makes fits repeatable; None: every fit is another one.

    Attributes:
        module_: the trained network; its output is the standardised target.
        target_mean_: of the training targets, weighted.
        target_scale_: their standard deviation, weighted; 1 where they are all the same.
        history_: a line for each epoch and module, see `FitResult.history`.
        n_features_in_: number of features.
        feature_names_in_: their names, where X had some.

    A network of float32 samples computes in float32, of all others in float64.

    Example:
        >>> from sklearn.datasets import make_friedman1
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> X, y = make_friedman1(500, random_state=0)
        >>> model = make_pipeline(StandardScaler(), LocalRegressor(random_state=0)).fit(X, y)
        >>> model.score(X, y) > 0.8
        True
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Args:
            X: features, (n, d).
            y: numbers, (n,).
            sample_weight: a weight for each sample, 0 or more; None: 1.

        Raises:
            ValueError: what scikit-learn refuses, weights beside a plan, settings that `infotorch.fit` refuses, or a
                training that diverges.
        """
        x, y = checked_samples(self, X, y, floats=True, numbers=True)
        x, y, weights = self._weighted_samples(x, y.astype(np.float64), sample_weight)
        self.target_mean_ = float(np.average(y, weights=weights))
        spread = float(np.sqrt(np.average((y - self.target_mean_) ** 2, weights=weights)))
        self.target_scale_ = spread if spread > 0 else 1.0
        targets = (y - self.target_mean_) / self.target_scale_
        columns = [targets] if self.plan is not None else [targets, weights / weights.mean()]
        self._train(x, torch.from_numpy(np.stack(columns, axis=1).astype(x.dtype)), weighted_squared_error, 1, "real")
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predicted numbers, (n,)."""
        return self._outputs(X)[:, 0] * self.target_scale_ + self.target_mean_
