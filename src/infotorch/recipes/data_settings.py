"""Settings of the data: which samples a run sees, and how they are prepared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from infotorch.recipes.settings import Settings


class DataSettings(Settings):
    """Which samples a run sees.

    Args:
        name: a data set of `infotorch data list`.
        limit: number of training samples, drawn in equal proportions from the classes; None for all.
        validation: number of samples (int) or fraction (float) held out of the training samples; None for the set's
            default.
        classes: samples of these classes alone, which are numbered from 0 in this order; None for all.
        side: height and width that images are resized to, in pixels; None for their own.
        scaling: "standard" fits mean and deviation on the training samples; "signed" turns pixels of 0 to 1 into -1
            to 1; "none"; None for the set's default.
        labels: number of training samples that keep their label, drawn in equal proportions from the classes; the
            others are unlabelled (y = -1), and only objectives without labels learn from them. None for all.
        label_columns: of graphs: as many empty features behind a node's own as there are classes, which graph
            Forward-Forward writes labels on.
        augment: of training images, anew in every epoch: "crops-flips", a random crop of an image with a margin of 4
            zeros, which may be mirrored; "shifts-flips", a shift by up to 2 pixels, and the mirror image in every other
            epoch (not of digits); "shifts", the first alone; "none".
        test_views: score an image of the final numbers by the mean over six views, see `view_scores`; the training
            accuracy is of the images alone.
        train_on_validation: train on the validation samples too, for the final numbers once all choices are made; a run
            then has no validation numbers. Not with a limit, which leaves them out, nor in the trials of a search.
    """

    name: str
    limit: int | None = Field(default=None, ge=1)
    validation: int | float | None = Field(default=None, gt=0)
    classes: tuple[int, ...] | None = None
    side: int | None = Field(default=None, ge=1)
    scaling: Literal["none", "standard", "signed"] | None = None
    labels: int | None = Field(default=None, ge=1)
    label_columns: bool = False
    augment: Literal["none", "crops-flips", "shifts-flips", "shifts"] = "none"
    test_views: bool = False
    train_on_validation: bool = False

    @property
    def holds_out(self) -> bool:
        """Whether the validation samples are none that are trained on."""
        return self.limit is not None or not self.train_on_validation

    @field_validator("classes", mode="before")
    @classmethod
    def _one_alone(cls, value: object) -> object:
        """--set data.classes=3 is a list of one."""
        return (value,) if type(value) is int else value
