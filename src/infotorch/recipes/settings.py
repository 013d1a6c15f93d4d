"""The frozen base of all settings of a recipe, and the values that a setting can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict

#: One value, as it stands in a file or on a command line.
Scalar = bool | int | float | str | None

#: What a setting of a free name holds: an objective's keyword argument, or a setting in the trials of a search.
PlainValue = Scalar | tuple[Scalar, ...]

#: What `change` takes for one dotted setting: a value, several, or values by name.
SettingValue: TypeAlias = "Scalar | Sequence[SettingValue] | Mapping[str, SettingValue]"


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys and numbers that are not finite.

    Example:
        >>> class Bins(Settings):
        ...     num_bins: int = 30
        >>> Bins(num_bins=10)
        Bins(num_bins=10)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def broken_rule(detail: Mapping[str, Any]) -> str:
    """What pydantic says of one setting, with the value; of settings that do not go together, the rule alone.

    Args:
        detail: one of `ValidationError.errors()`.

    Example:
        >>> broken_rule({"type": "value_error", "msg": "Value error, IB must be last", "input": {"hidden": []}})
        'IB must be last.'
    """
    own = detail["type"] == "value_error"
    rule = detail["msg"].removeprefix("Value error, ") if own else detail["msg"].lower()
    return f"{rule}." if isinstance(detail["input"], Mapping) else f"{rule}, got {detail['input']!r:.60}."
