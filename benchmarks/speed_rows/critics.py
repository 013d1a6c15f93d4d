"""Critic training against torch-mist: the same data, batches, widths, objective and optimiser (Adam) on both sides.

torch-mist 0.2.17 asks for numpy below 2 but runs with 2.4: `pip install --no-deps torch-mist==0.2.17`, then
`pip install pyro-ppl hydra-core mpld3 matplotlib pandas tqdm`. Its side is a bare loop, without its logging, data
loader and progress bar. Ours is the training inside `neural_mi` as it is, with its shuffling and its look at every 50th
step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch_mist.estimators.discriminative.factories import infonce, mine

from infotorch.estimators.critic_training import train_until_no_better
from infotorch.estimators.critics import JointCritic, SeparableCritic
from infotorch.estimators.neural import batch_loss
from speed_rows.row import Row

COLUMNS, BATCH, STEPS, LEARNING_RATE = 20, 128, 50, 5e-4


def rows() -> list[Row]:
    """MINE with a joint critic at two widths, InfoNCE with a separable critic; 50 steps each."""
    noise = torch.randn(2, BATCH * STEPS, COLUMNS, generator=torch.Generator().manual_seed(0))
    x, y = noise[0], 0.8 * noise[0] + 0.6 * noise[1]
    sizes = {"x_dim": COLUMNS, "y_dim": COLUMNS}
    found = [
        _row(
            f"MINE, joint critic {'-'.join(map(str, widths))}",
            ours(JointCritic(COLUMNS, COLUMNS, hidden=widths), "mine", x, y),
            bare_loop(mine(**sizes, hidden_dims=list(widths)), x, y),
            goal=1.4,
        )
        for widths in ((128,), (256, 256))
    ]
    # torch-mist takes the last of the widths as the towers' output.
    towers = SeparableCritic(COLUMNS, COLUMNS, hidden=(256,), embedding=256)
    peer = infonce(**sizes, hidden_dims=[256, 256])
    found.append(
        _row("InfoNCE, towers 256-256", ours(towers, "infonce", x, y), bare_loop(peer, x, y), goal=20.0, repeats=3)
    )
    return found


def _row(name: str, mine: Callable[[], float], theirs: Callable[[], float], *, goal: float, repeats: int = 15) -> Row:
    told = f"{STEPS} training steps, {name}, d = {COLUMNS}, batch {BATCH}"
    note = "the value is the number of steps"
    return Row(told, mine, {"torch-mist": theirs}, goal, tolerance=0.0, repeats=repeats, note=note)


def ours(critic: nn.Module, bound: str, x: Tensor, y: Tensor) -> Callable[[], float]:
    """50 steps of our training."""
    loss = batch_loss(bound, critic)

    def train() -> float:
        outcome = train_until_no_better(
            critic,
            loss,
            [x, y],
            lambda: 0.0,
            batch_size=BATCH,
            max_steps=STEPS,
            lr=LEARNING_RATE,
            patience=STEPS,
            generator=torch.Generator().manual_seed(0),
        )
        return float(outcome.steps)

    return train


def bare_loop(estimator: Any, x: Tensor, y: Tensor) -> Callable[[], float]:
    """50 steps of a bare loop over a torch-mist estimator's loss."""
    optimizer = torch.optim.Adam(estimator.parameters(), lr=LEARNING_RATE)
    estimator.train()

    def train() -> float:
        for start in range(0, len(x), BATCH):
            loss = estimator.loss(x[start : start + BATCH], y[start : start + BATCH])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return len(x) / BATCH

    return train
