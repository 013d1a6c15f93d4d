"""How a metric is named, scaled and rounded for people; the metric's own name decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

ABSENT = "–"

_WORDS = {name: name.upper() for name in ("psnr", "mae", "rmse", "hsic", "cka", "ssim", "nll", "auroc", "fgsm", "pgd")}
#: What schedules saw in the information, see `MutualInformationDecay` and `InformationAnneal`; and what an assessed
#: layer's information is: bounds, as in the tables of `diagnose`.
_NAMES = {
    "d_p": "missing share d_p",
    "d_s": "relative change d_s",
    "gain": "gain, share of what was missing",
    "layer_mi_xt_nats": "layer I(X; T+ε) ≤",
    "layer_mi_ty_nats": "layer I(T; Y) ≥",
    "train_test_gap_accuracy": "train minus test accuracy",
}
_UNITS = (("_nats", "nats"), ("_bits", "bits"), ("_db", "dB"))
_SPLITS = ("train", "validation", "test")


def is_fraction(name: str) -> bool:
    """Whether the metric is a fraction of one, shown in percent."""
    if name.endswith(("_accuracy", "_calibration_error", "_share")) or "_auroc_" in name:
        return True
    return name in {"accuracy", "majority_class", "test_accuracy_without_views"}


def scale(name: str) -> float:
    """What a stored value is multiplied by before it is shown: 100 for fractions, else 1."""
    return 100.0 if is_fraction(name) else 1.0


def metric_unit(name: str) -> str:
    """The unit a metric is shown in, or "" where its name tells none.

    Args:
        name: metric name, for example "mi_ty_nats".

    Returns:
        "%", "nats", "bits", "dB" or "".

    Example:
        >>> metric_unit("test_accuracy"), metric_unit("mi_ty_nats"), metric_unit("train_loss")
        ('%', 'nats', '')
    """
    if is_fraction(name):
        return "%"
    return next((unit for suffix, unit in _UNITS if name.endswith(suffix)), "")


def metric_label(name: str, *, unit: bool = True) -> str:
    """A metric's name for people.

    Args:
        name: metric name, for example "test_accuracy".
        unit: whether the unit follows the name.

    Returns:
        Words, with the letters of information theory where the name has them.

    Example:
        >>> metric_label("test_accuracy"), metric_label("validation_mi_ty_nats"), metric_label("test_psnr_db")
        ('test accuracy, %', 'validation I(T; Y), nats', 'test PSNR, dB')
    """
    words = _NAMES.get(name) or _spelled_out(name)
    shown = metric_unit(name) if unit else ""
    return f"{words}, {shown}" if shown else words


def _spelled_out(name: str) -> str:
    stem = next((name.removesuffix(suffix) for suffix, _ in _UNITS if name.endswith(suffix)), name)
    stem = re.sub(r"(?<![a-z])mi_([a-z])([a-z])(?![a-z])", lambda m: f"I({m[1].upper()}; {m[2].upper()})", stem)
    stem = re.sub(r"(?<![a-z])entropy_([a-z])(?![a-z])", lambda m: f"H({m[1].upper()})", stem)
    return " ".join(_WORDS.get(word, word) for word in stem.split("_"))


def split_name(name: str) -> tuple[str, str]:
    """Take a metric's name apart into split and quantity.

    Args:
        name: metric name, for example "validation_loss".

    Returns:
        The split ("train", "validation", "test" or "") and the rest of the name.

    Example:
        >>> split_name("validation_loss"), split_name("learning_rate")
        (('validation', 'loss'), ('', 'learning_rate'))
    """
    head, _, rest = name.partition("_")
    return (head, rest) if head in _SPLITS and rest else ("", name)


def best_of(name: str, values: Collection[float]) -> float | None:
    """The best of several values of a metric, by the direction that its name tells; None of none.

    Example:
        >>> best_of("test_accuracy", (0.9, 0.8)), best_of("test_mae", (1.2, 1.1))
        (0.9, 1.1)
    """
    return (min(values) if better(name) == "lower" else max(values)) if values else None


def better(name: str) -> str:
    """Which direction of a metric is the better one, where its name tells.

    Args:
        name: metric name.

    Returns:
        "higher", "lower" or "": information is wanted high in one place and low in another.

    Example:
        >>> better("test_accuracy"), better("test_mae"), better("mi_xt_nats")
        ('higher', 'lower', '')
    """
    words = set(name.split("_"))
    if words & {"mae", "rmse", "mse", "loss", "error", "nll", "gap"}:
        return "lower"
    return "higher" if words & {"accuracy", "psnr", "ssim", "auroc"} else ""


def format_metric(name: str, value: float | None) -> str:
    """A metric's value, without its unit, rounded as its kind asks for.

    Args:
        name: metric name; it decides the scale and the decimals.
        value: the stored value, or None where there is none. A standard error is formatted in the same way.

    Returns:
        Fractions of one in percent with two decimals, nats and bits with three, dB, mean absolute errors and
        silhouettes with two, anything else with four significant digits; a dash for None.

    Example:
        >>> format_metric("test_accuracy", 0.86573), format_metric("mi_ty_nats", 1.2), format_metric("test_mae", None)
        ('86.57', '1.200', '–')
    """
    if value is None:
        return ABSENT
    if is_fraction(name):
        return f"{100 * value:.2f}"
    if name.endswith(("_nats", "_bits")):
        return f"{value:.3f}"
    return f"{value:.2f}" if name.endswith(("_db", "_mae", "_silhouette")) else f"{value:.4g}"


def format_measured(name: str, mean: float | None, std_error: float | None) -> str:
    """Mean and standard error of a metric in one cell; without an error where there is none.

    Args:
        name: metric name.
        mean: mean over seeds, or None.
        std_error: standard error of the mean, or None with one seed.

    Returns:
        For example "86.57 ± 0.12".

    Example:
        >>> format_measured("test_accuracy", 0.8657, 0.0012), format_measured("test_accuracy", 0.8657, None)
        ('86.57 ± 0.12', '86.57')
    """
    shown = format_metric(name, mean)
    return shown if mean is None or std_error is None else f"{shown} ± {format_metric(name, std_error)}"


def format_seconds(seconds: float | None) -> str:
    """A duration in the unit that reads best.

    Args:
        seconds: the duration, or None.

    Returns:
        Seconds below two minutes, minutes below two hours, then hours.

    Example:
        >>> format_seconds(0.42), format_seconds(75), format_seconds(600), format_seconds(9000)
        ('0.42 s', '75 s', '10.0 min', '2.5 h')
    """
    if seconds is None:
        return ABSENT
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def format_mebibytes(count: float | None) -> str:
    """Bytes as mebibytes (2^20 bytes), without the unit.

    Args:
        count: number of bytes, or None.

    Returns:
        Two decimals below 10 MiB, one above.

    Example:
        >>> format_mebibytes(6 * 2**20), format_mebibytes(66 * 2**20)
        ('6.00', '66.0')
    """
    if count is None:
        return ABSENT
    mebibytes = count / 2**20
    return f"{mebibytes:.2f}" if mebibytes < 10 else f"{mebibytes:.1f}"


def format_counts(counts: Mapping[str, int]) -> str:
    """How many of how many runs completed, and what became of the others.

    Args:
        counts: status -> number of runs.

    Returns:
        For example "2 of 3 (1 diverged)".

    Example:
        >>> format_counts({"completed": 2, "diverged": 1}), format_counts({"completed": 3})
        ('2 of 3 (1 diverged)', '3 of 3')
    """
    others = ", ".join(f"{count} {status}" for status, count in counts.items() if status != "completed")
    done = f"{counts.get('completed', 0)} of {sum(counts.values())}"
    return f"{done} ({others})" if others else done


def format_setting(value: Any) -> str:
    """A setting of a recipe or an environment as text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(format_setting(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, names joined by dots.

    Args:
        settings: nested mappings.
        prefix: what each name starts with.

    Returns:
        Dotted name -> value, in the order of the settings.

    Example:
        >>> flatten({"seed": 0, "data": {"name": "digits"}})
        {'seed': 0, 'data.name': 'digits'}
    """
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            flat |= flatten({str(index): item for index, item in enumerate(value)}, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
