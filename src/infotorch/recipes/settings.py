"""The frozen base of all settings of a recipe, and the values that a setting can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

#: One value, as it stands in a file or on a command line.
Scalar = bool | int | float | str | None

#: What a setting of a free name holds: an objective's keyword argument, or a setting in the trials of a search.
PlainValue = Scalar | tuple[Scalar, ...]

#: What `change` takes for one dotted setting: a value, several, or values by name.
SettingValue: TypeAlias = "Scalar | Sequence[SettingValue] | Mapping[str, SettingValue]"


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys.

    Example:
        >>> class Bins(Settings):
        ...     num_bins: int = 30
        >>> Bins(num_bins=10)
        Bins(num_bins=10)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
