"""Information that a network finds in images, sentences or many columns, read on samples that it was not trained on.

One network is trained on four fifths of the samples; at every look it is read on both halves of the rest. Where
training stops, and how steep the scores are, is chosen on one half for the other, so that either half counts and none
chose for itself. The same again with half of the training samples tells whether the value still grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.estimators.bounds import infonce
from infotorch.estimators.critic_training import shuffled_batches, trainable
from infotorch.estimators.encoders import WIDTH, Readable, readable, readable_pair
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.held_out import HeldOut, held_out, pooled
from infotorch.numerics.seeds import SeedStreams, derive_seed

#: fewer samples teach a network nothing, more take longer than a minute
LEAST_SAMPLES, _MOST_SAMPLES = 200, 20_000
_HELD_OUT = 0.2
_BATCH, _CHECK_EVERY = 256, 25
_LR, _DECAY, _WARM = 4e-3, 1e-3, 0.2
# Passes over the samples, and the least and most steps.
_PASSES_OF_LABELS, _PASSES_OF_PAIRS, _STEPS = 10, 16, (150, 600)
_COMMON = 32
# The channel between hidden classes and labels, and how often hidden classes meet, learn so much faster; where the
# channel starts (its kept share, the log of how much oftener equal classes meet), and the scores beside it.
_FASTER, _KEPT, _START_MEETING, _START_SPREAD, _SMALL = 8.0, 0.85, 4.0, 0.05, 0.3
# Pairs of classes that never met keep so much of a chance, as a share of the mean one.
_RARE = 3e-5
_SCALES = (1.0, 0.8, 0.6, 0.4)
_DROPPED = 0.2
# Neighbours that vote, samples of each class's share that are added to theirs, and how much their votes may count.
_NEIGHBOURS, _UNSEEN, _SHARES_OF_VOTES, _AT_ONCE = 30, 2.0, (0.0, 0.3, 0.6, 1.0), 500
# With twice the samples a value that grows by this much, in nats and as a share of it, has not arrived.
_GROWS, _GROWS_SHARE, _LEAST_GROWTH = 0.07, 0.15, 0.02
# What hidden classes may tell beyond the value.
_APART = 0.25
# Standard errors beyond which something was learned.
_ERRORS = 2.0


@dataclass(frozen=True)
class _Task:
    """What is trained and how it is read.

    Args:
        build: numbers of training samples -> a new module.
        loss: module, numbers of samples -> 0-d.
        read: module, numbers of samples -> for every scale of the scores, what it tells of these samples.
        told_apart: module, numbers of samples -> what its hidden classes tell where they are known, in nats.
        passes: over the training samples.
    """

    build: Callable[[Tensor], nn.Module]
    loss: Callable[[nn.Module, Tensor], Tensor]
    read: Callable[[nn.Module, Tensor], list[HeldOut]]
    told_apart: Callable[[nn.Module, Tensor], float]
    passes: int


def label_information(shape: tuple[int, ...], x: Tensor, labels: Tensor) -> Estimate:
    """What a classifier tells of the labels on held-out samples: H(Y) less its cross-entropy; a lower bound, in nats.

    Args:
        shape: of one sample of x.
        x: flattened, shape (n, d), of the caller's dtype.
        labels: 0 to m - 1, shape (n,).

    Example:
        >>> import math
        >>> labels = torch.arange(1000) % 2
        >>> words = torch.randint(8, (1000, 6), generator=torch.Generator().manual_seed(0)) + 8 * labels[:, None]
        >>> found = label_information((6,), words, labels)
        >>> found.side, 0.6 < float(found) <= math.log(2) + 0.01
        ('lower', True)
    """
    rows = _drawn(len(x))
    x, labels = (values[rows.to(values.device)].cpu() for values in (x, labels))
    train, held = _split(len(x))
    side = readable(shape, x, train)
    classes = int(labels.max()) + 1
    # A class that has no training sample is expected about as often as one that has one.
    prior = (torch.bincount(labels[train], minlength=classes).float() + 0.5).log().log_softmax(0)
    frequency = torch.bincount(labels, minlength=classes).double() / len(labels)

    def build(train: Tensor) -> nn.Module:
        return _Classifier(side, labels, prior, train, torch.cat(held))

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return F.cross_entropy(prior + model(side.samples[batch]), labels[batch])

    def read(model: nn.Module, batch: Tensor) -> list[HeldOut]:
        assert isinstance(model, _Classifier)
        y, ceiling = labels[batch], float(torch.special.entr(frequency).sum())
        found = []
        for scores in model.readings(side.samples[batch], batch):
            terms = (prior + scores).double().log_softmax(1).gather(1, y[:, None])[:, 0] - frequency[y].log()
            found.append(HeldOut(float(terms.mean()), terms, ceiling))
        return found

    def told_apart(model: nn.Module, batch: Tensor) -> float:
        assert isinstance(model, _Classifier)
        classes = model.classes(side.samples[batch]).mean(dim=0)
        return _dependence(classes[:, None] * model.meeting())

    task = _Task(build, loss, read, told_apart, _PASSES_OF_LABELS)
    return _estimate(task, train, held, f"classifier {side.form}", f"a classifier of {side.form}")


def pair_information(shapes: Sequence[tuple[int, ...]], x: Tensor, y: Tensor) -> Estimate:
    """What a critic with an encoder for x and one for y tells on held-out samples: InfoNCE; a lower bound, in nats.

    Its ceiling is the log of a tenth of the samples.

    Args:
        shapes: of one sample of x and of y.
        x: flattened, shape (n, d), of the caller's dtype.
        y: the same number of samples.

    Example:
        >>> import math
        >>> words = torch.randint(8, (2, 1000, 6), generator=torch.Generator().manual_seed(0))
        >>> found = pair_information([(6,), (6,)], *(words + 8 * (torch.arange(1000) % 2)[:, None]))
        >>> found.side, 0.6 < float(found) <= math.log(2) + 0.03
        ('lower', True)
    """
    rows = _drawn(len(x))
    x, y = (values[rows.to(values.device)].cpu() for values in (x, y))
    train, held = _split(len(x))
    sides = readable_pair(shapes, x, y, train)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        scores = model(*(side.samples[batch] for side in sides))
        return -0.5 * (infonce(scores) + infonce(scores.T))

    def read(model: nn.Module, batch: Tensor) -> list[HeldOut]:
        scores = model(*(side.samples[batch] for side in sides))
        places = torch.arange(len(batch))
        return [
            held_out("infonce", partial(_scaled, scores, s), places, places, group_size=len(batch)) for s in _SCALES
        ]

    def told_apart(model: nn.Module, batch: Tensor) -> float:
        assert isinstance(model, _PairCritic)
        a, b = (part(side.samples[batch])[0].mean(dim=0) for part, side in zip((model.x, model.y), sides, strict=True))
        return _dependence(a[:, None] * model.meeting() * b)

    task = _Task(lambda _: _PairCritic(*sides), loss, read, told_apart, _PASSES_OF_PAIRS)
    forms = " and ".join(dict.fromkeys(side.form for side in sides))
    return _estimate(task, train, held, f"encoders {forms}", f"a critic with encoders of {forms}")


class _PairCritic(nn.Module):
    """Scores of every x against every y: log of how often their hidden classes meet, plus a bilinear form.

    Encoders say how probable 32 hidden classes are, and give the vectors of the bilinear form; one encoder for both
    sides where that suits, as it has seen twice as many samples. Classes hold what is joined through noise, which a
    bilinear form follows pair by pair; the form holds what has no classes, and starts small.
    """

    def __init__(self, x: Readable, y: Readable) -> None:
        super().__init__()
        self.x = _Side(x)
        self.y = self.x if x.build is y.build else _Side(y)
        self.between = nn.Parameter(torch.eye(_COMMON))
        self.meet = nn.Parameter(_START_MEETING / _FASTER * torch.eye(_COMMON))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        (classes_x, vectors_x), (classes_y, vectors_y) = self.x(x), self.y(y)
        hidden = (classes_x @ self.meeting() @ classes_y.T + _RARE).log()
        return hidden + vectors_x @ self.between @ vectors_y.T

    def meeting(self) -> Tensor:
        """How much oftener than by chance each class of x meets each of y, 1 in the mean of all."""
        return (_FASTER * self.meet).flatten().softmax(0).reshape(_COMMON, _COMMON) * _COMMON**2


class _Side(nn.Module):
    """Probabilities of hidden classes, and the vectors of a bilinear form; both of shape (n, 32)."""

    def __init__(self, side: Readable) -> None:
        super().__init__()
        self.encoder = nn.Sequential(side.build(), nn.Dropout(_DROPPED))
        self.classes, self.vectors = nn.Linear(WIDTH, _COMMON), nn.Linear(WIDTH, _COMMON)
        nn.init.zeros_(self.vectors.bias)
        with torch.no_grad():
            self.vectors.weight.mul_(_SMALL)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(samples)
        return self.classes(features).softmax(1), self.vectors(features)


def _scaled(scores: Tensor, scale: float, *_: Tensor) -> Tensor:
    return scale * scores


def _dependence(joint: Tensor) -> float:
    """Mutual information of a table of probabilities, given up to a factor."""
    joint = joint.double() / joint.sum()
    entropies = [torch.special.entr(part).sum() for part in (joint.sum(dim=0), joint.sum(dim=1), joint)]
    return float(entropies[0] + entropies[1] - entropies[2])


class _Classifier(nn.Module):
    """Scores of labels, beyond their frequencies: of hidden classes, read through a channel that is learned too.

    A noisy label is not learned sample by sample where a channel accounts for it. The nearest training samples have a
    vote as well: they see small differences that a network learns late; how much it counts is chosen like the scale.
    """

    def __init__(self, side: Readable, labels: Tensor, prior: Tensor, train: Tensor, held: Tensor) -> None:
        super().__init__()
        last = nn.Linear(WIDTH, len(prior))
        nn.init.normal_(last.weight, std=_START_SPREAD)
        nn.init.zeros_(last.bias)
        self.hidden = nn.Sequential(side.build(), nn.Dropout(_DROPPED), last)
        self.prior = prior
        # The label is the hidden class with probability _KEPT at first, else any other by its frequency.
        odds = math.log(_KEPT / (1 - _KEPT)) - torch.logit(prior.exp(), eps=1e-6)
        self.channel = nn.Parameter(torch.diag(odds) / _FASTER)
        self.votes = None if side.form == "tokens" else _votes(side.samples, labels, prior, train, held)

    def forward(self, samples: Tensor) -> Tensor:
        hidden = self.classes(samples)
        return (hidden @ self.meeting() + torch.finfo(hidden.dtype).tiny).log() - self.prior

    def classes(self, samples: Tensor) -> Tensor:
        """Probabilities of the hidden classes."""
        return (self.prior + self.hidden(samples)).softmax(1)

    def meeting(self) -> Tensor:
        """Probabilities of the labels, of each hidden class."""
        return (self.prior + _FASTER * self.channel).softmax(1)

    def readings(self, samples: Tensor, numbers: Tensor) -> list[Tensor]:
        """Scores of held-out samples, by their numbers: of several scales, and with the votes."""
        own = self(samples)
        shares = (0.0,) if self.votes is None else _SHARES_OF_VOTES
        votes = 0.0 if self.votes is None else self.votes[numbers]
        return [scale * ((1 - share) * own + share * votes) for share in shares for scale in _SCALES]


def _votes(samples: Tensor, labels: Tensor, prior: Tensor, train: Tensor, held: Tensor) -> Tensor:
    """Log of how often each class occurs among a held-out sample's nearest training samples, beyond its frequency."""
    k = min(_NEIGHBOURS, len(train))
    counts = torch.zeros(int(held.max()) + 1, len(prior))
    for some in held.split(_AT_ONCE):
        nearest = torch.cdist(samples[some], samples[train]).topk(k, largest=False).indices
        counts[some] = F.one_hot(labels[train][nearest], len(prior)).sum(dim=1).float()
    return ((counts + _UNSEEN * prior.exp()) / (k + _UNSEEN)).log() - prior


def _estimate(task: _Task, train: Tensor, held: list[Tensor], name: str, said: str) -> Estimate:
    halves, apart = _trained(task, train, held, "full")
    halves_of_fewer, apart_of_fewer = _trained(task, train[: len(train) // 2], held, "half")
    value, error, ceiling = pooled(halves)
    fewer, _, _ = pooled(halves_of_fewer)
    # Classes that were fitted to chance tell too much, twice as much of half the samples.
    doubt = _doubt(value, fewer, error) or _overlap(value, 2 * apart - apart_of_fewer)
    told = f"{said} on held-out samples ({fewer:.3g} with half of the training samples)"
    return Estimate(
        torch.tensor(value, dtype=torch.float64),
        side="lower",
        n=len(train) + sum(map(len, held)),
        estimator=name,
        ceiling=ceiling,
        reason=f"{told}; {doubt}" if doubt else told,
        error=lambda: error,
        reliable=not doubt,
    )


def _doubt(value: float, fewer: float, error: float) -> str:
    """Why the value may lie far below the truth; "" where nothing says so."""
    if value < max(_ERRORS * error, _LEAST_GROWTH):
        return "nothing learned held on other samples: there is no information, or samples are too few"
    growth = value - fewer
    if growth > min(_GROWS, max(_LEAST_GROWTH, _GROWS_SHARE * value)):
        return f"twice the samples raise the value by {growth:.2g} nats: it still grows"
    return ""


def _overlap(value: float, apart: float) -> str:
    """What more would be told by hidden classes that are told apart for certain; "" where it is little."""
    if apart - value <= _APART:
        return ""
    return f"its classes overlap or are confused: told apart for certain they would tell about {apart:.2g} nats"


def _trained(task: _Task, train: Tensor, held: list[Tensor], run: str) -> tuple[list[HeldOut], float]:
    """One network's readings of both halves: at each look and scale, and of these the one that the other half chose.

    With them what its hidden classes would tell, in nats.
    """
    steps = min(max(task.passes * len(train) // _BATCH, _STEPS[0]), _STEPS[1])
    streams, looks = _streams(), ([], [])
    with trainable(torch.device("cpu")), streams.as_global(run), torch.device("cpu"):
        model = task.build(train)
        optimizer = torch.optim.AdamW(model.parameters(), lr=_LR, weight_decay=_DECAY)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps, pct_start=_WARM)
        batches = shuffled_batches([train], _BATCH, streams.generator("order"))
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            task.loss(model.train(), next(batches)[0]).backward()
            optimizer.step()
            rate.step()
            if step % _CHECK_EVERY == 0 or step == steps:
                _look(task, model.eval(), held, looks)
    best = [max(range(len(half)), key=lambda look: half[look].value) for half in looks]
    chosen = [half[other] for half, other in zip(looks, reversed(best), strict=True)]
    # What tells less than nothing of the half that chose it is not believed.
    believed = [
        half if own[other].value > 0 else HeldOut(0.0, torch.zeros_like(half.influence), half.ceiling)
        for half, own, other in zip(chosen, reversed(looks), reversed(best), strict=True)
    ]
    with torch.no_grad():
        return believed, task.told_apart(model.eval(), torch.cat(held))


@torch.no_grad()
def _look(task: _Task, model: nn.Module, held: list[Tensor], looks: tuple[list[HeldOut], ...]) -> None:
    for rows, half in zip(held, looks, strict=True):
        half.extend(task.read(model, rows))


def _streams() -> SeedStreams:
    return SeedStreams(derive_seed(0, "networks of mutual_information"))


def _drawn(n: int) -> Tensor:
    """Numbers of the samples that are used, in a random order."""
    order = torch.randperm(n, generator=_streams().generator("split"), device="cpu")
    return order[:_MOST_SAMPLES]


def _split(n: int) -> tuple[Tensor, list[Tensor]]:
    """Numbers of training samples, and of both halves of the others."""
    held = round(_HELD_OUT * n)
    rows = torch.arange(n, device="cpu")
    return rows[held:], [rows[: held // 2], rows[held // 2 : held]]
