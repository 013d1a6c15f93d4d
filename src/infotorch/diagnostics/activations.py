"""Which functions a network calls on the way to a layer, and what they do to information: the kind of every step.

Read from the calls themselves (`torch.overrides.TorchFunctionMode`), so that `torch.tanh` in a forward counts as
`nn.Tanh` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from infotorch.numerics.columns import as_real
from infotorch.numerics.nested import tensors_in

Kind = Literal["linear", "increasing", "affine", "smooth", "flat parts", "steps", "noise", "unknown"]

#: What each kind means, and the functions that are of it.
#: linear and increasing are the steps of Theorem 1 of Amjad & Geiger 2019: weights, and activations that are
#: bi-Lipschitz or continuously differentiable with a positive derivative.
_FUNCTIONS: dict[Kind, str] = {
    "linear": """linear addmm batch_norm add sub rsub mul div truediv neg view reshape flatten unflatten squeeze
        unsqueeze transpose permute contiguous to type float double clone detach identity requires_grad type_as
        expand t""",
    "increasing": """tanh sigmoid softplus logsigmoid softsign leaky_relu elu selu celu prelu rrelu asinh sinh atan
        arctan erf exp expm1 arcsinh""",
    # Fixed or shared weights, and projections: an affine map, and not any matrix of Theorem 1.
    "affine": """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d avg_pool1d avg_pool2d
        avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean sum cumsum getitem narrow chunk
        split unbind stack cat concat pad interpolate upsample pixel_shuffle roll flip repeat matmul mm bmm einsum
        embedding index_select gather movedim swapaxes select zeros_like ones_like full_like new_zeros new_ones
        scatter_add index_add expand_as""",
    "smooth": """gelu silu mish softmax log_softmax layer_norm group_norm instance_norm rms_norm normalize pow square
        sin cos tan rsqrt cosh reciprocal tanhshrink logsumexp scaled_dot_product_attention multi_head_attention_forward
        bilinear log log1p norm std var lstm gru rnn_tanh product""",
    # Pieces without slope beside pieces with one, or kinks that fold two inputs onto one.
    "flat parts": """relu relu6 hardtanh hardsigmoid hardswish hardshrink softshrink threshold clamp clamp_min clamp_max
        max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d maximum minimum amax amin max min abs
        glu where relu_ topk sort sqrt rnn_relu""",
    "steps": """sign sgn round floor ceil trunc fix gt ge lt le eq ne heaviside bucketize argmax argmin one_hot bool int
        long short char byte floor_divide floordiv digitize searchsorted isfinite logical_and logical_or logical_not""",
    "noise": """dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d dropout3d bernoulli rand
        randn randint rand_like randn_like randint_like normal uniform exponential gumbel_softmax multinomial poisson
        random cauchy log_normal geometric""",
}
_KIND: dict[str, Kind] = {name: kind for kind, names in _FUNCTIONS.items() for name in names.split()}
_THEOREM: frozenset[str] = frozenset({"linear", "increasing"})
# Two values that both depend on x: no longer a map with weights.
_OF_TWO = {"add", "sub", "mul", "div", "truediv", "matmul", "mm", "bmm", "einsum", "linear"}
# Columns of a step's result that are kept.
_COLUMNS = 32
_DROPOUTS = {name for name in _KIND if "dropout" in name}


@dataclass(frozen=True)
class Step:
    """One call of a function on the way through the network.

    Args:
        name: the function's name, such as "tanh".
        kind: what it does to information.
    """

    name: str
    kind: Kind


class RecordSteps(TorchFunctionMode):
    """Inside `with`, the functions that turn x into other tensors are kept: what they are, and what they were given.

    What does not depend on x, such as a weight's sign, is left out, unless it is drawn at random.

    Args:
        x: the network's input.

    Attributes:
        steps: the calls, in their order.
        parents: for each step, the numbers of the steps whose results it was given.
        values: for each step, its result at the first row, up to 32 columns.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(1, 2)
        >>> with RecordSteps(x) as record:
        ...     y = model(x).sign()
        >>> [(step.name, step.kind) for step in record.path(y)]
        [('linear', 'linear'), ('relu', 'flat parts'), ('sign', 'steps')]
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.parents: list[tuple[int, ...]] = []
        self.values: list[Tensor] = []
        self._made_by: dict[int, int] = {id(x): -1}
        self._alive: list[Any] = [x]  # or another tensor could get the id of one that is gone

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function and keep what it was."""
        kwargs = kwargs or {}
        given = [self._made_by[id(t)] for t in tensors_in((args, kwargs)) if id(t) in self._made_by]
        result = func(*args, **kwargs)
        name = _name(func)
        # A value that is written into a tensor changes that tensor.
        made = [args[0]] if name == "setitem" else list(tensors_in(result))
        kind = "steps" if _rounds(name, args, kwargs, result) else _kind(name, args, kwargs, len(given))
        if made and (given or kind == "noise"):
            if name == "__get__":  # an attribute such as x.T
                self._made_by |= {id(t): given[0] for t in made}
            else:
                self._add(Step(name, kind), tuple(sorted({place for place in given if place >= 0})), made)
            self._alive.append(result)
        return result

    def _add(self, step: Step, parents: tuple[int, ...], made: list[Tensor]) -> None:
        self._made_by |= {id(t): len(self.steps) for t in made}
        self.steps.append(step)
        self.parents.append(parents)
        self.values.append(as_real(made[0].detach().reshape(1, -1))[0, :_COLUMNS].double().clone())

    def number(self, result: Any) -> int | None:
        """The number of the step that made a layer's result, -1 for x itself; None where it was made out of sight."""
        return next((self._made_by[id(t)] for t in tensors_in(result) if id(t) in self._made_by), None)

    def path(self, result: Any) -> tuple[Step, ...] | None:
        """The steps between x and a layer's result, in their order; None where it was made out of sight."""
        last = self.number(result)
        return None if last is None else tuple(self.steps[place] for place in self.before(last))

    def before(self, last: int) -> list[int]:
        """Numbers of the steps that led to one, itself included, in their order."""
        found, waiting = set(), [last]
        while waiting:
            place = waiting.pop()
            if place >= 0 and place not in found:
                found.add(place)
                waiting.extend(self.parents[place])
        return sorted(found)


def theorem_applies(steps: Iterable[Step]) -> bool:
    """Whether every step is one of Theorem 1: weights, or activations that are bi-Lipschitz or smoothly increasing.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Theorem 1.

    Example:
        >>> theorem_applies([Step("linear", "linear"), Step("tanh", "increasing")])
        True
    """
    return {step.kind for step in steps} <= _THEOREM


def activations_in(steps: Iterable[Step]) -> tuple[str, ...]:
    """Names of the steps that are no affine map, each once, in the order of their first call.

    Example:
        >>> activations_in([Step("linear", "linear"), Step("tanh", "increasing"), Step("tanh", "increasing")])
        ('tanh',)
    """
    return tuple(dict.fromkeys(step.name for step in steps if step.kind not in {"linear", "affine"}))


def weakest_kind(steps: Iterable[Step]) -> Kind:
    """The kind of the steps that says most about what is lost: noise before steps before flat parts, and so on.

    A function that is not known counts as such only where nothing worse is there.

    Example:
        >>> weakest_kind([Step("tanh", "increasing"), Step("relu", "flat parts")])
        'flat parts'
    """
    order: tuple[Kind, ...] = ("noise", "steps", "unknown", "flat parts", "smooth", "increasing", "affine", "linear")
    kinds = {step.kind for step in steps}
    for kind in order:
        if kind in kinds:
            return kind
    return "linear"


def _name(func: Any) -> str:
    name = (resolve_name(func) or getattr(func, "__qualname__", str(func))).rsplit(".", 1)[-1]
    return name if name == "__get__" else name.strip("_")


def _kind(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], given: int) -> Kind:
    if name[1:] in _OF_TWO and name[0] in "ri":  # __radd__, __iadd__
        name = name[1:]
    if name in _DROPOUTS:
        return "noise" if _argument(args, kwargs, 2, "training", default=True) else "linear"
    if name == "leaky_relu" and not _argument(args, kwargs, 1, "negative_slope", default=0.01) > 0:
        return "flat parts"
    if name == "prelu" and not bool((args[1] > 0).all()):
        return "flat parts"
    if name in _OF_TWO and given > 1:
        return "smooth"
    return _KIND.get(name, "unknown")


def _rounds(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> bool:
    """Whether a function that keeps numbers apart was told to round them: a division, or a change of type."""
    if name == "div":
        return kwargs.get("rounding_mode") is not None
    if name not in {"to", "type", "type_as"} or not isinstance(result, Tensor):
        return False
    return args[0].is_floating_point() and not (result.is_floating_point() or result.is_complex())


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], place: int, name: str, *, default: Any) -> Any:
    return kwargs[name] if name in kwargs else args[place] if len(args) > place else default
