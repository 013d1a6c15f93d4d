"""A learning rate for every layer, each from its own mutual information with the label."""

import torch
from torch import nn

from infotorch import InformationSignal, MutualInformationDecay, load
from infotorch.schedules import layer_groups

EPOCHS = 15
data = load("digits")
x, y = data.train.x, data.train.y
torch.manual_seed(0)
model = nn.Sequential(
    nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
    nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
    nn.Flatten(),
    nn.Linear(128, 10),
)


# infotorch, from here ...
groups = layer_groups(model)  # one for each layer with weights; a norm stays with the layer before it
names = [group["name"] for group in groups]
sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
signal = InformationSignal(model, (x, y), num_samples=500, layers=names)
schedule = MutualInformationDecay(
    sgd, lr_min=1e-3, lr_max=0.2, lr_top=0.1, threshold=0.05, ceiling=signal.ceiling, epochs=EPOCHS
)  # each may be a list, one for each layer, as `lr_range_test` finds them with such a signal
# ... to here

print("epoch  " + "  ".join(f"{'layer ' + name:>17}" for name in names))
for epoch in range(1, EPOCHS + 1):
    used = schedule.get_last_lr()
    model.train()
    for rows in torch.randperm(len(x)).split(64):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    information = signal()
    schedule.step(information)
    if epoch % 3 == 0:
        cells = (f"{rate:.4f} {nats:.2f} nats" for rate, nats in zip(used, information, strict=True))
        print(f"{epoch:5}  " + "  ".join(f"{cell:>17}" for cell in cells))
with torch.no_grad():
    found = model.eval()(data.test.x).argmax(dim=1)
print(f"test accuracy {(found == data.test.y).float().mean():.3f}")
