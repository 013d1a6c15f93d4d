"""Networks that cannot be traced, cut at the layers of a list: transformers."""

from dataclasses import dataclass

import pytest
import torch
from tests.networks.segmented import run
from torch import nn

from infotorch import fit
from infotorch.networks.segments import split


def tokens(n=6, width=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 30, (n, width), generator=generator)
    lengths = torch.randint(2, width + 1, (n, 1), generator=generator)
    return {"input_ids": ids, "attention_mask": (torch.arange(width) < lengths).long()}


class Classifier(nn.Module):
    """torch's encoder between an embedding and a read-out."""

    def __init__(self, dropout=0.1, **options):
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True, **options)
        self.embed = nn.Embedding(30, 8)
        self.place = nn.Parameter(torch.randn(1, 20, 8))
        self.encoder = nn.TransformerEncoder(layer, 3)
        self.out = nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask=None):
        hidden = self.embed(input_ids) + self.place[:, : input_ids.shape[1]]
        padding = None if attention_mask is None else attention_mask == 0
        return self.out(self.encoder(hidden, src_key_padding_mask=padding)[:, 0])


@dataclass
class Output:
    """As Hugging Face's models give."""

    last_hidden_state: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None
    logits: torch.Tensor | None = None


class BertLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)
        self.norm, self.dense = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, hidden_states, attention_mask=None, head_mask=None, output_attentions=False):
        mask = None if attention_mask is None else attention_mask[:, 0, 0] < 0
        attended = self.attention(hidden_states, hidden_states, hidden_states, key_padding_mask=mask)[0]
        hidden_states = self.norm(hidden_states + attended)
        return (hidden_states + self.dense(hidden_states).tanh(),)


class Embeddings(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(30, width), nn.Embedding(20, width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("position_ids", torch.arange(20)[None])

    def forward(self, input_ids):
        return self.dropout(self.norm(self.words(input_ids) + self.places(self.position_ids[:, : input_ids.size(1)])))


class Encoder(nn.Module):
    def __init__(self, width, layers):
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(width) for _ in range(layers))

    def forward(self, hidden_states, attention_mask=None, output_hidden_states=False):
        every = () if output_hidden_states else None
        for number, layer in enumerate(self.layer):
            if every is not None:
                every = (*every, hidden_states)
            hidden_states = layer(hidden_states, attention_mask, None)[0] if number else layer(
                hidden_states=hidden_states, attention_mask=attention_mask
            )[0]  # fmt: skip
        return Output(last_hidden_state=hidden_states)


class Bert(nn.Module):
    """Control flow on the inputs, defaults, an extended mask, outputs with names: as Hugging Face's encoders."""

    def __init__(self, width=8, layers=3):
        super().__init__()
        self.embeddings, self.encoder = Embeddings(width), Encoder(width, layers)
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, return_dict=None):
        if input_ids is not None and inputs_embeds is not None:
            raise ValueError("either input_ids or inputs_embeds")
        batch, length = input_ids.size()
        if attention_mask is None:
            attention_mask = torch.ones((batch, length), device=input_ids.device)
        hidden = self.embeddings(input_ids)
        extended = None
        if not bool(attention_mask.bool().all()):
            extended = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        found = self.encoder(hidden, attention_mask=extended).last_hidden_state
        return Output(last_hidden_state=found, pooler_output=self.pooler(found[:, 0]).tanh())


class BertForClassification(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bert, self.classifier = Bert(), nn.Linear(8, 2)

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        pooled = self.bert(input_ids, attention_mask=attention_mask).pooler_output
        return Output(logits=self.classifier(pooled))


def torch_encoder():
    return Classifier(), ["encoder.layers.1", "encoder.layers.2", "out"]


def bert():
    return BertForClassification(), ["bert.encoder.layer.1", "bert.encoder.layer.2", "classifier"]


def whole(model, x):
    output = model(**x)
    return output if isinstance(output, torch.Tensor) else output.logits


@pytest.mark.parametrize("made", [torch_encoder, bert])
@pytest.mark.parametrize("training", [True, False])
def test_the_pieces_give_what_the_encoder_gives(made, training):
    model, cuts = made()
    segments = split(model, cuts)
    model.train(training)
    for x in (tokens(), {"input_ids": tokens()["input_ids"]}, tokens(3, 5, seed=1), tokens()):
        torch.manual_seed(1)
        wanted = whole(model, x)
        torch.manual_seed(1)
        assert torch.equal(run(segments, x), wanted)  # dropout draws the same numbers


@pytest.mark.parametrize("made", [torch_encoder, bert])
def test_no_gradient_crosses_and_every_parameter_has_one_home(made):
    model, cuts = made()
    segments, x = split(model, cuts), tokens()
    run(segments, x)
    homes = [{name for name, p in model.named_parameters() if any(p is q for q in s.parameters())} for s in segments]
    assert sorted(name for home in homes for name in home) == sorted(name for name, _ in model.named_parameters())
    hidden = x
    for segment, home in zip(segments, homes, strict=True):
        model.zero_grad()
        output = segment(hidden, x)
        output.square().sum().backward()
        assert {name for name, p in model.named_parameters() if p.grad is not None} == home
        hidden = output.detach()


def test_layers_may_be_defined_in_another_order_than_they_run():
    class Backwards(Handing):
        def __init__(self):
            nn.Module.__init__(self)
            self.way, self.depth, self.scale = "none", 3, None
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
            self.first = nn.Linear(4, 4)

    model, x = Backwards(), torch.ones(2, 4)
    segments = split(model, ["layers.1", "layers.2"])
    assert torch.equal(run(segments, x), model(x))
    assert [{id(p) for p in s.parameters()} for s in segments] == [
        {id(p) for layer in layers for p in layer.parameters()}
        for layers in ([model.first, model.layers[0]], [model.layers[1]], [model.layers[2]])
    ]


def test_a_layer_that_runs_in_two_pieces_is_refused():
    model = Handing("none")
    model.layers[2] = model.layers[0]
    segments, x = split(model, ["layers.1"]), torch.ones(2, 4)
    with pytest.raises(ValueError, match=r"cuts: the layer 'layers\.0' runs in modules 0 and 1"):
        run(segments, x)


def test_gradients_through_all_pieces_are_the_whole_networks():
    (one, cuts), x = torch_encoder(), tokens()
    one.eval()
    whole(one, x).square().sum().backward()
    wanted = [p.grad.clone() for p in one.parameters()]
    one.zero_grad()
    run(split(one, cuts), x).square().sum().backward()
    assert all(map(torch.equal, wanted, [p.grad for p in one.parameters()]))


@pytest.mark.parametrize("made", [torch_encoder, bert])
def test_padded_tokens_do_not_influence_the_classes(made):
    model, cuts = made()
    model.eval()
    segments, x = split(model, cuts), tokens()
    changed = {**x, "input_ids": torch.where(x["attention_mask"].bool(), x["input_ids"], 29)}
    assert torch.allclose(run(segments, changed), run(segments, x), atol=1e-6)


@pytest.mark.parametrize("made", [torch_encoder, pytest.param(bert, marks=pytest.mark.slow)])
def test_an_encoder_learns_layer_by_layer(made):
    x = tokens(200, 5, seed=2)
    y = (x["input_ids"][:, :2] > 14).any(1).long()
    model, cuts = made()
    untouched = [module.forward for module in model.modules()]
    result = fit(model, (x, y), plan="Y,Y,Y,CE", cuts=cuts, epochs=12, batch_size=20, lr=3e-3)
    assert result.metrics["train_accuracy"] > max(float((y == one).float().mean()) for one in (0, 1)) + 0.05
    assert [module.forward for module in model.modules()] == untouched
    model.load_state_dict(model.state_dict())


def test_the_model_is_left_as_it_was_where_a_run_fails():
    model, cuts = torch_encoder()
    segments = split(model, cuts)
    with pytest.raises(IndexError):
        segments[0]({"input_ids": torch.tensor([[99]])}, {"input_ids": torch.tensor([[99]])})
    assert not any({"forward", "_call_impl"} & vars(module).keys() for module in model.modules())
    assert model.encoder.use_nested_tensor


class Handing(nn.Module):
    """Layers that hand on a second value, as T5's do; the length decides, so that no trace can be made."""

    def __init__(self, way):
        super().__init__()
        self.way, self.depth, self.first = way, 3, nn.Linear(4, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        if len(x.size()) == 1:
            x = x[None]
        h = start = self.first(x)
        for layer in self.layers[: self.depth]:
            h = layer(h)
            h = h + start if self.way == "skip" else h * self.scale if self.way == "parameter" else h
        if self.way == "decides" and start.sum() > 0:
            h = -h
        return h


class Rotary(nn.Module):
    """What all layers read, made by a layer of no parameters, and dropout before the cuts."""

    def __init__(self):
        super().__init__()
        self.noise, self.first = nn.Dropout(0.5), nn.Linear(4, 4)
        self.rotary = nn.Softmax(dim=-1)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x, positions):
        h = self.noise(self.first(x))
        turn = self.rotary(positions) if len(positions.size()) == 2 else 1.0
        for layer in self.layers:
            h = layer(h) * turn
        return h


def test_layers_without_parameters_are_computed_anew_and_draw_nothing():
    model = Rotary()
    x = {"x": torch.ones(3, 4), "positions": torch.arange(12.0).reshape(3, 4)}
    segments = split(model, ["layers.1", "layers.2"])
    for training in (True, False):
        model.train(training)
        torch.manual_seed(1)
        wanted = model(**x)
        torch.manual_seed(1)
        assert torch.equal(run(segments, x), wanted)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("skip", r"something other than the first argument of 'layers.1' passes the cut .* skip connection"),
        ("decides", "decides by the values of layers before the cut"),
        ("parameter", "module 1 reads the parameter 'scale' of another module"),
    ],
)
def test_what_passes_a_cut_is_refused(way, words):
    model = Handing(way)
    segments = split(model, ["layers.1"])
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    hidden = segments[0](x, x)
    with pytest.raises(ValueError, match=f"cuts: .*{words}"):
        segments[1](hidden.detach(), x)
    assert not any("forward" in vars(module) for module in model.modules())


def test_the_hooks_of_a_layer_run_in_its_own_piece():
    model, x = Handing("none"), torch.ones(2, 4)
    factor, ran = nn.Parameter(torch.full((4,), 3.0)), []
    model.layers[1].register_parameter("factor", factor)
    model.layers[1].register_forward_pre_hook(lambda _, args: (ran.append("before"), args[0] * factor)[1])
    model.layers[1].register_forward_hook(lambda *_: ran.append("after"))
    segments = split(model, ["layers.1"])
    hidden = segments[0](x, x)
    assert torch.equal(hidden, model.layers[0](model.first(x)))
    assert ran == []
    hidden = hidden.detach().requires_grad_()
    output = segments[1](hidden, x)
    assert ran == ["before", "after"]
    assert torch.equal(output, model(x))
    output.sum().backward()
    assert factor.grad is not None
    assert hidden.grad is not None


def test_a_cuts_layer_that_forward_calls_without_its_hooks_is_found_too():
    class Direct(Handing):
        def forward(self, x):
            h = self.first(x if len(x.size()) == 2 else x[None])
            for layer in self.layers:
                h = layer.forward(h)
            return h

    model, x = Direct("none"), torch.ones(2, 4)
    assert torch.equal(run(split(model, ["layers.1", "layers.2"]), x), model(x))


def test_cuts_out_of_order_or_never_run_are_refused():
    model = Handing("none")
    segments, x = split(model, ["layers.2", "layers.1"]), torch.ones(2, 4)
    with pytest.raises(ValueError, match=r"cuts: name the layers in the order in which they run, got layers\.2, lay"):
        segments[0](x, x)
    segments = split(model, ["layers.1", "layers.2"])
    model.depth = 2
    with pytest.raises(ValueError, match=r"the forward pass never calls the layer 'layers\.2'"):
        segments[1](x, x)
    with pytest.raises(ValueError, match=r"the forward pass never calls the layer 'layers\.2'"):
        segments[2](x, x)
