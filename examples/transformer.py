"""A Transformer encoder of one's own on token ids, cut between its blocks.

The task: name the token that follows the one marker in a sentence.
"""

import torch
import torch.nn.functional as F
from torch import nn

import infotorch

WORDS, MARKER, LENGTH, WIDTH, HEADS = 8, 8, 8, 32, 4


class Embedding(nn.Module):
    """A vector for each token, and one for its place."""

    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(WORDS + 1, WIDTH), nn.Embedding(LENGTH, WIDTH)

    def forward(self, tokens):
        """(b, l) -> (b, l, WIDTH)."""
        return self.token(tokens) + self.place.weight


class Block(nn.Module):
    """Self-attention and two linear layers, each around a skip connection."""

    def __init__(self):
        super().__init__()
        self.attention_norm, self.linear_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.keys, self.merge = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.linear = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        """(b, l, WIDTH) -> (b, l, WIDTH)."""
        heads = self.keys(self.attention_norm(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x + self.merge(seen)
        return x + self.linear(self.linear_norm(x))


class Encoder(nn.Module):
    """Three blocks; the mean over the places is classified."""

    def __init__(self):
        super().__init__()
        self.embedding, self.block1, self.block2, self.block3 = Embedding(), Block(), Block(), Block()
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS)

    def forward(self, tokens):
        """(b, l) -> class scores (b, WORDS)."""
        hidden = self.block3(self.block2(self.block1(self.embedding(tokens))))
        return self.head(self.norm(hidden).mean(dim=1))


def sentences(count, generator):
    """Token ids (count, LENGTH) with one marker, not at the end, and the token behind it."""
    tokens = torch.randint(WORDS, (count, LENGTH), generator=generator)
    place = torch.randint(LENGTH - 1, (count,), generator=generator)
    tokens[torch.arange(count), place] = MARKER
    return tokens, tokens[torch.arange(count), place + 1]


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return Encoder()


def accuracy(model):
    """On sentences that no model was trained on."""
    return (model(test[0]).argmax(dim=1) == test[1]).float().mean()


generator = torch.Generator().manual_seed(0)
learn, test = sentences(4000, generator), sentences(1000, generator)

# infotorch, from here ...
model = make_model()
settings = {"epochs": 8, "batch_size": 64, "lr": 5e-3}
# Behind the last cut a block stands with the head: a read-out sees every place of its module, the head their mean.
infotorch.fit(model, learn, plan="Y,Y,CE", cuts=("block2", "block3"), **settings)
print(f"module by module  {accuracy(model):.3f}")
# ... to here

model = make_model()
infotorch.fit(model, learn, plan="CE", cuts=(), **settings)
print(f"back-propagation  {accuracy(model):.3f}")
model = make_model()
infotorch.fit(model, learn, plan="frozen,CE", cuts=("norm",), **settings)
print(f"frozen features   {accuracy(model):.3f}")
