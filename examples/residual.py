"""A small residual network, cut between its blocks: no skip connection may cross a cut."""

import torch
from torch import nn

import infotorch

data = infotorch.load("digits")


class Block(nn.Module):
    """Two convolutions with batch norm around a skip connection; with a stride, the skip is a convolution too."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return torch.relu(self.branch(x) + self.skip(x))


class ResNet(nn.Module):
    """Three blocks, the mean over locations, a linear layer."""

    def __init__(self):
        super().__init__()
        self.block1, self.block2, self.block3 = Block(1, 8), Block(8, 16, stride=2), Block(16, 32, stride=2)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        """(b, 1, 8, 8) -> class scores (b, 10)."""
        return self.head(self.block3(self.block2(self.block1(x))).mean(dim=(2, 3)))


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return ResNet()


def accuracy(model):
    """On the test images."""
    return (model.eval()(data.test.x).argmax(dim=1) == data.test.y).float().mean()


# infotorch, from here ...
learn = (data.train.x, data.train.y)
model = make_model()
settings = {"epochs": 6, "batch_size": 64, "lr": 3e-3}
infotorch.fit(model, learn, plan="Y:predsim,Y:predsim,Y:predsim,CE", cuts=("block2", "block3", "head"), **settings)
print(f"module by module  {accuracy(model):.3f}")
# ... to here

model = make_model()
infotorch.fit(model, learn, plan="CE", cuts=(), **settings)
print(f"back-propagation  {accuracy(model):.3f}")
model = make_model()
infotorch.fit(model, learn, plan="frozen,CE", cuts=("head",), **settings | {"lr": 0.3})  # convex: a high rate solves it
print(f"frozen features   {accuracy(model):.3f}")
