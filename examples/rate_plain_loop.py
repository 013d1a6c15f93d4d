"""A learning rate that follows mutual information, in a plain PyTorch loop: the range test first, then the decay."""

import torch
from torch import nn

from infotorch import InformationSignal, MutualInformationDecay, load, lr_range_test

EPOCHS = 15
data = load("digits")
x, y = data.train.x, data.train.y
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def train_epoch():
    """One epoch; what it reports chooses the range."""
    model.train()
    for rows in torch.randperm(len(x)).split(64):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return {"loss": loss.item(), "accuracy": accuracy(data.train)}


def accuracy(part):
    """Of a split of the data."""
    with torch.no_grad():
        return (model.eval()(part.x).argmax(dim=1) == part.y).float().mean().item()


# infotorch, from here ...
signal = InformationSignal(model, (x, y), num_samples=500)
found = lr_range_test(model, sgd, train_epoch, signal=signal, epochs=2)
# Weights, optimiser and random state are as they were before the test.
schedule = MutualInformationDecay(
    sgd,
    lr_min=found.lr_min,
    lr_max=found.lr_max,
    lr_top=found.lr_top,
    threshold=found.threshold,
    ceiling=signal.ceiling,
    epochs=EPOCHS,
)
print(
    f"rates from {found.lr_min:.2g} to {found.lr_max:.2g}, best {found.lr_top:.2g}; the test took {found.epochs} epochs"
)
for epoch in range(1, EPOCHS + 1):
    rate = schedule.get_last_lr()[0]
    train_epoch()
    schedule.step(signal())
    # ... to here
    if epoch % 3 == 0:
        seen = schedule.history[0][-1]["signal"]
        print(f"epoch {epoch}: rate {rate:.4f}, I(T;Y) {seen:.3f} of {signal.ceiling:.3f} nats")
print(f"test accuracy {accuracy(data.test):.3f}")
