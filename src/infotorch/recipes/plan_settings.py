"""Settings of the plan: which layers form a module, what each minimises, and where a network is split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from infotorch.recipes.settings import PlainValue, Settings


class PlanSettings(Settings):
    """Which layers form a module and what each minimises.

    Args:
        cuts: names of the layers that start the second, third, ... module; empty for end-to-end back-propagation.
        objectives: one for each module: "CE", "Y", "X", "IB", "frozen", ... (`infotorch list objectives`); "auto" alone
            tries every number of X modules before the Y modules and keeps the best on the validation samples.
        options: objective's name -> its keyword arguments; "auxiliary" of any objective is a kind of auxiliary network
            or its settings by name, as in plan.options.Y:readout.auxiliary.kind.
        order: "sequential", "simultaneous" or, with the modules divided among processes (--devices), "pipelined".
        isolated: False lets gradients cross modules (deep supervision).
        staleness: in pipelined order, how many batches the first process may be ahead of the last; 0 for the numbers of
            simultaneous order.
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
    options: dict[str, dict[str, PlainValue | dict[str, PlainValue]]] = Field(default_factory=dict)
    order: Literal["sequential", "simultaneous", "pipelined"] = "sequential"
    isolated: bool = True
    staleness: int = Field(default=0, ge=0)
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
    def _from_text(cls, value: object) -> object:
        """A plan string such as "X,Y,CE" is a list of its parts."""
        parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        is_list = isinstance(parts, list | tuple)
        return tuple(part.strip() if isinstance(part, str) else part for part in parts) if is_list else parts


class SplitSettings(Settings):
    """A `ProximalSplit` of the network; the backward half moves at `optimizer.lr`.

    Args:
        at: name of the layer that the backward half starts with; "" for no split, plain back-propagation. Information
            at the bottleneck is recorded whenever validation samples are looked at.
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
