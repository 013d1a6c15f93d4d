"""Diagnostics look at a trained plan: they read and never write, and training never imports them."""

from infotorch.diagnostics.bottleneck import bottleneck_information as bottleneck_information
from infotorch.diagnostics.comparison import NetworkComparison as NetworkComparison
from infotorch.diagnostics.comparison import compare_networks as compare_networks
from infotorch.diagnostics.compression import Compression as Compression
from infotorch.diagnostics.compression import NoisyInformation as NoisyInformation
from infotorch.diagnostics.compression import QuantisedEntropy as QuantisedEntropy
from infotorch.diagnostics.diagnosis import Diagnosis as Diagnosis
from infotorch.diagnostics.diagnosis import LayerDiagnosis as LayerDiagnosis
from infotorch.diagnostics.diagnosis import diagnose as diagnose
from infotorch.diagnostics.dimension import correlation_dimension as correlation_dimension
from infotorch.diagnostics.dimension import information_dimension as information_dimension
from infotorch.diagnostics.embeddings import embed_modules as embed_modules
from infotorch.diagnostics.evidence import Evidence as Evidence
from infotorch.diagnostics.information_plane import InformationPlane as InformationPlane
from infotorch.diagnostics.information_plane import log_epochs as log_epochs
from infotorch.diagnostics.isolation import IsolationAudit as IsolationAudit
from infotorch.diagnostics.isolation import audit_isolation as audit_isolation
from infotorch.diagnostics.isolation_findings import IsolationFinding as IsolationFinding
from infotorch.diagnostics.plane_point import PlanePoint as PlanePoint
from infotorch.diagnostics.representation import Representation as Representation
from infotorch.diagnostics.representation import alignment as alignment
from infotorch.diagnostics.representation import effective_rank as effective_rank
from infotorch.diagnostics.representation import uniformity as uniformity
from infotorch.diagnostics.sensitivity import Sensitivity as Sensitivity
from infotorch.diagnostics.simplicity import Decisions as Decisions
from infotorch.diagnostics.simplicity import Probe as Probe
from infotorch.diagnostics.verdict import Verdict as Verdict
HOMES: dict[str, str]
__all__ = [
    "Compression",
    "Decisions",
    "Diagnosis",
    "Evidence",
    "InformationPlane",
    "IsolationAudit",
    "IsolationFinding",
    "LayerDiagnosis",
    "NetworkComparison",
    "NoisyInformation",
    "PlanePoint",
    "Probe",
    "QuantisedEntropy",
    "Representation",
    "Sensitivity",
    "Verdict",
    "alignment",
    "audit_isolation",
    "bottleneck_information",
    "compare_networks",
    "correlation_dimension",
    "diagnose",
    "effective_rank",
    "embed_modules",
    "information_dimension",
    "log_epochs",
    "uniformity",
]
