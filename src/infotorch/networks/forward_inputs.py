"""What a network's forward takes, one tensor, a graph's tensors or several by name, as one input of its trace."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from infotorch.networks.crossing import read_input
from infotorch.numerics.named_tensors import NamedTensors

# What torch_geometric's data objects call the tensors of a graph.
_GRAPH_TENSORS = {"x", "edge_index", "edge_weight", "edge_attr", "pos", "batch"}

_ANY_FURTHER = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def arguments_of(model: nn.Module) -> list[inspect.Parameter]:
    """The arguments of forward that have a name of their own; none of TorchScript, whose forward has no signature.

    Example:
        >>> [argument.name for argument in arguments_of(nn.Bilinear(2, 2, 1))]
        ['input1', 'input2']
    """
    if isinstance(model, torch.jit.ScriptModule):
        return []
    return [one for one in _parameters(model).values() if one.kind not in _ANY_FURTHER]


def _parameters(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    """What forward takes; of a wrapper that hands all that it is given on to its only child, what that takes."""
    model = getattr(model, "_orig_mod", model)  # of what torch.compile made
    found = inspect.signature(model.forward).parameters
    children = list(model.children())
    kinds = {one.kind for one in found.values()}
    hands_on = inspect.Parameter.VAR_KEYWORD in kinds and kinds <= _ANY_FURTHER and len(children) == 1
    return _parameters(children[0]) if hands_on and not isinstance(children[0], torch.jit.ScriptModule) else found


def _takes_any_name(model: nn.Module) -> bool:
    """Whether forward takes names that stand in no signature, as a wrapper does that hands all on: `**kwargs`."""
    if isinstance(model, torch.jit.ScriptModule):
        return False
    return any(one.kind is one.VAR_KEYWORD for one in _parameters(model).values())


def takes_graph_tensors(model: nn.Module) -> bool:
    """Whether forward takes a graph as several tensors, by the names that torch_geometric gives them."""
    names = [] if isinstance(model, torch.jit.ScriptModule) else list(_parameters(model))
    return "edge_index" in names and len(names) > 1


def input_names(model: nn.Module) -> tuple[str, ...] | None:
    """The arguments that forward cannot do without, where these are several; None for one tensor or a graph.

    Example:
        >>> input_names(nn.Bilinear(2, 2, 1)), input_names(nn.Linear(2, 2))
        (('input1', 'input2'), None)
    """
    required = tuple(one.name for one in arguments_of(model) if one.default is one.empty)
    return required if len(required) > 1 and not takes_graph_tensors(model) else None


def named_by(model: nn.Module, x: object) -> tuple[str, ...] | None:
    """The arguments of forward that a dict of inputs names; None where forward takes x as it is.

    Raises:
        ValueError: x names what forward does not take, or lacks what it needs.

    Example:
        >>> named_by(nn.Bilinear(2, 2, 1), {"input1": torch.ones(3, 2), "input2": torch.ones(3, 2)})
        ('input1', 'input2')
        >>> named_by(nn.Bilinear(2, 2, 1), {"input1": torch.ones(3, 2)})
        Traceback (most recent call last):
            ...
        ValueError: x must hold the inputs input1, input2, which the model's forward needs, got input1.
    """
    if not isinstance(x, Mapping | NamedTensors):
        if names := isinstance(x, Tensor) and input_names(model):
            raise ValueError(
                f"x must be a dict of the inputs {', '.join(names)}, which the model's forward needs, got one tensor."
            )
        return None
    given, arguments = tuple(map(str, x.keys())), arguments_of(model)
    taken = [one.name for one in arguments]
    if len(taken) == 1 and taken[0] not in given:
        return None  # forward takes the dict itself
    if (unknown := [name for name in given if name not in taken]) and not _takes_any_name(model):
        raise ValueError(
            f"x must hold what the model's forward takes, {', '.join(taken) or 'no names'}, got {', '.join(unknown)} "
            "too; leave it out of the dict."
        )
    needed = tuple(one.name for one in arguments if one.default is one.empty)
    if not set(needed) <= set(given):
        raise ValueError(
            f"x must hold the inputs {', '.join(needed)}, which the model's forward needs, got {', '.join(given)}."
        )
    return given


@dataclass(frozen=True)
class TracedInputs:
    """How a forward of several arguments is traced, and how its trace becomes one of a single input.

    Args:
        model: whose forward it is.
        names: arguments that are read from the input by name; None: there is one, or a graph.
        defaults: arguments that are fixed.
    """

    model: nn.Module
    names: tuple[str, ...] | None
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether forward takes any further arguments, `*args` or `**kwargs`, of which it is given none."""
        return any(one.kind in _ANY_FURTHER for one in inspect.signature(self.model.forward).parameters.values())

    def read(self) -> tuple[tuple[str, ...], bool]:
        """The arguments that a trace gives forward, and whether by their names."""
        if self.names is not None:
            return self.names, True
        names = tuple(_parameters(self.model))
        if takes_graph_tensors(self.model):
            return tuple(name for name in names if _is_graph_tensor(self.model, name)), True
        return names[:1], False

    def gather(self, graph: fx.Graph) -> None:
        """Make one input of all that were traced, and drop those that were fixed."""
        if self.names is not None:
            _read_from_one_object(graph, self.names, read_input)
        elif takes_graph_tensors(self.model):
            _read_from_one_object(graph, self.read()[0], getattr)
        _drop_defaulted_inputs(graph)


def traced_inputs(model: nn.Module, names: Sequence[str] | None) -> TracedInputs:
    """How to trace forward, given these inputs by name, or one input.

    Raises:
        TypeError: forward takes nothing.
    """
    arguments = list(_parameters(model).values())
    if names is not None:
        held = arguments_of(model)
        return TracedInputs(model, tuple(names), {one.name: one.default for one in held if one.name not in names})
    if takes_graph_tensors(model):
        return TracedInputs(
            model, None, {one.name: one.default for one in arguments if not _is_graph_tensor(model, one.name)}
        )
    if not arguments:
        raise TypeError("forward must take one tensor, and it takes nothing")
    further = [one for one in arguments_of(model) if one.name != arguments[0].name]
    return TracedInputs(model, None, {one.name: one.default for one in further})


class FromGraph(nn.Module):
    """A model whose forward takes a graph's tensors, as one that takes the data object.

    Args:
        model: its forward has arguments named as the data's attributes; what the data lack keeps its default.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._names = [name for name in _parameters(model) if _is_graph_tensor(model, name)]

    def forward(self, data: Any) -> Tensor:
        """The model's output for the data's own tensors."""
        return self.model(**{name: getattr(data, name) for name in self._names})


def called_with(model: nn.Module, x: Any) -> Any:
    """The model's own result for a raw input: a tensor, a graph, or several inputs by name.

    Raises:
        ValueError: names that forward does not take.

    Example:
        >>> model = nn.Bilinear(2, 2, 1)
        >>> x = {"input1": torch.ones(3, 2), "input2": torch.ones(3, 2)}
        >>> torch.equal(called_with(model, x), model(**x))
        True
    """
    if not isinstance(x, Mapping | NamedTensors):
        return model(x)
    inputs = {name: x[name] for name in x.keys()}
    return model(inputs) if named_by(model, x) is None else model(**inputs)


def main_output(output: Any) -> Any:
    """The scores, or else the last hidden state, of an output with named fields, as Hugging Face's; others as they are.

    Example:
        >>> main_output({"logits": torch.ones(2, 3), "loss": None}).shape
        torch.Size([2, 3])
    """
    for name in ("logits", "last_hidden_state"):
        value = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(value, Tensor) and not isinstance(output, Tensor):
            return value
    return output


@contextmanager
def unpacked() -> Iterator[None]:
    """A context in which `nn.TransformerEncoder` keeps padded sequences at one length, as in training."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def result_of(model: nn.Module, x: Any) -> Any:
    """What the network gives for any input: several by name, a graph, also where it takes its tensors, or one tensor.

    Example:
        >>> x = NamedTensors({"input1": torch.ones(3, 2), "input2": torch.ones(3, 2)})
        >>> result_of(nn.Bilinear(2, 2, 1), x).shape
        torch.Size([3, 1])
    """
    if isinstance(x, NamedTensors):
        with unpacked():
            return main_output(called_with(model, x))
    if not isinstance(x, Tensor) and hasattr(x, "edge_index") and takes_graph_tensors(model):
        return FromGraph(model)(x)
    return model(x)


def _is_graph_tensor(model: nn.Module, name: str) -> bool:
    argument = _parameters(model).get(name)
    return argument is not None and (argument.default is argument.empty or name in _GRAPH_TENSORS)


def _read_from_one_object(graph: fx.Graph, names: Sequence[str], read: Any) -> None:
    """Turn the inputs x, edge_index, ... of a traced graph into attributes or entries of one input."""
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    first_step = next(node for node in graph.nodes if node.op != "placeholder")
    with graph.inserting_before(placeholders[0]):
        data = graph.placeholder("data")
    for node in placeholders:
        if str(node.target) in names:
            with graph.inserting_before(first_step):
                value = graph.call_function(read, (data, str(node.target)))
            node.replace_all_uses_with(value)
            graph.erase_node(node)


def _drop_defaulted_inputs(graph: fx.Graph) -> None:
    """Remove the inputs that tracing fixed to their defaults, with the assertions that it left on them."""
    for extra in [node for node in graph.nodes if node.op == "placeholder"][1:]:
        doomed = [extra]
        for node in doomed:
            doomed.extend(user for user in node.users if user not in doomed)
        for node in reversed(doomed):
            graph.erase_node(node)


def takes_several(model: nn.Module, x: object) -> bool:
    """Whether x is several inputs: a dict, or a tuple of arrays where forward needs more than one.

    Example:
        >>> both = (torch.ones(3, 2), torch.ones(3, 2))
        >>> takes_several(nn.Bilinear(2, 2, 1), both), takes_several(nn.Linear(2, 2), both)
        (True, False)
    """
    if isinstance(x, Mapping | NamedTensors):
        return True
    several = isinstance(x, tuple | list) and len(x) > 1 and all(hasattr(value, "shape") for value in x)
    return several and input_names(model) is not None


def several_inputs(model: nn.Module, x: Any, *, where: str) -> NamedTensors:
    """Several inputs by the names and in the order of forward's arguments; the first of them is the main one.

    Args:
        model: whose forward takes them.
        x: a dict, or a tuple in forward's order.
        where: for messages.

    Raises:
        TypeError: an input of no numbers.
        ValueError: names that forward does not take, more inputs than it does, or rows that do not pair.

    Example:
        >>> inputs = {"input2": torch.zeros(3, 2), "input1": torch.ones(3, 2)}
        >>> several_inputs(nn.Bilinear(2, 2, 1), inputs, where="example").keys()
        ['input1', 'input2']
    """
    if isinstance(x, NamedTensors):
        return x
    taken = [argument.name for argument in arguments_of(model)]
    if not isinstance(x, Mapping):
        if len(x) > len(taken):
            raise ValueError(
                f"{where}: x must hold at most {len(taken)} inputs, {', '.join(taken)}, which the model's forward "
                f"takes, got {len(x)}."
            )
        x = dict(zip(taken, x, strict=False))
    inputs = NamedTensors(x, where=where).ordered(taken)
    try:
        named_by(model, inputs)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return inputs
