"""Which layers of a network have an I(X; T) that means anything, and how informative, simple and robust they are."""

import torch
from torch import nn

import infotorch

digits = infotorch.load("digits")
x, y = digits.train.x.flatten(1), digits.train.y
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
for _ in range(100):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

held_out = digits.validation.x.flatten(1), digits.validation.y
found = infotorch.diagnose(model, held_out, layers=["1", "2"])
for layer in found:
    print(f"{layer.name}: {layer.verdict}. {layer.reason}")
    print(f"   instead: {layer.remedy}")
for line in found.table():
    print(
        f"{line['layer']}: I(T; Y) at least {line['mi_ty_nats']:.2f} of {line['label_entropy_nats']:.2f} nats, ", end=""
    )
    print(f"linear probe {line['linear_accuracy']:.1%}, MLP {line['network_accuracy']:.1%}, ", end="")
    print(f"attacked {line['attacked_accuracy']:.1%}")

# Grey levels are few, so the input counts as discrete; as brightness it is continuous, and the verdict another one.
print(infotorch.diagnose(model, held_out, layers=["1"], input_kind="continuous", properties=False)["1"].verdict)
