"""Wrong usage in one line: what is wrong and what is allowed, near misses first. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from infotorch.numerics.near_misses import suggest


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
    raise ValueError(f"there is no {what} {word!r}; {suggest(word, allowed)}")


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
        return f"{where}there is no option {error.option_name!r}; {suggest(error.option_name, _options(context))}"  # pyright: ignore[reportAttributeAccessIssue]
    if message.startswith("No such command"):
        word = re.findall(r"'([^']*)'", message)[0]
        return f"{where}there is no command {word!r}; {suggest(word, list(context.command.commands))}"
    if kind == "MissingParameter":
        parameter = error.param  # pyright: ignore[reportAttributeAccessIssue]
        hint = getattr(parameter, "help", None)
        return f"{where}{_name(parameter)} is missing{f': {hint}' if hint else '.'}"
    if kind == "BadParameter" and getattr(error, "param", None) is not None:
        return f"{where}{_bad_value(error)}"
    return f"{where}{message.rstrip('.')}; {_one_line(context.get_usage()).replace('Usage:', 'usage:')}"


def _bad_value(error: Any) -> str:
    """The rule that a value breaks and the value, which newer parsers leave out."""
    name, rule = _name(error.param), _one_line(error.message).removeprefix("Value error, ")
    value, _, choices = rule.partition(" is not one of ")
    if choices:
        word, allowed = value.strip("'"), re.findall(r"'([^']*)'", choices)
        return f"there is no {name.strip('-[]').lower()} {word!r}; {suggest(word, allowed)}"
    found = [detail["input"] for detail in getattr(error.__cause__, "errors", list)()]
    return f"{name}: {rule[0].lower()}{rule[1:].rstrip('.')}, got {found[0]!r}." if found else f"{name} {rule}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _options(context: Any) -> list[str]:
    declared = [name for parameter in context.command.get_params(context) for name in parameter.opts]
    return [name for name in declared if name.startswith("--")]


def _name(parameter: Any) -> str:
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0] if long else str(parameter.metavar or parameter.name)
