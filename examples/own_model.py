"""Train a model of one's own module by module: no gradient crosses a module."""

from torch import nn

import infotorch

data = infotorch.load("digits")  # embedded: nothing is downloaded
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
# X keeps information about the input, Y finds information about the label, CE decides.
result = infotorch.fit(model, (data.train.x, data.train.y), plan="X,Y,CE", cuts=("3", "5"), epochs=30)

scores = model.eval()(data.test.x)
print(f"information about the label after the second module: {result.metrics['3/mi_ty_nats']:.2f} of 2.30 nats")
print(f"test accuracy {(scores.argmax(dim=1) == data.test.y).float().mean():.3f}")
