"""Networks of several inputs: whole or cut, a dict or a tuple of them, in arrays or from loaders."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from infotorch import InformationPlane, Plan, TensorBatches, diagnose, evaluate_modules, fit, train
from infotorch.networks.segments import split
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.training.evaluate import plan_accuracy, plan_metrics


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Pooled(nn.Module):
    """Token ids and a mask, which every layer reads."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.mix, self.out = nn.Embedding(20, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, input_ids, attention_mask=None, temperature=1.0):
        weights = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        weights = weights.float()[:, :, None]
        hidden = self.embed(input_ids) * weights
        hidden = self.mix(hidden).relu() * weights
        return self.out(hidden.sum(1) / weights.sum(1)) / temperature


def tokens(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 20, (n, 6), generator=generator)
    lengths = torch.randint(2, 7, (n,), generator=generator)
    mask = (torch.arange(6) < lengths[:, None]).long()
    y = ((ids * mask) > 9).sum(1).gt(2).long()
    return {"input_ids": ids, "attention_mask": mask}, y


CUTS = ("mix", "out")


def run(segments, x):
    hidden = x
    for segment in segments:
        hidden = segment(hidden, x)
    return hidden


def test_the_pieces_of_a_network_of_several_inputs_give_what_it_gives():
    model, (x, _) = Pooled(), tokens()
    segments = split(model, CUTS)
    assert torch.equal(run(segments, x), model(**x))
    assert torch.equal(run(segments, x["input_ids"]), model(x["input_ids"]))
    assert torch.equal(run(segments, x), model(**x))


def test_inputs_that_forward_cannot_do_without_are_read_by_every_piece():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, left, right):
            return self.c(self.b(self.a(left) * right).relu() + right)

    model, x = Gated(), {"left": drawn(5, 3), "right": drawn(5, 4, seed=1)}
    segments = split(model, ("b", "c"))
    assert torch.equal(run(segments, x), model(**x))
    with pytest.raises(ValueError, match=r"x must be a dict of the inputs left, right, .* got one tensor"):
        segments[0](x["left"], x["left"])


def test_no_gradient_crosses_and_masked_tokens_teach_nothing():
    model, (x, y) = Pooled(), tokens()
    segments = split(model, CUTS)
    hidden = segments[0](x, x)
    segments[1](hidden.detach(), x).sum().backward()
    assert model.embed.weight.grad is None
    assert model.mix.weight.grad is not None
    changed = {**x, "input_ids": torch.where(x["attention_mask"].bool(), x["input_ids"], 19)}
    assert torch.equal(run(segments, changed), run(segments, x))
    weights = []
    for inputs in (x, changed):
        model = Pooled()
        fit(model, (inputs, y), plan="Y,Y,CE", cuts=CUTS, epochs=2, batch_size=8)
        weights.append(model.out.weight)
    assert torch.equal(*weights)


@pytest.mark.parametrize("plan", ["CE", "Y,Y,CE"])
def test_a_dict_of_one_tensor_is_that_tensor(plan):
    def forward_only(x):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)), x

    x, cuts = drawn(30, 4), () if plan == "CE" else ("1", "2")
    y = (x[:, 0] > 0).long()
    trained = []
    for given in (x, {"input": x}):
        model, given = forward_only(given)
        result = fit(model, (given, y), plan=plan, cuts=cuts, epochs=2, batch_size=8, lr=1e-2)
        trained.append((*(p.detach() for p in model.parameters()), torch.tensor(list(result.metrics.values()))))
    assert all(map(torch.equal, *trained))


class Wrapper(nn.Module):
    """Hands on whatever it is given, as adapters around a model do."""

    def __init__(self):
        super().__init__()
        self.wrapped = Pooled()

    def forward(self, *args, **kwargs):
        return self.wrapped(*args, **kwargs)


def test_a_model_that_takes_any_name_trains_as_the_model_within():
    x, y = tokens()
    plain, wrapped = Pooled(), Wrapper()
    results = [fit(model, (x, y), plan="CE", cuts=(), epochs=2, batch_size=8) for model in (plain, wrapped)]
    assert results[0].metrics == results[1].metrics
    assert torch.equal(plain.embed.weight, wrapped.wrapped.embed.weight)


def test_one_that_takes_any_name_is_refused_what_its_own_names_lack():
    class Named(Wrapper):
        def forward(self, input_ids, attention_mask, **kwargs):
            return super().forward(input_ids, attention_mask)

    x, y = tokens()
    given = {"input_ids": x["input_ids"], "number": torch.arange(40)}
    with pytest.raises(ValueError, match=r"^fit: x must hold the inputs input_ids, attention_mask, .* number"):
        fit(Named(), (given, y), plan="CE", cuts=())


@pytest.mark.parametrize("given", [dict, lambda x: {name: value.numpy() for name, value in x.items()}])
def test_modules_are_evaluated_on_the_inputs_that_fit_takes(given):
    x, y = tokens()
    result = fit(Pooled(), (x, y), plan="Y,Y,CE", cuts=CUTS, epochs=1, batch_size=8)
    given = given(x)
    found = evaluate_modules(result.plan, given, y)
    assert found["out"]["accuracy"] == pytest.approx(result.evaluate((x, y))["accuracy"])
    assert plan_accuracy(result.plan, given, y) == plan_metrics(result.plan, given, y)["accuracy"]


class Labelled(Dataset):
    """One dict a sample, as a tokenizer's data sets give."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, row):
        return {"labels": self.y[row], **{name: value[row] for name, value in self.x.items()}}


def weights_after(data, **settings):
    model = Pooled()
    fit(model, data, plan="Y,Y,CE", cuts=CUTS, epochs=2, **settings)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_pairs_dicts_with_labels_and_loaders_of_either_are_the_same_samples():
    x, y = tokens()
    wanted = weights_after((x, y), batch_size=8)
    assert torch.equal(weights_after(({name: v.numpy() for name, v in reversed(x.items())}, y), batch_size=8), wanted)
    assert torch.equal(weights_after({**x, "labels": y}, batch_size=8), wanted)
    in_order = weights_after(DataLoader(Labelled(x, y), batch_size=8))
    pairs = DataLoader([(({n: v[row] for n, v in x.items()}), y[row]) for row in range(len(y))], batch_size=8)
    assert torch.equal(weights_after(pairs), in_order)


def test_batches_may_differ_in_length_and_a_lone_last_sample_joins_its_like():
    x, y = tokens(17)
    loader = DataLoader(Labelled(x, y), batch_size=4)
    result = fit(Pooled(), loader, plan="Y,Y,CE", cuts=CUTS, epochs=1)
    assert 0 <= result.metrics["train_accuracy"] <= 1

    def by_length(items):
        widest = max(int(item["attention_mask"].sum()) for item in items)
        return {name: torch.stack([item[name] for item in items])[..., :widest] for name in ("input_ids",)} | {
            "labels": torch.stack([item["labels"] for item in items])
        }

    loader = DataLoader(Labelled(*tokens(16)), batch_size=4, collate_fn=by_length)
    fit(Pooled(), loader, plan="CE", cuts=(), epochs=1)


def test_a_tuple_is_inputs_in_the_order_of_forward():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, left, right):
            return self.b(self.a(left) * right)

    left, right = drawn(12, 3), drawn(12, 4, seed=1)
    y = (left[:, 0] > 0).long()
    wanted = None
    for data in (
        ((left, right), y),
        ({"right": right, "left": left}, y),
        TensorBatches({"left": left, "right": right}, y, batch_size=5),
    ):
        model = Two()
        plan = Plan.layerwise(model, ["b"], "Y,CE", optimizer=lambda p: torch.optim.Adam(p))
        assert len(list(train(plan, data, epochs=1, batch_size=5))) == 6
        wanted = model.b.weight if wanted is None else wanted
        assert torch.equal(model.b.weight, wanted)
    loader = DataLoader(TensorDataset(left, right, y), batch_size=4, collate_fn=lambda rows: (
        tuple(torch.stack(part) for part in list(zip(*rows, strict=True))[:2]), torch.stack([row[2] for row in rows])
    ))  # fmt: skip
    fit(Two(), loader, plan="CE", cuts=(), epochs=1)


@pytest.mark.slow  # torch.compile takes seconds to load
def test_a_compiled_model_takes_them_by_the_names_of_the_model_within():
    x, y = tokens()
    scores = []
    for wrap in (lambda model: model, lambda model: torch.compile(model, backend="eager")):
        result = fit(wrap(Pooled()), (x, y), plan="CE", cuts=(), epochs=2)
        scores.append(list(result.metrics.values()))
    assert scores[1] == pytest.approx(scores[0], abs=1e-6)
    layers = ["_orig_mod.mix"]
    found = [
        diagnose(torch.compile(Pooled(), backend="eager"), (x, y), layers=layers, properties=False)[layers[0]],
        diagnose(Pooled(), (x, y), layers=["mix"], properties=False)["mix"],
    ]
    assert found[0].verdict == found[1].verdict
    watched = InformationPlane(torch.compile(Pooled(), backend="eager"), (x, y), layers, num_bins=3)(0)
    assert watched[0].mi_ty == InformationPlane(Pooled(), (x, y), ["mix"], num_bins=3)(0)[0].mi_ty


def test_views_of_the_main_input_meet_the_same_others():
    x, y = tokens(8)
    rows = NamedTensors({"x": drawn(8, 3), "mask": torch.arange(8)})
    twice = rows.with_main(drawn(16, 3))
    assert twice["mask"].tolist() == [*range(8), *range(8)]
    plan = Plan.layerwise(Pooled(), ["mix"], "Y,CE", optimizer=torch.optim.SGD)
    assert torch.equal(plan.outputs(x)[-1], plan.outputs(NamedTensors(x))[-1])
    assert y.shape == (8,)


def test_a_cache_of_frozen_outputs_keeps_the_inputs_paired():
    x, y = tokens(32)
    trained = []
    for cache in (None, "memory"):
        model = Pooled()
        plan = Plan.layerwise(model, CUTS, "Y,Y,CE", optimizer=lambda p: torch.optim.Adam(p))
        list(train(plan, TensorBatches(x, y, batch_size=8), epochs=2, cache=cache))
        trained.append(model.out.weight.detach())
    assert torch.allclose(*trained, rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (({"ids": torch.ones(4, 6).long()}, [0, 1, 0, 1]), ValueError, "x must hold what .* takes, .* got ids"),
        (({"attention_mask": torch.ones(4, 6)}, [0, 1, 0, 1]), ValueError, "x must hold the inputs input_ids, which"),
        (({}, [0, 1]), ValueError, "x must hold one input or more, got an empty dict"),
        (
            ({"input_ids": torch.ones(4, 6).long(), "attention_mask": torch.ones(3, 6)}, [0, 1, 0, 1]),
            ValueError,
            "paired row by row, got 4 rows of 'input_ids' and 3 of 'attention_mask'",
        ),
        (({"input_ids": torch.ones(4, 6).long()}, [0, 1, 0]), ValueError, "x and y must be paired row by row, got 4"),
        (({"input_ids": torch.tensor(1)}, [0]), ValueError, "input_ids must have rows of samples, got a single number"),
        (({"input_ids": ["a", "b"]}, [0, 1]), TypeError, "input_ids must hold real numbers, got dtype <U1"),
        (({3: torch.ones(4)}, [0] * 4), TypeError, "must have the names of forward's arguments, got 3"),
        (({"input_ids": torch.full((2, 2), torch.nan)}, [0, 1]), ValueError, "input_ids must not hold NaN"),
        ({"input_ids": torch.ones(4, 6).long()}, ValueError, "a dict of samples must hold inputs and their 'labels'"),
    ],
)  # fmt: skip
def test_what_is_no_set_of_inputs_is_told_in_one_line(data, kind, words):
    with pytest.raises(kind, match=f"^fit: .*{words}") as caught:
        fit(Pooled(), data, plan="CE", cuts=())
    assert "\n" not in str(caught.value)


def test_modules_are_evaluated_in_the_precision_of_the_weights_and_unknown_inputs_are_refused():
    x = drawn(30, 4)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    plan = fit(model, (x, y), plan="Y,CE", epochs=1).plan
    assert evaluate_modules(plan, x.double().numpy(), y) == evaluate_modules(plan, x, y)
    with pytest.raises(ValueError, match=r"^evaluate_modules: x must hold what the model's forward takes, .* got mask"):
        evaluate_modules(plan, {"input": x, "mask": x}, y)
