"""Settings of a search on validation samples."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from infotorch.recipes.settings import PlainValue, Scalar, Settings


class SearchRange(Settings):
    """Where a search looks for one setting: a list of values, or an interval.

    Args:
        values: those that are tried; None for an interval.
        low: its lower end, which is part of it; above 0 on a logarithmic scale.
        high: its upper end, which is part of it.
        log: search the interval on a logarithmic scale, else on a linear one.
        whole: whole numbers alone.
        start: what the first trial takes; None lets the sampler draw it. A search of few trials is a random one, which
            may miss what is known to work.

    Example:
        >>> SearchRange(low=1e-4, high=1e-2).values is None
        True
    """

    values: tuple[Scalar, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = True
    whole: bool = False
    start: Scalar = None

    @model_validator(mode="after")
    def _is_values_or_an_interval(self) -> SearchRange:
        if self.values is not None:
            if not self.values or self.low is not None or self.high is not None:
                raise ValueError("a range must be values or an interval, and not empty")
        elif self.low is None or self.high is None or not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        elif self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 on a logarithmic scale, got {self.low}")
        if self.start is not None and not self._holds(self.start):
            raise ValueError(f"start must be one of the range's values, got {self.start!r}")
        return self

    def _holds(self, value: Scalar) -> bool:
        if self.values is not None:
            return value in self.values
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        assert self.low is not None
        assert self.high is not None
        return self.low <= value <= self.high


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
