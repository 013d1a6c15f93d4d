"""Turn a recipe's plain values into a network and a plan."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from infotorch.data.sets import Dataset
from infotorch.networks.all_convolutional import all_cnn
from infotorch.networks.convolutional import convnet
from infotorch.networks.denoiser import GaussianEncoder, denoising_vae
from infotorch.networks.graph_convolutional import graph_network
from infotorch.networks.layers import initialise
from infotorch.networks.lenet import lenet5
from infotorch.networks.perceptron import mlp
from infotorch.networks.residual import resnet
from infotorch.networks.speed_run import airbench94
from infotorch.networks.thin_residual import thin_resnet
from infotorch.networks.vgg import vgg16
from infotorch.networks.wide_residual import wide_resnet
from infotorch.objectives.base import Objective
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.objectives.code_kl import CodeDivergence
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.names import objective_from_name
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizers import check_schedule, decoupled, layerwise, optimizer_of, scheduler_of
from infotorch.recipes.plan_settings import PlanSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.remedy_build import remedy_network, remedy_objective
from infotorch.training.plan import Plan
from infotorch.updates.gradient import OptimizerFactory, SchedulerFactory

#: What a denoiser minimises, and a network that tells real targets.
DENOISING, REGRESSION = "X:squared-error", "Y:squared-error"
#: Training images whose patches the stem of the speed run's network whitens (Jordan 2024, Sec. 3.2).
_WHITENED = 5000


def build_network(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The recipe's network for the data's shapes, with its initial weights.

    Raises:
        ValueError: the data has no classes and the objective needs them, no images for a convolutional network, or no
            graphs for message passing, and the other way round; or settings that do not fit a denoiser.
        ModuleNotFoundError: message passing without torch_geometric.
    """
    if recipe.task == "denoising":
        model = _denoiser(recipe, dataset)
    elif dataset.num_classes is None:
        model = _regressor(recipe, dataset)
    else:
        make = _on_graphs if dataset.kind in {"graph", "graphs"} else _on_rows
        model = make(recipe, dataset, dataset.num_classes)
    initialise(model, recipe.network.init)
    return model


def _on_rows(recipe: Recipe, dataset: Dataset, classes: int) -> nn.Module:
    wanted = recipe.network
    if wanted.convolutions or wanted.embedding:
        raise ValueError(f"{recipe.name}: message passing needs graphs; {dataset.name} has {dataset.kind}.")
    shape = dataset.train.x.shape[1:]
    if recipe.remedy.system:
        return remedy_network(recipe, shape, classes)
    if wanted.architecture:
        if len(shape) != 3:
            raise ValueError(f"{recipe.name}: {wanted.architecture} needs images; {dataset.name} has {dataset.kind}.")
        if wanted.architecture == "airbench94":
            return _speed_run(wanted, dataset, classes)
        return _published(wanted, shape, classes)
    kind = wanted.model_dump(include={"head", "norm", "dropout", "activation", "squash"})
    if not wanted.channels:
        return mlp(shape.numel(), wanted.hidden, classes, **kind)
    if len(shape) != 3:
        raise ValueError(f"{recipe.name}: a convolutional network needs images; {dataset.name} has vectors.")
    grid = {"kernel": wanted.kernel, "halving": wanted.halving}
    return convnet(shape, wanted.channels, wanted.hidden, classes, **grid, **kind)


def _speed_run(wanted: NetworkSettings, dataset: Dataset, classes: int) -> nn.Module:
    images = dataset.train.x
    given = wanted.model_dump(include={"recompute", "every_location", *(["channels"] if wanted.channels else [])})
    return airbench94(images.shape[1:], classes, images=images[:_WHITENED], **given)


def _published(wanted: NetworkSettings, shape: Sequence[int], classes: int) -> nn.Module:
    dropout = wanted.dropout
    match wanted.architecture:
        case "lenet5":
            return lenet5(shape, classes, dropout=dropout)
        case "all-cnn-c":
            return all_cnn(shape, classes, dropout=dropout, input_dropout=0.0)
        case "vgg16":
            norm = "batch" if wanted.norm == "batch" else "none"
            return vgg16(shape, classes, hidden=wanted.hidden, norm=norm, dropout=dropout)
        case "wrn-28-10":
            return wide_resnet(shape, classes, dropout=dropout)
        case "resnet110":
            return thin_resnet(shape, classes)
        case _:
            return resnet(shape, classes)


def _regressor(recipe: Recipe, dataset: Dataset) -> nn.Module:
    if recipe.plan.objectives != (REGRESSION,):
        raise ValueError(
            f"{recipe.name}: {dataset.name} has no classes; choose a data set for classification, or one module with "
            f"the objective {REGRESSION}."
        )
    return _on_rows(recipe, dataset, dataset.train.y[0].numel())


def _denoiser(recipe: Recipe, dataset: Dataset) -> nn.Module:
    wanted = recipe.network
    if dataset.kind != "images" or recipe.data.scaling != "signed":
        raise ValueError(f"{recipe.name}: a denoiser needs images and data.scaling=signed, which its Tanh can give.")
    if recipe.plan.cuts or recipe.plan.objectives != (DENOISING,):
        raise ValueError(f"{recipe.name}: a denoiser has one module with the objective {DENOISING}.")
    if recipe.plan.code_kl and recipe.split.at and recipe.split.order != "bp":
        raise ValueError(f"{recipe.name}: plan.code_kl is for back-propagation; it does not cross split.at.")
    return denoising_vae(dataset.train.x.shape[1:], wanted.channels, latent=wanted.latent, noise_std=wanted.noise_std)


def _on_graphs(recipe: Recipe, dataset: Dataset, classes: int) -> nn.Module:
    wanted = recipe.network
    if wanted.architecture:
        raise ValueError(f"{recipe.name}: {wanted.architecture} needs images; {dataset.name} has graphs.")
    if not wanted.convolutions:
        raise ValueError(
            f"{recipe.name}: {dataset.name} has graphs, and the network no message passing; set network.convolutions."
        )
    for unfit in ("head", "channels", "squash"):
        if getattr(wanted, unfit):
            raise ValueError(f"{recipe.name}: network.{unfit} is not for graphs, which {dataset.name} has.")
    if wanted.activation != "relu":
        raise ValueError(f"{recipe.name}: network.activation must be relu on graphs, got {wanted.activation}.")
    return graph_network(
        dataset.train.x.num_features,
        embedding=wanted.embedding,
        convolutions=wanted.convolutions,
        hidden=wanted.hidden,
        outputs=classes,
        layer=wanted.layer,
        norm=wanted.norm,
        dropout=wanted.dropout,
        readout=wanted.readout if dataset.kind == "graphs" else None,
    )


def build_plan(recipe: Recipe, model: nn.Module) -> Plan:
    """The recipe's plan for its network; the network is trained in place."""
    settings = recipe.plan
    check_schedule(recipe)
    scheduler = scheduler_of(recipe)
    own = remedy_objective(recipe, model) if recipe.remedy.system else None
    if recipe.split.at and recipe.split.order != "bp":
        return _split_plan(recipe, model, scheduler)
    return Plan.layerwise(
        model,
        settings.cuts,
        [own] if own is not None else [_objective(name, settings, model) for name in settings.objectives],
        order=settings.order,
        isolated=settings.isolated,
        staleness=settings.staleness,
        optimizer=[
            _optimizer(recipe, model, recipe.optimizer.output_lr if name == "CE" else None)
            for name in settings.objectives
        ],
        critic_optimizer=optimizer_of(recipe.optimizer, recipe.optimizer.critic_lr),
        scheduler=scheduler,
    )


def _split_plan(recipe: Recipe, model: nn.Module, scheduler: SchedulerFactory | None) -> Plan:
    if recipe.plan.cuts:
        raise ValueError(f"{recipe.name}: split.at and plan.cuts exclude each other.")
    split = recipe.split
    (objective,) = recipe.plan.objectives
    return Plan.proximal(
        model,
        split.at,
        _objective(objective, recipe.plan, model) or objective,
        optimizer=optimizer_of(recipe.optimizer),
        forward_optimizer=optimizer_of(recipe.optimizer, split.forward_lr),
        scheduler=scheduler,
        **split.model_dump(include={"order", "step_size", "penalty", "weight", "handoff"}),
    )


def _objective(name: str, settings: PlanSettings, model: nn.Module) -> Objective | None:
    if settings.code_kl:
        parts = [objective_from_name(name, settings.options), _divergence(model, settings.code_kl)]
        return SumOfObjectives([part for part in parts if part is not None])
    if name != "IB":
        return objective_from_name(name, settings.options)
    return InformationBottleneck(
        beta=settings.beta,
        noise_std=settings.noise_std,
        penalty=settings.penalty,
        noise=settings.noise,
        precision=settings.precision,
        critic_hidden=settings.critic_hidden,
        critic_steps=settings.critic_steps,
        lower_bound="accept",  # a variant with such a penalty says so in its description
    )


def _divergence(model: nn.Module, weight: float) -> Objective:
    encoder = dict(model.named_children()).get("encoder")
    if not isinstance(encoder, GaussianEncoder):
        raise ValueError("plan.code_kl must be 0 for a network without a Gaussian code.")
    return CodeDivergence(encoder, weight=weight)


def _optimizer(recipe: Recipe, model: nn.Module, own_lr: float | None) -> OptimizerFactory:
    if recipe.optimizer.name == "lookahead-sgd":
        return decoupled(recipe, model, own_lr)
    make = optimizer_of(recipe.optimizer, own_lr)
    return layerwise(make, model) if recipe.schedule.layerwise else make
