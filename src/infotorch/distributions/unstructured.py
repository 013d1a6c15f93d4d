"""Images and sentences whose information is known: pairs of a class, labels, and renderings of a few numbers.

After Lee & Rhee 2024, arXiv:2410.10924, and Butakov et al. 2024, arXiv:2305.08013. Everything is generated; for images
that one has, see `LabelledSamples`.
"""

from __future__ import annotations

import math

from infotorch.distributions.base import JointLaw
from infotorch.distributions.class_pairs import ClassPairs
from infotorch.distributions.discrete import SymmetricChannel
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.generated_classes import GlyphImages, TokenSentences
from infotorch.distributions.maps import normal_cdf
from infotorch.distributions.renderings import gaussian_images, rectangle_images
from infotorch.distributions.transformed import Map, Transformed

_CLASSES = 10
# Nats that two samples share through their classes; the last is log 10 in full.
_LEVELS = {"0": 0.0, "0.5": 0.5, "1": 1.0, "1.5": 1.5, "2": 2.0, "log 10": math.log(_CLASSES)}
# Nats between two renderings.
_RENDERED = (1.0, 3.0, 5.0)


def image_suite() -> dict[str, JointLaw]:
    """Generated images of 16 x 16 pixels: pairs of one class, labels, and pairs of rendered numbers.

    Pairs and labels share 0 to log 10 nats through a symmetric channel of ten classes that do not overlap; Gaussian
    bumps and rectangles show 2 and 4 numbers of a Gaussian copula, one to one. Nothing may be tuned on it.

    Example:
        >>> laws = image_suite()
        >>> x, y = laws["rectangles 3"].sample(2)
        >>> len(laws), x.shape, round(laws["glyph pairs 1.5"].mutual_information(), 6)
        (18, torch.Size([2, 16, 16]), 1.5)
    """
    images = GlyphImages()
    laws: dict[str, JointLaw] = {}
    for level, nats in _LEVELS.items():
        channel = _channel(nats)
        laws[f"glyph pairs {level}"] = ClassPairs(channel, images)
        laws[f"glyph labels {level}"] = ClassPairs(channel, images, ClassPairs.label)
    for nats in _RENDERED:
        laws[f"gaussian images {nats:g}"] = _rendered(nats, 2, gaussian_images)
        laws[f"rectangles {nats:g}"] = _rendered(nats, 4, rectangle_images)
    return laws


def token_suite() -> dict[str, JointLaw]:
    """Generated sentences of 16 integer tokens: pairs of one topic, topic labels, and sentences beside images.

    They share 0 to log 10 nats through a symmetric channel of ten topics that do not overlap. Nothing may be tuned on
    it.

    Example:
        >>> x, y = token_suite()["captions 1"].sample(2)
        >>> x.shape, y.shape, y.dtype
        (torch.Size([2, 16, 16]), torch.Size([2, 16]), torch.int64)
    """
    sentences, images = TokenSentences(classes=_CLASSES), GlyphImages()
    laws: dict[str, JointLaw] = {}
    for level, nats in _LEVELS.items():
        channel = _channel(nats)
        laws[f"sentence pairs {level}"] = ClassPairs(channel, sentences)
        laws[f"sentence labels {level}"] = ClassPairs(channel, sentences, ClassPairs.label)
        laws[f"captions {level}"] = ClassPairs(channel, images, sentences)
    return laws


def _channel(nats: float) -> SymmetricChannel:
    return SymmetricChannel.for_information(nats, _CLASSES)


def _rendered(nats: float, dim: int, render: Map) -> JointLaw:
    uniform = Transformed(CorrelatedGaussian.for_information(nats, dim), normal_cdf, normal_cdf)
    return Transformed(uniform, render, render)
