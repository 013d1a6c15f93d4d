"""The loop is a generator: log, watch, save and stop in your own `for`."""

import torch
from torch import nn

from infotorch import InformationBottleneck, Plan, TensorBatches, load, train

data = load("digits")
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))

bottleneck = [InformationBottleneck(beta=0.02, noise_std=10.0) for _ in range(2)]
plan = Plan.layerwise(
    model,
    cuts=("3", "5"),
    objectives=[*bottleneck, "CE"],
    order="simultaneous",
    optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
)
batches = TensorBatches(data.train.x, data.train.y, batch_size=64, seed=0)

for info in train(plan, batches, epochs=15, seed=0):
    if info.ends_epoch and info.position.epoch % 5 == 4:
        terms = info.losses["3"].terms
        print(
            f"epoch {info.position.epoch + 1}: I(Y;L) >= {terms['mi_ty_nats']:.2f} nats, "
            f"I(X;L+eps) <= {terms['mi_xt_nats']:.2f} nats, loss {info.losses['5'].total:.3f}"
        )
