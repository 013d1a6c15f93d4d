"""Cut any `nn.Module` at named layers into a chain of modules that share its weights.

The forward pass is traced symbolically (torch.fx) with every submodule that holds no cut as one opaque step, so only
the code between the cuts has to be traceable. The trace follows the model: tensors are read anew in every run, and a
number or layer that has changed since leads to a new trace.
"""

from __future__ import annotations

import difflib
import operator
import warnings
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from infotorch.networks.contexts import Condition, LeftOut
from infotorch.networks.crossing import Piece, pieces
from infotorch.networks.forward_inputs import input_names, named_by, traced_inputs
from infotorch.networks.rerun import Rerun, is_in_a_list
from infotorch.networks.tracing import left_as_it_was, trace
from infotorch.numerics.checks import check_module
from infotorch.numerics.kinds import check_names


class Untraceable(ValueError):
    """The code between the cuts cannot be traced."""


class _Cutting:
    """A model, its cuts, and the pieces as of the last trace."""

    def __init__(self, model: nn.Module, cuts: Sequence[str]) -> None:
        self.model, self.cuts = model, tuple(cuts)
        self.names = self.needed = input_names(model)
        self.segments: list[Segment] = []
        self.traces = 0
        self.renew()

    def renew(self) -> None:
        """Trace the model as it is now; one whose layers stand in a list is run again where no trace can be made."""
        self.pieces: dict[bool, list[Piece]] = {}
        self._reads: list[Condition] = []
        self.rerun: Rerun | None = None
        try:
            self._trace()
        except Untraceable as error:
            if not any(is_in_a_list(self.model, cut) for cut in self.cuts):
                raise ValueError(str(error)) from error.__cause__
            self.rerun = Rerun(self.model, self.cuts)
        self.traces += 1

    def _trace(self) -> None:
        for training in (True, False):
            with left_as_it_was(self.model):
                graph, reads = _trace(self.model, self.cuts, self.names, training=training)
                self.pieces[training] = pieces(self.model, graph, self.cuts)
                self._reads += reads

    def follow(self, x: object) -> None:
        """Trace anew if the model has changed in something that the trace depends on, or for other inputs."""
        plain = isinstance(x, Tensor) and self.needed is None
        names = None if plain else named_by(self.model, x)  # reading a signature takes longer than a small layer
        if names != self.names or not all(read.holds() for read in self._reads):
            self.names = names
            self.renew()


class _SharedBuffers(nn.Module):
    """The buffers of a module as its own, so that moving, saving or loading either does both."""

    def __init__(self, owner: nn.Module) -> None:
        super().__init__()
        self._buffers = owner._buffers
        self._non_persistent_buffers_set = owner._non_persistent_buffers_set


class Segment(nn.Module):
    """The layers from one cut to the next: `forward(module_input, x)`, x the network's raw input.

    Holds one traced graph for training mode and one for evaluation mode, for `forward`s that read `self.training`. Both
    refer to the layers of the original network, which is trained in place.

    Attributes:
        training: the network's mode, until the segment is given one of its own (`train`, `eval`).

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> first, second = split(model, ["2"])
        >>> first(torch.ones(4, 2), torch.ones(4, 2)).shape  # up to the layer before the cut
        torch.Size([4, 3])
    """

    def __init__(self, cutting: _Cutting, number: int) -> None:
        super().__init__()
        self._mode: bool | None = None
        self._cutting, self._number = cutting, number
        cutting.segments.append(self)
        self._take_pieces()

    @property
    def network(self) -> nn.Module:
        """The whole network."""
        return self._cutting.model

    @property
    def training(self) -> bool:
        """The segment's own mode, or else the network's."""
        return self._cutting.model.training if self._mode is None else self._mode

    @training.setter
    def training(self, mode: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.__dict__["_mode"] = mode

    def are_all(self, segments: Sequence[nn.Module]) -> bool:
        """Whether these are all segments of the network, in their order."""
        return list(segments) == self._cutting.segments

    def forward(self, module_input: object, x: object) -> object:
        """The segment's output for the previous segment's output and the raw input, a tensor, a graph or a dict."""
        self._cutting.follow(x)
        if self._traces != self._cutting.traces:
            self._take_pieces()
        if self._cutting.rerun is not None:
            return self._rerun(self._cutting.rerun, module_input, x)
        graph = self.training_graph if self.training else self.evaluation_graph
        assert graph is not None
        piece = self._cutting.pieces[self.training][self._number]
        live = [operator.attrgetter(name)(self._cutting.model) for name in piece.live]
        # Not by a call: fx would print a traceback to stderr of whatever is raised within.
        return graph.forward(module_input, *([x] if piece.reads_x else []), *live)

    def _rerun(self, rerun: Rerun, module_input: object, x: object) -> object:
        output = rerun.run(self, self._number, module_input, x)
        if rerun.moved:
            rerun.moved = False
            for segment in self._cutting.segments:
                segment._take_pieces()
        return output

    def _take_pieces(self) -> None:
        self._traces = self._cutting.traces
        if self._cutting.rerun is not None:
            layers = self._cutting.rerun.layers(self._number)
            self.layers = nn.ModuleDict({name.replace(".", "/"): layer for name, layer in layers.items()})
            self.training_graph = self.evaluation_graph = self.shared = None
            return
        self.layers = None
        trained, evaluated = (self._cutting.pieces[mode][self._number] for mode in (True, False))
        self.training_graph, self.evaluation_graph = trained.graph, evaluated.graph
        owners = {name.rpartition(".")[0]: None for piece in (trained, evaluated) for name in piece.live}
        self.shared = nn.ModuleList(_SharedBuffers(self._cutting.model.get_submodule(owner)) for owner in owners)


def starting_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the children that start a module when no cuts are given: every child with weights but the first.

    Weights are parameters of two axes or more: a normalisation stays with the layer before it. Where one child holds
    all weights, as a network does that is wrapped in another one, its children count. Where no cut can be made at
    these, there is none, with a warning. An `nn.Sequential` of a single block says that this is one module.

    Raises:
        ValueError: the layers lie within what torch.compile or the like has made.

    Example:
        >>> starting_layers(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)))
        ('3',)
        >>> starting_layers(nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))))
        ('1.2',)
    """
    layer, prefix, names = model, "", _weighted_children(model)
    while len(names) == 1 and next(layer.parameters(recurse=False), None) is None and not _is_one_block(layer):
        layer, prefix = layer.get_submodule(names[0]), f"{prefix}{names[0]}."
        names = _weighted_children(layer)
    cuts = tuple(prefix + name for name in names[1:])
    if cuts and (advice := wrapper_advice(model)):
        raise ValueError(
            f"cuts: a {type(model).__name__} shows no layers to cut at; {advice}, or cuts=(), plain back-propagation."
        )
    return _if_possible(model, cuts) if prefix and cuts else cuts


def _weighted_children(layer: nn.Module) -> list[str]:
    return [
        name
        for name, child in layer.named_children()
        if any(is_lazy(parameter) or parameter.ndim > 1 for parameter in child.parameters())
    ]


def _is_one_block(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Sequential) and len(layer) == 1


def _if_possible(model: nn.Module, cuts: tuple[str, ...]) -> tuple[str, ...]:
    """The cuts, or none where they cannot be made: nobody has named them."""
    try:
        split(model, cuts)
    except ValueError as error:
        reason = str(error).removeprefix("cuts: ").partition(". Cut elsewhere")[0].removesuffix(".")
        warnings.warn(
            f"cuts: the model is one module, trained by plain back-propagation, as it cannot be cut at "
            f"{', '.join(cuts)}: {reason}. Name the layers to cut at; cuts=() says that it is one module.",
            stacklevel=3,
        )
        return ()
    return cuts


def check_cuts(model: nn.Module, cuts: Sequence[str]) -> None:
    """Refuse cuts that name no layer, or name one twice.

    Raises:
        TypeError: no module, or no names.
        ValueError: naming the layer and the near misses.

    Example:
        >>> check_cuts(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ["conv"])
        Traceback (most recent call last):
            ...
        ValueError: cuts: the network has no layer 'conv'; did you mean 0, 1?
    """
    check_module(model, where="cuts", name="model")
    cuts = check_names(cuts, where="cuts", name="cuts")
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
            their usual names (x, edge_index, ...), which the segments then read from the data object, or several
            tensors: the segments' x is then a dict by the names of forward's arguments, and every segment reads from
            it what its layers take.
        cuts: layer names as in `model.named_modules()`, in the order in which they run.

    Returns:
        len(cuts) + 1 segments whose composition equals the model. Where no trace can be made and a cut's layer stands
        in an `nn.ModuleList`, as in `nn.TransformerEncoder` and in Hugging Face's encoders, each segment runs forward
        again, without computing the layers of other segments, see `Rerun`.

    Raises:
        ValueError: a cut names no layer, runs out of order or twice, a value other than the cut's own crosses it, two
            segments share a parameter, or the code between the cuts cannot be traced, draws random numbers that do
            not depend on its input, or runs in a context of forward's own, such as `torch.no_grad`.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> first, second = split(model, ("2",))
        >>> x = torch.ones(4, 2)
        >>> torch.equal(second(first(x, x), x), model(x))
        True
    """
    cuts = check_names(cuts, where="cuts", name="cuts")
    check_cuts(model, cuts)
    if advice := wrapper_advice(model):
        raise ValueError(f"cuts: a {type(model).__name__} cannot be traced; {advice}.")
    cutting = _Cutting(model, cuts)
    segments = tuple(Segment(cutting, number) for number in range(len(cuts) + 1))
    check_no_shared_parameters(segments)
    return segments


def check_no_shared_parameters(bodies: Iterable[nn.Module]) -> None:
    """Refuse bodies that share a parameter that trains, or a norm's running statistics: one would change the other.

    Raises:
        ValueError: naming the two modules and the parameter or the norm.
    """
    owner: dict[nn.Parameter, int] = {}
    counting: dict[nn.Module, int] = {}
    for number, body in enumerate(bodies):
        for name, layer in body.named_modules():
            counts = isinstance(layer, _NormBase) and layer.running_mean is not None
            if counts and counting.setdefault(layer, number) != number:
                raise ValueError(
                    f"modules {counting[layer]} and {number} share the norm {name.removeprefix('training_graph.')!r}: "
                    "the samples of one would count in the other. Give each a norm of its own."
                )
        for name, parameter in body.named_parameters():
            if parameter.requires_grad and owner.setdefault(parameter, number) != number:
                shared = name.removeprefix("training_graph.")
                raise ValueError(
                    f"modules {owner[parameter]} and {number} share the parameter {shared!r}: "
                    "training one would change the other. Cut so that a shared layer lies in one module."
                )


def _trace(
    model: nn.Module, cuts: Sequence[str], names: Sequence[str] | None, *, training: bool
) -> tuple[fx.Graph, list[Condition]]:
    try:
        inputs = traced_inputs(model, names)
        graph, reads = trace(model, cuts, inputs, training=training)
        inputs.gather(graph)
        return graph, reads
    except LeftOut as error:
        raise Untraceable(f"cuts: {error}.") from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise Untraceable(
            f"cuts: the code between the cuts cannot be traced ({type(error).__name__}: {reason}). Cut elsewhere, or "
            "give the parts as modules of your own: ProximalSplit(f, g, ...), or the LocalModules of a Plan."
        ) from error


def network_of(body: nn.Module) -> nn.Module:
    """The network behind what reads raw inputs: a segment's, that of the first of several bodies, or the body itself.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> network_of(nn.ModuleList(split(model, ["2"]))) is model
        True
    """
    if isinstance(body, nn.ModuleList) and len(body):
        body = body[0]
    return body.network if isinstance(body, Segment) else body


def wrapper_advice(model: nn.Module) -> str:
    """What to give in place of a model around another one, whose own layers nobody can see; "" for any other model.

    Example:
        >>> wrapper_advice(nn.DataParallel(nn.Linear(2, 2)))
        'give the model within it, model.module'
    """
    if isinstance(model, torch.jit.ScriptModule):
        return "give the model as it was before torch.jit"
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "give the model within it, model.module"
    return "give the model within it, model._orig_mod" if hasattr(model, "_orig_mod") else ""  # torch.compile
