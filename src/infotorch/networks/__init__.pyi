"""Networks of the papers, for reference, and layers with noise; any `nn.Module` works in their place."""

from infotorch.networks.all_convolutional import all_cnn as all_cnn
from infotorch.networks.coded_perceptron import coded_mlp as coded_mlp
from infotorch.networks.convolutional import convnet as convnet
from infotorch.networks.denoiser import denoising_vae as denoising_vae
from infotorch.networks.feature_extractor import FeatureExtractor as FeatureExtractor
from infotorch.networks.graph_convolutional import GraphNetwork as GraphNetwork
from infotorch.networks.graph_convolutional import graph_network as graph_network
from infotorch.networks.layers import LengthNorm as LengthNorm
from infotorch.networks.lenet import lenet5 as lenet5
from infotorch.networks.noise import GaussianNoise as GaussianNoise
from infotorch.networks.noise import LogNormalNoise as LogNormalNoise
from infotorch.networks.parallel import Parallel as Parallel
from infotorch.networks.perceptron import fold_linear as fold_linear
from infotorch.networks.perceptron import mlp as mlp
from infotorch.networks.quantiser import Quantiser as Quantiser
from infotorch.networks.recomputed import Recomputed as Recomputed
from infotorch.networks.residual import resnet as resnet
from infotorch.networks.segments import Segment as Segment
from infotorch.networks.segments import check_cuts as check_cuts
from infotorch.networks.segments import split as split
from infotorch.networks.speed_run import airbench94 as airbench94
from infotorch.networks.stochastic import GaussianLayer as GaussianLayer
from infotorch.networks.stochastic import LogNormalLayer as LogNormalLayer
from infotorch.networks.stochastic import SampleMean as SampleMean
from infotorch.networks.stochastic import StochasticLayer as StochasticLayer
from infotorch.networks.stochastic import stochastic_mlp as stochastic_mlp
from infotorch.networks.thin_residual import thin_resnet as thin_resnet
from infotorch.networks.vgg import vgg16 as vgg16
from infotorch.networks.wide_residual import wide_resnet as wide_resnet
HOMES: dict[str, str]
__all__ = [
    "FeatureExtractor",
    "GaussianLayer",
    "GaussianNoise",
    "GraphNetwork",
    "LengthNorm",
    "LogNormalLayer",
    "LogNormalNoise",
    "Parallel",
    "Quantiser",
    "Recomputed",
    "SampleMean",
    "Segment",
    "StochasticLayer",
    "airbench94",
    "all_cnn",
    "check_cuts",
    "coded_mlp",
    "convnet",
    "denoising_vae",
    "fold_linear",
    "graph_network",
    "lenet5",
    "mlp",
    "resnet",
    "split",
    "stochastic_mlp",
    "thin_resnet",
    "vgg16",
    "wide_resnet",
]
