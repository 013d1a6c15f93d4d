"""60,000 images, 600 labels: the convolutions learn from all images, the layers behind them from the labels.

Run: python examples/few_labels.py [--data fashion-mnist] [--epochs 5]; --data digits needs no files.
"""

import argparse

import torch
from torch import nn

import infotorch
from infotorch.data.splits import stratified_samples

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", default="mnist", choices=["mnist", "fashion-mnist", "digits"])
parser.add_argument("--labels", type=int, help="how many labels are kept (600; digits: 60)")
parser.add_argument("--epochs", type=int, default=5, help="epochs of each module")
chosen = parser.parse_args()

try:
    data = infotorch.load(chosen.data)
except FileNotFoundError as missing:
    raise SystemExit(f"{missing}\nWithout files: python examples/few_labels.py --data digits") from None

# Nothing is chosen on validation rows here, so they are trained on too.
x, labels = (torch.cat([getattr(data.train, part), getattr(data.validation, part)]) for part in ("x", "y"))
count = chosen.labels or (60 if chosen.data == "digits" else 600)
kept = stratified_samples(labels, count, torch.Generator().manual_seed(0))
y = torch.full_like(labels, -1)  # -1: this image has no label
y[kept] = labels[kept]


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    side = x.shape[-1] // 4
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(16, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Flatten(), nn.Linear(32 * side**2, 128), nn.BatchNorm1d(128), nn.ReLU()),
        nn.Linear(128, 10),
    )


def report(name, model):
    """Accuracy on the test images."""
    with torch.no_grad():
        right = torch.cat([model.eval()(rows).argmax(dim=1) for rows in data.test.x.split(1000)]) == data.test.y
    print(f"{name:<44} {right.float().mean():.3f}", flush=True)


print(f"{len(y)} images, {len(kept)} labels")
# infotorch, from here ...
model = make_model()
infotorch.fit(model, (x, y), plan="X:views,X:views,Y,CE", epochs=chosen.epochs, lr=2e-3)
report("label-free convolutions, then the labels", model)
# ... to here

model = make_model()
infotorch.fit(model, (x, y), plan="CE", cuts=(), epochs=chosen.epochs, lr=2e-3)
report("back-propagation on the labels alone", model)
model = make_model()
with torch.no_grad():
    for rows in x.split(500):
        model.train()(rows)  # random features are fair with the scale that batch norm learns in training
infotorch.fit(model, (x, y), plan="frozen,frozen,Y,CE", epochs=chosen.epochs, lr=2e-3)
report("frozen convolutions, then the labels", model)
