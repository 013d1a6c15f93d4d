"""Settings of the optimiser and of the schedule that moves its rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from infotorch.recipes.settings import Settings


class OptimizerSettings(Settings):
    """How weights move.

    Args:
        name: "adam", "adamw" (decoupled weight decay), "nadam", "rmsprop", "sgd"; "averaged-adam", and with the extra
            `optim` "schedule-free" (AdamW), whose averaged weights are the ones that are evaluated; "adamp", "lars".
            "lookahead-sgd": see `decoupled`; its lr and weight_decay are told per 1,024 samples.
        lr: initial rate; of "onecycle" the highest; LR_top of schedules with a range.
        output_lr: initial rate of the output module (objective "CE"), a convex problem in a layer-wise plan; None
            for lr.
        critic_lr: initial rate of critics that take steps of their own; None for lr.
        weight_decay: as the optimiser defines it.
        momentum: of "sgd", "lookahead-sgd" and "lars".
        beta1: of "adam", "adamw" and "averaged-adam": decay of the mean of gradients.
        nesterov: of "sgd", "lookahead-sgd" and "lars": momentum looks ahead.
        schedule: "constant"; over each stage "cosine" to 0, "step", "onecycle" or `Triangle`; or with a range, see
            `ScheduleSettings`: "information" (Vasudevan 2020, Algorithm 1), "best" (ours: anneals once the information
            stands still) and "control" (anneals without looking).
    """

    name: Literal[
        "adam", "adamw", "averaged-adam", "nadam", "adamp", "rmsprop", "sgd", "lars", "schedule-free", "lookahead-sgd"
    ] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    output_lr: float | None = Field(default=None, gt=0)
    critic_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    schedule: Literal["constant", "cosine", "step", "onecycle", "triangle", "information", "best", "control"] = "cosine"

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
    # --set schedule.lr_min=0.01 on a variant that has a list comes as a list of one.
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
        num_samples: training samples that I(T; Y) is measured on, or all where there are fewer.
        columns: most columns of a layer that it is measured on; grids of convolutions are averaged to so many.
        ceiling: of I(T; Y): "estimate" for I(X; Y) by the same estimator; None for H(Y) of classes, and of real targets
            for the largest of three estimates, see `InformationSignal`.
        time_decay: of "information": the factor 1 - e / E, which lowers the rate also where nothing is learnt;
            "literal" is the paper's misprint.
        warmup: of "information": the first of the epochs, over which LR_top is reached linearly.
        hold: of "control": share of the steps before the rate falls; of "best": at the latest.
        patience: of "best": epochs in a row that must stand still.
        earliest: of "best": share of the steps before which the rate does not fall.
        tolerance: of "best": how far I(T; Y) of validation samples may fall below its best, as a share of the ceiling,
            before the weights go back and LR_top is divided by 5; below LR_min training ends. None for no such look.
        stop_after: of schedules without information: looks at validation samples in a row that are worse than the best
            before them, after which training ends, at the weights of the best; None for never.
        c1: of the range test: a rate gains or falls short where it does so by the best value / c1.
        c2: of the range test: epsilon is c2 times the median of the smallest relative gains of an epoch.
        drops: of "step": shares of the epochs after which the rate falls.
        drop_factor: of "step": by which factor.
    """

    lr_min: PerLayer = 1e-4
    lr_max: PerLayer = 0.2
    threshold: PerLayer = 0.05
    layerwise: bool = False
    estimator: Literal["ross", "ksg", "ksg-softmax", "readout", "renyi"] | None = None
    num_samples: int = Field(default=1000, ge=2)
    columns: int = Field(default=1024, ge=1)
    ceiling: Literal["estimate"] | None = None
    time_decay: Literal[True, False, "literal"] = True
    warmup: int = Field(default=0, ge=0)
    hold: float = Field(default=0.7, ge=0, lt=1)
    patience: int = Field(default=1, ge=1)
    earliest: float = Field(default=0.0, ge=0)
    tolerance: float | None = Field(default=0.01, gt=0)
    stop_after: int | None = Field(default=None, ge=1)
    c1: _Positive = 10.0
    c2: _Positive = 1.0
    drops: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.3, 0.6, 0.9)
    drop_factor: float = Field(default=0.1, gt=0, lt=1)
