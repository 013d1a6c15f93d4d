"""infotorch trains, measures and explains PyTorch networks with information.

Public names load on first use (PEP 562), so that `import infotorch` is light. Information is in nats.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> module that defines it
_HOME = {
    "AssociatedLearning": "infotorch.objectives.associated",
    "BilinearCritic": "infotorch.estimators.critics",
    "Critic": "infotorch.estimators.critics",
    "CriticInformation": "infotorch.objectives.critic",
    "CrossEntropy": "infotorch.objectives.labels",
    "DeepGraphInfomax": "infotorch.objectives.graph_summary",
    "DeepInfoMax": "infotorch.objectives.spatial",
    "Diagnosis": "infotorch.diagnostics.diagnose",
    "EncoderCritic": "infotorch.estimators.critics",
    "Estimate": "infotorch.estimators.estimate",
    "FitResult": "infotorch.training.fit",
    "ForwardForward": "infotorch.objectives.forward_forward",
    "GaussianLayer": "infotorch.networks.stochastic",
    "GaussianNoise": "infotorch.networks.noise",
    "GraphForwardForward": "infotorch.objectives.graph_forward_forward",
    "GraphRenyiInformation": "infotorch.objectives.graph_renyi",
    "GraphicalInformation": "infotorch.objectives.graph_nodes",
    "GreedyInfoMax": "infotorch.objectives.spatial",
    "HSICBottleneck": "infotorch.objectives.hsic",
    "HoldThenAnneal": "infotorch.schedules.anneal",
    "InfoGraph": "infotorch.objectives.graph_summary",
    "InformationAnneal": "infotorch.schedules.anneal",
    "InformationBottleneck": "infotorch.objectives.bottleneck",
    "InformationDropout": "infotorch.objectives.variational",
    "InformationSignal": "infotorch.schedules.signal",
    "JointCritic": "infotorch.estimators.critics",
    "KernelAlignment": "infotorch.objectives.similarity",
    "LocalBatch": "infotorch.objectives.base",
    "LocalModule": "infotorch.training.local_module",
    "LogNormalLayer": "infotorch.networks.stochastic",
    "LogNormalNoise": "infotorch.networks.noise",
    "Loss": "infotorch.objectives.base",
    "MineGradient": "infotorch.estimators.bounds",
    "MutualInformationDecay": "infotorch.schedules.decay",
    "NodeInformation": "infotorch.objectives.graph_nodes",
    "NonlinearBottleneck": "infotorch.objectives.nonlinear",
    "Objective": "infotorch.objectives.base",
    "Parallel": "infotorch.networks.parallel",
    "ParallelObjectives": "infotorch.objectives.combined",
    "Plan": "infotorch.training.plan",
    "PredictiveSimilarity": "infotorch.objectives.similarity",
    "ProximalInfo": "infotorch.updates.proximal",
    "ProximalSplit": "infotorch.updates.proximal",
    "Quantiser": "infotorch.networks.quantiser",
    "Ramp": "infotorch.objectives.beta",
    "ReadoutInformation": "infotorch.objectives.labels",
    "Reconstruction": "infotorch.objectives.inputs",
    "RenyiInformation": "infotorch.objectives.renyi",
    "SampleMean": "infotorch.networks.stochastic",
    "SeparableCritic": "infotorch.estimators.critics",
    "SquaredError": "infotorch.objectives.squared_error",
    "StepInfo": "infotorch.training.loop",
    "SumOfObjectives": "infotorch.objectives.combined",
    "SupervisedContrastive": "infotorch.objectives.contrastive",
    "TensorBatches": "infotorch.data.batches",
    "VariationalBottleneck": "infotorch.objectives.variational",
    "VariationalDeficiency": "infotorch.objectives.variational",
    "ViewInformation": "infotorch.objectives.views",
    "architecture_aware_mine": "infotorch.estimators.architecture",
    "binned_mi": "infotorch.estimators.binned",
    "canonical_correlations": "infotorch.estimators.gaussian",
    "channel_views": "infotorch.estimators.renyi_multivariate",
    "cka": "infotorch.estimators.dependence",
    "club": "infotorch.estimators.bounds_upper",
    "diagnose": "infotorch.diagnostics.diagnose",
    "dim_global": "infotorch.estimators.spatial",
    "dim_grid": "infotorch.estimators.spatial",
    "dim_local": "infotorch.estimators.spatial",
    "discrete_conditional_mi": "infotorch.estimators.conditional",
    "discrete_entropy": "infotorch.estimators.discrete",
    "discrete_mi": "infotorch.estimators.discrete",
    "donsker_varadhan": "infotorch.estimators.bounds",
    "embed_modules": "infotorch.diagnostics.embeddings",
    "fit": "infotorch.training.fit",
    "fold_linear": "infotorch.networks.mlp",
    "gaussian_channel_bound": "infotorch.estimators.channel",
    "gaussian_conditional_mi": "infotorch.estimators.conditional",
    "gaussian_copula_mi": "infotorch.estimators.gaussian",
    "gaussian_log_likelihood": "infotorch.estimators.reconstruction",
    "gaussian_mi": "infotorch.estimators.gaussian",
    "gaussian_mi_cca": "infotorch.estimators.gaussian",
    "hsic": "infotorch.estimators.dependence",
    "infonce": "infotorch.estimators.bounds",
    "infonce_known_channel": "infotorch.estimators.channel",
    "jsd": "infotorch.estimators.bounds",
    "kozachenko_leonenko": "infotorch.estimators.entropy",
    "ksg": "infotorch.estimators.ksg",
    "ksg_conditional": "infotorch.estimators.conditional",
    "ksg_ensemble": "infotorch.estimators.ensemble",
    "layer_groups": "infotorch.schedules.signal",
    "leave_one_out_bound": "infotorch.estimators.channel",
    "leave_one_out_upper": "infotorch.estimators.bounds_upper",
    "load": "infotorch.data.loading",
    "lr_range_test": "infotorch.schedules.range_test",
    "mixed_conditional": "infotorch.estimators.conditional",
    "mixed_ksg": "infotorch.estimators.mixed",
    "mutual_information": "infotorch.estimators.choose",
    "neural_mi": "infotorch.estimators.neural",
    "nwj": "infotorch.estimators.bounds",
    "pairwise_bounds": "infotorch.estimators.channel",
    "prior_matching": "infotorch.estimators.spatial",
    "readout_mi": "infotorch.estimators.labels",
    "reconstruction_bound": "infotorch.estimators.reconstruction",
    "renyi_entropy": "infotorch.estimators.renyi",
    "renyi_entropy_randomised": "infotorch.estimators.renyi_randomised",
    "renyi_joint_entropy": "infotorch.estimators.renyi_multivariate",
    "renyi_mi": "infotorch.estimators.renyi",
    "renyi_mi_randomised": "infotorch.estimators.renyi_randomised",
    "renyi_multivariate_mi": "infotorch.estimators.renyi_multivariate",
    "renyi_normalised_mi": "infotorch.estimators.renyi",
    "renyi_total_correlation": "infotorch.estimators.renyi_multivariate",
    "ross": "infotorch.estimators.ross",
    "seed_streams": "infotorch.numerics.seeds",
    "settle_statistics": "infotorch.training.statistics",
    "smile": "infotorch.estimators.bounds",
    "soft_decision_mi": "infotorch.estimators.labels",
    "stochastic_mlp": "infotorch.networks.stochastic",
    "supervised_contrastive": "infotorch.estimators.labels",
    "train": "infotorch.training.loop",
}

__all__ = ["__version__", *sorted(_HOME)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'infotorch' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value  # the next look-up is an ordinary one
    return value


def __dir__() -> list[str]:
    return __all__
