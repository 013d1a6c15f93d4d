"""Samples as what they are, for a network: images, sequences of symbols, or columns of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.estimators.critic_rows import standardised
from infotorch.estimators.patches import patch_features
from infotorch.numerics.checks import is_discrete

Form = Literal["images", "tokens", "columns"]

# Fewer pixels along a side are columns, more are averaged in groups: the time stays that of 32 x 32.
_LEAST_SIDE, _MOST_SIDE = 8, 32
# Images are of at most so many channels; what has more is no image.
_MOST_CHANNELS = 16
# Integers are symbols of a vocabulary where each occurs so often on average.
_LEAST_USES, _MOST_SYMBOLS = 5, 50_000
#: features of a sample
WIDTH = 64
_SYMBOL_WIDTH = 32
# Shares of what a network does not see of a training sample, so that it does not learn samples one by one.
_NO_SYMBOL, _NO_COLUMN = 0.3, 0.2


def form_of(shape: tuple[int, ...], rows: Tensor) -> Form:
    """What the samples are: by their shape, one sample's, and by how often integers repeat.

    Args:
        shape: of one sample.
        rows: shape (n, d), of the caller's dtype.

    Example:
        >>> words = torch.arange(600).reshape(200, 3) % 40
        >>> form_of((3,), words), form_of((16, 16), torch.rand(9, 256)), form_of((3,), torch.rand(9, 3))
        ('tokens', 'images', 'columns')
    """
    if _image_shape(shape):
        return "images"
    if is_discrete(rows) and len(shape) == 1 and shape[0] > 1:
        distinct = len(rows.unique())
        if distinct <= min(_MOST_SYMBOLS, rows.numel() // _LEAST_USES):
            return "tokens"
    return "columns"


@dataclass(frozen=True)
class Readable:
    """Samples as a network takes them, and what builds that network.

    Args:
        form: what the samples are.
        samples: columns and features of images, float32 of shape (n, d), or tokens, int64 of shape (n, length).
        build: a new network, samples -> features of shape (n, 64).
    """

    form: Form
    samples: Tensor
    build: Callable[[], nn.Module]


def readable(shape: tuple[int, ...], rows: Tensor, train: Tensor) -> Readable:
    """The samples for a network that is trained on some of them.

    Args:
        shape: of one sample, as the caller gave it.
        rows: the samples flattened, shape (n, d).
        train: numbers of the training samples, in whose units all are measured.

    Example:
        >>> images = readable((28, 28), torch.rand(4, 784), torch.arange(3))
        >>> images.form, images.build()(images.samples).shape
        ('images', torch.Size([4, 64]))
    """
    form = form_of(shape, rows)
    if form == "tokens":
        words, numbers = rows.unique(return_inverse=True)
        return Readable(form, numbers, lambda: _TokenEncoder(len(words), rows.shape[1]))
    if form == "columns":
        samples = standardised(rows.double(), train).float()
    else:
        samples = patch_features(_as_images(shape, rows), train)
    return Readable(form, samples, lambda: _column_encoder(samples.shape[1]))


def readable_pair(shapes: Sequence[tuple[int, ...]], x: Tensor, y: Tensor, train: Tensor) -> tuple[Readable, Readable]:
    """X and y for two networks; images of one size, and tokens of one length, are measured alike: one network suits.

    Args:
        shapes: of one sample of x and of y.
        x: flattened, shape (n, d).
        y: the same number of samples.
        train: numbers of the training samples.

    Example:
        >>> x, y = readable_pair([(8, 8), (8, 8)], torch.rand(4, 64), torch.rand(4, 64), torch.arange(3))
        >>> x.build is y.build
        True
    """
    forms = [form_of(shape, rows) for shape, rows in zip(shapes, (x, y), strict=True)]
    if shapes[0] != shapes[1] or forms[0] != forms[1] or "columns" in forms:
        return readable(shapes[0], x, train), readable(shapes[1], y, train)
    both = readable(shapes[0], torch.cat([x, y]), torch.cat([train, len(x) + train]))
    first, second = both.samples.split(len(x))
    return replace(both, samples=first), replace(both, samples=second)


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Channels, height and width of one sample; None of what is no image. Channels come first, or last where fewer."""
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3:
        return None
    channels, *sides = shape if shape[0] <= shape[2] else (shape[2], *shape[:2])
    fits = channels <= _MOST_CHANNELS and min(sides) >= _LEAST_SIDE
    return (channels, sides[0], sides[1]) if fits else None


def _as_images(shape: tuple[int, ...], rows: Tensor) -> Tensor:
    found = _image_shape(shape)
    assert found is not None
    # In units of the largest value squares neither overflow nor vanish.
    largest = rows.double().abs().amax()
    images = (rows.double() / torch.where(largest > 0, largest, 1)).float().reshape(-1, *shape)
    if images.ndim == 3:
        images = images[:, None]
    elif tuple(images.shape[1:]) != found:
        images = images.permute(0, 3, 1, 2)
    sides = (min(found[1], _MOST_SIDE), min(found[2], _MOST_SIDE))
    return images.contiguous() if sides == found[1:] else F.adaptive_avg_pool2d(images, sides)


class _TokenEncoder(nn.Module):
    """A vector for each symbol and one for its place, a layer on their sum; mean and maximum over places."""

    def __init__(self, symbols: int, length: int) -> None:
        super().__init__()
        self.symbol = nn.Embedding(symbols, _SYMBOL_WIDTH)
        self.place = nn.Parameter(torch.zeros(length, _SYMBOL_WIDTH))
        self.mix = nn.Linear(_SYMBOL_WIDTH, WIDTH)
        self.out = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        vectors = self.symbol(tokens)
        if self.training:
            vectors = vectors * (torch.rand(*tokens.shape, 1, device=vectors.device) >= _NO_SYMBOL)
        mixed = F.relu(self.mix(vectors + self.place))
        return F.relu(self.out(torch.cat([mixed.mean(dim=1), mixed.amax(dim=1)], dim=1)))


def _column_encoder(columns: int) -> nn.Module:
    return nn.Sequential(nn.Dropout(_NO_COLUMN), nn.Linear(columns, WIDTH), nn.ReLU())
