"""Settings of a search on validation samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from infotorch.recipes.settings import PlainValue, Scalar, Settings


class SearchRange(Settings):
    """Where a search looks for one setting: a list of values, or an interval searched on a logarithmic scale.

    Example:
        >>> SearchRange(low=1e-4, high=1e-2).values is None
        True
    """

    values: tuple[Scalar, ...] | None = None
    low: float | None = Field(default=None, gt=0)
    high: float | None = Field(default=None, gt=0)


class SearchSettings(Settings):
    """A search on validation samples: `--set tune=true`.

    Args:
        space: dotted setting -> where to look.
        trials: settings tried, the same number for every variant of a table.
        seeds: seeds a trial is averaged over; none of them is a seed of the table.
        metric: what is maximised; an error (mae) is minimised.
        during: dotted setting -> its value in the trials alone, such as fewer samples or epochs than the variant itself
            has; a number above the variant's own is not used.
    """

    space: dict[str, SearchRange] = Field(default_factory=dict)
    trials: int = Field(default=12, ge=1)
    seeds: tuple[int, ...] = (1000,)
    metric: Literal["validation_accuracy", "validation_psnr_db", "validation_mae"] = "validation_accuracy"
    during: dict[str, PlainValue] = Field(default_factory=dict)
