import torch
from torch import nn
from torch.nn.utils import prune

from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.networks.model_state import ModelState


class Remembers(nn.Module):
    """Counts, keeps what passes, and changes a plain tensor in place."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls, self.total = nn.Linear(2, 2), 0, torch.zeros(2)

    def forward(self, x):
        self.calls += 1
        self.kept = self.layer(x)
        self.total += self.kept.detach().sum(0)
        return self.kept


class Merges(nn.Linear):
    """Holds an update of its weight apart, and adds it to the weight for evaluation."""

    def __init__(self):
        super().__init__(2, 2)
        self.update, self.merged = nn.Parameter(torch.full((2, 2), 0.3)), False

    def train(self, mode=True):
        if mode == self.merged:
            with torch.no_grad():
                self.weight.add_(self.update, alpha=-1 if mode else 1)
            self.merged = not mode
        return super().train(mode)


def test_what_a_forward_pass_leaves_on_a_model_is_gone_after_a_look():
    model = Remembers()
    total = model.total
    with FeatureExtractor(model, ["layer"]) as extract:
        extract(torch.ones(3, 2))
        assert model.calls == 1
    assert model.calls == 0
    assert not hasattr(model, "kept")
    assert model.total is total
    assert total.tolist() == [0.0, 0.0]


def test_a_weight_that_is_computed_in_every_pass_is_the_same_object_after_a_look():
    model = prune.l1_unstructured(nn.Linear(2, 2), "weight", 0.5)
    weight, value = model.weight, model.weight.detach().clone()
    with FeatureExtractor(model, []) as extract:
        extract.run(torch.ones(3, 2))
        assert model.weight is not weight
    assert model.weight is weight
    assert torch.equal(weight, value)


def test_weights_that_a_layer_merges_for_evaluation_come_back_to_the_bit():
    model = Merges()
    weight = model.weight.detach().clone()
    with FeatureExtractor(model, ["output"]) as extract:
        merged = extract(torch.eye(2))["output"] - model.bias
    torch.testing.assert_close(merged, (weight + model.update).T)
    assert torch.equal(model.weight, weight)
    assert (model.merged, model.training) == (False, True)


def test_what_did_not_change_is_not_written_so_that_a_backward_pass_goes_on():
    model = nn.BatchNorm1d(2)
    loss = model(torch.randn(5, 2, generator=torch.Generator().manual_seed(0))).sum()
    versions = [buffer._version for buffer in model.buffers()]
    ModelState(model).restore()
    loss.backward()
    assert [buffer._version for buffer in model.buffers()] == versions
