"""Every estimator once: what it takes, what it gives, what it costs, and the name that the command line takes.

`infotorch.estimators` takes its public names from here, `infotorch measure` and `infotorch list estimators` theirs,
`InformationSignal` finds its functions here, and docs/choosing-an-estimator.md has its tables from here (`make stubs`).
A new estimator is its own file, an entry here, and its test. Nothing here imports torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass(frozen=True)
class Entry:
    """An estimator as the tables show it: n samples, d columns, m symbols or classes.

    Args:
        function: public name in `infotorch.estimators`.
        module: the file there that defines it.
        x: what its first argument is.
        y: what its second argument is; "–" where there is none.
        size: for how many columns or samples it is made.
        side: on which side of the truth the value lies on average, and how far; "–": either.
        ceiling: the most that n samples can give; of what is no information, its range.
        error: where `std_error` comes from.
        gradient: whether one runs through the value.
        cost: how the time grows; memory stays linear in n unless said.
        name: what `infotorch measure --estimator` and `InformationSignal` call it.
        purpose: one line for `infotorch list estimators`; empty where it needs more than two arrays.
        settings: keyword arguments that belong to the name.
    """

    function: str
    module: str
    x: str
    y: str
    size: str
    side: str
    ceiling: str
    error: str
    gradient: bool
    cost: str
    name: str = ""
    purpose: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

    def load(self) -> Callable[..., Any]:
        """The function, with the settings of the name."""
        function = getattr(importlib.import_module(f"infotorch.estimators.{self.module}"), self.function)
        return partial(function, **self.settings) if self.settings else function


# fmt: off
#: nats: information, and bounds on it
INFORMATION = (
    Entry("mutual_information", "choose", "any", "any", "any",
          "–", "as the one it picks", "as the one it picks", False, "as the one it picks",
          name="auto", purpose="by type and number of columns; says what it picked and why"),
    Entry("ksg", "kraskov", "continuous", "continuous", "1 to 3 columns each",
          "–, too low in many columns", "psi(n) - psi(k)", "subsampling", False, "n log n in few columns, else n² d",
          name="ksg", purpose="continuous with continuous, nearest neighbours (Kraskov 2004), k = 3"),
    Entry("ksg", "kraskov", "continuous", "continuous", "1 to 3 columns each",
          "–, too low in many columns", "psi(n) - psi(k) - 1/k", "subsampling", False, "as the first algorithm",
          name="ksg-2", purpose="the same by Kraskov's second algorithm", settings={"variant": 2}),
    Entry("ksg_ensemble", "ensemble", "continuous", "continuous", "2 to some 10 columns each",
          "–, too low by less than `ksg`", "psi(n) - weighted psi(k)", "subsampling", False, "as `ksg`",
          name="ksg-ensemble",
          purpose="continuous with continuous, KSG for k = 1, 2, 4, 8, weighted so that their biases cancel"),
    Entry("gaussianised_mi", "gaussianised", "continuous", "continuous", "1 to 50 columns each",
          "–, low where relations bend", "–", "terms of the samples", False, "n log n in few columns, else n² d",
          name="gaussianised",
          purpose="continuous with continuous, what a normal law tells, and neighbours for the rest"),
    Entry("amortised_mi", "amortised", "continuous", "continuous", "1 to 10 columns each",
          "–", "–", "quantiles it was trained to give", False, "n d up to 6,000 samples",
          name="amortised",
          purpose="continuous with continuous, cheap estimates weighed by a trained network, in milliseconds"),
    Entry("ross", "class_neighbours", "continuous", "labels", "any",
          "–", "about H(Y)", "subsampling", False, "n log n in few columns, else n² d",
          name="ross", purpose="continuous with discrete, nearest neighbours within each class (Ross 2014), k = 3"),
    Entry("mixed_ksg", "mixed", "mixed discrete and continuous values", "any numbers", "1 to 3 columns each",
          "–, too low in many columns", "log n - psi(k)", "subsampling", False, "as `ksg`",
          name="mixed-ksg", purpose="mixtures of continuous and discrete, nearest neighbours (Gao 2017), k = 3"),
    Entry("discrete_mi", "discrete", "symbols", "symbols", "m² far below n",
          '–, too high ("miller-madow": less)', "log n", "delta method", False, "n log n",
          name="discrete", purpose="discrete with discrete, from counts, with Miller and Madow's correction",
          settings={"correction": "miller-madow"}),
    Entry("binned_mi", "binned", "numbers, binned", "numbers, binned, or symbols", "1 to 2 columns",
          "–, depends on the bins", "log n", "delta method", False, "n log n d"),
    Entry("gaussian_mi", "gaussian", "Gaussian", "Gaussian", "n > d",
          "–, too high by d_x d_y / (2n)", "none", "influence of samples", True, "n d² + d³",
          name="gaussian", purpose="exact where x and y are jointly Gaussian"),
    Entry("gaussian_mi_cca", "gaussian", "Gaussian", "Gaussian", "n > d",
          "–, too high by d_x d_y / (2n)", "none", "influence of samples", True, "n d² + d³"),
    Entry("gaussian_copula_mi", "gaussian", "Gaussian copula", "Gaussian copula", "n > d",
          "–, as `gaussian_mi`", "none", "influence of samples", False, "n log n d + n d² + d³",
          name="gaussian-copula", purpose="the same after each column's ranks are mapped to a normal distribution"),
    Entry("neural_mi", "neural", "continuous, any", "continuous or labels", "any",
          'lower (not "smile")', 'log of the test samples for "infonce", else none',
          "influence of test samples; not the training", False, "training: steps × batch", name="neural",
          purpose="many columns: a critic trained by InfoNCE, read on samples that were held out (seconds to minutes)"),
    Entry("pairwise_bounds", "channel", "input of a known Gaussian channel",
          "features plus noise, its noise_std one number or one for each entry", "any",
          "lower and upper", "log n", "influence of samples", True, "n² d"),
    Entry("infonce_known_channel", "channel", "input of a known Gaussian channel", "features plus noise", "any",
          "lower", "log n", "influence of samples", True, "n² d"),
    Entry("leave_one_out_bound", "channel", "input of a known Gaussian channel", "features plus noise", "any",
          "upper", "none", "influence of samples", True, "n² d"),
    Entry("gaussian_channel_bound", "channel", "input of a known Gaussian channel", "features plus noise",
          "n far above d", "upper", "none", "influence of samples", True, "n d min(n, d)"),
    Entry("architecture_aware_mine", "architecture", "input of a network F", "F(x) plus noise", "any",
          "lower", "none", "influence of test samples; not the training", False, "training: steps × batch"),
    Entry("readout_mi", "labels", "class scores from T", "labels", "any",
          "lower on I(Y; T)", "H(Y)", "samples' terms", True, "n m",
          name="readout"),
    Entry("soft_decision_mi", "labels", "class scores", "the decision drawn from them", "any",
          "lower (averaged draws: –)", "min(log n, log m)", "samples' terms", True, "n m"),
    Entry("soft_decision_label_mi", "decision", "class scores, behind a soft decision", "class labels", "any",
          "–", "min(H(Y), log m)", "delta method", True, "n m"),
    Entry("hard_decision_mi", "decision", "class scores, behind a hard decision", "class labels, or the input", "any",
          "–", "log n", "delta method", False, "n m"),
    Entry("supervised_contrastive", "labels", "scores between samples", "labels", "any",
          "lower on I(Y; T)", "H(Y)", "none", True, "n²"),
    Entry("reconstruction_bound", "reconstruction", "X", "what a decoder restores from T", "any",
          "lower, as far as h(X) is right", "none", "samples' terms", True, "n d"),
    Entry("infonce", "bounds", "scores of pairs", "–", "any",
          "lower", "log n", "none", True, "n²"),
    Entry("donsker_varadhan", "bounds", "scores of pairs", "–", "any",
          "lower, too high for few pairs", "none", "none", True, "n²"),
    Entry("nwj", "bounds", "scores of pairs", "–", "any",
          "lower", "none", "none", True, "n²"),
    Entry("smile", "bounds", "scores of pairs", "–", "any",
          "–", "none", "none", True, "n²"),
    Entry("jsd", "bounds", "scores of pairs", "–", "any",
          "lower on the Jensen-Shannon divergence", "log 2", "none", True, "n²"),
    Entry("club", "bounds_upper", "log p(y|x), true", "–", "any",
          "upper (fitted p: –)", "none", "none", True, "n²"),
    Entry("leave_one_out_upper", "bounds_upper", "log p(y|x), true", "–", "any",
          "upper (fitted p: –)", "none", "none", True, "n²"),
    Entry("dim_local", "spatial", "scores of features and maps", "–", "locations p",
          "lower, with a lower bound", "log n with `infonce`", "none", True, "n² p"),
    Entry("dim_grid", "spatial", "features", "maps", "locations p",
          "lower, with a lower bound", "log n with `infonce`", "none", True, "n² p"),
    Entry("dim_global", "spatial", "scores of features and maps", "–", "any",
          "lower, with a lower bound", "log n with `infonce`", "none", True, "n²"),
    Entry("prior_matching", "spatial", "scores of a discriminator (adversarial, not information)", "–", "any",
          "–", "0", "none", True, "n"),
    Entry("conditional_ksg", "conditional", "continuous", "continuous, given continuous", "few columns",
          "–, too low in many columns", "psi(n) - psi(k)", "subsampling", False, "n log n in few columns, else n² d"),
    Entry("conditional_mixed_ksg", "conditional", "any numbers", "any numbers, given any", "few columns",
          "–", "psi(n - 1) - psi(k)", "subsampling", False, "n log n in few columns, else n² d"),
    Entry("conditional_gaussian_mi", "conditional", "Gaussian", "Gaussian, given Gaussian", "n > d",
          "–, too high", "none", "influence of samples", True, "n d² + d³"),
    Entry("conditional_discrete_mi", "conditional", "symbols", "symbols, given symbols", "m³ far below n",
          '–, too high ("miller-madow": less)', "log n", "delta method", False, "n log n"),
    Entry("discrete_entropy", "discrete", "symbols", "entropy alone", "m far below n",
          '–, too low ("miller-madow": less)', "log n", "delta method", False, "n log n"),
    Entry("kozachenko_leonenko_entropy", "entropy", "continuous", "differential entropy alone", "few columns",
          "–", "none", "subsampling", False, "n log n in few columns, else n² d"),
)
#: dependence that is not Shannon's information, and not to be set beside it
DEPENDENCE = (
    Entry("renyi_entropy", "renyi", "any", "–", "any",
          "", "0 to log n", "jackknife", True, "n³, memory 2 n² numbers; order 2: n² d, linear"),
    Entry("renyi_joint_entropy", "renyi_multivariate", "several, together", "–", "any",
          "", "0 to log n", "jackknife", True, "n³, memory 2 n² numbers; order 2: n² d, linear"),
    Entry("renyi_mi", "renyi", "any", "any", "any",
          "", "at most log n", "jackknife", True, "as `renyi_entropy`",
          name="renyi",
          purpose="matrix-based Renyi information of order 1.01, bandwidth from the 10 nearest samples; not Shannon's"),
    Entry("renyi_normalised_mi", "renyi", "any", "any", "any",
          "", "at most 1, no unit", "none", True, "as `renyi_entropy`"),
    Entry("renyi_multivariate_mi", "renyi_multivariate", "several, together", "any", "any",
          "", "at most log n", "jackknife", True, "as `renyi_entropy`"),
    Entry("renyi_total_correlation", "renyi_multivariate", "several", "each other", "any",
          "", "at most (variables - 1) log n", "jackknife", True, "as `renyi_entropy`"),
    Entry("renyi_entropy_randomised", "renyi_randomised", "any", "–", "many samples",
          "", "at most log n", "distance from the exact value", False, "n² × probes"),
    Entry("renyi_mi_randomised", "renyi_randomised", "any", "any", "many samples",
          "", "at most log n", "distance from the exact value", False, "n² × probes"),
    Entry("hsic", "dependence", "any", "any", "any",
          "", "no unit, 0 for independence", "none", True, "n² d; linear kernel n d²"),
    Entry("cka", "dependence", "any", "any", "any",
          "", "at most 1, no unit", "none", True, "n² d; linear kernel n d²"),
    Entry("canonical_correlations", "gaussian", "any", "any", "n > d",
          "", "0 to 1 each", "none", True, "n d² + d³"),
)
# fmt: on

#: public names of estimators -> the file of this package that defines them
HOMES = {entry.function: entry.module for entry in (*INFORMATION, *DEPENDENCE)}


def describe_estimators() -> dict[str, str]:
    """The names that `infotorch measure --estimator` takes, with one line on each.

    Example:
        >>> list(describe_estimators())[:2]
        ['auto', 'ksg']
    """
    return {entry.name: entry.purpose for entry in (*INFORMATION, *DEPENDENCE) if entry.purpose}


def named(name: str, *, where: str) -> Entry:
    """The entry with this name.

    Raises:
        ValueError: there is none.

    Example:
        >>> named("ksg-2", where="example").settings
        {'variant': 2}
    """
    found = {entry.name: entry for entry in (*INFORMATION, *DEPENDENCE) if entry.name}
    if name not in found:
        raise ValueError(f"{where}: estimator must be one of {', '.join(found)}, got {name!r}.")
    return found[name]
