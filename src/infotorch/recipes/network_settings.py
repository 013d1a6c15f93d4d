"""Settings of the network, one of the reference networks or one built of layers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from infotorch.recipes.settings import Settings

#: A published network -> the settings that still apply to it.
_CHOICES = {
    "lenet5": {"dropout"},
    "all-cnn-c": {"dropout"},
    "vgg16": {"hidden", "norm", "dropout"},
    "wrn-28-10": {"dropout"},
    "resnet50": set[str](),
    "resnet110": set[str](),
    "airbench94": {"channels", "recompute", "every_location"},
}


class NetworkSettings(Settings):
    """A multilayer perceptron on the flattened input, or convolutions or message passing before one; or a denoiser.

    Args:
        architecture: a published network instead, which takes few other settings beside `init`: "lenet5" (dropout
            between its two linear layers), "all-cnn-c" (dropout behind the convolutions that halve the image), "vgg16"
            (norm, "batch" or "none"; hidden linear layers before the last, and their dropout), "wrn-28-10" (dropout
            inside its blocks), "resnet50", "resnet110" or "airbench94" (channels of its three blocks, (64, 256, 256)
            where none are given; recompute; every_location; `init` is its own); "" for none.
        hidden: widths of the hidden linear layers; may be empty behind convolutions and message passing.
        head: a linear layer without a nonlinearity before it behind the last one; folded into it after training.
        channels: of the convolutions; empty for a perceptron.
        kernel: side of the convolutions.
        halving: every convolution halves the image by 2 x 2 max pooling ("pool") or a stride of 2 ("stride").
        norm: of the hidden layers: "none", "batch", or "length" (every layer's input divided by its root mean square).
        dropout: share of the outputs of a hidden linear or message-passing layer set to 0 in training.
        embedding: on graphs: widths of linear layers on every node's own features, before the message passing.
        convolutions: widths of message-passing layers; a network with any takes graphs.
        layer: their kind, "gcn", "gin", "sage" or "gat".
        readout: "mean", "sum" or "max" over the nodes of a graph, where graphs are classified and not nodes.
        activation: of the hidden layers, "relu", "sigmoid" or "tanh"; on graphs "relu" alone.
        squash: a sigmoid behind the last layer; not on graphs.
        init: initial weights: torch's "default", "xavier" (normal, biases of 0) or "normal" (all from N(0, 1)).
        latent: entries of mu and of sigma at the bottleneck of a denoising variational autoencoder, with `channels`
            on either side; 0 for the other networks, which classify.
        recompute: of "airbench94": keep the inputs of its blocks alone, which run again for the backward pass.
        every_location: of "airbench94": the last linear layer reads every location of the last grid.
        noise_std: standard deviation of the noise that the denoiser puts on its images, in units of their pixels.
    """

    architecture: Literal["", "airbench94", "lenet5", "all-cnn-c", "vgg16", "wrn-28-10", "resnet50", "resnet110"] = ""
    hidden: tuple[int, ...] = ()
    head: bool = False
    channels: tuple[int, ...] = ()
    kernel: int = Field(default=3, ge=1)
    halving: Literal["pool", "stride"] = "pool"
    norm: Literal["none", "batch", "length"] = "none"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    embedding: tuple[int, ...] = ()
    convolutions: tuple[int, ...] = ()
    layer: Literal["gcn", "gin", "sage", "gat"] = "gcn"
    readout: Literal["mean", "sum", "max"] = "mean"
    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    squash: bool = False
    init: Literal["default", "xavier", "normal"] = "default"
    latent: int = Field(default=0, ge=0)
    noise_std: float = Field(default=0.0, ge=0)
    recompute: bool = False
    every_location: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> NetworkSettings:
        if self.architecture:
            return self._of_architecture()
        for name in ("recompute", "every_location"):
            if getattr(self, name):
                raise ValueError(f'{name} is for the architecture "airbench94"')
        if not (self.hidden or self.channels or self.convolutions or self.latent):
            raise ValueError("hidden must name a layer's width, where there is no convolution and no message passing")
        if self.head and self.squash:
            raise ValueError("head is folded into the last layer, which squash puts a sigmoid behind; choose one")
        return self

    def _of_architecture(self) -> NetworkSettings:
        own_start = self.architecture == "airbench94"  # which another one would undo
        free = {"architecture", *_CHOICES[self.architecture], *(() if own_start else ("init",))}
        for name, field in type(self).model_fields.items():
            if name not in free and getattr(self, name) != field.default:
                raise ValueError(f"{name} is not a choice of {self.architecture}; leave it out")
        if self.norm == "length":
            raise ValueError(f'norm of {self.architecture} must be "batch" or "none"')
        return self
