"""A recipe: everything that decides a number of a run, as validated plain values."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from infotorch.recipes.assessment_settings import AssessmentSettings
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.plan_settings import PlanSettings, SplitSettings
from infotorch.recipes.remedy_settings import RemedySettings
from infotorch.recipes.search_settings import SearchSettings
from infotorch.recipes.settings import Settings


class Published(Settings):
    """A number from the literature, in the unit of the metric, and where it stands."""

    value: float
    source: str


class Recipe(Settings):
    """One variant of one table.

    Args:
        name: name of the table.
        variant: name of the variant.
        title: the table in a few words.
        description: the variant in one line.
        source: where the table was published.
        data: which samples.
        network: which network.
        plan: which layers form a module, and their objectives.
        split: where the network is split, and how its halves move.
        remedy: a trained system against the ill-posed bottleneck; it makes network and objective.
        assessment: what is measured of the trained network beside its accuracy.
        optimizer: how weights move.
        schedule: how their rate does.
        epochs: epochs of every stage (sequential) or of the run.
        batch_size: samples a step.
        micro_batches: parts of a batch that are seen one after another before a step, see `train`; 1 for the whole.
        validate_every: epochs between two looks at the validation samples.
        log_every: epochs between two lines of metrics.jsonl, whose training numbers are means over them; in the epochs
            between, the validation samples are not looked at.
        train_accuracy: look at the training accuracy with every look at the validation samples.
        test_scores: look at the test samples with every look at the validation samples, for tables whose paper tells of
            the best value on the way; nothing is chosen by them, and no other number changes.
        precision: "32-true", "64-true" or "bf16-mixed" (autocast).
        cache: keep the outputs of frozen modules: "memory", "disk" or None. Changes no number but by rounding.
        published: metric -> number from the literature.
        embedding_samples: training and as many validation samples whose t-SNE pictures are kept, raw and behind every
            module; at least 3, or 0 for none. Seed 0 alone draws them.
        planes: assumption -> its size, see `InformationPlane`: an information plane of the hidden layers is kept for
            each, see `RunPlanes`; None for none.
        search: where the settings were looked for.
        tune: search again before the run.
        changed: the settings that were changed on the command line.
    """

    name: str
    variant: str = ""
    title: str
    description: str = ""
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
    micro_batches: int = Field(default=1, ge=1)
    validate_every: int = Field(default=1, ge=1)
    log_every: int = Field(default=1, ge=1)
    train_accuracy: bool = False
    test_scores: bool = False
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    cache: Literal["memory", "disk"] | None = None
    published: dict[str, Published] = Field(default_factory=dict)
    embedding_samples: int = Field(default=0, ge=0)
    planes: dict[Literal["bin_width", "num_bins", "noise_std", "relative_noise"], float] | None = None
    search: SearchSettings = SearchSettings()
    tune: bool = False
    changed: tuple[str, ...] = ()

    @property
    def task(self) -> Literal["classification", "denoising"]:
        """What the network is for."""
        return "denoising" if self.network.latent else "classification"

    @property
    def searches_objectives(self) -> bool:
        """Whether the objectives are yet to be chosen, before the run: `plan.objectives` is "auto"."""
        return self.plan.objectives == ("auto",)

    def seeds(self, most: int) -> range:
        """The seeds that a table of `most` seeds runs it with."""
        return range(most)

    @model_validator(mode="after")
    def _cached_rows_stay_the_same(self) -> Recipe:
        if self.cache is not None and self.data.augment != "none":
            raise ValueError("cache and data.augment exclude each other: augmented samples differ from epoch to epoch")
        return self

    @field_validator("embedding_samples")
    @classmethod
    def _enough_for_a_picture(cls, value: int) -> int:
        if 0 < value < 3:
            raise ValueError("must be 0, or 3 samples or more, which t-SNE needs")
        return value
