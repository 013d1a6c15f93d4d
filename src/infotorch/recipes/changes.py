"""A recipe with other settings, from code or from a command line; near misses are suggested."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError

from infotorch.numerics.near_misses import suggest
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.settings import SettingValue, broken_rule

#: What names a variant rather than deciding a number: not to be set from outside.
_FIXED = {"name", "variant", "title", "description", "source", "published", "changed", "search.space", "search.during"}


def settable_keys(recipe: Recipe) -> list[str]:
    """The dotted settings that `--set` takes.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> "data.limit" in settable_keys(find_recipe("demo"))
        True
    """
    return [key for key, _ in _leaves(recipe) if key not in _FIXED]


def change(recipe: Recipe, settings: Mapping[str, SettingValue]) -> Recipe:
    """The recipe with some dotted settings replaced, validated anew.

    A variant on other data has no published number: `published` is emptied when data.name changes.

    Raises:
        ValueError: an unknown setting (near misses are suggested), or a value that is not allowed.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> change(find_recipe("demo"), {"epochs": 2}).epochs
        2
    """
    content = recipe.model_dump()
    allowed = settable_keys(recipe)
    for key, value in settings.items():
        if key not in allowed and not key.startswith("plan.options."):
            last_parts = [full for full in allowed if full.split(".")[-1] == key]
            near = last_parts or difflib.get_close_matches(key, allowed, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"settings: {', '.join(allowed)}."
            raise ValueError(f"{recipe.name} has no setting {key!r}; {hint}")
        place = content
        *path, last = key.split(".")
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ValueError(f"{recipe.name} has no setting {key!r}: {part} is one value.")
        place[last] = value
    if content["data"]["name"] != recipe.data.name:
        content["published"] = {}
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ValueError(_first_complaint(recipe, error)) from None


def change_from_text(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """The recipe with settings such as "data.limit=5000" from a command line; they are noted in `changed`.

    Raises:
        ValueError: an assignment without "=", an unknown setting, or a value that is not allowed.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> change_from_text(find_recipe("demo"), ["plan.beta=0.5"]).plan.beta
        0.5
    """
    settings: dict[str, SettingValue] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"--set takes key=value, got {assignment!r}.")
        value = parse_setting(recipe, key.strip(), text)
        # One name or width alone is a list of one: --set plan.objectives=CE, --set network.hidden=64.
        alone = isinstance(dict(_leaves(recipe)).get(key.strip()), tuple) and not isinstance(value, list)
        settings[key.strip()] = [value] if alone else value
    changed = change(recipe, settings)
    return changed.model_copy(update={"changed": (*recipe.changed, *assignments)})


def parse_setting(recipe: Recipe, key: str, text: str) -> SettingValue:
    """What a text on a command line says of a setting: a number, a truth, words, a list with commas, or None.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> demo = find_recipe("demo")
        >>> parse_setting(demo, "network.norm", "none"), parse_setting(demo, "data.limit", "none")
        ('none', None)
    """
    value = _parse(text.strip())
    if value is None and not _may_be_none(recipe, key):
        return "none"  # a choice of that name, as of network.norm
    return value


def kinds_of(recipe: Recipe, key: str) -> tuple[object, ...]:
    """The types that a dotted setting takes; empty where nothing is known of it, as of an objective's own.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> kinds_of(find_recipe("demo"), "epochs")
        (<class 'int'>,)
    """
    settings: object = recipe
    *path, last = key.split(".")
    for part in path:
        settings = getattr(settings, part, None)
    field = type(settings).model_fields.get(last) if isinstance(settings, BaseModel) else None
    return () if field is None else get_args(field.annotation) or (field.annotation,)


def _may_be_none(recipe: Recipe, key: str) -> bool:
    """Whether a setting takes None; an unknown one may, and is refused later."""
    kinds = kinds_of(recipe, key)
    return not kinds or type(None) in kinds


def _parse(text: str) -> SettingValue:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [_parse(part.strip()) for part in text.split(",")] if "," in text else text
    except (RecursionError, ValueError):
        raise ValueError(f"a setting must be a value or a list of values, got {text!r:.60}.") from None


def _leaves(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _first_complaint(recipe: Recipe, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("int", "float", "literal")))
    if first["type"] == "literal_error":
        # pydantic lists them as "True, False or 'literal'"; on a command line that is true, false, literal.
        listed = re.split(r", | or ", first.get("ctx", {})["expected"])
        allowed = [part.strip("'") or '""' if part.startswith("'") else part.lower() for part in listed]
        word = str(first["input"])
        return f"{recipe.name}: {place}: there is no value {word!r}; {suggest(word, allowed)}"
    return f"{recipe.name}: {place}: {broken_rule(first)}"
