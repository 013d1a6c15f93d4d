"""A variational bottleneck on digits: what beta costs, and what averaging draws before the logarithm gains."""

import torch
from torch.nn import functional as F

from infotorch import fit, ib_curve, load
from infotorch.networks import stochastic_mlp
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives import VariationalBottleneck

data = load("digits")
rows, validation = (data.train.x, data.train.y), (data.validation.x, data.validation.y)


def make(beta):
    """A network with a code of 8 Gaussian units, and its objective: 1 draw a row in training, 12 in evaluation."""
    model = stochastic_mlp(64, (64,), 8, 10, evaluation_draws=12)
    return model, VariationalBottleneck(beta=beta, layer=model.bottleneck)


curve = ib_curve(make, rows, (1e-3, 1e-2, 1e-1), validation=validation, seeds=(0, 1), epochs=10, batch_size=64, lr=5e-3)
for point in curve.points:
    print(
        f"beta {point.beta:g}: I(X;Z) <= {point.mi_xt:.2f} +- {point.mi_xt_error:.2f} nats, "
        f"I(Y;Z) >= {point.mi_ty:.2f} +- {point.mi_ty_error:.2f} nats, accuracy {point.accuracy:.3f}"
    )
# curve.figure().show() draws it.

# One network by hand, and the two ways to average its draws on held-out rows.
torch.manual_seed(0)
model, objective = make(1e-2)
fit(model, rows, plan=[objective], cuts=(), epochs=10, batch_size=64, lr=5e-3)
x, y = validation
with torch.no_grad(), seed_streams(0).as_global("draws"):
    draws = model.eval()[:-1](x).unflatten(0, (-1, 12))  # without its last layer, SampleMean: (n, 12, 10)
inside = F.nll_loss(draws.softmax(dim=2).mean(dim=1).log(), y)  # as SampleMean has it
outside = F.cross_entropy(draws.flatten(0, 1), y.repeat_interleave(12))
print(f"cross-entropy: {inside:.4f} with the mean inside the logarithm, {outside:.4f} outside")
