"""Several objectives for one module: their sum, and one for each of parallel branches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_number, check_widths, shown
from infotorch.numerics.kinds import check_kind
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.place import Place

T = TypeVar("T")


class _Several(Objective):
    """Parts that are built, trained and reported together; a subclass says what each part sees."""

    knows_graphs: bool = True  # each part sees what it reads
    #: Between two names in a plan string.
    sign: str

    def __init__(self, parts: Sequence[Objective]) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(parts, Sequence | nn.ModuleList):
            raise TypeError(f"{name}: parts must be a list of objectives, got {shown(parts)}.")
        named = parts if isinstance(parts, str) else next((part for part in parts if isinstance(part, str)), None)
        if named is not None:
            raise TypeError(
                f"{name}: parts must be objectives such as CrossEntropy(), not names, got {shown(named)}; a plan takes "
                f'names, as in "A{self.sign}B".'
            )
        if not parts or not all(isinstance(part, Objective) for part in parts):
            raise TypeError(f"{name}: parts must be one objective or more, got {shown(list(parts))}.")
        if len(set(parts)) != len(parts):
            raise ValueError(f"{name}: each part must be an objective of its own.")
        self.parts = nn.ModuleList(parts)
        self.sides = self._merged([part.sides for part in self._objectives()])
        # A part that learns without labels must see the rows that have none.
        self.needs_labels = all(part.needs_labels for part in self._objectives())
        kinds = [part.target_kinds for part in self._objectives() if part.target_kinds is not None]
        self.target_kinds = tuple(kind for kind in kinds[0] if all(kind in each for each in kinds)) if kinds else None
        # Parts step together: one that wants fewer steps of its critics takes as many as the one that wants most.
        self.critic_steps = max(part.critic_steps for part in self._objectives())

    def _objectives(self) -> list[Objective]:
        return [part for part in self.parts if isinstance(part, Objective)]

    def batch_of(self, number: int, batch: LocalBatch) -> LocalBatch:
        """What part `number` sees; its random numbers are its own."""
        return replace(batch, position=(*batch.position, number))

    def stand_at(self, place: Place) -> None:
        """See `Objective.stand_at`."""
        check_kind(place, Place, where=type(self).__name__, name="place", said="a Place")
        for part in self._objectives():
            part.stand_at(place)

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Build every part."""
        for number, part in enumerate(self._objectives()):
            part.build(part.sees(self.batch_of(number, example)), labels)

    def critics(self) -> list[nn.Module]:
        """The critics of all parts."""
        return [critic for part in self._objectives() for critic in part.critics()]

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """The sum over the parts that have critics."""
        losses = [
            part.critic_loss(part.sees(self.batch_of(number, batch)))
            for number, part in enumerate(self._objectives())
            if part.critics()
        ]
        return torch.stack(losses).sum()

    def _losses(self, batch: LocalBatch) -> list[Loss]:
        return [part(self.batch_of(number, batch)) for number, part in enumerate(self._objectives())]

    def _merged(self, parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
        """All terms; one that an earlier part has too carries its part's number: "mi_ty_nats", "mi_ty_2_nats"."""
        merged: dict[str, T] = {}
        earlier: set[str] = set()
        for number, (part, terms) in enumerate(zip(self._objectives(), parts, strict=True), start=1):
            for name, value in terms.items():
                unit = "_nats" if name.endswith("_nats") else ""
                taken = name in merged or name in earlier
                merged[f"{name.removesuffix(unit)}_{number}{unit}" if taken else name] = value
            # A batch may have taught the earlier part nothing: its name stays its own.
            earlier |= set(part.sides)
        return merged


class SumOfObjectives(_Several):
    """The weighted sum of several objectives on one output: "Y:supcon+Y:readout" in a plan string.

    Args:
        parts: the objectives.
        weights: one for each; None: 1.

    Raises:
        TypeError: no parts, one that is no objective, or a weight that is no number.
        ValueError: a part twice, another number of weights than of parts, or a weight that is not finite.

    Example:
        >>> from infotorch.objectives.inputs import Reconstruction
        >>> from infotorch.objectives.labels import ReadoutInformation
        >>> both = SumOfObjectives([ReadoutInformation(), Reconstruction()], weights=(1.0, 0.1))
        >>> sorted(both.sides)
        ['log_likelihood_nats', 'mi_ty_nats']
    """

    sign = "+"

    def __init__(self, parts: Sequence[Objective], *, weights: Sequence[float] | None = None) -> None:
        super().__init__(parts)
        given = [1.0] * len(parts) if weights is None else weights
        if not isinstance(given, Sequence) or isinstance(given, str | bytes):
            raise TypeError(f"SumOfObjectives: weights must be a list of numbers, got {shown(given)}.")
        for weight in given:
            check_number(weight, where="SumOfObjectives", name="every weight")
            if not math.isfinite(weight):
                raise ValueError(f"SumOfObjectives: every weight must be finite, got {shown(weight)}.")
        self.weights = tuple(float(weight) for weight in given)
        if len(self.weights) != len(parts):
            raise ValueError(f"SumOfObjectives: {len(parts)} parts need as many weights, got {len(self.weights)}.")

    def scores(self, output: Tensor) -> Tensor | None:
        """The class scores of the first part that reads any."""
        return next((scores for part in self._objectives() if (scores := part.scores(output)) is not None), None)

    def forward(self, batch: LocalBatch) -> Loss:
        """The weighted sum; a second term of one name carries its part's number."""
        losses = self._losses(batch)
        total = torch.stack([weight * loss.total for weight, loss in zip(self.weights, losses, strict=True)]).sum()
        return Loss(total, self._merged([loss.terms for loss in losses]))


class ParallelObjectives(_Several):
    """An objective for each branch of a `Parallel` module: "X:infonce|X:views" in a plan string.

    The output's columns (axis 1) belong to the branches in turn. As the branches share no weights, none feels another's
    loss: they are modules of their own that see the same input, and whose outputs the next module sees together.

    Args:
        parts: one objective for each branch.
        widths: columns of each branch's output; None: equally many.

    Raises:
        TypeError: no parts, one that is no objective, or a width that is no integer.
        ValueError: a part twice, another number of widths than of parts, or a width below 1.

    Source: Li & Pei 2023 (MOLE), discussion: parallel encoder modules whose outputs are concatenated.

    Example:
        >>> from infotorch.objectives.inputs import Reconstruction
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, 6), None)
        >>> pair = ParallelObjectives([Reconstruction(), Reconstruction()], widths=(2, 4))
        >>> pair.build(batch, None)
        >>> [part.decoder.in_features for part in pair.parts]
        [2, 4]
    """

    sign = "|"

    def __init__(self, parts: Sequence[Objective], *, widths: Sequence[int] | None = None) -> None:
        super().__init__(parts)
        where = "ParallelObjectives"
        self.widths = None if widths is None else check_widths(widths, where=where, name="widths")
        if self.widths is not None and len(self.widths) != len(parts):
            raise ValueError(f"ParallelObjectives: {len(parts)} parts need as many widths, got {len(self.widths)}.")

    def batch_of(self, number: int, batch: LocalBatch) -> LocalBatch:
        """What branch `number` sees: its own columns.

        Raises:
            ValueError: the columns cannot be shared out.
        """
        own = super().batch_of(number, batch)
        columns = self._columns(number, batch.output.shape[1])
        return replace(own, output=batch.output[:, columns], encode=lambda x: batch.encode(x)[:, columns])

    def _columns(self, number: int, count: int) -> slice:
        widths = self.widths or (count // len(self.parts),) * len(self.parts)
        if sum(widths) != count:
            wanted = "equally many for each branch; give widths" if self.widths is None else f"widths {widths}"
            raise ValueError(f"ParallelObjectives: an output of {count} columns cannot be shared out: {wanted}.")
        return slice(sum(widths[:number]), sum(widths[: number + 1]))

    def forward(self, batch: LocalBatch) -> Loss:
        """The sum of the branches' losses; a second term of one name carries its branch's number."""
        losses = self._losses(batch)
        return Loss(torch.stack([loss.total for loss in losses]).sum(), self._merged([loss.terms for loss in losses]))
