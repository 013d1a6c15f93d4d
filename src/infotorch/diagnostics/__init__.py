"""Diagnostics look at a trained plan: they read and never write, and training never imports them."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "Compression": "compression",
    "Decisions": "simplicity",
    "Diagnosis": "diagnosis",
    "Evidence": "evidence",
    "InformationPlane": "information_plane",
    "IsolationAudit": "isolation",
    "IsolationFinding": "isolation_findings",
    "LayerDiagnosis": "diagnosis",
    "NetworkComparison": "comparison",
    "NoisyInformation": "compression",
    "PlanePoint": "plane_point",
    "Probe": "simplicity",
    "QuantisedEntropy": "compression",
    "Representation": "representation",
    "Sensitivity": "sensitivity",
    "Verdict": "verdict",
    "alignment": "representation",
    "audit_isolation": "isolation",
    "bottleneck_information": "bottleneck",
    "compare_networks": "comparison",
    "correlation_dimension": "dimension",
    "diagnose": "diagnosis",
    "effective_rank": "representation",
    "embed_modules": "embeddings",
    "information_dimension": "dimension",
    "log_epochs": "information_plane",
    "uniformity": "representation",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
