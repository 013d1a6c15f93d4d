"""The estimators of the accuracy benchmark, each with the laws on which its number has a meaning.

A row whose functions infotorch does not have (yet) is left out and named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accuracy_cases import Sample

import infotorch
from infotorch import Estimate

SMALL, LARGE = (100, 300, 1000), (100, 300, 1000, 3000, 10_000)

NORMAL = ("normal 1x1", "normal 2x2", "normal 5x5", "normal 10x10")
OTHER = ("independent 5x5", "student 3x3 dof 2", "spiral 3x3", "normal-cdf 5x5", "uniform noise 0.1", "swiss roll 2x1")
CONTINUOUS = (*NORMAL, *OTHER, "cross 1x1")
LABELS = ("labels of 1 column", "labels of 5 columns", "labels of images", "poisson", "poisson, zeros inflated")
MIXED = (*LABELS, "symbols plus uniform")
SYMBOLS = ("binary symmetric", "symbols 4x3", "symbols 30x30")
CHANNEL = ("channel of 1", "channel of 5", "channel of 20")


@dataclass(frozen=True)
class Row:
    """An estimator with its settings, and where it is measured.

    Args:
        name: of the estimator, with the settings that matter.
        group: which panel of the figure.
        needs: the names of infotorch that it calls.
        estimate: from a sample to an Estimate.
        laws: names of cases.
        truth: of this very sample, in place of the law's, where an approximation is measured against the exact value.
        with_std_error: whether the interval's coverage is measured (it costs time).
    """

    name: str
    group: str
    needs: tuple[str, ...]
    estimate: Callable[[Sample], Estimate]
    laws: tuple[str, ...]
    sizes: tuple[int, ...] = LARGE
    seeds: int = 5
    truth: Callable[[Sample], float] | None = None
    with_std_error: bool = True


def of_pairs(name: str, **settings: Any) -> Callable[[Sample], Estimate]:
    """The function of that name on x and y."""
    return lambda sample: getattr(infotorch, name)(sample.x, sample.y, **settings)


def of_features(name: str, **settings: Any) -> Callable[[Sample], Estimate]:
    """The function of that name on clean features and the noise's standard deviation."""
    return lambda sample: getattr(infotorch, name)(sample.x, sample.noise_std, **settings)


def of_features_noisily(name: str) -> Callable[[Sample], Estimate]:
    """The same for one that draws the noise itself."""
    return lambda sample: getattr(infotorch, name)(sample.x, sample.noise_std, generator=sample.generator)


def label_last(sample: Sample) -> Estimate:
    """Ross takes the continuous side first."""
    x, y = (sample.y, sample.x) if not sample.x.is_floating_point() else (sample.x, sample.y)
    return infotorch.ross(x, y)


def neighbours() -> list[Row]:
    laws = CONTINUOUS
    return [
        Row("ksg k=3 variant 1", "neighbours", ("ksg",), of_pairs("ksg"), laws),
        Row("ksg k=3 variant 2", "neighbours", ("ksg",), of_pairs("ksg", variant=2), laws),
        Row("ksg k=3 euclidean", "neighbours", ("ksg",), of_pairs("ksg", metric="euclidean"), laws),
        Row("mutual_information", "neighbours", ("mutual_information",), of_pairs("mutual_information"), laws),
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
                f"kozachenko_leonenko {metric}",
                "entropy",
                ("kozachenko_leonenko",),
                lambda s, metric=metric: infotorch.kozachenko_leonenko(s.x, metric=metric),
                ("entropy of 1", "entropy of 2", "entropy of 5", "entropy of 10"),
            )
            for metric in ("chebyshev", "euclidean")
        ),
        Row(
            "ksg_conditional k=3",
            "given z",
            ("ksg_conditional",),
            lambda s: infotorch.ksg_conditional(s.x, s.y, s.z),
            ("given z, 1x1", "given z, 3x3"),
            (100, 300, 1000, 3000),
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
            Row(f"binned_mi num_bins={b}", "bins", ("binned_mi",), of_pairs("binned_mi", num_bins=b), few)
            for b in (5, 10, 30)
        ),
        *(
            Row(name, "gaussian", (name,), of_pairs(name), (*NORMAL, "normal 20x20", *OTHER, "cross 1x1"))
            for name in ("gaussian_mi", "gaussian_copula_mi", "gaussian_mi_cca")
        ),
    ]


def known_channel() -> list[Row]:
    sizes = (100, 300, 1000, 3000)
    pairwise = of_features("pairwise_bounds")
    return [
        *(
            Row(
                f"pairwise_bounds {side}",
                "known channel",
                ("pairwise_bounds",),
                lambda s, i=i: pairwise(s)[i],
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
    return [*neighbours(), *counts_and_moments(), *known_channel()]


def available_rows() -> list[Row]:
    """The rows whose functions exist; the others are named on stdout."""
    rows = all_rows()
    for row in rows:
        missing = [name for name in row.needs if not hasattr(infotorch, name)]
        if missing:
            print(f"left out: {row.name} (infotorch has no {', '.join(missing)})", flush=True)
    return [row for row in rows if all(hasattr(infotorch, name) for name in row.needs)]
