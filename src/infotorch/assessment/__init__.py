"""Assessment: how a trained model holds up under attacks, noise and outliers; whether it knows when it errs."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "CalibrationTable": "trust",
    "Corruption": "corruptions",
    "ImageCorruption": "corruptions",
    "adaptive_calibration_error": "calibration",
    "aurc": "detection",
    "auroc": "detection",
    "brier_score": "calibration",
    "calibration_error": "calibration",
    "calibration_table": "trust",
    "fpr95": "detection",
    "negative_log_likelihood": "calibration",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
