"""A recipe: everything that decides a number of a run, as validated plain values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from infotorch.recipes.settings import AssessmentSettings, RemedySettings, Settings


class Published(Settings):
    """A number from the literature, in the unit of the metric, and where it stands."""

    value: float
    source: str


class DataSettings(Settings):
    """Which rows a run sees.

    Args:
        name: a data set of `infotorch data list`.
        limit: number of training rows, drawn in equal proportions from the classes; None for all.
        validation: number of rows (int) or fraction (float) held out of the training rows; None for the set's default.
        classes: rows of these classes alone, which are numbered from 0 in this order; None for all.
        side: height and width that images are resized to, in pixels; None for their own.
        scaling: "standard" fits mean and deviation on the training rows; "signed" turns pixels of 0 to 1 into -1 to 1;
            "none"; None for the set's default.
        labels: number of training rows that keep their label, drawn in equal proportions from the classes; the others
            are unlabelled (y = -1), and only objectives without labels learn from them. None for all.
        label_columns: of graphs: as many empty features behind a node's own as there are classes, which graph
            Forward-Forward writes labels on.
        augment: of training images, anew in every epoch: "crops-flips", a random crop of an image with a margin of 4
            zeros, which may be mirrored; "none".
    """

    name: str
    limit: int | None = Field(default=None, ge=1)
    validation: int | float | None = Field(default=None, gt=0)
    classes: tuple[int, ...] | None = None
    side: int | None = Field(default=None, ge=1)
    scaling: Literal["none", "standard", "signed"] | None = None
    labels: int | None = Field(default=None, ge=1)
    label_columns: bool = False
    augment: Literal["none", "crops-flips"] = "none"

    @field_validator("classes", mode="before")
    @classmethod
    def _one_alone(cls, value: Any) -> Any:
        """--set data.classes=3 is a list of one."""
        return (value,) if type(value) is int else value


#: A published network -> the settings that still apply to it.
_CHOICES = {
    "lenet5": {"dropout"},
    "all-cnn-c": {"dropout"},
    "vgg16": {"hidden", "norm", "dropout"},
    "wrn-28-10": {"dropout"},
    "resnet50": set[str](),
}


class NetworkSettings(Settings):
    """A multilayer perceptron on the flattened input, or convolutions or message passing before one; or a denoiser.

    Args:
        architecture: a published network instead, which takes few other settings beside `init`: "lenet5" (dropout
            between its two linear layers), "all-cnn-c" (dropout behind the convolutions that halve the image), "vgg16"
            (norm, "batch" or "none"; hidden linear layers before the last, and their dropout), "wrn-28-10" (dropout
            inside its blocks) or "resnet50"; "" for none.
        hidden: widths of the hidden linear layers; may be empty behind message passing.
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
        noise_std: standard deviation of the noise that the denoiser puts on its images, in units of their pixels.
    """

    architecture: Literal["", "lenet5", "all-cnn-c", "vgg16", "wrn-28-10", "resnet50"] = ""
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

    @model_validator(mode="after")
    def _fits_together(self) -> NetworkSettings:
        if self.architecture:
            return self._of_architecture()
        if not self.hidden and not self.convolutions and not self.latent:
            raise ValueError("hidden must name a layer's width, where there is no message passing")
        if self.head and self.squash:
            raise ValueError("head is folded into the last layer, which squash puts a sigmoid behind; choose one")
        return self

    def _of_architecture(self) -> NetworkSettings:
        free = {"architecture", "init", *_CHOICES[self.architecture]}
        for name, field in type(self).model_fields.items():
            if name not in free and getattr(self, name) != field.default:
                raise ValueError(f"{name} is not a choice of {self.architecture}; leave it out")
        if self.norm == "length":
            raise ValueError(f'norm of {self.architecture} must be "batch" or "none"')
        return self


class PlanSettings(Settings):
    """Which layers form a module and what each minimises.

    Args:
        cuts: names of the layers that start the second, third, ... module; empty for end-to-end back-propagation.
        objectives: one for each module: "CE", "Y", "X", "IB", "frozen", ... (`infotorch list objectives`); "auto" alone
            tries every number of X modules before the Y modules and keeps the best on the validation rows.
        options: objective's name -> its keyword arguments.
        order: "sequential" or "simultaneous".
        isolated: False lets gradients cross modules (deep supervision).
        handoff: in simultaneous order, hand on the output from "before" or "after" the update.
        beta: weight of the compression term of "IB".
        noise_std: standard deviation of the noise inside the compression term of "IB".
        noise: its unit, "fixed" or "relative" to the layer's deviation.
        penalty: how "IB" bounds the compression term: "gaussian", "pairwise", "leave_one_out" from above; "aamine"
            (the architecture-aware MINE of the paper) and "infonce" from below.
        precision: how "IB" bounds I(Y; L): "readout" or "mine".
        critic_hidden: widths of the critics of "IB".
        critic_steps: their steps before each step of the layer.
        code_kl: of a denoiser: weight of the divergence of its code from N(0, I) beside the objective; 0 for none.
    """

    cuts: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("CE",)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    order: Literal["sequential", "simultaneous"] = "sequential"
    isolated: bool = True
    handoff: Literal["before", "after"] = "before"
    beta: float = Field(default=0.0, ge=0)
    noise_std: float = Field(default=1.0, gt=0)
    noise: Literal["fixed", "relative"] = "fixed"
    penalty: Literal["gaussian", "pairwise", "leave_one_out", "aamine", "infonce"] = "gaussian"
    precision: Literal["readout", "mine"] = "readout"
    critic_hidden: tuple[int, ...] = (512, 512)
    critic_steps: int = Field(default=5, ge=1)
    code_kl: float = Field(default=0.0, ge=0)

    @field_validator("cuts", "objectives", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """A plan string such as "X,Y,CE" is a list of its parts."""
        parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        is_list = isinstance(parts, list | tuple)
        return tuple(part.strip() if isinstance(part, str) else part for part in parts) if is_list else parts

    @property
    def is_auto(self) -> bool:
        """Whether the objectives are yet to be chosen."""
        return self.objectives == ("auto",)


class SplitSettings(Settings):
    """A `ProximalSplit` of the network; the backward half moves at `optimizer.lr`.

    Args:
        at: name of the layer that the backward half starts with; "" for no split, plain back-propagation. Information
            at the bottleneck is recorded whenever validation rows are looked at.
        order: 1, 2, "hybrid" or "whole"; "bp" is back-propagation, with the bottleneck looked at alone.
        step_size: the step at the bottleneck.
        forward_lr: initial rate of the forward half; None for `optimizer.lr`.
        penalty: "l2", "l1" or "huber".
        weight: factor of the penalty.
        handoff: the forward half's gradient at the backward half's weights from "before" or "after" their step.
    """

    at: str = ""
    order: Literal[1, 2, "hybrid", "whole", "bp"] = 2
    step_size: float = Field(default=1.0, gt=0)
    forward_lr: float | None = Field(default=None, gt=0)
    penalty: Literal["l2", "l1", "huber"] = "l2"
    weight: float = Field(default=1.0, gt=0)
    handoff: Literal["before", "after"] = "before"


class OptimizerSettings(Settings):
    """How weights move.

    Args:
        name: "adam", "adamw" (decoupled weight decay), "nadam", "rmsprop", "sgd"; "averaged-adam", and with the extra
            `optim` "schedule-free" (AdamW), whose averaged weights are the ones that are evaluated; "adamp", "lars".
        lr: initial rate; of "onecycle" the highest; LR_top of schedules with a range.
        output_lr: initial rate of the output module (objective "CE"), a convex problem in a layer-wise plan; None
            for lr.
        critic_lr: initial rate of critics that take steps of their own; None for lr.
        weight_decay: as the optimiser defines it.
        momentum: of "sgd" and "lars".
        beta1: of "adam", "adamw" and "averaged-adam": decay of the mean of gradients.
        nesterov: of "sgd" and "lars": momentum looks ahead.
        schedule: "constant"; over each stage "cosine" to 0, "step" or "onecycle"; or with a range, see
            `ScheduleSettings`: "information" (Vasudevan 2020, Algorithm 1), "best" (ours: anneals once the information
            stands still) and "control" (anneals without looking).
    """

    name: Literal["adam", "adamw", "averaged-adam", "nadam", "adamp", "rmsprop", "sgd", "lars", "schedule-free"] = (
        "adam"
    )
    lr: float = Field(default=1e-3, gt=0)
    output_lr: float | None = Field(default=None, gt=0)
    critic_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    schedule: Literal["constant", "cosine", "step", "onecycle", "information", "best", "control"] = "cosine"

    @model_validator(mode="after")
    def _looks_ahead_along_something(self) -> OptimizerSettings:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")
        return self


_Positive = Annotated[float, Field(gt=0)]
#: One number, or with `schedule.layerwise` one for each layer. The tags keep a complaint to the kind that was given.
PerLayer = Annotated[
    Annotated[_Positive, Tag("float")] | Annotated[tuple[_Positive, ...], Field(min_length=1), Tag("floats")],
    Discriminator(lambda value: "floats" if isinstance(value, list | tuple) else "float"),
    # --set schedule.lr_min=0.01 on a row that has a list comes as a list of one.
    AfterValidator(lambda value: value[0] if isinstance(value, tuple) and len(value) == 1 else value),
]


class ScheduleSettings(Settings):
    """The options of `optimizer.schedule`, beside the initial rate LR_top, which is `optimizer.lr`.

    Args:
        lr_min: of "information", "best" and "control": the lowest rate; a list has one for each layer.
        lr_max: of "information": the highest rate, likewise.
        threshold: of "information": the relative change of I(T; Y) below which the rate decays (epsilon); of "best":
            the share of the missing information below which an epoch counts as standing still; likewise.
        layerwise: of "information" and "best": every layer has a rate of its own, from its own I(T; Y).
        estimator: of I(T; Y), see `InformationSignal`; None: "ross" for classes, "ksg" for real targets.
        n: training rows that I(T; Y) is measured on, or all where there are fewer.
        columns: most columns of a layer that it is measured on; grids of convolutions are averaged to so many.
        ceiling: of I(T; Y) of classes: "estimate" for I(X; Y) by the same estimator; None for H(Y).
        time_decay: of "information": the factor 1 - e / E, which lowers the rate also where nothing is learnt;
            "literal" is the paper's misprint.
        warmup: of "information": the first of the epochs, over which LR_top is reached linearly.
        hold: of "control": share of the steps before the rate falls; of "best": at the latest.
        patience: of "best": epochs in a row that must stand still.
        earliest: of "best": share of the steps before which the rate does not fall.
        tolerance: of "best": how far I(T; Y) of validation rows may fall below its best, as a share of the ceiling,
            before the weights go back and LR_top is divided by 5; below LR_min training ends. None for no such look.
        drops: of "step": shares of the epochs after which the rate falls.
        drop_factor: of "step": by which factor.
    """

    lr_min: PerLayer = 1e-4
    lr_max: PerLayer = 0.2
    threshold: PerLayer = 0.05
    layerwise: bool = False
    estimator: Literal["ross", "ksg", "readout", "renyi"] | None = None
    n: int = Field(default=1000, ge=2)
    columns: int = Field(default=1024, ge=1)
    ceiling: Literal["estimate"] | None = None
    time_decay: Literal[True, False, "literal"] = True
    warmup: int = Field(default=0, ge=0)
    hold: float = Field(default=0.7, ge=0, lt=1)
    patience: int = Field(default=1, ge=1)
    earliest: float = Field(default=0.0, ge=0)
    tolerance: float | None = Field(default=0.01, gt=0)
    drops: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.3, 0.6, 0.9)
    drop_factor: float = Field(default=0.1, gt=0, lt=1)


class SearchRange(Settings):
    """Where a search looks for one setting: a list of values, or an interval searched on a logarithmic scale."""

    values: tuple[Any, ...] | None = None
    low: float | None = Field(default=None, gt=0)
    high: float | None = Field(default=None, gt=0)


class SearchSettings(Settings):
    """A search on validation rows: `--set tune=true`.

    Args:
        space: dotted setting -> where to look.
        trials: settings tried, the same number for every variant of a table.
        seeds: seeds a trial is averaged over; none of them is a seed of the table.
        metric: what is maximised; an error (mae) is minimised.
        during: dotted setting -> its value in the trials alone, such as fewer rows or epochs than the row itself has; a
            number above the row's own is not used.
    """

    space: dict[str, SearchRange] = Field(default_factory=dict)
    trials: int = Field(default=12, ge=1)
    seeds: tuple[int, ...] = (1000,)
    metric: Literal["validation_accuracy", "validation_psnr_db", "validation_mae"] = "validation_accuracy"
    during: dict[str, Any] = Field(default_factory=dict)


class Recipe(Settings):
    """One row of one table.

    Args:
        name: name of the table.
        variant: name of the row.
        title: the table in a few words.
        description: the row in one line.
        source: where the table was published.
        data: which rows.
        network: which network.
        plan: which layers form a module, and their objectives.
        split: where the network is split, and how its halves move.
        remedy: a trained system against the ill-posed bottleneck; it makes network and objective.
        assessment: what is measured of the trained network beside its accuracy.
        optimizer: how weights move.
        schedule: how their rate does.
        epochs: epochs of every stage (sequential) or of the run.
        batch_size: rows a step.
        validate_every: epochs between two looks at the validation rows.
        log_every: epochs between two lines of metrics.jsonl, whose training numbers are means over them; in the epochs
            between, the validation rows are not looked at.
        train_accuracy: look at the training rows' accuracy with every look at the validation rows.
        precision: "32-true", "64-true" or "bf16-mixed" (autocast).
        cache: keep the outputs of frozen modules: "memory", "disk" or None. Changes no number but by rounding.
        published: metric -> number from the literature.
        embedding_rows: training and as many validation rows whose t-SNE pictures are kept, raw and behind every module;
            at least 3, or 0 for none. Seed 0 alone draws them.
        planes: assumption -> its size, see `InformationPlane`: an information plane of the hidden layers is kept for
            each, see `RunPlanes`; None for none.
        search: where the settings were looked for.
        tune: search again before the run.
        changed: the settings that were changed on the command line.
    """

    name: str
    variant: str
    title: str
    description: str
    source: str
    data: DataSettings
    network: NetworkSettings
    plan: PlanSettings = PlanSettings()
    split: SplitSettings = SplitSettings()
    remedy: RemedySettings = RemedySettings()
    assessment: AssessmentSettings = AssessmentSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=128, ge=1)
    validate_every: int = Field(default=1, ge=1)
    log_every: int = Field(default=1, ge=1)
    train_accuracy: bool = False
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    cache: Literal["memory", "disk"] | None = None
    published: dict[str, Published] = Field(default_factory=dict)
    embedding_rows: int = Field(default=0, ge=0)
    planes: dict[Literal["bin_width", "num_bins", "noise_std", "relative_noise"], float] | None = None
    search: SearchSettings = SearchSettings()
    tune: bool = False
    changed: tuple[str, ...] = ()

    @property
    def task(self) -> Literal["classification", "denoising"]:
        """What the network is for."""
        return "denoising" if self.network.latent else "classification"

    @model_validator(mode="after")
    def _cached_rows_stay_the_same(self) -> Recipe:
        if self.cache is not None and self.data.augment != "none":
            raise ValueError("cache and data.augment exclude each other: augmented rows differ from epoch to epoch")
        return self

    @field_validator("embedding_rows")
    @classmethod
    def _enough_for_a_picture(cls, value: int) -> int:
        if 0 < value < 3:
            raise ValueError("must be 0, or 3 rows or more, which t-SNE needs")
        return value
