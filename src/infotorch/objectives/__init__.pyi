"""Objectives: what one local module minimises."""

from infotorch.objectives.associated import AssociatedLearning as AssociatedLearning
from infotorch.objectives.auxiliary import Auxiliary as Auxiliary
from infotorch.objectives.auxiliary import ThroughAuxiliary as ThroughAuxiliary
from infotorch.objectives.base import LocalBatch as LocalBatch
from infotorch.objectives.base import Loss as Loss
from infotorch.objectives.base import Objective as Objective
from infotorch.objectives.base import Target as Target
from infotorch.objectives.beta import BetaSchedule as BetaSchedule
from infotorch.objectives.beta import Ramp as Ramp
from infotorch.objectives.bottleneck import InformationBottleneck as InformationBottleneck
from infotorch.objectives.bottleneck import Penalty as Penalty
from infotorch.objectives.combined import ParallelObjectives as ParallelObjectives
from infotorch.objectives.combined import SumOfObjectives as SumOfObjectives
from infotorch.objectives.contrastive import SupervisedContrastive as SupervisedContrastive
from infotorch.objectives.critic import CriticBound as CriticBound
from infotorch.objectives.critic import CriticInformation as CriticInformation
from infotorch.objectives.critic import CriticKind as CriticKind
from infotorch.objectives.decision import SoftDecisionInformation as SoftDecisionInformation
from infotorch.objectives.deterministic import DeterministicBottleneck as DeterministicBottleneck
from infotorch.objectives.forward_forward import ForwardForward as ForwardForward
from infotorch.objectives.graph_forward_forward import GraphForwardForward as GraphForwardForward
from infotorch.objectives.graph_nodes import GraphicalInformation as GraphicalInformation
from infotorch.objectives.graph_nodes import NodeInformation as NodeInformation
from infotorch.objectives.graph_nodes import Weighting as Weighting
from infotorch.objectives.graph_renyi import GraphRenyiInformation as GraphRenyiInformation
from infotorch.objectives.graph_summary import Corruption as Corruption
from infotorch.objectives.graph_summary import DeepGraphInfomax as DeepGraphInfomax
from infotorch.objectives.graph_summary import InfoGraph as InfoGraph
from infotorch.objectives.graph_summary import Summary as Summary
from infotorch.objectives.graph_summary import SummaryBound as SummaryBound
from infotorch.objectives.hsic import Dependence as Dependence
from infotorch.objectives.hsic import HSICBottleneck as HSICBottleneck
from infotorch.objectives.infopro import InfoPro as InfoPro
from infotorch.objectives.inputs import Reconstruction as Reconstruction
from infotorch.objectives.labels import CrossEntropy as CrossEntropy
from infotorch.objectives.labels import ReadoutInformation as ReadoutInformation
from infotorch.objectives.locations import LocationBound as LocationBound
from infotorch.objectives.names import describe_objectives as describe_objectives
from infotorch.objectives.names import objective_from_name as objective_from_name
from infotorch.objectives.names import parse_objectives as parse_objectives
from infotorch.objectives.nonlinear import Lagrangian as Lagrangian
from infotorch.objectives.nonlinear import NonlinearBottleneck as NonlinearBottleneck
from infotorch.objectives.place import Place as Place
from infotorch.objectives.quantised import QuantisedBottleneck as QuantisedBottleneck
from infotorch.objectives.regularisers import ClusterPenalty as ClusterPenalty
from infotorch.objectives.regularisers import ConfidencePenalty as ConfidencePenalty
from infotorch.objectives.regularisers import NuisanceInformation as NuisanceInformation
from infotorch.objectives.regularisers import SameClassPenalty as SameClassPenalty
from infotorch.objectives.renyi import Grids as Grids
from infotorch.objectives.renyi import RenyiInformation as RenyiInformation
from infotorch.objectives.similarity import KernelAlignment as KernelAlignment
from infotorch.objectives.similarity import KernelMeasure as KernelMeasure
from infotorch.objectives.similarity import PredictiveSimilarity as PredictiveSimilarity
from infotorch.objectives.spatial import DeepInfoMax as DeepInfoMax
from infotorch.objectives.spatial import GreedyInfoMax as GreedyInfoMax
from infotorch.objectives.squared_error import SquaredError as SquaredError
from infotorch.objectives.total_correlation import RenyiTotalCorrelation as RenyiTotalCorrelation
from infotorch.objectives.total_correlation import TotalCorrelation as TotalCorrelation
from infotorch.objectives.variational import InformationDropout as InformationDropout
from infotorch.objectives.variational import VariationalBottleneck as VariationalBottleneck
from infotorch.objectives.variational import VariationalDeficiency as VariationalDeficiency
from infotorch.objectives.views import ViewInformation as ViewInformation
HOMES: dict[str, str]
__all__ = [
    "AssociatedLearning",
    "Auxiliary",
    "BetaSchedule",
    "ClusterPenalty",
    "ConfidencePenalty",
    "Corruption",
    "CriticBound",
    "CriticInformation",
    "CriticKind",
    "CrossEntropy",
    "DeepGraphInfomax",
    "DeepInfoMax",
    "Dependence",
    "DeterministicBottleneck",
    "ForwardForward",
    "GraphForwardForward",
    "GraphRenyiInformation",
    "GraphicalInformation",
    "GreedyInfoMax",
    "Grids",
    "HSICBottleneck",
    "InfoGraph",
    "InfoPro",
    "InformationBottleneck",
    "InformationDropout",
    "KernelAlignment",
    "KernelMeasure",
    "Lagrangian",
    "LocalBatch",
    "LocationBound",
    "Loss",
    "NodeInformation",
    "NonlinearBottleneck",
    "NuisanceInformation",
    "Objective",
    "ParallelObjectives",
    "Penalty",
    "Place",
    "PredictiveSimilarity",
    "QuantisedBottleneck",
    "Ramp",
    "ReadoutInformation",
    "Reconstruction",
    "RenyiInformation",
    "RenyiTotalCorrelation",
    "SameClassPenalty",
    "SoftDecisionInformation",
    "SquaredError",
    "SumOfObjectives",
    "Summary",
    "SummaryBound",
    "SupervisedContrastive",
    "Target",
    "ThroughAuxiliary",
    "TotalCorrelation",
    "VariationalBottleneck",
    "VariationalDeficiency",
    "ViewInformation",
    "Weighting",
    "describe_objectives",
    "objective_from_name",
    "parse_objectives",
]
