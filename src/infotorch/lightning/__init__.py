"""infotorch for Lightning: callbacks for rates and planes of information, and networks trained module by module."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "InformationAnneal": "anneal",
    "InformationPlane": "plane",
    "LearningRateRange": "rate_range",
    "LocalLearning": "local",
    "MutualInformationDecay": "decay",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
