"""Cut any `nn.Module` at named layers into a chain of modules that share its weights.

The forward pass is traced symbolically (torch.fx) with every submodule that holds no cut as one opaque step, so only
the code between the cuts has to be traceable. A cut is legal when a single value crosses it: a skip connection over a
cut would carry a gradient around it, and is refused with its name.
"""

from __future__ import annotations

import difflib
import inspect
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.parameter import is_lazy

# What torch_geometric's data objects call the tensors of a graph.
_GRAPH_TENSORS = {"x", "edge_index", "edge_weight", "edge_attr", "pos", "batch"}
# Where it keeps its functions: pooling over the nodes of a graph, and what else a forward may call.
_GRAPH_MODULES = ("torch_geometric.nn", "torch_geometric.utils")
_SHAPE_METHODS = {"size", "dim", "numel"}
_SHAPE_FUNCTIONS = {operator.getitem, operator.mul, operator.floordiv, operator.add, operator.sub, getattr, len}


class Segment(nn.Module):
    """The layers from one cut to the next: `forward(module_input, x)`, x the network's raw input.

    Holds one traced graph for training mode and one for evaluation mode, for `forward`s that read `self.training`. Both
    refer to the layers of the original network, which is trained in place.
    """

    def __init__(self, training_graph: fx.GraphModule, evaluation_graph: fx.GraphModule) -> None:
        super().__init__()
        self.training_graph = training_graph
        self.evaluation_graph = evaluation_graph
        self._reads_x = {True: _reads_x(training_graph), False: _reads_x(evaluation_graph)}

    def forward(self, module_input: Any, x: Any) -> Tensor:
        """The segment's output for the previous segment's output and the raw input, a tensor or a graph."""
        graph = self.training_graph if self.training else self.evaluation_graph
        return graph(module_input, x) if self._reads_x[self.training] else graph(module_input)


def starting_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the children that start a module when no cuts are given: every child with weights but the first.

    Weights are parameters of two axes or more: a normalisation stays with the layer before it.

    Example:
        >>> starting_layers(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)))
        ('3',)
    """
    names = [
        name
        for name, child in model.named_children()
        if any(is_lazy(parameter) or parameter.ndim > 1 for parameter in child.parameters())
    ]
    return tuple(names[1:])


def check_cuts(model: nn.Module, cuts: Sequence[str]) -> None:
    """Refuse cuts that name no layer, or name one twice.

    Raises:
        ValueError: naming the layer and the near misses.
    """
    names = [name for name, _ in model.named_modules() if name]
    for cut in cuts:
        if cut not in names:
            near = difflib.get_close_matches(cut, names, n=3) or names[:8]
            raise ValueError(f"cuts: the network has no layer {cut!r}; did you mean {', '.join(near)}?")
    if len(set(cuts)) != len(cuts):
        raise ValueError(f"cuts: each layer may be named once, got {', '.join(cuts)}.")


def split(model: nn.Module, cuts: Sequence[str]) -> tuple[Segment, ...]:
    """Segments of `model`: a new one starts at every layer named in `cuts`.

    Args:
        model: any module whose forward takes one tensor, or one torch_geometric data object, or a graph's tensors by
            their usual names (x, edge_index, ...), which the segments then read from the data object.
        cuts: layer names as in `model.named_modules()`, in the order in which they run.

    Returns:
        len(cuts) + 1 segments whose composition equals the model.

    Raises:
        ValueError: a cut names no layer, runs out of order or twice, a value other than the cut's own crosses it, two
            segments share a parameter, or the code between the cuts cannot be traced, or draws random numbers that
            do not depend on its input.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> first, second = split(model, ("2",))
        >>> x = torch.ones(4, 2)
        >>> torch.equal(second(first(x, x), x), model(x))
        True
    """
    check_cuts(model, cuts)
    by_mode = [_split_traced(model, _trace(model, cuts, training=mode), cuts) for mode in (True, False)]
    segments = tuple(Segment(trained, evaluated) for trained, evaluated in zip(*by_mode, strict=True))
    check_no_shared_parameters(segments)
    return segments


def check_no_shared_parameters(bodies: Iterable[nn.Module]) -> None:
    """Refuse bodies that share a parameter: training one module would silently change the other.

    Raises:
        ValueError: naming the two modules and the parameter.
    """
    owner: dict[nn.Parameter, int] = {}
    for number, body in enumerate(bodies):
        for name, parameter in body.named_parameters():
            if owner.setdefault(parameter, number) != number:
                shared = name.removeprefix("training_graph.")
                raise ValueError(
                    f"modules {owner[parameter]} and {number} share the parameter {shared!r}: "
                    "training one would change the other. Cut so that a shared layer lies in one module."
                )


class _CutTracer(fx.Tracer):
    """Looks only into modules that contain a cut; any other module is one opaque call."""

    def __init__(self, model: nn.Module, cuts: Sequence[str]) -> None:
        super().__init__(autowrap_functions=_graph_functions())
        # Where forward may find these functions: its file's own names, the package's ("gnn.global_mean_pool"), and the
        # model's attributes (the steps of torch_geometric's Sequential).
        holders: list[Any] = [sys.modules[name] for name in _GRAPH_MODULES if name in sys.modules]
        self._autowrap_search += [*holders, *model.modules()]
        self._cuts = cuts

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(cut.startswith(module_qualified_name + ".") for cut in self._cuts)


def _graph_functions() -> tuple[Callable[..., Any], ...]:
    """torch_geometric's functions between a graph's layers, as opaque as layers: inside, they look at shapes."""
    modules = [sys.modules[name] for name in _GRAPH_MODULES if name in sys.modules]
    return tuple(
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_")
    )


def _trace(model: nn.Module, cuts: Sequence[str], *, training: bool) -> fx.Graph:
    modes = {module: module.training for module in model.modules()}
    random_state = torch.get_rng_state()
    try:
        model.train(training)
        graph = _CutTracer(model, cuts).trace(model, concrete_args=_defaults(model))
        if takes_graph_tensors(model):
            _read_from_one_object(graph, model)
        if not torch.equal(torch.get_rng_state(), random_state):
            raise RuntimeError(
                "it draws random numbers that would stay the same in every step; torch.randn_like is fine"
            )
        _drop_defaulted_inputs(graph)
        return graph
    except Exception as error:
        raise ValueError(
            f"cuts: the code between the cuts cannot be traced ({type(error).__name__}: {error}). Cut elsewhere, or "
            "build the LocalModules of a Plan from your own modules."
        ) from error
    finally:
        torch.set_rng_state(random_state)
        for module, mode in modes.items():
            module.training = mode


def takes_graph_tensors(model: nn.Module) -> bool:
    """Whether forward takes a graph as several tensors, by the names that torch_geometric gives them."""
    names = list(inspect.signature(model.forward).parameters)
    return "edge_index" in names and len(names) > 1


class FromGraph(nn.Module):
    """A model whose forward takes a graph's tensors, as one that takes the data object.

    Args:
        model: its forward has arguments named as the data's attributes; what the data lack keeps its default.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._names = [name for name in inspect.signature(model.forward).parameters if _is_graph_tensor(model, name)]

    def forward(self, data: Any) -> Tensor:
        """The model's output for the data's own tensors."""
        return self.model(**{name: getattr(data, name) for name in self._names})


def _is_graph_tensor(model: nn.Module, name: str) -> bool:
    argument = inspect.signature(model.forward).parameters.get(name)
    return argument is not None and (argument.default is argument.empty or name in _GRAPH_TENSORS)


def _read_from_one_object(graph: fx.Graph, model: nn.Module) -> None:
    """Turn the inputs x, edge_index, ... of a traced graph into attributes of one input."""
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    first_step = next(node for node in graph.nodes if node.op != "placeholder")
    with graph.inserting_before(placeholders[0]):
        data = graph.placeholder("data")
    for node in placeholders:
        if _is_graph_tensor(model, str(node.target)):
            with graph.inserting_before(first_step):
                read = graph.call_function(getattr, (data, str(node.target)))
            node.replace_all_uses_with(read)
            graph.erase_node(node)


def _defaults(model: nn.Module) -> dict[str, Any]:
    """Default values of the arguments of forward that are not the input."""
    arguments = list(inspect.signature(model.forward).parameters.values())
    if takes_graph_tensors(model):
        return {a.name: a.default for a in arguments if not _is_graph_tensor(model, a.name)}
    missing = [a.name for a in arguments[1:] if a.default is a.empty]
    if not arguments or missing:
        raise TypeError(f"forward must take one tensor and otherwise defaults, it also needs {', '.join(missing)}")
    return {argument.name: argument.default for argument in arguments[1:]}


def _drop_defaulted_inputs(graph: fx.Graph) -> None:
    """Remove the inputs that tracing fixed to their defaults, with the assertions that it left on them."""
    for extra in [node for node in graph.nodes if node.op == "placeholder"][1:]:
        doomed = [extra]
        for node in doomed:
            doomed.extend(user for user in node.users if user not in doomed)
        for node in reversed(doomed):
            graph.erase_node(node)


def _split_traced(model: nn.Module, graph: fx.Graph, cuts: Sequence[str]) -> list[fx.GraphModule]:
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    raw_input = next(node for node in graph.nodes if node.op == "placeholder")
    starts = [0, *_positions(nodes, cuts), len(nodes)]
    boundaries = [_crossing(nodes, start, cut) for start, cut in zip(starts[1:-1], cuts, strict=True)]
    result = nodes[-1].args[0]
    # Tracing flattens a default that is a tuple, and then wraps the one output in a list.
    ends = [*boundaries, result[0] if isinstance(result, list) and len(result) == 1 else result]
    return [
        _build(model, nodes[start:stop], None if number == 0 else boundaries[number - 1], raw_input, end)
        for number, (start, stop, end) in enumerate(zip(starts[:-1], starts[1:], ends, strict=True))
    ]


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


def _crossing(nodes: list[fx.Node], start: int, cut: str) -> fx.Node:
    """The one value made before position `start` that is used from there on."""
    later = set(nodes[start:])
    crossing = [
        node
        for node in nodes[:start]
        if node.op != "get_attr" and not _is_shape_of_input(node) and any(user in later for user in node.users)
    ]
    if len(crossing) != 1:
        names = ", ".join(node.name for node in crossing) or "none"
        raise ValueError(
            f"cuts: exactly one value must cross the cut at {cut!r}, found {len(crossing)} ({names}). A skip "
            "connection over the cut would carry a gradient around it: cut before or after the whole block."
        )
    return crossing[0]


def _is_shape_of_input(node: fx.Node) -> bool:
    """Whether the value is read off the raw input alone, a size or an attribute of a data object.

    It carries no gradient and can be read again.
    """
    if node.op == "call_function" and node.target is getattr and node.all_input_nodes[0].op == "placeholder":
        return True
    if node.op == "call_method":
        known = node.target in _SHAPE_METHODS
    else:
        known = node.op == "call_function" and node.target in _SHAPE_FUNCTIONS
        known = known and (node.target is not getattr or node.args[1] == "shape")
    if not known:
        return False
    sources = node.all_input_nodes
    reads_placeholder = any(source.op == "placeholder" for source in sources)
    takes_shape = node.op == "call_method" or node.target in {getattr, len}
    if reads_placeholder and not takes_shape:
        return False  # x[0] or x + 1 is a value, not a size
    return all(source.op == "placeholder" or _is_shape_of_input(source) for source in sources)


def _build(
    model: nn.Module, nodes: list[fx.Node], boundary: fx.Node | None, raw_input: fx.Node, end: Any
) -> fx.GraphModule:
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    copies[boundary or raw_input] = graph.placeholder("module_input")
    if boundary is not None and _needs(nodes, raw_input, boundary):
        copies[raw_input] = graph.placeholder("x")

    def copy(node: fx.Node) -> fx.Node:
        # Sizes of the raw input and constants are made again here rather than carried over the cut.
        if node not in copies:
            copies[node] = graph.node_copy(node, copy)
        return copies[node]

    for node in nodes:
        if node.op != "output":
            copy(node)
    graph.output(fx.map_arg(end, copy))
    return fx.GraphModule(model, graph, "Segment")


def _needs(nodes: list[fx.Node], source: fx.Node, boundary: fx.Node) -> bool:
    """Whether the nodes read `source` other than through `boundary`."""
    stack, seen = list(nodes), set()
    while stack:
        for earlier in stack.pop().all_input_nodes:
            if earlier is source:
                return True
            if earlier is not boundary and earlier not in seen:
                seen.add(earlier)
                stack.append(earlier)
    return False


def _reads_x(module: fx.GraphModule) -> bool:
    return sum(node.op == "placeholder" for node in module.graph.nodes) == 2
