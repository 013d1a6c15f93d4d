"""A classifier of scikit-learn whose network is trained module by module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin

from infotorch.objectives.names import ObjectiveLike
from infotorch.sklearn.checks import check_classes, checked_samples, weights_of_classes
from infotorch.sklearn.local import LocalEstimator, MakeModule
from infotorch.sklearn.weighted import mass_cross_entropy
from infotorch.training.plan import Order


class LocalClassifier(ClassifierMixin, LocalEstimator):
    """A neural network for classes, trained module by module: no gradient passes from one module to another.

    Every hidden layer learns by the cross-entropy of a linear read-out of its own, which is minus a bound on I(Y; T),
    the last layer by that of its output. Scale the features first, as for any network: `make_pipeline(
    StandardScaler(), LocalClassifier())`.

    Weights of samples and classes enter each loss exactly. In one batch a sample of weight 2 is two samples; with
    several batches an epoch this holds on average alone. Samples of weight 0 are left out.

    Args:
        hidden_layer_sizes: the width of each hidden layer, with ReLU; () for none.
        make_module: (number of features, number of classes) -> the network, in place of hidden layers; every child with
            weights is a module. To be pickled it must be a function of a file, no lambda.
        plan: objectives as `infotorch.fit` takes them, such as "X,Y:supcon+Y,CE" or "auto"; then without weights.
        order: "sequential", one module after the other, or "simultaneous".
        epochs: epochs of each module (sequential) or of all (simultaneous).
        batch_size: samples a step.
        lr: rate of Adam.
        class_weight: a weight for each class, those of classes left out being 1, or "balanced": n / (classes x samples
            of the class).
        device: "auto", "cpu", "cuda", ...; None: the CPU.
        random_state: an integer makes fits repeatable; None: every fit is another one.

    Attributes:
        classes_: class names, sorted.
        module_: the trained network; its outputs are class scores.
        history_: a line for each epoch and module, see `FitResult.history`.
        n_features_in_: number of features.
        feature_names_in_: their names, where X had some.

    A network of float32 samples computes in float32, of all others in float64.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> X, y = load_iris(return_X_y=True)
        >>> model = make_pipeline(StandardScaler(), LocalClassifier((32,), random_state=0)).fit(X, y)
        >>> model.score(X, y) > 0.95, model.predict_proba(X[:1]).shape
        (True, (1, 3))
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
        make_module: MakeModule | None = None,
        plan: str | Sequence[ObjectiveLike] | None = None,
        order: Order = "sequential",
        epochs: int = 100,
        batch_size: int = 128,
        lr: float = 3e-3,
        class_weight: dict[int, float] | dict[str, float] | Literal["balanced"] | None = None,
        device: str | torch.device | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            make_module=make_module,
            plan=plan,
            order=order,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            device=device,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Args:
            X: features, (n, d).
            y: classes, (n,): integers, names or any that sort.
            sample_weight: a weight for each sample, 0 or more; None: 1.

        Raises:
            ValueError: what scikit-learn refuses, weights beside a plan, settings that `infotorch.fit` refuses, or a
                training that diverges.
        """
        x, y = checked_samples(self, X, y, floats=True)
        check_classes(y)
        x, y, weights = self._weighted_samples(x, y, sample_weight)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.plan is not None:
            if self.class_weight is not None:
                raise ValueError(
                    "LocalClassifier: class_weight must be None beside a plan; give the weights to its objectives."
                )
            self._train(x, torch.from_numpy(codes), mass_cross_entropy, len(self.classes_), "classes")
            return self
        of_class = weights_of_classes(self.class_weight, self.classes_, y, weights, where="LocalClassifier")
        weights = weights * of_class[codes]
        mass = np.zeros((len(x), len(self.classes_)), x.dtype)
        mass[np.arange(len(x)), codes] = weights / weights.mean()
        self._train(x, torch.from_numpy(mass), mass_cross_entropy, len(self.classes_), "real")
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """The probability of each class of `classes_`, (n, classes)."""
        return torch.from_numpy(self._outputs(X)).softmax(dim=1).numpy()

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The class of highest probability, (n,)."""
        highest = self._outputs(X).argmax(axis=1)
        return self.classes_[highest]
