"""infotorch trains, measures and explains PyTorch networks with information.

Names load on first use, so that `import infotorch` is light. Information is in nats. What is not among the names here
stands in the packages that are: `infotorch.estimators`, `infotorch.objectives` and the others.
"""

from infotorch.numerics.namespaces import namespace
from infotorch.numerics.quiet_imports import import_quietly

__version__ = "0.1.0"

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "CurvePoint": "training.curve",
    "Dataset": "data.sets",
    "Diagnosis": "diagnostics.diagnosis",
    "Estimate": "estimators.estimate",
    "FitResult": "training.fit_result",
    "HoldThenAnneal": "schedules.anneal",
    "IBCurve": "training.curve",
    "InformationAnneal": "schedules.anneal",
    "InformationBottleneck": "objectives.bottleneck",
    "InformationPlane": "diagnostics.information_plane",
    "InformationSignal": "schedules.signal",
    "InformationStopping": "schedules.stopping",
    "IsolationAudit": "diagnostics.isolation",
    "LayerDiagnosis": "diagnostics.diagnosis",
    "LocalBatch": "objectives.base",
    "LocalModule": "training.local_module",
    "Loss": "objectives.base",
    "MIMatrix": "estimators.matrix",
    "MutualInformationDecay": "schedules.decay",
    "Objective": "objectives.base",
    "Plan": "training.plan",
    "PlanePoint": "diagnostics.plane_point",
    "Position": "training.position",
    "ProximalInfo": "updates.proximal_info",
    "ProximalSplit": "updates.proximal",
    "RangeOptions": "schedules.range_test",
    "RangeTest": "schedules.range_test",
    "Split": "data.sets",
    "StepInfo": "training.position",
    "TensorBatches": "data.batches",
    "architecture_aware_mine": "estimators.architecture",
    "audit_isolation": "diagnostics.isolation",
    "binned_mi": "estimators.binned",
    "cka": "estimators.dependence",
    "diagnose": "diagnostics.diagnosis",
    "discrete_mi": "estimators.discrete",
    "evaluate_modules": "training.evaluate",
    "fit": "training.fit",
    "gaussian_mi": "estimators.gaussian",
    "hsic": "estimators.dependence",
    "ib_curve": "training.curve",
    "ksg": "estimators.kraskov",
    "load": "data.loading",
    "lr_range_test": "schedules.range_test",
    "mi_matrix": "estimators.matrix",
    "mixed_ksg": "estimators.mixed",
    "mutual_information": "estimators.choose",
    "neural_mi": "estimators.neural",
    "pairwise_bounds": "estimators.channel",
    "renyi_entropy": "estimators.renyi",
    "renyi_mi": "estimators.renyi",
    "ross": "estimators.class_neighbours",
    "train": "training.loop",
}
PACKAGES = (
    "assessment", "data", "diagnostics", "distributions", "estimators", "lightning", "networks", "objectives",
    "schedules", "sklearn", "torchmetrics",
)  # fmt: skip
import_quietly()
__getattr__, __dir__, __all__ = namespace(__name__, HOMES, packages=PACKAGES)  # pyright: ignore[reportUnsupportedDunderAll]
