"""Samples of two classes joined by a channel: images, sentences or what one has, whose information is the channel's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.distributions.base import generator_for
from infotorch.distributions.discrete import DiscreteJoint
from infotorch.distributions.generated_classes import check_classes
from infotorch.numerics.checks import as_tensor, check_rows
from infotorch.numerics.kinds import check_function, check_kind, shown
from infotorch.numerics.seeds import as_generator
from infotorch.numerics.typing import ArrayLike

#: Classes, int64 of shape (n,), and a generator on their device -> one sample of each class, shape (n, ...).
Draw = Callable[[Tensor, torch.Generator], Tensor]


class ClassPairs:
    """The classes of X and Y come from a channel, X and Y from their classes: I(X; Y) is that of the channel.

    That holds where no sample belongs to two classes; where classes overlap, the channel's information is an upper
    limit of the truth, and `is_upper_limit` is True.

    Args:
        channel: joint law of the two classes: `SymmetricChannel.for_information(mi, 10)`.
        draw_x: makes the samples of X from their classes: `GlyphImages`, `TokenSentences`, `LabelledSamples` or a
            function (classes, generator) -> samples. What has an attribute `classes_overlap` that is True overlaps.
        draw_y: the same of Y; None: as X. `ClassPairs.label` gives the class itself.

    Attributes:
        is_upper_limit: whether `mutual_information` is only an upper limit of I(X; Y).

    Raises:
        TypeError: channel is no discrete joint law, or a draw no function.

    Source: Lee & Rhee 2024, arXiv:2410.10924 (same-class sampling and a binary symmetric channel); many classes here.

    Example:
        >>> from infotorch.distributions import GlyphImages, SymmetricChannel
        >>> law = ClassPairs(SymmetricChannel.for_information(1.5, 10), GlyphImages())
        >>> x, y = law.sample(3, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([3, 16, 16]), torch.Size([3, 16, 16]), 1.5)
    """

    def __init__(self, channel: DiscreteJoint, draw_x: Draw, draw_y: Draw | None = None) -> None:
        check_kind(channel, DiscreteJoint, where="ClassPairs", name="channel", said="a DiscreteJoint")
        check_function(draw_x, where="ClassPairs", name="draw_x")
        if draw_y is not None:
            check_function(draw_y, where="ClassPairs", name="draw_y")
        self.channel = channel
        self.draw_x = draw_x
        self.draw_y = draw_x if draw_y is None else draw_y
        self.is_upper_limit = any(getattr(draw, "classes_overlap", False) for draw in (self.draw_x, self.draw_y))

    @staticmethod
    def label(classes: Tensor, generator: torch.Generator) -> Tensor:
        """The class itself, for a law of samples and labels.

        Args:
            classes: shape (n,).
            generator: not used.
        """
        del generator
        return classes

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x and y of shapes (n, ...).

        Raises:
            TypeError: a draw returns no tensor.
            ValueError: a draw returns another number of samples.
        """
        generator = generator_for(n, generator, where="ClassPairs.sample")
        a, b = self.channel.sample(n, generator)
        return _drawn(self.draw_x, a, generator, "draw_x"), _drawn(self.draw_y, b, generator, "draw_y")

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact; its upper limit where classes overlap."""
        return self.channel.mutual_information()


class LabelledSamples:
    """Draws from samples that one has, such as the images of MNIST, by their labels; for `ClassPairs`.

    In one draw no sample comes twice before all of its class have come once. Samples keep their dtype and device.
    `data = infotorch.data.load("mnist")` has them in `data.train.x` and `data.train.y`.

    Args:
        samples: shape (n, ...), images or other numbers.
        labels: their classes, integers 0 to m - 1, shape (n,); every class occurs.
        classes_overlap: whether a sample may look like one of another class, as many of Fashion-MNIST and CIFAR-10 do.
            The images of MNIST overlap little enough to count as disjoint.

    Raises:
        TypeError: samples or labels are not made of real numbers, labels of no integers, or classes_overlap is no bool.
        ValueError: samples and labels are not paired, or a class from 0 to m - 1 does not occur.

    Example:
        >>> pool = LabelledSamples(torch.arange(6.0)[:, None], [0, 1, 0, 1, 0, 1], classes_overlap=False)
        >>> pool(torch.tensor([1, 1, 1]), torch.Generator().manual_seed(0)).flatten().sort().values
        tensor([1., 3., 5.])
    """

    def __init__(self, samples: ArrayLike, labels: ArrayLike, *, classes_overlap: bool) -> None:
        where = "LabelledSamples"
        self.samples = as_tensor(samples, where=where, name="samples").detach()
        self.labels = as_tensor(labels, where=where, name="labels").detach().cpu()
        check_kind(classes_overlap, bool, where=where, name="classes_overlap", said="True or False")
        if self.labels.is_floating_point():
            raise TypeError(f"{where}: labels must be integers, got {self.labels.dtype}.")
        if self.labels.ndim != 1 or self.samples.shape[:1] != self.labels.shape:
            raise ValueError(
                f"{where}: samples and labels must be paired, got shapes "
                f"{tuple(self.samples.shape)} and {tuple(self.labels.shape)}."
            )
        check_rows(self.labels, where=where, name="labels", at_least=1)
        found = self.labels.unique()
        if int(found[0]) != 0 or int(found[-1]) != len(found) - 1:
            raise ValueError(f"{where}: labels must be 0 to m - 1, each at least once, got {shown(found.tolist())}.")
        self.classes_overlap = classes_overlap
        self._members = [(self.labels == label).nonzero()[:, 0] for label in range(len(found))]

    def __call__(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """One sample of each class, on the device of the samples.

        Args:
            classes: int64 of shape (n,).
            generator: draws them.

        Raises:
            ValueError: a class does not occur among the labels.
            TypeError: classes is no tensor of integers, or generator is something else.
        """
        classes = check_classes(classes, len(self._members), where="LabelledSamples")
        generator = as_generator(generator, where="LabelledSamples")
        rows = torch.empty(len(classes), dtype=torch.int64)
        for label, members in enumerate(self._members):
            wanted = (classes.cpu() == label).nonzero()[:, 0]
            order = torch.randperm(len(members), generator=generator, device=generator.device).cpu()
            rows[wanted] = members[order[torch.arange(len(wanted)) % len(members)]]
        return self.samples[rows.to(self.samples.device)]


def _drawn(draw: Draw, classes: Tensor, generator: torch.Generator, name: str) -> Tensor:
    samples = draw(classes, generator)
    check_kind(samples, Tensor, where="ClassPairs", name=f"what {name} returns", said="a tensor")
    if samples.shape[:1] != classes.shape:
        raise ValueError(
            f"ClassPairs: {name} must return a sample for each of {len(classes)} classes, got shape "
            f"{tuple(samples.shape)}."
        )
    return samples
