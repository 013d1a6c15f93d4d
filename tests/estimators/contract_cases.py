"""Every public estimator as the contract's tests see it: how it is called, and which of the promises it makes.

A test file of an estimator may hold its own: CASES = [Case(...)].
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

import infotorch

# What an argument holds, and so its shape: for n samples and d columns
#   rows (n, d) real        symbols (n, d) integers     labels (n,) integers      numbers (n,) real
#   classes (n, 3) scores   square (n, n) scores        locations (n, n, 2) scores   grid (n, d, 2, 2) real
Role = Literal["rows", "symbols", "labels", "numbers", "classes", "square", "locations", "grid"]
REAL: frozenset[Role] = frozenset({"rows", "numbers", "classes", "square", "locations", "grid"})
SCORES: frozenset[Role] = frozenset({"square", "locations"})


@dataclass(frozen=True)
class Case:
    """A public estimator with fixed settings.

    Args:
        name: its public name, with which every error begins.
        roles: the arguments that hold samples.
        call: takes them in this order.
        at_least: the fewest rows it takes, with one column in every argument.
        constant: its value where one of the arguments `ignores` is constant: a number, "refused", or None.
        ignores: arguments that make the value `constant` when they do not vary; None is all of them.
        scales: factors that leave the value as it is: one for "each" real argument, one for all "together", "none";
            under "entropy" the value grows by the log of the factor for each column.
        random: draws numbers for its rows, so that their order matters.
        accuracy: between types and layouts; of float32 where it computes in the input's type.
        passes_on: NaN scores give NaN instead of an error (the bounds' documentation says why).
        ceiling_without_ties: its ceiling holds where no two distances are equal.
        overflows: -inf is its value for scores whose exponential is too large.
        largest: the largest numbers to try: beyond, the value itself overflows, or an encoder's float32.
        setting: tells apart several cases of one name.
    """

    name: str
    roles: Mapping[str, Role]
    call: Callable[..., Any]
    at_least: int = 1
    constant: float | Literal["refused"] | None = 0.0
    ignores: tuple[str, ...] | None = None
    scales: Literal["each", "together", "entropy", "none"] = "none"
    random: bool = False
    accuracy: float = 1e-3
    passes_on: bool = False
    ceiling_without_ties: bool = False
    overflows: bool = False
    largest: float = math.inf
    setting: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.setting}".strip()

    def draw(self, n: int, seed: int, columns: int = 1) -> list[Tensor]:
        """Dependent arguments of n rows without ties, float64 or int64."""
        generator = torch.Generator().manual_seed(seed)
        shared = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        return [_argument(role, shared, columns, generator) for role in self.roles.values()]

    def reordered(self, arguments: list[Tensor], order: Tensor) -> list[Tensor]:
        """All arguments with their rows in another order; of scores between rows, the columns too."""
        moved = [values[order] for values in arguments]
        return [v[:, order] if role in SCORES else v for v, role in zip(moved, self.roles.values(), strict=True)]


def _argument(role: Role, shared: Tensor, columns: int, generator: torch.Generator) -> Tensor:
    n = len(shared)
    if role == "labels":
        return torch.arange(n) // 2 % 3
    if role == "symbols":
        return torch.randint(3, (n, columns), generator=generator)
    shape = {"numbers": (n,), "classes": (n, 3), "square": (n, n), "locations": (n, n, 2), "grid": (n, columns, 2, 2)}
    noise = torch.randn(shape.get(role, (n, columns)), generator=generator, dtype=torch.float64)
    return noise if role in SCORES else noise + shared.view(n, *[1] * (noise.ndim - 1))


def _on(name: str, **settings: Any) -> Callable[..., Any]:
    return lambda *arguments: getattr(infotorch.estimators, name)(*arguments, **settings)


def _seeded(name: str, *more: Any, **settings: Any) -> Callable[..., Any]:
    """The estimator with a generator that starts afresh in every call."""
    return lambda *arguments: getattr(infotorch.estimators, name)(
        *arguments, *more, **settings, generator=torch.Generator().manual_seed(0)
    )


def _pair(name: str, *, roles: tuple[Role, Role] = ("rows", "rows"), **promises: Any) -> Case:
    settings = promises.pop("settings", {})
    setting = promises.pop("setting", " ".join(f"{key}={value}" for key, value in settings.items()))
    call = promises.pop("call", _on(name, **settings))
    return Case(name, dict(zip("xy", roles, strict=True)), call, setting=setting, **promises)


def _neighbours(name: str, **promises: Any) -> Case:
    return _pair(name, **{"at_least": 4, "scales": "together", "ceiling_without_ties": True, **promises})


def _single(name: str, **promises: Any) -> Case:
    settings = promises.pop("settings", {})
    setting = " ".join(f"{key}={value}" for key, value in settings.items())
    argument = promises.pop("argument", "x")
    call = promises.pop("call", _on(name, **settings))
    return Case(name, {argument: promises.pop("role", "rows")}, call, setting=setting, **promises)


def _bound(name: str, **promises: Any) -> Case:
    promises = {"argument": "scores", "role": "square", "at_least": 2, "passes_on": True, **promises}
    return _single(name, **promises)


_XYZ: dict[str, Role] = {"x": "rows", "y": "rows", "z": "rows"}
_ABC: dict[str, Role] = {"a": "symbols", "b": "symbols", "c": "symbols"}
_SCALE_FREE_KERNEL = {"kernel": "exp(-d2/2s2)"}
_SHORT_TRAINING = {"hidden": (4,), "max_steps": 3, "batch_size": 8}
# Documented: equal numbers get different ranks, by a fixed stream of chance that knows rows by their position.

CASES = [
    # from nearest neighbours
    _neighbours("ksg"),
    _neighbours("ksg", settings={"variant": 2}),
    _neighbours("ksg", settings={"metric": "euclidean"}),
    _neighbours("ksg_ensemble", at_least=9),
    _pair("gaussianised_mi", at_least=50, scales="each"),
    _pair("amortised_mi", at_least=20, scales="each"),
    _neighbours("mixed_ksg", constant=None),
    Case("ross", {"x": "rows", "labels": "labels"}, _on("ross"), at_least=4, scales="each"),
    _single("kozachenko_leonenko_entropy", at_least=4, constant="refused", scales="entropy"),
    Case(
        "conditional_ksg",
        _XYZ,
        _on("conditional_ksg"),
        at_least=4,
        ignores=("x", "y"),
        scales="together",
        ceiling_without_ties=True,
    ),
    Case(
        "conditional_mixed_ksg", _XYZ, _on("conditional_mixed_ksg"), at_least=4, ignores=("x", "y"), scales="together"
    ),
    _neighbours("mutual_information", scales="each"),
    _neighbours(
        "mutual_information",
        roles=("rows", "symbols"),
        scales="each",
        setting="of symbols",
    ),
    # from counts
    _single("discrete_entropy", argument="a", role="symbols"),
    Case("discrete_mi", {"a": "symbols", "b": "symbols"}, _on("discrete_mi")),
    Case("conditional_discrete_mi", _ABC, _on("conditional_discrete_mi"), ignores=("a", "b")),
    _pair("binned_mi", scales="each", settings={"num_bins": 3}),
    _pair("binned_mi", scales="each", settings={"num_quantiles": 3}),
    _pair("binned_mi", settings={"bin_width": 0.5}),
    _pair("binned_mi", settings={"edges": [0.0, 1.0]}),
    # from covariances
    _pair("gaussian_mi", at_least=3, scales="each"),
    _pair("gaussian_mi", at_least=3, scales="each", constant=None, settings={"unbiased": True}),
    _pair("gaussian_copula_mi", at_least=3, scales="each"),
    _pair("gaussian_mi_cca", at_least=3, scales="each"),
    _pair("canonical_correlations", at_least=3, scales="each"),
    Case(
        "conditional_gaussian_mi",
        _XYZ,
        _on("conditional_gaussian_mi"),
        at_least=4,
        ignores=("x", "y"),
        scales="each",
    ),
    # from kernels
    _pair("hsic", at_least=4, scales="each"),
    _pair("hsic", at_least=2, largest=1e75, settings={"kernel": "linear", "unbiased": False}),
    _pair("cka", at_least=4, constant="refused", scales="each"),
    _pair("cka", at_least=2, constant="refused", scales="each", settings={"kernel": "rbf", "unbiased": False}),
    _single("renyi_entropy"),
    _single("renyi_entropy", scales="each", settings=_SCALE_FREE_KERNEL),
    _single("renyi_entropy", settings={"alpha": 2}),
    _single("renyi_entropy_randomised", call=_seeded("renyi_entropy_randomised"), random=True, accuracy=0.1),
    _pair("renyi_mi"),
    _pair("renyi_mi", scales="each", settings=_SCALE_FREE_KERNEL),
    _pair("renyi_mi_randomised", call=_seeded("renyi_mi_randomised"), random=True, accuracy=0.1),
    _pair("renyi_normalised_mi", at_least=2, constant="refused"),
    _pair("renyi_joint_entropy", constant=None),
    _pair("renyi_total_correlation"),
    _pair("renyi_multivariate_mi", call=lambda x, y: infotorch.estimators.renyi_multivariate_mi([x], y)),
    # from critic scores
    _bound("infonce"),
    _bound("donsker_varadhan"),
    _bound("nwj", constant=None, overflows=True),
    _bound("jsd", constant=None),
    _bound("smile", constant=None),
    _bound("MineGradient", call=lambda scores: infotorch.estimators.MineGradient()(scores)),
    _bound("club", argument="log_conditional"),
    _bound("leave_one_out_upper", argument="log_conditional"),
    _bound("dim_global"),
    _bound("dim_local", role="locations"),
    Case(
        "supervised_contrastive",
        {"scores": "square", "labels": "labels"},
        _on("supervised_contrastive"),
        at_least=2,
        constant=None,
        passes_on=True,
    ),
    Case(
        "dim_grid",
        {"first": "rows", "grid": "grid"},
        _on("dim_grid"),
        at_least=2,
        ignores=("grid",),
        passes_on=True,
    ),
    Case(
        "prior_matching",
        {"prior_scores": "numbers", "code_scores": "numbers"},
        _on("prior_matching"),
        constant=None,
        passes_on=True,
    ),
    # from class scores and decoders
    Case("readout_mi", {"scores": "classes", "labels": "labels"}, _on("readout_mi"), constant=None),
    _single("soft_decision_mi", argument="scores", role="classes"),
    Case("soft_decision_label_mi", {"scores": "classes", "labels": "labels"}, _on("soft_decision_label_mi")),
    # Without labels: with them None is no mistake, but the other quantity.
    Case("hard_decision_mi", {"scores": "classes"}, _on("hard_decision_mi"), scales="each"),
    _single(
        "reconstruction_bound",
        argument="log_likelihood",
        role="numbers",
        call=_on("reconstruction_bound", entropy=1.0),
        constant=None,
    ),
    Case(
        "gaussian_log_likelihood",
        {"x": "rows", "prediction": "rows"},
        _on("gaussian_log_likelihood", std=0.5),
        constant=None,
        largest=1e75,
    ),
    # of a known channel
    _single(
        "pairwise_bounds",
        argument="features",
        call=lambda features: infotorch.estimators.pairwise_bounds(features, 0.5)[1],
        at_least=2,
    ),
    _single(
        "leave_one_out_bound",
        argument="features",
        call=_seeded("leave_one_out_bound", 0.5),
        at_least=2,
        random=True,
    ),
    _single(
        "infonce_known_channel",
        argument="features",
        call=_seeded("infonce_known_channel", 0.5),
        at_least=2,
        random=True,
    ),
    _single(
        "gaussian_channel_bound",
        argument="features",
        call=lambda f: infotorch.estimators.gaussian_channel_bound(f, 0.5),
        at_least=2,
    ),
    # by training
    _pair("neural_mi", call=_seeded("neural_mi", **_SHORT_TRAINING), at_least=8, random=True),
    _single(
        "architecture_aware_mine",
        call=lambda x: _seeded("architecture_aware_mine", **_SHORT_TRAINING)(nn.Identity(), x, 0.5),
        at_least=8,
        random=True,
        largest=1e30,  # numbers are cast to the type of the encoder's weights, float32 where it has none
    ),
]
