"""From the evidence on a layer to a verdict on I(X; T), why, and what to do instead."""

from __future__ import annotations

from typing import Literal

from infotorch.diagnostics.evidence import Evidence

Verdict = Literal["infinite", "saturated", "piecewise-constant", "finite", "constant", "unknown"]

# diagnose and InformationPlane count noise in units of the layer's spread, over all columns together; the objectives
# and GaussianNoise in units of its root mean square deviation an entry.
_UNITS = 'noise="relative", whose number for the same noise is larger by sqrt(columns)'

_REMEDY: dict[Verdict, str] = {
    "infinite": (
        "measure I(X; T + noise), the noise in units of T's spread (pairwise_bounds), or penalise it "
        f"(InformationBottleneck, {_UNITS}), or put noise with a density into the network; I(T; Y) is finite as it is"
    ),
    "saturated": (
        "do not read compression from it, and do not train on it; I(X; T + noise), noise in units of T's spread, "
        f"moves with the weights (pairwise_bounds; InformationBottleneck, {_UNITS}); for I(T; Y) use samples that did "
        "not train the network"
    ),
    "piecewise-constant": (
        "fit to be read, with enough rows for each value of T, and not to be trained on; for training take the soft "
        "decision (soft_decision_mi), or I(X; T + noise), before the steps if there are any"
    ),
    "finite": "estimate it with the noise known (pairwise_bounds, infonce_known_channel), and look at its ceiling",
    "constant": "look for dead units, zero weights or a wrong scale: nothing behind this layer can tell inputs apart",
    "unknown": (
        "take I(X; T + noise) with noise of a known scale, which is finite whatever T is; or tell diagnose what the "
        "input is (input_kind=...) and look at the layers before this one"
    ),
}


def decide(seen: Evidence) -> tuple[Verdict, str]:
    """The verdict on I(X; T) of a layer, and the reason in a sentence.

    See `diagnose` for what each verdict means.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Secs. 4.1 (Theorem 1; eq. 19 for noise), 4.2 and 5.3.
    """
    if not seen.depends and seen.smooth == 0 and seen.jumps == 0:
        return "constant", "T is the same for every row, and small steps of x do not move it: I(X; T) = 0."
    if seen.noise != "none":
        verdict, reason = _with_noise(seen)
    else:
        verdict, reason = _on_points(seen) if seen.input == "discrete" else _on_density(seen)
    if seen.mixes and verdict != "finite":
        return "unknown", (
            "a row of T changes with the other rows of its batch, as where statistics have seen no training batch: "
            "then T is no function of its own x alone."
        )
    return verdict, reason


def remedy_for(verdict: Verdict) -> str:
    """What to do about a verdict.

    Example:
        >>> remedy_for("constant")[:19]
        'look for dead units'
    """
    return _REMEDY[verdict]


def _on_points(seen: Evidence) -> tuple[Verdict, str]:
    """A deterministic layer of an input with countably many values: I(X; T) = H(T)."""
    if seen.injective:
        return "saturated", (
            f"X is discrete and T keeps all {seen.distinct} different inputs apart: I(X; T) = H(X), log n where no row "
            "occurs twice, whatever the weights are."
        )
    return "piecewise-constant", (
        f"X is discrete and T has {seen.distinct} values for {seen.distinct_inputs} inputs: I(X; T) = H(T) changes "
        "only when weights merge or part inputs."
    )


def _on_density(seen: Evidence) -> tuple[Verdict, str]:
    """A deterministic layer of an input with a density."""
    if seen.theorem:
        caveat = "" if seen.smooth > 0 else "; in floating point T has stopped moving"
        return "infinite", (
            "X has a density and every step to T is an affine map or an activation that is bi-Lipschitz or smoothly "
            f"increasing: I(X; T) is infinite for almost all weights (Theorem 1){caveat}."
        )
    if seen.smooth > 0:
        return "infinite", (
            f"X has a density, and T moves smoothly with it at {seen.smooth:.0%} of the rows: some direction of T has "
            "a density there, and H(T) is infinite."
        )
    if seen.jumps > 0.5:
        return "unknown", "small steps of x make T jump nearly everywhere, however small they are."
    if seen.weakest == "unknown" and seen.activations is None and seen.injective:
        return (
            "unknown",
            "T stands still under small steps of x, yet differs in every row, and its way is out of sight.",
        )
    return "piecewise-constant", (
        f"T stands still under small steps of x and jumps between values ({seen.distinct} in {seen.num_samples} rows): "
        "I(X; T) = H(T) is finite, and on any data set its gradient is 0."
    )


def _with_noise(seen: Evidence) -> tuple[Verdict, str]:
    if seen.input == "discrete" or seen.smooth == 0:
        if seen.noise == "unknown":
            return "unknown", "T holds noise of a kind that is not known."
        which = "X is discrete" if seen.input == "discrete" else "T takes few values"
        if seen.noise == "of few values" and not seen.odds_by_x:
            return "piecewise-constant", (
                f"{which}, and its noise takes few values too, by odds that do not depend on x, as dropout does: "
                "I(X; T) changes only when weights merge or part values."
            )
        return (
            "finite",
            f"{which} and T holds noise: I(X; T) is finite, below H(X) and below H(T) where that is finite.",
        )
    if seen.noise == "of few values":
        return "infinite", (
            "X has a density and the noise of T takes few values, as dropout does: with some probability T moves "
            "smoothly with x and nothing blurs it."
        )
    if seen.noise_escaped:
        return "infinite", (
            "X has a density and T holds noise, but x moves T in directions that the noise leaves alone, at some rows "
            "at least."
        )
    if seen.noise == "unknown":
        return "unknown", "X has a density, and whether the noise of T has one could not be seen."
    if seen.noise_escaped is None:
        return "unknown", (
            f"T holds noise with a density, which seems to fill fewer dimensions (about {seen.noise_dimension:.1f}) "
            f"than T does (about {seen.information_dimension:.1f}): then I(X; T) would be infinite."
        )
    return "finite", "T holds noise with a density in every direction in which x moves it: I(X; T) is finite."
