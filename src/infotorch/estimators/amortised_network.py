"""The network of the amortised estimator: cheap estimates are weighed and moved by what sets of samples look like.

A transformer of sets: a few heads attend to the columns of each sample, samples attend to each other through a few
learned points (induced attention), and what they pool is read beside the cheap estimates. Neither the order of samples
nor their number is built in.

Source: Lee et al. 2019, arXiv:1810.00825, for induced attention and pooling by attention; Gritsai et al. 2025,
    arXiv:2511.18945 (MIST), for reading information off a data set by a network of sets and quantiles for its
    uncertainty. The inputs, what is weighed and the training laws are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Probabilities of the quantiles that the network gives.
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
_MIDDLE = LEVELS.index(0.5)
_COLUMN_WIDTH, _WIDTH, _HEADS, _POINTS, _SEEDS = 24, 80, 4, 12, 2
_HIDDEN, _DROPPED = 384, 0.15
# Estimates of 20 nats and more, of either sign, say no more than that.
_MOST = 20.0


@dataclass(frozen=True)
class Batch:
    """Several sets of samples, padded; float32.

    Args:
        candidates: estimates in nats, shape (b, c); NaN where one is missing.
        shapes: numbers about each set, shape (b, s); NaN where one is missing.
        scores: shape (b, m, d).
        columns: shape (b, d, 3), zeros where there is no such column.
        rows: shape (b, m, r).
        seen: samples that are there, shape (b, m), booleans.
        n: samples of each set, shape (b,).
    """

    candidates: Tensor
    shapes: Tensor
    scores: Tensor
    columns: Tensor
    rows: Tensor
    seen: Tensor
    n: Tensor

    def __getitem__(self, which: Tensor) -> Batch:
        return Batch(*(getattr(self, field.name)[which] for field in fields(self)))


class AmortisedNetwork(nn.Module):
    """Quantiles of the information that samples were drawn with.

    Args:
        candidates: number of estimates to weigh.
        shapes: numbers about all samples.
        rows: numbers about each sample.
    """

    shape_mean: Tensor
    shape_scale: Tensor
    row_mean: Tensor
    row_scale: Tensor

    def __init__(self, candidates: int, shapes: int, rows: int) -> None:
        super().__init__()
        self.register_buffer("shape_mean", torch.zeros(shapes))
        self.register_buffer("shape_scale", torch.ones(shapes))
        self.register_buffer("row_mean", torch.zeros(rows))
        self.register_buffer("row_scale", torch.ones(rows))
        self.of_score = nn.Sequential(nn.Linear(8, _COLUMN_WIDTH), nn.ReLU(), nn.Linear(_COLUMN_WIDTH, _COLUMN_WIDTH))
        self.of_interest = nn.Linear(_COLUMN_WIDTH, _HEADS)
        self.of_columns = nn.Linear((_HEADS + 1) * _COLUMN_WIDTH, _WIDTH)
        self.of_row = nn.Sequential(nn.Linear(rows, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _WIDTH))
        self.points = nn.ParameterList([torch.randn(_POINTS, _WIDTH) / _WIDTH**0.5 for _ in range(2)])
        self.to_points = nn.ModuleList([_Attention(_WIDTH) for _ in range(2)])
        self.from_points = nn.ModuleList([_Attention(_WIDTH) for _ in range(2)])
        self.seeds = nn.Parameter(torch.randn(_SEEDS, _WIDTH) / _WIDTH**0.5)
        self.pool = _Attention(_WIDTH)
        told = 2 * shapes + 4 * candidates
        self.of_shapes = nn.Sequential(nn.Linear(told, _HIDDEN), nn.ReLU())
        self.of_set = nn.Linear((_SEEDS + 1) * _WIDTH, _HIDDEN)
        self.body = nn.Sequential(*(_Residual(_HIDDEN) for _ in range(2)))
        self.head = nn.Linear(_HIDDEN, candidates + len(LEVELS))

    def forward(self, batch: Batch) -> Tensor:
        """Quantiles at `LEVELS` in nats, ascending, shape (b, 7)."""
        given = batch.candidates.isfinite()
        candidates = batch.candidates.nan_to_num(0.0).clamp(-_MOST, _MOST)
        told = self.of_shapes(self._told(batch, candidates, given))
        both = F.dropout(told + self.of_set(self._pooled(batch)), _DROPPED, self.training)
        out = self.head(self.body(both))
        logits, moves = out[:, : candidates.shape[1]], out[:, candidates.shape[1] :]
        weights = logits.masked_fill(~given, -torch.inf).softmax(dim=1)
        weighed = (weights * candidates).sum(dim=1)
        apart = (weights * (candidates - weighed[:, None]).square()).sum(dim=1).clamp_min(1e-12).sqrt()
        unit = 0.3 * apart + batch.n.rsqrt() + 0.02 * weighed.abs()
        steps = unit[:, None] * F.softplus(moves - 0.5)
        middle = weighed + unit * moves[:, _MIDDLE]
        below = middle[:, None] - steps[:, :_MIDDLE].flip(1).cumsum(1).flip(1)
        above = middle[:, None] + steps[:, _MIDDLE + 1 :].cumsum(1)
        return torch.cat([below, middle[:, None], above], dim=1)

    def _told(self, batch: Batch, candidates: Tensor, given: Tensor) -> Tensor:
        centre = (candidates * given).sum(1, keepdim=True) / given.sum(1, keepdim=True)
        shapes = ((batch.shapes - self.shape_mean) / self.shape_scale).clamp(-6, 6)
        known = shapes.isfinite()
        return torch.cat(
            [
                shapes.nan_to_num(0.0),
                known.float(),
                candidates * 0.3,
                (candidates - centre) * given,
                ((candidates - centre) * given * batch.n.sqrt()[:, None] * 0.2).clamp(-4, 4),
                given.float(),
            ],
            dim=1,
        )

    def _pooled(self, batch: Batch) -> Tensor:
        b = len(batch.n)
        found = self.of_columns(self._across_columns(batch))
        rows = ((batch.rows - self.row_mean) / self.row_scale).clamp(-6, 6)
        found = found + self.of_row(rows)
        for points, gather, spread in zip(self.points, self.to_points, self.from_points, strict=True):
            summary = gather(points.expand(b, -1, -1), found, batch.seen)
            found = spread(found, summary, None)
        pooled = self.pool(self.seeds.expand(b, -1, -1), found, batch.seen).reshape(b, -1)
        seen = batch.seen[..., None].float()
        mean = (found * seen).sum(1) / seen.sum(1)
        return torch.cat([pooled, mean], dim=1)

    def _across_columns(self, batch: Batch) -> Tensor:
        """What each sample's columns tell, whatever their number: each sees the other of its canonical pair."""
        b, m, d = batch.scores.shape
        side, place = batch.columns[..., 0], batch.columns[..., 2]
        there = place > 0
        paired = (side[:, :, None] != side[:, None]) & (place[:, :, None] == place[:, None]) & there[:, None]
        score, other = batch.scores[..., None], (batch.scores @ paired.to(batch.scores.dtype).mT)[..., None]
        about = batch.columns[:, None].expand(b, m, d, 3)
        told = torch.cat([score, other, score * other, score.square() / 3 - 1 / 3, score.abs() - 0.8, about], dim=3)
        tokens = self.of_score(told)
        interest = self.of_interest(tokens).masked_fill(~there[:, None, :, None], -torch.inf).softmax(dim=2)
        mean = (tokens * there[:, None, :, None]).sum(2) / there.sum(1)[:, None, None]
        return torch.cat([(interest.mT @ tokens).flatten(2), mean], dim=2)


class _Attention(nn.Module):
    """Queries read from keys, and a small network thereafter, both beside what was there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.network = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, queries: Tensor, keys: Tensor, there: Tensor | None) -> Tensor:
        """Shapes (b, q, width), (b, k, width), (b, k)."""
        query, (key, value) = self.query(self.before(queries)), self.key_value(self.before(keys)).chunk(2, dim=-1)
        parts = [part.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for part in (query, key, value)]
        mask = None if there is None else there[:, None, None, :]
        read = F.scaled_dot_product_attention(*parts, attn_mask=mask).transpose(1, 2).flatten(2)
        queries = queries + self.out(read)
        return queries + self.network(self.after(queries))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        hidden = F.dropout(F.relu(self.inner(self.norm(values))), _DROPPED, self.training)
        return values + self.outer(hidden)
