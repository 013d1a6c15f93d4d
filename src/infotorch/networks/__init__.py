"""Networks of the papers, for reference, and layers with noise; any `nn.Module` works in their place."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "FeatureExtractor": "feature_extractor",
    "GaussianLayer": "stochastic",
    "GaussianNoise": "noise",
    "GraphNetwork": "graph_convolutional",
    "LengthNorm": "layers",
    "LogNormalLayer": "stochastic",
    "LogNormalNoise": "noise",
    "Parallel": "parallel",
    "Quantiser": "quantiser",
    "Recomputed": "recomputed",
    "SampleMean": "stochastic",
    "Segment": "segments",
    "StochasticLayer": "stochastic",
    "airbench94": "speed_run",
    "all_cnn": "all_convolutional",
    "check_cuts": "segments",
    "coded_mlp": "coded_perceptron",
    "convnet": "convolutional",
    "denoising_vae": "denoiser",
    "fold_linear": "perceptron",
    "graph_network": "graph_convolutional",
    "lenet5": "lenet",
    "mlp": "perceptron",
    "resnet": "residual",
    "split": "segments",
    "stochastic_mlp": "stochastic",
    "thin_resnet": "thin_residual",
    "vgg16": "vgg",
    "wide_resnet": "wide_residual",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
