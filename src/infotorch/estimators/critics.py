"""Critics: small networks that score pairs (x, y), for the bounds of `infotorch.estimators.bounds`.

`critic(x, y)` scores every x against every y, shape (n, m); `critic.pairs(x, y)` scores row against row, shape (n,);
`critic.contrast(x, y)` gives true pairs and pairs drawn apart, as a training step wants them. Integer labels of shape
(n,) are read as one-hot vectors.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import chain, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.estimators.bounds import off_diagonal
from infotorch.numerics.checks import check_choice, check_module, check_paired, check_size, check_widths
from infotorch.numerics.module_inputs import check_tensor, described, explaining, module_input

# Pairs that the joint critic scores at once: its hidden layers then stay within a few tens of MiB.
_PAIRS_AT_ONCE = 2**15


class Critic(nn.Module):
    """What scores pairs. A subclass defines `forward`, and `pairs` where aligned rows can be had for less.

    Example:
        >>> class Distance(Critic):
        ...     def forward(self, x, y):
        ...         return -torch.cdist(x, y)
        >>> Distance().pairs(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])).tolist()
        [-1.0, -3.0]
    """

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every x against every y, shape (n, m)."""
        raise TypeError(f"{type(self).__name__} must define forward(x, y) -> scores of shape (n, m).")

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows, shape (n,)."""
        _check_pairs(x, y, where=f"{type(self).__name__}.pairs")
        return self(x, y).diagonal()

    def contrast(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the n true pairs and of pairs drawn apart, each one-dimensional: here all n (n - 1) of them."""
        _check_pairs(x, y, where=f"{type(self).__name__}.contrast")
        scores = self(x, y)
        return scores.diagonal(), off_diagonal(scores).flatten()


class JointCritic(Critic):
    """One network on (x, y) together, with ReLU between its layers: the most general critic.

    The first layer is W_x x + W_y y + b, so that scoring n x m pairs starts with an addition and not with a copy of
    every pair; the layers behind it are paid for every pair.

    Args:
        dim_x: columns of x, or the number of classes where x holds labels.
        dim_y: the same for y.
        hidden: widths of the hidden layers, at least one.

    Raises:
        ValueError: a width below 1, or no hidden layer.
        TypeError: a width is not an integer, or hidden is no sequence.

    Source: Belghazi et al. 2018, arXiv:1801.04062; "concat" in Poole et al. 2019, arXiv:1905.06922.

    Example:
        >>> JointCritic(3, 2, hidden=(8,))(torch.zeros(4, 3), torch.zeros(5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(self, dim_x: int, dim_y: int, *, hidden: Sequence[int] = (256, 256)) -> None:
        super().__init__()
        hidden = _check_hidden(hidden, where="JointCritic")
        _check_widths(dim_x, dim_y, *hidden, where="JointCritic")
        if not hidden:
            raise ValueError("JointCritic: hidden must name at least one width, got none.")
        self.from_x = nn.Linear(dim_x, hidden[0])
        self.from_y = nn.Linear(dim_y, hidden[0], bias=False)
        # The two halves of one linear layer start as one layer of dim_x + dim_y inputs would.
        reach = 1 / math.sqrt(dim_x + dim_y)
        for parameter in (self.from_x.weight, self.from_x.bias, self.from_y.weight):
            nn.init.uniform_(parameter, -reach, reach)
        self.rest = nn.Sequential(*_layers([*hidden, 1]))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every x against every y, shape (n, m)."""
        hx, hy = self._halves(x, y)
        if len(hy) == 0:
            return hx.new_zeros(len(hx), 0)
        rows = max(1, _PAIRS_AT_ONCE // len(hy))
        return torch.cat([self._behind(part[:, None] + hy) for part in hx.split(rows)])

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows, shape (n,)."""
        _check_pairs(x, y, where="JointCritic.pairs")
        hx, hy = self._halves(x, y)
        return self._behind(hx + hy)

    def contrast(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the n true pairs and of n pairs drawn apart: every x with the next row's y.

        In a batch in random order this is a random derangement, for the price of 2 n evaluations.
        """
        _check_pairs(x, y, where="JointCritic.contrast")
        hx, hy = self._halves(x, torch.cat([y, y.roll(1, 0)]))
        together, apart = self._behind(hx + hy.view(2, *hx.shape))
        return together, apart

    def _behind(self, sums: Tensor) -> Tensor:
        """The layers behind the first one, on a sum of halves that nobody else holds."""
        # ReLU in place before flattening, never on a view: autograd would copy the whole of it back.
        return self.rest(sums.relu_().flatten(0, -2)).view(sums.shape[:-1])

    def _halves(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        where = "JointCritic"
        return self.from_x(_as_input(x, self.from_x, where, "x")), self.from_y(_as_input(y, self.from_y, where, "y"))


class SeparableCritic(Critic):
    """The inner product of a network on x and a network on y, plus a constant: n x m scores for n + m evaluations.

    Args:
        dim_x: columns of x, or the number of classes where x holds labels.
        dim_y: the same for y.
        hidden: widths of the hidden layers of both networks; none makes them linear.
        embedding: number of outputs of each network.

    Raises:
        ValueError: a width below 1.
        TypeError: a width is not an integer.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748; "separable" in Poole et al. 2019, arXiv:1905.06922. The
    constant is ours: `nwj` and `jsd` need one.

    Example:
        >>> SeparableCritic(3, 2, hidden=(8,))(torch.zeros(4, 3), torch.zeros(5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(self, dim_x: int, dim_y: int, *, hidden: Sequence[int] = (256, 256), embedding: int = 64) -> None:
        super().__init__()
        hidden = _check_hidden(hidden, where="SeparableCritic")
        _check_widths(dim_x, dim_y, *hidden, embedding, where="SeparableCritic")
        self.tower_x = nn.Sequential(*_layers([dim_x, *hidden, embedding]))
        self.tower_y = nn.Sequential(*_layers([dim_y, *hidden, embedding]))
        # The inner product adds up `embedding` terms: scores shall start small, where every bound is about 0.
        with torch.no_grad():
            for parameter in self.tower_y[-1].parameters():
                parameter.div_(math.sqrt(embedding))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every x against every y, shape (n, m)."""
        hx, hy = self._embeddings(x, y)
        return torch.addmm(self.offset, hx, hy.T)

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows, shape (n,)."""
        _check_pairs(x, y, where="SeparableCritic.pairs")
        hx, hy = self._embeddings(x, y)
        return (hx * hy).sum(dim=1) + self.offset

    def _embeddings(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        first_x, first_y = self.tower_x[0], self.tower_y[0]
        assert isinstance(first_x, nn.Linear)
        assert isinstance(first_y, nn.Linear)
        where = "SeparableCritic"
        return self.tower_x(_as_input(x, first_x, where, "x")), self.tower_y(_as_input(y, first_y, where, "y"))


class BilinearCritic(Critic):
    """x' W y plus a constant: for representations that are already good, and for a handful of columns.

    Starts at zero, where every bound is 0 or below.

    Args:
        dim_x: columns of x, or the number of classes where x holds labels.
        dim_y: the same for y.

    Raises:
        ValueError: a width below 1.
        TypeError: a width is not an integer.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748, eq. 3. The constant is ours.

    Example:
        >>> BilinearCritic(3, 2)(torch.ones(2, 3), torch.ones(2, 2)).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, dim_x: int, dim_y: int) -> None:
        super().__init__()
        _check_widths(dim_x, dim_y, where="BilinearCritic")
        self.from_y = nn.Linear(dim_y, dim_x, bias=False)
        nn.init.zeros_(self.from_y.weight)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every x against every y, shape (n, m)."""
        x, y = self._inputs(x, y)
        return torch.addmm(self.offset, x, self.from_y(y).T)

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows, shape (n,)."""
        _check_pairs(x, y, where="BilinearCritic.pairs")
        x, y = self._inputs(x, y)
        return (x * self.from_y(y)).sum(dim=1) + self.offset

    def _inputs(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        where, weight = "BilinearCritic", self.from_y.weight
        return _as_columns(x, weight.shape[0], weight, where, "x"), _as_input(y, self.from_y, where, "y")


class EncoderCritic(Critic):
    """A critic that passes x through its own copy of an encoder F first: the architecture-aware critic.

    It tells (x1, F(x1) + noise) from (x1, F(x2) + noise) by comparing two points of the same space. The copy stays in
    evaluation mode, so that batch statistics and dropout do not make F random; the encoder itself is never touched.

    Args:
        encoder: F; called on x as it comes, its output is flattened to (n, d).
        critic: scores F(x) against y.
        train_encoder: let the copy's weights be trained with the critic. Without it no gradient enters the copy, nor
            passes it on its way to x.

    Source: Elad, Haviv, Blau & Michaeli 2019, "Direct Validation of the Information Bottleneck Principle for Deep
    Nets", Sec. 3 and Fig. 2.

    Example:
        >>> critic = EncoderCritic(nn.Linear(784, 3), JointCritic(3, 3, hidden=(8,)))
        >>> critic(torch.zeros(4, 784), torch.zeros(5, 3)).shape
        torch.Size([4, 5])
    """

    def __init__(self, encoder: nn.Module, critic: Critic, *, train_encoder: bool = False) -> None:
        super().__init__()
        check_module(encoder, where="EncoderCritic", name="encoder")
        check_module(critic, where="EncoderCritic", name="critic")
        check_choice(train_encoder, (True, False), where="EncoderCritic", name="train_encoder")
        _check_weights(encoder, where="EncoderCritic")
        self.encoder = copy.deepcopy(encoder).eval()
        self.encoder.requires_grad_(bool(train_encoder))
        self.critic = critic
        self.train_encoder = train_encoder

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every x against every y, shape (n, m)."""
        return self.critic(self._encode(x), y)

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows, shape (n,)."""
        return self.critic.pairs(self._encode(x), y)

    def contrast(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of true pairs and of pairs drawn apart, as the critic makes them."""
        return self.critic.contrast(self._encode(x), y)

    def refresh(self, encoder: nn.Module) -> None:
        """Copy the weights and buffers of an encoder that has been trained further.

        Raises:
            TypeError: no module.
            ValueError: of other weights.
        """
        check_module(encoder, where="EncoderCritic.refresh", name="encoder")
        _check_weights(encoder, where="EncoderCritic.refresh")
        mine, theirs = ({k: v.shape for k, v in one.state_dict().items()} for one in (self.encoder, encoder))
        if mine != theirs:
            raise ValueError("EncoderCritic.refresh: the encoder must have the weights that were copied.")
        self.encoder.load_state_dict(encoder.state_dict())

    def train(self, mode: bool = True) -> EncoderCritic:
        """Set the mode of the critic; the copy of the encoder stays in evaluation mode."""
        check_choice(mode, (True, False), where="EncoderCritic.train", name="mode")
        super().train(bool(mode))
        self.encoder.eval()
        return self

    def _encode(self, x: Tensor) -> Tensor:
        check_tensor(x, where="EncoderCritic", name="x")
        with torch.set_grad_enabled(bool(self.train_encoder) and torch.is_grad_enabled()):
            with explaining(lambda: f"EncoderCritic: the encoder cannot take x, {described(x)}"):
                output = self.encoder(x)
            check_tensor(output, where="EncoderCritic", name="the encoder's output")
            return output.reshape(len(output), math.prod(output.shape[1:]))


def _layers(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    return layers[:-1]


def _check_weights(encoder: nn.Module, *, where: str) -> None:
    if any(is_lazy(weight) or weight.is_meta for weight in chain(encoder.parameters(), encoder.buffers())):
        raise ValueError(f"{where}: the encoder must have weights, got lazy or meta ones; run it on a batch first.")


def _check_hidden(hidden: Sequence[int], where: str) -> tuple[int, ...]:
    return check_widths(hidden, where=where)


def _check_widths(*widths: int, where: str) -> None:
    for width in widths:
        check_size(width, where=where, name="every width")


def _as_input(values: Tensor, layer: nn.Linear, where: str, name: str) -> Tensor:
    return _as_columns(values, layer.in_features, layer.weight, where, name)


def _as_columns(values: Tensor, columns: int, like: Tensor, where: str, name: str) -> Tensor:
    check_tensor(values, where=where, name=name)
    if not values.is_floating_point() and not values.is_complex():
        values = _one_hot(values, columns, where, name) if values.ndim == 1 else values
        values = values.to(like.dtype)
    if values.ndim != 2 or values.shape[1] != columns:
        raise ValueError(f"{where}: {name} must have shape (n, {columns}), got {tuple(values.shape)}.")
    return module_input(values, where=where, name=name, weight=like)


def _one_hot(labels: Tensor, classes: int, where: str, name: str) -> Tensor:
    labels = labels.long()
    try:
        return F.one_hot(labels, classes)
    except RuntimeError as error:  # no scan of the labels where all is well
        raise ValueError(
            f"{where}: {name} must be labels from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}."
        ) from error


def _check_pairs(x: Tensor, y: Tensor, *, where: str) -> None:
    for name, values in (("x", x), ("y", y)):
        check_tensor(values, where=where, name=name)
        if values.ndim == 0:
            raise ValueError(f"{where}: {name} must have rows, got a single number.")
    check_paired(x, y, where=where)
