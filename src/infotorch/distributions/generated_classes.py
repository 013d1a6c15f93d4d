"""Classes of images and of sentences, generated so that no sample belongs to two: what `ClassPairs` draws from."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import check_dense, check_number, check_size
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.seeds import as_generator

# Seven segments of a digit, (rows, columns) of a 7 x 5 glyph: top, middle, bottom, upper and lower left and right.
_SEGMENTS = (
    (slice(0, 1), slice(0, 5)),
    (slice(3, 4), slice(0, 5)),
    (slice(6, 7), slice(0, 5)),
    (slice(0, 4), slice(0, 1)),
    (slice(3, 7), slice(0, 1)),
    (slice(0, 4), slice(4, 5)),
    (slice(3, 7), slice(4, 5)),
)
# Which of them each digit lights.
_DIGITS = ((0, 2, 3, 4, 5, 6), (5, 6), (0, 1, 2, 4, 5), (0, 1, 2, 5, 6), (1, 3, 5, 6))
_DIGITS += ((0, 1, 2, 3, 6), (0, 1, 2, 3, 4, 6), (0, 5, 6), (0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 5, 6))
_SIZE, _HEIGHT, _WIDTH = 16, 7, 5


class GlyphImages:
    """Images of 16 x 16 pixels: a digit of seven segments, anywhere, in noise; the class is the digit.

    A pixel of the digit is brighter than 1/2 and any other darker, so that an image tells its class without error.

    Args:
        noise: every pixel departs from 0 or 1 by a uniform variable of [0, noise]; below 0.5.

    Raises:
        ValueError: noise is outside [0, 0.5).
        TypeError: noise is not a number.

    Example:
        >>> images = GlyphImages(noise=0.0)(torch.tensor([1, 8]), torch.Generator().manual_seed(0))
        >>> images.shape, images.sum(dim=(1, 2))  # lit pixels
        (torch.Size([2, 16, 16]), tensor([ 7., 23.], dtype=torch.float64))
    """

    def __init__(self, noise: float = 0.4) -> None:
        check_number(noise, where="GlyphImages", name="noise")
        if not 0 <= noise < 0.5:
            raise ValueError(f"GlyphImages: noise must lie in [0, 0.5), got {noise}.")
        self.noise = float(noise)
        self.glyphs = torch.zeros(len(_DIGITS), _HEIGHT, _WIDTH, dtype=torch.float64)
        for glyph, segments in zip(self.glyphs, _DIGITS, strict=True):
            for segment in segments:
                glyph[_SEGMENTS[segment]] = 1.0

    def __call__(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """An image of each class, float64 of shape (n, 16, 16), values in [0, 1].

        Args:
            classes: int64 of shape (n,), 0 to 9.
            generator: draws places and noise.

        Raises:
            ValueError: a class is not one of 0 to 9.
            TypeError: classes is no tensor of integers, or generator is something else.
        """
        classes = check_classes(classes, len(self.glyphs), where="GlyphImages")
        generator = as_generator(generator, where="GlyphImages")
        n, device = len(classes), generator.device
        top = torch.randint(_SIZE - _HEIGHT + 1, (n, 1, 1), generator=generator, device=device)
        left = torch.randint(_SIZE - _WIDTH + 1, (n, 1, 1), generator=generator, device=device)
        i = top + torch.arange(_HEIGHT, device=device)[:, None]
        j = left + torch.arange(_WIDTH, device=device)
        clean = torch.zeros(n, _SIZE, _SIZE, dtype=torch.float64, device=device)
        clean[torch.arange(n, device=device)[:, None, None], i, j] = self.glyphs.to(device)[classes.to(device)]
        noise = self.noise * torch.rand(clean.shape, generator=generator, dtype=torch.float64, device=device)
        return torch.where(clean > 0.5, 1 - noise, noise)


class TokenSentences:
    """Sentences of integer tokens: common words, as in every class, and words of the class's own topic.

    The words are a Markov chain: after a common word a word of the topic follows, after one of the topic any. So two
    neighbouring tokens tell the class without error. Within either vocabulary the r-th word has probability ~ 1/r.

    Args:
        classes: topics, m.
        length: tokens in a sentence, at least 2.
        common: words that all topics share, tokens 0 to common - 1.
        own: words of each topic: those of class c begin with token common + c * own.

    Raises:
        ValueError: a number is below 1, or length below 2.
        TypeError: a number is no integer.

    Example:
        >>> sentences = TokenSentences(classes=2, length=8, common=100, own=10)
        >>> tokens = sentences(torch.tensor([0, 1]), torch.Generator().manual_seed(0))
        >>> tokens.shape, [bool((row >= 110).any()) for row in tokens]  # topic 1 begins with token 110
        (torch.Size([2, 8]), [False, True])
    """

    def __init__(self, classes: int = 10, length: int = 16, *, common: int = 100, own: int = 50) -> None:
        for name, value in (("classes", classes), ("length", length), ("common", common), ("own", own)):
            check_size(value, where="TokenSentences", name=name)
        if length < 2:
            raise ValueError(f"TokenSentences: length must be at least 2, got {length}.")
        self.classes, self.length, self.common, self.own = classes, length, common, own

    def __call__(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """A sentence of each class, int64 of shape (n, length).

        Args:
            classes: int64 of shape (n,), 0 to m - 1.
            generator: draws the words.

        Raises:
            ValueError: a class is not one of 0 to m - 1.
            TypeError: classes is no tensor of integers, or generator is something else.
        """
        classes = check_classes(classes, self.classes, where="TokenSentences")
        generator = as_generator(generator, where="TokenSentences")
        shape, device = (len(classes), self.length), generator.device
        of_topic = torch.rand(shape, generator=generator, device=device) < 0.5
        for t in range(1, self.length):
            of_topic[:, t] |= ~of_topic[:, t - 1]
        common, own = (_zipf(size, shape, generator) for size in (self.common, self.own))
        return torch.where(of_topic, self.common + self.own * classes.to(device)[:, None] + own, common)


def check_classes(classes: Tensor, count: int, *, where: str) -> Tensor:
    """Classes as int64; refuse what are not integers of 0 to count - 1.

    Raises:
        TypeError: no tensor of integers.
        ValueError: out of range, or not one a sample.
    """
    check_kind(classes, Tensor, where=where, name="classes", said="a tensor of integers")
    check_dense(classes, where=where, name="classes")
    if classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool:
        raise TypeError(f"{where}: classes must be a tensor of integers, got {classes.dtype}.")
    classes = classes.to(torch.int64)
    if classes.ndim != 1 or (len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < count):
        raise ValueError(
            f"{where}: classes must be integers from 0 to {count - 1}, shape (n,), got shape {tuple(classes.shape)} "
            f"with {sorted(set(classes.flatten().tolist()))[:5]}."
        )
    return classes


def _zipf(size: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    weights = 1 / torch.arange(1, size + 1, dtype=torch.float64, device=generator.device)
    drawn = torch.multinomial(weights, shape[0] * shape[1], replacement=True, generator=generator)
    return drawn.reshape(shape)
