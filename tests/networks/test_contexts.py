"""Contexts that forward sets around its code, which a trace does not record."""

import pytest
import torch
import torch.nn.functional as F
from tests.networks.segmented import run
from torch import nn

from infotorch import ProximalSplit, fit
from infotorch.networks.segments import split

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


class Surrounded(nn.Module):
    """A backbone in some context, and layers behind it."""

    def __init__(self, context):
        super().__init__()
        torch.manual_seed(0)
        self.context = context
        self.backbone, self.adapter, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        with self.context():
            h = self.backbone(x)
        return self.head(F.relu(self.adapter(F.relu(h.float()))))


class Decorated(Surrounded):
    def __init__(self):
        super().__init__(torch.enable_grad)

    @torch.no_grad()
    def features(self, x):
        return F.linear(x, self.backbone.weight)

    def forward(self, x):
        return self.head(F.relu(self.adapter(self.features(x))))


@pytest.mark.parametrize("context", [torch.no_grad, lambda: torch.set_grad_enabled(False)])
def test_what_runs_without_gradients_would_train_and_is_refused(context):
    model = Surrounded(context)
    with pytest.raises(
        ValueError, match=r"^cuts: forward runs 'backbone' without gradients \(torch\.no_grad\).*freeze"
    ):
        fit(model, (X, Y), cuts=["head"], epochs=1, progress=False)
    with pytest.raises(ValueError, match="cuts: forward runs 'backbone' without gradients"):
        ProximalSplit.at(
            model,
            "head",
            order=1,
            step_size=1.0,
            forward_optimizer=torch.optim.Adam,
            backward_optimizer=torch.optim.Adam,
        )
    assert torch.is_grad_enabled()


def test_inference_mode_and_a_decorated_method_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'backbone' without gradients \(torch\.inference_mode\)"):
        split(Surrounded(torch.inference_mode), ["head"])
    with pytest.raises(ValueError, match=r"forward runs linear\(\) without gradients \(torch\.no_grad\)"):
        split(Decorated(), ["head"])


def test_a_frozen_backbone_may_run_without_gradients_until_it_is_unfrozen():
    model = Surrounded(torch.no_grad)
    model.backbone.requires_grad_(False)
    segments = split(model, ["head"])
    assert torch.equal(run(segments, X), model(X))
    model.backbone.requires_grad_(True)
    with pytest.raises(ValueError, match="'backbone' without gradients"):
        run(segments, X)


class Masked(Surrounded):
    """What no weight goes into has no gradient anyway."""

    def forward(self, x):
        with torch.no_grad():
            mask = F.dropout((x > 0).float(), 0.0)
        with torch.no_grad():
            pass
        return self.head(F.relu(self.adapter(self.backbone(x * mask))))


def test_a_mask_may_be_made_without_gradients():
    model = Masked(torch.enable_grad)
    assert torch.equal(run(split(model, ["adapter", "head"]), X), model(X))


def test_an_autocast_of_forwards_own_is_refused():
    with pytest.raises(ValueError, match=r"^cuts: forward runs 'backbone' in a torch\.autocast of its own.*in a layer"):
        split(Surrounded(lambda: torch.autocast("cpu", torch.bfloat16)), ["head"])


def test_code_without_autocast_is_refused_once_autocast_is_on():
    model = Surrounded(lambda: torch.autocast("cpu", enabled=False))
    segments = split(model, ["head"])
    assert torch.equal(run(segments, X), model(X))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match=r"'backbone' in a torch\.autocast"):
        run(segments, X)


class InALayer(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        with torch.no_grad():
            return self.layer(x)


def test_a_context_inside_a_layer_is_honoured():
    model = nn.Sequential(InALayer(nn.Linear(4, 8)), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    before = model[0].layer.weight.clone()
    fit(model, (X, Y), plan="CE,CE", cuts=["3"], epochs=1, progress=False)
    assert torch.equal(model[0].layer.weight, before)


class Listed(nn.Module):
    """Layers of a list, the first without gradients: such a model is run again and not traced."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layers = nn.Linear(4, 4), nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        h = self.first(x)
        for number, layer in enumerate(self.layers):
            with torch.set_grad_enabled(number != 1):
                h = layer(h)
        return h


def test_layers_of_a_list_run_in_the_contexts_that_forward_sets():
    model = Listed()
    segments = split(model, ["layers.2"])
    assert torch.equal(run(segments, X), model(X))
    assert not segments[0](X, X).requires_grad
