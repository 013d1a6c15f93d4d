"""Wrong usage in one line: what is wrong and what is allowed, near misses first. No torch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from infotorch.recipes.demonstration import AnyRecipe


def pick(word: str, allowed: Sequence[str], *, what: str) -> str:
    """`word`, if it is allowed.

    Raises:
        ValueError: it is not; near misses are suggested.

    Example:
        >>> pick("recipez", ["recipes", "data"], what="topic")
        Traceback (most recent call last):
            ...
        ValueError: there is no topic 'recipez'; did you mean recipes? Allowed: recipes, data.
    """
    if word in allowed:
        return word
    raise ValueError(f"there is no {what} {word!r}; {_hint(word, allowed)}")


def check_choices(recipe: AnyRecipe, assignments: Sequence[str]) -> None:
    """Suggest a near miss where `--set KEY=VALUE` names a value that is not among the key's few.

    Unknown keys and numbers out of range are left to the recipe, which refuses them.

    Raises:
        ValueError: such a value.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> check_choices(find_recipe("demo"), ["cache=dics"])
        Traceback (most recent call last):
            ...
        ValueError: demo: cache: there is no value 'dics'; did you mean disk? Allowed: memory, disk.
    """
    for assignment in assignments:
        key, _, value = (part.strip() for part in assignment.partition("="))
        allowed = _choices(recipe, key)
        if allowed and value.strip('"') not in allowed and value.lower() not in {"none", "null"}:
            raise ValueError(f"{recipe.name}: {key}: there is no value {value!r}; {_hint(value, allowed)}")


def _choices(recipe: AnyRecipe, key: str) -> list[str]:
    """The strings that a dotted setting is one of; empty when it takes something else."""
    model: Any = type(recipe)
    for part in key.split("."):
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            return []
        model = fields[part].annotation
    kinds = [model] if get_origin(model) is Literal else list(get_args(model))
    literals = [kind for kind in kinds if get_origin(kind) is Literal]
    only_literals = literals and all(kind in literals or kind is type(None) for kind in kinds)
    return [value for kind in literals for value in get_args(kind)] if only_literals else []


def explain_parser(error: Exception) -> str:
    """One line for an error of the parser, whichever click typer brings: its classes are told by name."""
    context = getattr(error, "ctx", None)
    message = _one_line(error.format_message())  # pyright: ignore[reportAttributeAccessIssue]
    if context is None:
        return message
    command = context.command_path.removeprefix("infotorch").strip()
    where = f"{command}: " if command else ""
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return f"{where}there is no option {error.option_name!r}; {_hint(error.option_name, _options(context))}"  # pyright: ignore[reportAttributeAccessIssue]
    if message.startswith("No such command"):
        word = re.findall(r"'([^']*)'", message)[0]
        return f"{where}there is no command {word!r}; {_hint(word, list(context.command.commands))}"
    if kind == "MissingParameter":
        parameter = error.param  # pyright: ignore[reportAttributeAccessIssue]
        hint = getattr(parameter, "help", None)
        return f"{where}{_name(parameter)} is missing{f': {hint}' if hint else '.'}"
    if kind == "BadParameter" and getattr(error, "param", None) is not None:
        return f"{where}{_name(error.param)} {_one_line(error.message)}"  # pyright: ignore[reportAttributeAccessIssue]
    return f"{where}{message.rstrip('.')}; {_one_line(context.get_usage()).replace('Usage:', 'usage:')}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _hint(word: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, allowed, n=2, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}? Allowed: " if near else "allowed: "
    return f"{suggestion}{', '.join(allowed)}."


def _options(context: Any) -> list[str]:
    declared = [name for parameter in context.command.get_params(context) for name in parameter.opts]
    return [name for name in declared if name.startswith("--")]


def _name(parameter: Any) -> str:
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0] if long else str(parameter.metavar or parameter.name)
