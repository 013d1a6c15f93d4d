"""Where a search looks for one setting, as a command line says it, such as optimizer.lr=1e-4:0.1:log."""

from __future__ import annotations

import json
import math

from infotorch.recipes.changes import change, kinds_of, parse_setting
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import Scalar

_FORMS = "key=low:high, key=low:high:log or key=a,b,c"


def read_range(recipe: Recipe, text: str) -> tuple[str, SearchRange]:
    """A setting and its range, such as "optimizer.lr=1e-4:1e-1:log".

    A setting that takes whole numbers alone is tried with such, and an objective's own setting where both ends are
    written as whole numbers. Choices that hold commas or colons are written as a JSON list.

    Args:
        recipe: whose setting it is.
        text: key=low:high, key=low:high:log or key=a,b,c; both ends are part of the range.

    Raises:
        ValueError: another form, ends that do not ascend, an unknown setting, or a value that it does not take.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> key, where = read_range(find_recipe("demo"), "batch_size=16:256:log")
        >>> key, where.low, where.high, where.log, where.whole
        ('batch_size', 16.0, 256.0, True, True)
        >>> read_range(find_recipe("demo"), "network.norm=none,batch")[1].values
        ('none', 'batch')
    """
    key, equals, told = (part.strip() for part in text.partition("="))
    if not equals or not key or not told:
        raise ValueError(f"--set-range takes {_FORMS}, got {text!r}.")
    where = _choices(recipe, key, told) if told.startswith("[") or "," in told else _interval(recipe, key, told)
    check_range_of(recipe, key, where)
    return key, where


def check_range_of(recipe: Recipe, key: str, where: SearchRange) -> None:
    """Refuse a range of values that a setting does not take, before a trial finds out.

    Raises:
        ValueError: the setting does not exist, decides the search itself, or refuses an end or a value.
    """
    if key == "tune" or key.startswith("search."):
        raise ValueError(f"{key} decides the search itself, and cannot be searched; leave it out of --set-range.")
    ends = [int(end) if where.whole else end for end in (where.low, where.high) if end is not None]
    for value in where.values or ends:
        change(recipe, {key: value})


def _choices(recipe: Recipe, key: str, text: str) -> SearchRange:
    try:
        found = (
            json.loads(text) if text.startswith("[") else [parse_setting(recipe, key, one) for one in text.split(",")]
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"--set-range {key}: {text!r} is no JSON list ({error}).") from None
    values: list[Scalar] = []
    for value in found:
        if not isinstance(value, Scalar) or value == "":
            raise ValueError(
                f"--set-range {key}: each choice must be a number, a word, true, false or none, got {value!r}."
            )
        if value not in values:
            values.append(value)
    if len(values) < 2:
        raise ValueError(f"--set-range {key} must have two choices or more, got {text!r}; fix it by --set {key}=VALUE.")
    return SearchRange(values=tuple(values))


def _interval(recipe: Recipe, key: str, text: str) -> SearchRange:
    low, colon, rest = text.partition(":")
    high, second, scale = rest.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = None
    if ends is None or not colon or (second and scale != "log"):
        raise ValueError(f"--set-range takes {_FORMS}, got {f'{key}={text}'!r}.")
    if not -math.inf < ends[0] < ends[1] < math.inf:
        raise ValueError(f"--set-range {key}: low must be below high, and both finite, got {text!r}.")
    if second and ends[0] <= 0:
        raise ValueError(f"--set-range {key}: low must be above 0 on a logarithmic scale, got {text!r}.")
    whole = _is_whole(recipe, key, low, high)
    if whole and not all(end.is_integer() for end in ends):
        raise ValueError(f"--set-range {key}: both ends must be whole numbers, got {text!r}.")
    return SearchRange(low=ends[0], high=ends[1], log=bool(second), whole=whole)


def _is_whole(recipe: Recipe, key: str, low: str, high: str) -> bool:
    kinds = kinds_of(recipe, key)
    if kinds:
        return int in kinds and float not in kinds
    return all(end.lstrip("+-").isdecimal() for end in (low.strip(), high.strip()))
