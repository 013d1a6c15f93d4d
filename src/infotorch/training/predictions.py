"""How well predictions agree with targets of each kind: accuracy of classes and labels, errors of real numbers."""

from __future__ import annotations

from torch import Tensor

from infotorch.data.targets import kind_of_targets, known_targets


def fits_targets(output: Tensor, y: Tensor) -> bool:
    """Whether an output has the shape of predictions of y: a column for each class, or as many entries a row as y.

    Example:
        >>> import torch
        >>> fits_targets(torch.zeros(2, 3), torch.tensor([0, 2])), fits_targets(torch.zeros(2, 3), torch.zeros(2, 1))
        (True, False)
    """
    kind = kind_of_targets(y)
    if kind == "classes":
        return output.ndim == 2 and output.shape[1] > int(y.max())
    return kind is not None and output.shape[1:].numel() == y.shape[1:].numel()


def prediction_metrics(output: Tensor, y: Tensor) -> dict[str, float]:
    """Measures of predictions, over the targets that are known.

    Args:
        output: class scores (n, classes), a logit for each label (n, labels), or real predictions as y.
        y: targets, see `kind_of_targets`.

    Returns:
        Of classes {"accuracy"}, the fraction whose highest score is their class. Of several labels {"accuracy"}, the
        fraction of labels that a logit above 0 gets right. Of real targets {"mse", "r2"}: the mean squared error and,
        where y varies, 1 - squared error / squared deviation from the mean, averaged over the columns of y. Empty where
        the output does not fit the targets or none is known.

    Example:
        >>> import torch
        >>> prediction_metrics(torch.tensor([[2.0, -1.0], [-1.0, -3.0]]), torch.tensor([[1, 0], [1, -1]]))
        {'accuracy': 0.666...}
    """
    if not fits_targets(output, y) or not (known := known_targets(y)).any():
        return {}
    kind = kind_of_targets(y)
    if kind == "classes":
        return {"accuracy": float((output.argmax(dim=1) == y)[known].double().mean())}
    output = output.reshape(y.shape)
    if kind == "multilabel":
        return {"accuracy": float(((output > 0) == (y > 0))[known].double().mean())}
    return _errors(
        output.double().flatten(1) if y.ndim > 1 else output.double()[:, None], y.double().reshape(len(y), -1)
    )


def _errors(output: Tensor, y: Tensor) -> dict[str, float]:
    known = known_targets(y)
    squares = (output - y).square()
    metrics = {"mse": float(squares[known].mean())}
    explained: list[float] = []
    for column in range(y.shape[1]):
        rows = known[:, column]
        values = y[rows, column]
        spread = float((values - values.mean()).square().sum()) if len(values) > 1 else 0.0
        if spread > 0:
            explained.append(1 - float(squares[rows, column].sum()) / spread)
    return metrics | ({"r2": sum(explained) / len(explained)} if explained else {})
