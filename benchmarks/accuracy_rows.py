"""The estimators of the accuracy benchmark, each with the laws on which its number has a meaning.

A row whose functions infotorch does not have (yet) is left out and named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from accuracy_cases import Sample
from infotorch import estimators
from infotorch.estimators.estimate import Estimate

SMALL, LARGE = (100, 300, 1000), (100, 300, 1000, 3000, 10_000)

NORMAL = ("normal 1x1", "normal 2x2", "normal 5x5", "normal 10x10")
OTHER = ("independent 5x5", "student 3x3 dof 2", "spiral 3x3", "normal-cdf 5x5", "uniform noise 0.1", "swiss roll 2x1")
CONTINUOUS = (*NORMAL, *OTHER, "cross 1x1")
LABELS = ("labels of 1 column", "labels of 5 columns", "labels of images", "poisson", "poisson, zeros inflated")
MIXED = (*LABELS, "symbols plus uniform")
SYMBOLS = ("binary symmetric", "symbols 4x3", "symbols 30x30")
POSTERIOR = ("true posterior of 3 labels",)
CHANNEL = ("channel of 1", "channel of 5", "channel of 20")

# Estimator -> laws of few columns, or of its own model, where the interval's coverage is counted over many seeds.
COVERAGE = {
    "ksg k=3 variant 1": ("normal 1x1", "normal 2x2", "cross 1x1", "independent 5x5"),
    "ksg k=3 variant 2": ("normal 1x1", "normal 2x2", "cross 1x1", "independent 5x5"),
    "mutual_information effort=fast": ("normal 1x1", "normal 2x2", "cross 1x1", "independent 5x5"),
    "mutual_information": ("normal 1x1", "normal 2x2", "cross 1x1", "independent 5x5"),
    "amortised_mi": ("normal 1x1", "normal 2x2", "cross 1x1", "independent 5x5"),
    "mixed_ksg k=3": ("normal 1x1", "symbols plus uniform", "poisson"),
    "ross k=3": ("labels of 1 column", "labels of 5 columns", "symbols plus uniform"),
    "kozachenko_leonenko_entropy chebyshev": ("entropy of 1", "entropy of 2"),
    "discrete_mi plug-in": ("binary symmetric", "symbols 4x3"),
    "discrete_mi miller-madow": ("binary symmetric", "symbols 4x3"),
    "gaussian_mi": ("normal 1x1", "normal 5x5"),
    "gaussian_mi unbiased": ("normal 1x1", "normal 5x5", "normal 20x20"),
    "gaussian_copula_mi": ("normal 1x1", "normal 5x5", "normal-cdf 5x5"),
    "conditional_ksg": ("given z, 1x1",),
    "conditional_gaussian_mi": ("given z, 1x1", "given z, 3x3"),
    "conditional_discrete_mi": ("given z, symbols",),
    "gaussian_channel_bound": ("channel of 1", "channel of 5"),
    "leave_one_out_bound": ("channel of 1", "channel of 5"),
    "infonce_known_channel": ("channel of 1", "channel of 5"),
    "readout_mi": POSTERIOR,
    "soft_decision_mi": POSTERIOR,
    "reconstruction_bound": ("true decoder, 5x5",),
    "renyi_mi alpha=2": ("symbols 4x3, order 2",),
}


@dataclass(frozen=True)
class Row:
    """An estimator with its settings, and where it is measured.

    Args:
        name: of the estimator, with the settings that matter.
        group: which panel of the figure.
        needs: the names of infotorch that it calls.
        estimate: from a sample to an Estimate, or to nats without standard error.
        laws: names of cases.
        truth: of this very sample, in place of the law's, where an approximation is measured against the exact value.
    """

    name: str
    group: str
    needs: tuple[str, ...]
    estimate: Callable[[Sample], Estimate | Tensor]
    laws: tuple[str, ...]
    sizes: tuple[int, ...] = LARGE
    seeds: int = 5
    truth: Callable[[Sample], float] | None = None


def of_pairs(name: str, **settings: Any) -> Callable[[Sample], Estimate]:
    """The function of that name on x and y."""
    return lambda sample: getattr(estimators, name)(sample.x, sample.y, **settings)


def of_features(name: str, **settings: Any) -> Callable[[Sample], Estimate]:
    """The function of that name on clean features and the noise's standard deviation."""
    return lambda sample: getattr(estimators, name)(sample.x, sample.noise_std, **settings)


def of_features_noisily(name: str) -> Callable[[Sample], Estimate]:
    """The same for one that draws the noise itself."""
    return lambda sample: getattr(estimators, name)(sample.x, sample.noise_std, generator=sample.generator)


def label_last(sample: Sample) -> Estimate:
    """Ross takes the continuous side first."""
    x, y = (sample.y, sample.x) if not sample.x.is_floating_point() else (sample.x, sample.y)
    return estimators.ross(x, y)


def neighbours() -> list[Row]:
    laws = CONTINUOUS
    return [
        Row("ksg k=3 variant 1", "neighbours", ("ksg",), of_pairs("ksg"), laws),
        Row("ksg k=3 variant 2", "neighbours", ("ksg",), of_pairs("ksg", variant=2), laws),
        Row("ksg k=3 euclidean", "neighbours", ("ksg",), of_pairs("ksg", metric="euclidean"), laws),
        Row(
            "mutual_information effort=fast",
            "neighbours",
            ("mutual_information",),
            of_pairs("mutual_information", effort="fast"),
            laws,
        ),
        Row("mutual_information", "neighbours", ("mutual_information",), of_pairs("mutual_information"), laws),
        Row("amortised_mi", "neighbours", ("amortised_mi",), of_pairs("amortised_mi"), laws),
        Row("mixed_ksg k=3", "labels and atoms", ("mixed_ksg",), of_pairs("mixed_ksg"), (*MIXED, "normal 1x1")),
        Row("ross k=3", "labels and atoms", ("ross",), label_last, MIXED),
        Row(
            "mutual_information, mixed",
            "labels and atoms",
            ("mutual_information",),
            of_pairs("mutual_information"),
            (*MIXED, *SYMBOLS),
        ),
        *(
            Row(
                f"kozachenko_leonenko_entropy {metric}",
                "entropy",
                ("kozachenko_leonenko_entropy",),
                lambda s, metric=metric: estimators.kozachenko_leonenko_entropy(s.x, metric=metric),
                ("entropy of 1", "entropy of 2", "entropy of 5", "entropy of 10"),
            )
            for metric in ("chebyshev", "euclidean")
        ),
    ]


def given_z() -> list[Row]:
    real, symbols = ("given z, 1x1", "given z, 3x3"), ("given z, symbols",)
    kinds = {
        "conditional_ksg": real,
        "conditional_mixed_ksg": real,
        "conditional_gaussian_mi": real,
        "conditional_discrete_mi": symbols,
    }
    return [
        Row(name, "given z", (name,), lambda s, name=name: getattr(estimators, name)(s.x, s.y, s.z), laws)
        for name, laws in kinds.items()
    ]


def scores() -> list[Row]:
    """Bounds read with the best critic there is: what is left is the bound's own bias and variance."""
    laws = tuple(f"true scores, {mi}{shape}" for mi in ("1 nat", "4 nats") for shape in ("", ", 10x10"))
    bounds = {
        "infonce": lambda s: estimators.infonce(s.x),
        "donsker_varadhan": lambda s: estimators.donsker_varadhan(s.x),
        "nwj": lambda s: estimators.nwj(1 + s.x),
        "smile": lambda s: estimators.smile(s.x),
        "leave_one_out_upper": lambda s: estimators.leave_one_out_upper(s.y),
        "club": lambda s: estimators.club(s.y),
        # A map of four places that all show the pair: its average must be the bound's own value.
        "dim_local": lambda s: estimators.dim_local(s.x[..., None].expand(-1, -1, 4)),
        "dim_global": lambda s: estimators.dim_global(s.x),
    }
    return [
        *(Row(name, "true critic", (name,), estimate, laws, SMALL) for name, estimate in bounds.items()),
        Row("readout_mi", "true read-out", ("readout_mi",), of_pairs("readout_mi"), POSTERIOR),
        Row(
            "soft_decision_mi",
            "true read-out",
            ("soft_decision_mi",),
            lambda s: estimators.soft_decision_mi(s.x),
            POSTERIOR,
        ),
        Row(
            "supervised_contrastive",
            "true read-out",
            ("supervised_contrastive",),
            contrast_of_posteriors,
            POSTERIOR,
            SMALL,
        ),
        Row(
            "reconstruction_bound",
            "true read-out",
            ("reconstruction_bound",),
            lambda s: estimators.reconstruction_bound(s.x, entropy=2.5 * math.log(2 * math.pi * math.e)),
            ("true decoder, 5x5",),
        ),
    ]


def contrast_of_posteriors(sample: Sample) -> Tensor:
    """The best scores between rows: log p(t, t') / p(t) p(t') of two rows of one class, three equal classes."""
    p = sample.x.softmax(dim=1)
    return estimators.supervised_contrastive((3 * p @ p.T).log(), sample.y)


def renyi() -> list[Row]:
    """Symbols against the table's own Rényi information; randomised traces against the exact eigenvalues."""

    def exact(s: Sample) -> float:
        return float(estimators.renyi_mi(s.x, s.y))

    def randomised(s: Sample) -> Estimate:
        return estimators.renyi_mi_randomised(s.x, s.y, generator=s.generator)

    return [
        *(
            Row(f"renyi_mi alpha={a}", "renyi", ("renyi_mi",), of_pairs("renyi_mi", alpha=a), (law,), SMALL)
            for a, law in ((1.01, "symbols 4x3, order 1.01"), (2, "symbols 4x3, order 2"))
        ),
        Row(
            "renyi_mi_randomised against exact",
            "renyi",
            ("renyi_mi", "renyi_mi_randomised"),
            randomised,
            ("normal 5x5", "spiral 3x3"),
            (300, 1000),
            truth=exact,
        ),
    ]


def trained() -> list[Row]:
    """Critics trained on the sample itself, three seeds."""
    few = ("normal 1x1", "normal 5x5", "spiral 3x3")
    laws = (*few, "normal 20x20", "student 3x3 dof 2")

    def row(bound: str, critic: str, laws: tuple[str, ...], sizes: tuple[int, ...]) -> Row:
        def estimate(s: Sample) -> Estimate:
            return estimators.neural_mi(s.x.float(), s.y.float(), bound=bound, critic=critic, generator=s.generator)

        return Row(f"neural_mi {bound} {critic}", "trained critic", ("neural_mi",), estimate, laws, sizes, seeds=3)

    return [
        row("infonce", "separable", laws, (300, 1000, 3000)),
        row("infonce", "joint", few, (1000,)),
        *(row(bound, "separable", few, (1000, 3000)) for bound in ("mine", "nwj", "jsd", "smile")),
        Row(
            "architecture_aware_mine",
            "known channel",
            ("architecture_aware_mine",),
            lambda s: estimators.architecture_aware_mine(
                nn.Identity(), s.x.float(), s.noise_std, hidden=(128, 128), generator=s.generator
            ),
            CHANNEL,
            (1000, 3000),
            seeds=3,
        ),
    ]


def counts_and_moments() -> list[Row]:
    few = ("normal 1x1", "normal 2x2", "uniform noise 0.1", "cross 1x1")
    return [
        Row("discrete_mi plug-in", "symbols", ("discrete_mi",), of_pairs("discrete_mi"), SYMBOLS),
        Row(
            "discrete_mi miller-madow",
            "symbols",
            ("discrete_mi",),
            of_pairs("discrete_mi", correction="miller-madow"),
            SYMBOLS,
        ),
        *(
            Row(f"binned_mi {way}={b}", "bins", ("binned_mi",), of_pairs("binned_mi", **{way: b}), few)
            for way, b in (("num_bins", 5), ("num_bins", 10), ("num_bins", 30), ("num_quantiles", 10))
        ),
        *(
            Row(name, "gaussian", (name,), of_pairs(name), (*NORMAL, "normal 20x20", *OTHER, "cross 1x1"))
            for name in ("gaussian_mi", "gaussian_copula_mi", "gaussian_mi_cca")
        ),
        Row(
            "gaussian_mi unbiased",
            "gaussian",
            ("gaussian_mi",),
            of_pairs("gaussian_mi", unbiased=True),
            (*NORMAL, "normal 20x20"),
        ),
    ]


def known_channel() -> list[Row]:
    sizes = (100, 300, 1000, 3000)
    return [
        *(
            Row(
                f"pairwise_bounds {side}",
                "known channel",
                ("pairwise_bounds",),
                lambda s, i=i: estimators.pairwise_bounds(s.x, s.noise_std)[i],
                CHANNEL,
                sizes,
            )
            for i, side in enumerate(("lower", "upper"))
        ),
        *(
            Row(name, "known channel", (name,), of_features_noisily(name), CHANNEL, sizes)
            for name in ("leave_one_out_bound", "infonce_known_channel")
        ),
        Row(
            "gaussian_channel_bound",
            "known channel",
            ("gaussian_channel_bound",),
            of_features("gaussian_channel_bound"),
            CHANNEL,
            sizes,
        ),
    ]


def all_rows() -> list[Row]:
    """Every row, whether infotorch has its functions or not."""
    return [*neighbours(), *counts_and_moments(), *known_channel(), *given_z(), *scores(), *renyi(), *trained()]


def available_rows() -> list[Row]:
    """The rows whose functions exist; the others are named on stdout."""
    rows = all_rows()
    for row in rows:
        missing = [name for name in row.needs if not hasattr(estimators, name)]
        if missing:
            print(f"left out: {row.name} (infotorch.estimators has no {', '.join(missing)})", flush=True)
    return [row for row in rows if all(hasattr(estimators, name) for name in row.needs)]
