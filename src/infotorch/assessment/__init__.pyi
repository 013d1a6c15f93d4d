"""Assessment: how a trained model holds up under attacks, noise and outliers; whether it knows when it errs."""

from infotorch.assessment.calibration import adaptive_calibration_error as adaptive_calibration_error
from infotorch.assessment.calibration import brier_score as brier_score
from infotorch.assessment.calibration import calibration_error as calibration_error
from infotorch.assessment.calibration import negative_log_likelihood as negative_log_likelihood
from infotorch.assessment.corruptions import Corruption as Corruption
from infotorch.assessment.corruptions import ImageCorruption as ImageCorruption
from infotorch.assessment.detection import aurc as aurc
from infotorch.assessment.detection import auroc as auroc
from infotorch.assessment.detection import fpr95 as fpr95
from infotorch.assessment.trust import CalibrationTable as CalibrationTable
from infotorch.assessment.trust import calibration_table as calibration_table
HOMES: dict[str, str]
__all__ = [
    "CalibrationTable",
    "Corruption",
    "ImageCorruption",
    "adaptive_calibration_error",
    "aurc",
    "auroc",
    "brier_score",
    "calibration_error",
    "calibration_table",
    "fpr95",
    "negative_log_likelihood",
]
