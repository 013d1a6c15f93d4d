"""A plain PyTorch loop, watched: I(X; T) and I(T; Y) of two layers on a logarithmic grid of epochs."""

import torch
from torch import nn

import infotorch

digits = infotorch.load("digits")
x, y = digits.train.x.flatten(1), digits.train.y
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)

plane = infotorch.InformationPlane(
    model, (digits.validation.x.flatten(1), digits.validation.y), ["1", "2"],
    relative_noise=0.3, epochs=infotorch.diagnostics.log_epochs(100, per_decade=2),
)  # fmt: skip
with plane:
    for epoch in range(1, 101):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        plane(epoch)

for point in plane.points:
    print(f"epoch {point.epoch:3} layer {point.layer}: I(X; T) at most {point.mi_xt:.2f} ", end="")
    print(f"with {point.assumption}, I(T; Y) {point.mi_ty:.2f} ± {point.mi_ty_error:.2f}")
