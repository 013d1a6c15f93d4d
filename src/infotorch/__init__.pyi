"""infotorch trains, measures and explains PyTorch networks with information."""

from infotorch import assessment as assessment
from infotorch import data as data
from infotorch import diagnostics as diagnostics
from infotorch import distributions as distributions
from infotorch import estimators as estimators
from infotorch import lightning as lightning
from infotorch import networks as networks
from infotorch import objectives as objectives
from infotorch import schedules as schedules
from infotorch import sklearn as sklearn
from infotorch import torchmetrics as torchmetrics
from infotorch.data.batches import TensorBatches as TensorBatches
from infotorch.data.loading import load as load
from infotorch.data.sets import Dataset as Dataset
from infotorch.data.sets import Split as Split
from infotorch.diagnostics.diagnosis import Diagnosis as Diagnosis
from infotorch.diagnostics.diagnosis import LayerDiagnosis as LayerDiagnosis
from infotorch.diagnostics.diagnosis import diagnose as diagnose
from infotorch.diagnostics.information_plane import InformationPlane as InformationPlane
from infotorch.diagnostics.isolation import IsolationAudit as IsolationAudit
from infotorch.diagnostics.isolation import audit_isolation as audit_isolation
from infotorch.diagnostics.plane_point import PlanePoint as PlanePoint
from infotorch.estimators.architecture import architecture_aware_mine as architecture_aware_mine
from infotorch.estimators.binned import binned_mi as binned_mi
from infotorch.estimators.channel import pairwise_bounds as pairwise_bounds
from infotorch.estimators.choose import mutual_information as mutual_information
from infotorch.estimators.class_neighbours import ross as ross
from infotorch.estimators.dependence import cka as cka
from infotorch.estimators.dependence import hsic as hsic
from infotorch.estimators.discrete import discrete_mi as discrete_mi
from infotorch.estimators.estimate import Estimate as Estimate
from infotorch.estimators.gaussian import gaussian_mi as gaussian_mi
from infotorch.estimators.kraskov import ksg as ksg
from infotorch.estimators.matrix import MIMatrix as MIMatrix
from infotorch.estimators.matrix import mi_matrix as mi_matrix
from infotorch.estimators.mixed import mixed_ksg as mixed_ksg
from infotorch.estimators.neural import neural_mi as neural_mi
from infotorch.estimators.renyi import renyi_entropy as renyi_entropy
from infotorch.estimators.renyi import renyi_mi as renyi_mi
from infotorch.objectives.base import LocalBatch as LocalBatch
from infotorch.objectives.base import Loss as Loss
from infotorch.objectives.base import Objective as Objective
from infotorch.objectives.bottleneck import InformationBottleneck as InformationBottleneck
from infotorch.schedules.anneal import HoldThenAnneal as HoldThenAnneal
from infotorch.schedules.anneal import InformationAnneal as InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay as MutualInformationDecay
from infotorch.schedules.range_test import RangeOptions as RangeOptions
from infotorch.schedules.range_test import RangeTest as RangeTest
from infotorch.schedules.range_test import lr_range_test as lr_range_test
from infotorch.schedules.signal import InformationSignal as InformationSignal
from infotorch.schedules.stopping import InformationStopping as InformationStopping
from infotorch.training.curve import CurvePoint as CurvePoint
from infotorch.training.curve import IBCurve as IBCurve
from infotorch.training.curve import ib_curve as ib_curve
from infotorch.training.evaluate import evaluate_modules as evaluate_modules
from infotorch.training.fit import fit as fit
from infotorch.training.fit_result import FitResult as FitResult
from infotorch.training.local_module import LocalModule as LocalModule
from infotorch.training.loop import train as train
from infotorch.training.plan import Plan as Plan
from infotorch.training.position import Position as Position
from infotorch.training.position import StepInfo as StepInfo
from infotorch.updates.proximal import ProximalSplit as ProximalSplit
from infotorch.updates.proximal_info import ProximalInfo as ProximalInfo

__version__: str
HOMES: dict[str, str]
PACKAGES: tuple[str, ...]
__all__ = [
    "CurvePoint",
    "Dataset",
    "Diagnosis",
    "Estimate",
    "FitResult",
    "HoldThenAnneal",
    "IBCurve",
    "InformationAnneal",
    "InformationBottleneck",
    "InformationPlane",
    "InformationSignal",
    "InformationStopping",
    "IsolationAudit",
    "LayerDiagnosis",
    "LocalBatch",
    "LocalModule",
    "Loss",
    "MIMatrix",
    "MutualInformationDecay",
    "Objective",
    "Plan",
    "PlanePoint",
    "Position",
    "ProximalInfo",
    "ProximalSplit",
    "RangeOptions",
    "RangeTest",
    "Split",
    "StepInfo",
    "TensorBatches",
    "architecture_aware_mine",
    "assessment",
    "audit_isolation",
    "binned_mi",
    "cka",
    "data",
    "diagnose",
    "diagnostics",
    "discrete_mi",
    "distributions",
    "estimators",
    "evaluate_modules",
    "fit",
    "gaussian_mi",
    "hsic",
    "ib_curve",
    "ksg",
    "lightning",
    "load",
    "lr_range_test",
    "mi_matrix",
    "mixed_ksg",
    "mutual_information",
    "networks",
    "neural_mi",
    "objectives",
    "pairwise_bounds",
    "renyi_entropy",
    "renyi_mi",
    "ross",
    "schedules",
    "sklearn",
    "torchmetrics",
    "train",
]
