"""What each layer knows about the label, epoch by epoch, as metrics of torchmetrics in a loop of your own."""

import torch
from plotly.graph_objects import Figure
from torch import nn
from torchmetrics.wrappers import MetricTracker

import infotorch
from infotorch.torchmetrics import MutualInformation
from torchmetrics import MetricCollection

digits = infotorch.load("digits")
torch.manual_seed(0)
layers = {
    "first": nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh()),
    "second": nn.Sequential(nn.Linear(16, 8), nn.Tanh()),
    "third": nn.Sequential(nn.Linear(8, 4), nn.Tanh()),
}
head = nn.Linear(4, 10)
model = nn.Sequential(*layers.values(), head)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

metrics = MetricCollection({name: MutualInformation("ross", max_samples=1222) for name in layers}, compute_groups=False)
tracker = MetricTracker(metrics, maximize=True)
for epoch in range(8):
    for x, y in zip(digits.train.x.split(100), digits.train.y.split(100), strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    tracker.increment()
    with torch.no_grad():
        hidden = digits.train.x
        for name, layer in layers.items():
            hidden = layer(hidden)
            tracker[-1][name].update(hidden, digits.train.y)
    told = {name: round(float(value), 2) for name, value in tracker.compute().items()}
    print(f"epoch {epoch + 1}: I(T; Y) = {told}, of {torch.log(torch.tensor(10.0)):.2f} nats")

curves = Figure()
for name, values in tracker.compute_all().items():
    curves.add_scatter(x=list(range(1, 9)), y=values.tolist(), name=name)
curves.update_layout(template="simple_white", height=380, xaxis_title="epoch", yaxis_title="I(T; Y), nats")
