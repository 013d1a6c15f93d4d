"""Models that people have, in every use: a right result or one clear error.

Here they are trained: each use of `FITTING_USES` trains an odd model and compares it with a loop by hand, with the
model itself, or with a run that was saved and goes on. What looks at models stands in `model_uses`.
"""

from __future__ import annotations

import random
import re
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from campaign import model_uses
from campaign.model_uses import within
from campaign.odd_models import MODELS, TARGETS, Odd, odd
from campaign.part import Part
from infotorch.data.batches import TensorBatches
from infotorch.numerics.seeds import seed_streams
from infotorch.training.checkpoint import load_checkpoint, save_checkpoint
from infotorch.training.evaluate import evaluate_modules, evaluating_repeatably, plan_accuracy
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan

#: Seconds of a trial; all take less than five on a quiet core.
LIMIT = 60
_BATCH, _EPOCHS, _RATE = 8, 2, 1e-3

_NOT_ONE_TENSOR = {"takes a dict", "takes two tensors", "needs a keyword", "LSTM", "LSTM with time first"} | {
    f"gives {what}"
    for what in ("a dict", "a tuple", "a named tuple", "a list", "None", "a number", "classes and not scores")
}
_NOT_TRAINABLE = {
    "quantised", "half", "bfloat16", "layers of two precisions", "on meta", "a layer on meta", "samples on meta",
    "made under inference_mode", "all layers frozen", "no parameters", "no layers", "batch norm on one sample",
    "an activation in place first", "changes its input", "sparse gradients", "complex weights", "complex output",
    "double, and samples in single", "an output that was detached", "an output through numpy",
    "a hidden layer that was detached", "fewer rows than it is given",
}  # fmt: skip
_NOT_CUT = {
    "data parallel", "compiled", "scripted", "traced", "tied weights", "a branch that depends on the data",
    "transformer encoder", "a frozen layer", "one layer", "a buffer reassigned in forward",
    "a running mean reassigned in forward", "a buffer that is None at first", "a number counted in forward",
    "a hidden value kept on the model", "a recurrent state kept on the model",
}  # fmt: skip
#: What may be refused by any use; cut uses may refuse `_NOT_CUT` too. Of targets any may be.
REFUSED = _NOT_ONE_TENSOR | _NOT_TRAINABLE


def _adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=_RATE)


def _plan(one: Odd, objectives: str = "", **options: Any) -> Plan:
    names = objectives or ",".join([*["Y"] * len(one.layers), "CE"])
    return Plan.layerwise(one.model, one.layers, names, optimizer=_adam, **options)


def _finish(plan: Plan, one: Odd, *, epochs: int = _EPOCHS) -> str | None:
    """Train it; the module that diverged."""
    return list(train(plan, TensorBatches(one.x, one.y, batch_size=_BATCH), epochs=epochs))[-1].diverged


def _by_hand(two: Odd, trained: set[str] | None = None) -> nn.Module:
    """The same epochs of cross-entropy by a loop of four lines, of these parameters or of all."""
    model = two.model
    with torch.no_grad(), seed_streams(0).as_global("lazy"):
        if any(nn.parameter.is_lazy(p) for p in model.parameters()):
            model.eval()(two.x)
    model.train()
    for path, layer in model.named_modules():
        own = {f"{path}.{name}".lstrip("."): parameter for name, parameter in layer.named_parameters(recurse=False)}
        if trained is not None and own and not trained & own.keys():
            layer.training = False
            for parameter in own.values():
                parameter.requires_grad_(False)
    first = next(model.parameters())
    x = two.x.detach().to(first.dtype) if two.x.is_floating_point() else two.x
    batches = TensorBatches(x, torch.as_tensor(two.y).long(), batch_size=_BATCH)
    optimizer = _adam([p for p in model.parameters() if p.requires_grad])
    for epoch in range(_EPOCHS):
        for step, batch in enumerate(batches.labelled().epoch(epoch)):
            with seed_streams(0).as_global("dropout", 0, epoch, step):
                loss = F.cross_entropy(model(batch.x).float(), batch.y, ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def _differs(one: nn.Module, two: nn.Module) -> str | None:
    """The name of a weight or buffer that two models do not share."""
    mine, wanted = one.state_dict(), two.state_dict()
    for name, value in wanted.items():
        close = value.is_floating_point() or value.is_complex()
        if not (
            torch.allclose(mine[name], value, 1e-4, 1e-6, equal_nan=True) if close else torch.equal(mine[name], value)
        ):
            return f"{name} is not what a loop by hand makes of it"
    return None


def _unlike_its_parts(plan: Plan, one: Odd, x: Tensor) -> str | None:
    """Whether the parts of a plan together are the model."""
    with torch.no_grad():
        with evaluating_repeatably(plan):
            parts = plan.outputs(x)[-1]
        with evaluating_repeatably(plan):
            whole = one.model(x)
    return None if torch.allclose(parts, whole, 1e-4, 1e-6, equal_nan=True) else "the parts together are not the model"


def fits(one: Odd, two: Odd, _: Path) -> str | None:
    """`fit` as it stands."""
    result = fit(one.model, (one.x, one.y), epochs=1, batch_size=_BATCH)
    x = torch.as_tensor(one.x).detach()
    return _unlike_its_parts(result.plan, one, x.to(next(one.model.parameters()).dtype) if x.is_floating_point() else x)


def fits_by_backpropagation(one: Odd, two: Odd, _: Path) -> str | None:
    """`fit` of the whole model, as a loop by hand would train it."""
    result = fit(one.model, (one.x, one.y), plan="CE", cuts=(), epochs=_EPOCHS, batch_size=_BATCH, lr=_RATE)
    return None if result.diverged else _differs(one.model, _by_hand(Odd(two.model, torch.as_tensor(two.x), two.y)))


def trains_whole(one: Odd, two: Odd, _: Path) -> str | None:
    """`train` of a plan of one module, likewise."""
    diverged = _finish(Plan.end_to_end(one.model, optimizer=_adam), one)
    return None if diverged else _differs(one.model, _by_hand(two))


def trains_behind_frozen(one: Odd, two: Odd, _: Path) -> str | None:
    """The last module alone, as a loop by hand would train its weights."""
    plan = _plan(one, ",".join([*["frozen"] * len(one.layers), "CE"]))
    last = {id(parameter) for parameter in plan[-1].body.parameters()}
    diverged = _finish(plan, one)
    names = {name for name, parameter in one.model.named_parameters() if id(parameter) in last}
    return None if diverged else _differs(one.model, _by_hand(two, names)) or _unlike_its_parts(plan, one, one.x)


def trains_layer_by_layer(one: Odd, two: Odd, _: Path) -> str | None:
    """Module after module: an earlier one stays as its own stage left it."""
    plan = _plan(one)
    batches = TensorBatches(one.x, one.y, batch_size=_BATCH)
    first: list[Tensor] = []
    for info in train(plan, batches, epochs=_EPOCHS):
        if info.ends_stage and info.position.stage == 0:
            first = [parameter.detach().clone() for parameter in plan[0].body.parameters()]
    if len(plan) > 1 and not all(map(torch.equal, first, plan[0].body.parameters())) and info.diverged is None:
        return "a later stage moved the first module"
    return _unlike_its_parts(plan, one, one.x)


def trains_simultaneously(one: Odd, two: Odd, _: Path) -> str | None:
    """All modules in every step."""
    _finish(plan := _plan(one, order="simultaneous"), one)
    return _unlike_its_parts(plan, one, one.x)


def trains_jointly(one: Odd, two: Odd, _: Path) -> str | None:
    """All modules in every step, with gradients that cross."""
    _finish(plan := _plan(one, order="simultaneous", isolated=False), one)
    return _unlike_its_parts(plan, one, one.x)


def trains_by_proximal_steps(one: Odd, two: Odd, _: Path) -> str | None:
    """A `ProximalSplit` at the first cut."""
    plan = Plan.proximal(one.model, one.layers or ("2",), optimizer=_adam, step_size=0.1)
    _finish(plan, one)
    return _unlike_its_parts(plan, one, one.x)


def evaluates(one: Odd, two: Odd, _: Path) -> str | None:
    """The accuracy and the loss that plain torch finds."""
    plan = Plan.end_to_end(one.model, optimizer=_adam)
    _finish(plan, one, epochs=1)
    loss = evaluate_modules(plan, one.x, one.y, [0])["network"]["loss"]
    with torch.no_grad(), evaluating_repeatably(plan):
        scores = one.model(one.x).float()
    known = one.y >= 0
    accuracy = float((scores.argmax(1) == one.y)[known].float().mean())
    if abs(plan_accuracy(plan, one.x, one.y) - accuracy) > 1e-6:
        return f"the accuracy is {accuracy}"
    wanted = float(F.cross_entropy(scores[known], one.y[known].long()))
    return None if abs(loss - wanted) < 1e-4 or (loss != loss and wanted != wanted) else f"the loss is {wanted}"


def goes_on(one: Odd, two: Odd, scratch: Path) -> str | None:
    """A plan that was saved and loaded into another goes on as the first does."""
    plan, other = _plan(one), _plan(two)
    _finish(plan, one)
    other.prepare(TensorBatches(two.x, two.y, batch_size=_BATCH), epochs=_EPOCHS, seed=0)
    save_checkpoint(scratch, plan.state_dict())
    other.load_state_dict(load_checkpoint(scratch))
    _finish(plan, one)
    _finish(other, two)
    return _differs(one.model, two.model)


FITTING_USES: dict[str, Callable[[Odd, Odd, Path], str | None]] = {
    "fit": fits,
    "fit by back-propagation": fits_by_backpropagation,
    "train, the whole model": trains_whole,
    "train, frozen modules": trains_behind_frozen,
    "train, layer by layer": trains_layer_by_layer,
    "train, simultaneously": trains_simultaneously,
    "train, jointly": trains_jointly,
    "train, proximal steps": trains_by_proximal_steps,
    "evaluate_modules": evaluates,
    "checkpoint": goes_on,
}
_WHOLE = {"fit by back-propagation", "train, the whole model", "evaluate_modules"}


def _may_refuse(name: str, use: str, said: str) -> bool:
    if name in TARGETS or name in REFUSED or (use == "fit" and "objectives as modules" in said):
        return True
    return use not in _WHOLE and (name in _NOT_CUT or "never calls the layer" in said)


def is_ours(error: Exception) -> bool:
    """Whether an error is one line of our own, raised by our own code."""
    raised = traceback.extract_tb(error.__traceback__)[-1].filename
    said = str(error)
    named = re.match(r"(module '[^']+'|modules \d+ and \d+|[A-Za-z_.]+:) ", said)
    return type(error) in {ValueError, TypeError} and "\n" not in said and named is not None and "/infotorch/" in raised


def trial(name: str, use: str, seed: int, scratch: Path) -> tuple[str, str | None]:
    """A model in a use: "right" or "refused", and what was wrong."""
    one, two = odd(name, seed), odd(name, seed)
    before = torch.get_rng_state()
    kind, wrong = "right", None
    try:
        with within(LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = FITTING_USES[use](one, two, scratch)
    except Exception as error:
        kind = "refused"
        if not is_ours(error):
            wrong = f"{type(error).__name__}: {str(error)[:200]}"
        elif not _may_refuse(name, use, str(error)):
            wrong = f"refused: {error}"
    if not torch.equal(torch.get_rng_state(), before):
        wrong = wrong or "moved torch's random state"
    return kind, wrong


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Every model and target in every use, or a share of them."""
    part = Part()
    trials = [(name, use) for name in (*MODELS, *TARGETS) for use in FITTING_USES]
    for name, use in random.Random(seed).sample(trials, max(1, round(min(scale, 1.0) * len(trials)))):
        kind, wrong = trial(name, use, seed, scratch)
        part.count(f"{use}: {'a right result' if kind == 'right' else 'one clear error'}")
        part.check(wrong is None, f"{use} of {name} (seed {seed}): {wrong}")
    model_uses.look(part, seed, scale)
    return part
