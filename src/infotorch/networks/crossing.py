"""Divide a traced graph at named layers: what must cross each cut, and the pieces between the cuts.

Not everything that both sides read has to cross. Tensors of the model (read where they are needed), what is computed
from the raw input without a layer, and sizes are made again behind the cut; the rest is the bottleneck. Its tensors
must not depend on each other, or else a skip connection would carry a gradient around the layers between them.
"""

from __future__ import annotations

import linecache
import operator
import sys
import weakref
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import fx, nn

Kind = Literal["model", "input", "size", "value"]

_SIZE_METHODS = {"size", "dim", "numel", "ndimension", "nelement"}
_SIZE_ATTRIBUTES = {"shape", "ndim", "dtype", "device"}
_SIZE_FUNCTIONS = {operator.getitem, operator.mul, operator.floordiv, operator.add, operator.sub, getattr, len}
_DRAWS = {"bernoulli", "normal", "multinomial", "poisson", "gumbel_softmax", "rrelu"}
_CHANGES = {f"i{name}" for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")}
_VIEWS = {"getitem", "getattr", "view", "reshape", "flatten", "t", "transpose", "permute", "movedim", "squeeze"}
_VIEWS |= {"unsqueeze", "expand", "expand_as", "select", "narrow", "diagonal", "chunk", "split", "unbind", "detach"}


def read_input(inputs: Any, name: str) -> Any:
    """One of several raw inputs, in a trace."""
    return inputs[name]


@dataclass(frozen=True)
class Piece:
    """The traced code from one cut to the next.

    Args:
        graph: takes the previous piece's output, the raw input if `reads_x`, and the tensors named in `live`.
        reads_x: whether it reads the raw input too.
        live: names of the model's buffers and plain tensors that it reads, as in `model.blocks.scale`.
    """

    graph: fx.GraphModule
    reads_x: bool
    live: tuple[str, ...]


def pieces(model: nn.Module, graph: fx.Graph, cuts: Sequence[str]) -> list[Piece]:
    """The pieces of a traced graph between cuts.

    Args:
        model: what was traced.
        graph: its forward pass with one input.
        cuts: names of the layers that start a piece, in the order in which they run.

    Raises:
        ValueError: a layer never runs, runs out of order or first, or a skip connection crosses a cut.
    """
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    raw_input = next(node for node in graph.nodes if node.op == "placeholder")
    kinds = _kinds(raw_input, nodes)
    starts = [0, *_positions(nodes, cuts), len(nodes)]
    crossings = [_crossing(nodes, kinds, start, cut) for start, cut in zip(starts[1:-1], cuts, strict=True)]
    result = nodes[-1].args[0]
    # Tracing flattens a default that is a tuple, and then wraps the one output in a list.
    result = result[0] if isinstance(result, list) and len(result) == 1 else result
    ends = [*(crossing[0] if len(crossing) == 1 else tuple(crossing) for crossing in crossings), result]
    return [
        _piece(
            model,
            nodes,
            own=[node for node in nodes[start:stop] if kinds[node] == "value" and node.op != "output"],
            given=[raw_input] if number == 0 else crossings[number - 1],
            raw_input=raw_input,
            end=end,
        )
        for number, (start, stop, end) in enumerate(zip(starts[:-1], starts[1:], ends, strict=True))
    ]


def divisible_at(graph: fx.Graph, names: Sequence[str]) -> list[str]:
    """Of these layers, in the order in which they run, those at which a piece can start with a single tensor.

    Args:
        graph: a forward pass with one input.
        names: of layers that it calls.
    """
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    raw_input = next(node for node in graph.nodes if node.op == "placeholder")
    kinds = _kinds(raw_input, nodes)
    found: list[str] = []
    for name in names:
        (start,) = _positions(nodes, [name])
        later = set(nodes[start:])
        used = [node for node in (raw_input, *nodes[:start]) if later.intersection(node.users)]
        if [kinds[node] for node in used if kinds[node] != "model"] == ["value"]:
            found.append(name)
    return found


def _positions(nodes: list[fx.Node], cuts: Sequence[str]) -> list[int]:
    positions = []
    for cut in cuts:
        calls = [i for i, node in enumerate(nodes) if node.op == "call_module" and _is_within(str(node.target), cut)]
        if not calls:
            raise ValueError(f"cuts: the forward pass never calls the layer {cut!r}.")
        positions.append(calls[0])
    if positions != sorted(set(positions)):
        raise ValueError(f"cuts: name the layers in the order in which they run, got {', '.join(cuts)}.")
    if positions and positions[0] == 0:
        raise ValueError(f"cuts: {cuts[0]!r} is the first layer; nothing lies before it.")
    return positions


def _is_within(target: str, cut: str) -> bool:
    return target == cut or target.startswith(cut + ".")


def _kinds(raw_input: fx.Node, nodes: Sequence[fx.Node]) -> dict[fx.Node, Kind]:
    """Of each node, what it can be made again from: the model's tensors, the raw input, sizes; a value cannot."""
    kinds: dict[fx.Node, Kind] = {raw_input: "input"}
    holds_parameter: dict[fx.Node, bool] = {raw_input: False}
    written = _written(nodes)
    for node in nodes:
        sources = node.all_input_nodes
        holds_parameter[node] = bool(node.meta.get("parameter")) or any(holds_parameter[s] for s in sources)
        met = {kinds[source] for source in sources}
        if node.op == "get_attr":
            kinds[node] = "model"
        elif _reads_size(node) or (met == {"size"} and node.target in _SIZE_FUNCTIONS):
            kinds[node] = "size"
        elif not sources or "value" in met or not _is_repeatable(node, written):
            kinds[node] = "value"
        elif met == {"model"}:
            kinds[node] = "model"
        else:
            # A size may be that of a value; a parameter here would have a gradient on both sides.
            from_input = all(kinds[s] != "size" or _is_size_of(s, _remade(kinds)) for s in sources)
            kinds[node] = "input" if from_input and not holds_parameter[node] else "value"
    return kinds


def _remade(kinds: dict[fx.Node, Kind]) -> set[fx.Node]:
    return {node for node, kind in kinds.items() if kind in {"input", "model"}}


def _reads_size(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target in _SIZE_METHODS
    return node.op == "call_function" and node.target is getattr and node.args[1] in _SIZE_ATTRIBUTES


def _is_size_of(node: fx.Node, known: Collection[fx.Node]) -> bool:
    """Whether a size is one of the known values, or follows from their sizes."""
    if _reads_size(node):
        return all(source in known for source in node.all_input_nodes)
    return all(_is_size_of(source, known) for source in node.all_input_nodes)


def _is_repeatable(node: fx.Node, written: Collection[fx.Node]) -> bool:
    """Whether the step gives the same again: no layer, no random draw, and nobody writes to what it reads or gives."""
    read = [node, *(source for source in node.all_input_nodes if source.op == "get_attr")]
    if node.op == "call_module" or writes(node) or any(one in written for one in read):
        return False
    name = _name(node)
    return not (name.startswith("rand") or "dropout" in name or name in _DRAWS)


def _written(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """What some step changes in place, directly or through a view."""
    found: set[fx.Node] = set()
    waiting = [node.args[0] for node in nodes if writes(node) and node.args]
    while waiting:
        node = waiting.pop()
        if isinstance(node, fx.Node) and node not in found:
            found.add(node)
            waiting += node.all_input_nodes if _name(node) in _VIEWS else []
    return found


def writes(node: fx.Node) -> bool:
    """Whether the step changes its first argument in place."""
    name = _name(node)
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or name in _CHANGES or bool(node.kwargs.get("inplace"))


def _name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")


def _crossing(nodes: list[fx.Node], kinds: dict[fx.Node, Kind], start: int, cut: str) -> list[fx.Node]:
    """What is made before position `start` and handed over the cut there: tensors, and sizes that these do not tell."""
    later = set(nodes[start:])
    used = [node for node in nodes[:start] if any(user in later for user in node.users)]
    values = [node for node in used if kinds[node] == "value"]
    values = [node for node in values if not _is_part_of(node, values)]
    if not values:  # a flattened input, say
        values = [node for node in used if kinds[node] == "input" and node.target not in {getattr, read_input}]
        values = values if len(values) == 1 else []
    # What the network returns beside its output goes past the layers behind the cut, and not around the bottleneck.
    through = [node for node in values if any(user in later and user.op != "output" for user in node.users)]
    _check_independent(through or values, cut)
    told = _remade(kinds) | set(values)
    sizes = [node for node in used if kinds[node] == "size" and not _is_size_of(node, told)]
    return [*values, *sizes]


def _is_part_of(node: fx.Node, values: Collection[fx.Node]) -> bool:
    """Whether it is an entry of a tuple or dict that crosses whole."""
    return node.op == "call_function" and node.target is operator.getitem and node.args[0] in values


def _check_independent(values: Sequence[fx.Node], cut: str) -> None:
    if not values:
        raise ValueError(f"cuts: nothing but the input crosses the cut at {cut!r}; no layer lies before it.")
    learnt = [node for node in values if _is_learnt(node)]
    if any(_needed(node.all_input_nodes, ()).intersection(learnt) for node in values):
        names = ", ".join(node.name for node in values)
        raise ValueError(
            f"cuts: exactly one value must cross the cut at {cut!r}, found {len(values)} ({names}). A skip "
            "connection over the cut would carry a gradient around it: cut before or after the whole block."
        )


def _is_learnt(node: fx.Node) -> bool:
    """Whether a layer or a parameter lies before it, so that it may carry a gradient."""
    return any(one.op == "call_module" or one.meta.get("parameter") for one in _needed([node], ()))


def _needed(targets: Iterable[fx.Node], given: Collection[fx.Node]) -> set[fx.Node]:
    """The targets and everything that they are made of, down to what is given."""
    found: set[fx.Node] = set()
    waiting = list(targets)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in given:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _piece(
    model: nn.Module,
    nodes: list[fx.Node],
    *,
    own: list[fx.Node],
    given: list[fx.Node],
    raw_input: fx.Node,
    end: Any,
) -> Piece:
    ends: list[fx.Node] = []
    fx.map_arg(end, ends.append)
    needed = _needed([*own, *ends], given)
    live = [node for node in nodes if node in needed and node.meta.get("live")]
    graph = fx.Graph()
    module_input = graph.placeholder("module_input")
    copies = {given[0]: module_input}
    if raw_input in needed:
        copies[raw_input] = graph.placeholder("x")
    for number, node in enumerate(live):
        copies[node] = graph.placeholder(f"live_{number}")
    if len(given) > 1:
        for number, node in enumerate(given):
            copies[node] = graph.call_function(operator.getitem, (module_input, number))
    for node in nodes:
        if node in needed and node not in copies:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(fx.map_arg(end, copies.__getitem__))
    names = tuple(str(node.target) for node in live)
    traced = fx.GraphModule(model, graph, "Segment")
    # For tracebacks torch keeps the source of every such module, after the module has gone, too.
    weakref.finalize(traced, _forget_source, traced.forward.__code__.co_filename).atexit = False
    return Piece(traced, raw_input in needed, names)


def _forget_source(name: str) -> None:
    linecache.cache.pop(name, None)
    loader = getattr(sys.modules.get("torch.fx.graph_module"), "_loader", None)  # private, and may go
    getattr(loader, "eval_cache", {}).pop(name, None)
