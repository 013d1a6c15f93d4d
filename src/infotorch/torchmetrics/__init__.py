"""infotorch for torchmetrics: information of two streams, and of a layer, as metrics."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "InformationBottleneckCoordinates": "coordinates",
    "MutualInformation": "information",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
