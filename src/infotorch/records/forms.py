"""Forms: what a file of a run must hold, said once beside its reader, and checked before anything is read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One plain value.

    Args:
        words: what it must be, for people.
        types: of Python; true and false are whole numbers only where they are named.
        least: the smallest number there can be.
    """

    words: str
    types: tuple[type, ...]
    least: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether a value is of this kind."""
        if isinstance(value, bool):
            return bool in self.types
        in_range = self.least is None or not isinstance(value, int | float) or value >= self.least
        return isinstance(value, self.types) and in_range


TEXT = Kind("a text", (str,))
TEXT_OR_NULL = Kind("a text or null", (str, type(None)))
NUMBER = Kind("a number", (int, float))
NUMBER_OR_NULL = Kind("a number or null", (int, float, type(None)))
WHOLE = Kind("a whole number", (int,))
COUNT = Kind("a whole number that is not negative", (int,), least=0)
NOT_NEGATIVE = Kind("a number that is not negative", (int, float), least=0)
TRUTH = Kind("true or false", (bool,))
PLAIN = Kind("a text, a number, true, false or null", (str, int, float, bool, type(None)))
ANY = Kind("anything", (object, bool))

#: A kind; {key: form} for an object with these keys at least; Each(form) for one with any keys; [form] for a list.
Form = Any


@dataclass(frozen=True)
class Each:
    """An object whose values all have one form, whatever its keys."""

    form: Form


@dataclass(frozen=True)
class Optional:
    """A key that may be missing, or null; else its value has the form."""

    form: Form


def check_form(content: Any, form: Form, *, where: Path, at: str = "") -> None:
    """Refuse content that has not the form which its reader expects.

    Args:
        content: of a JSON file.
        form: see `Form`.
        where: the file, for the message.
        at: the place in the file.

    Raises:
        ValueError: it has another form; the message names the file, the place, what it must be and what it is.

    Example:
        >>> check_form({"metrics": {"test_accuracy": "high"}}, {"metrics": Each(NUMBER)}, where=Path("outcome.json"))
        Traceback (most recent call last):
            ...
        ValueError: outcome.json is damaged: metrics.test_accuracy must be a number, got 'high'.
    """
    if isinstance(form, Kind):
        if not form.holds(content):
            raise ValueError(f"{where} is damaged: {at or 'it'} must be {form.words}, got {_short(content)}.")
    elif isinstance(form, list):
        _check_is(content, list, "a list", where, at)
        for number, item in enumerate(content):
            check_form(item, form[0], where=where, at=f"{at}[{number}]")
    elif isinstance(form, Each):
        _check_is(content, dict, "an object", where, at)
        for key, item in content.items():
            check_form(item, form.form, where=where, at=_dotted(at, key))
    else:
        _check_is(content, dict, "an object", where, at)
        _check_keys(content, form, where, at)


def _check_keys(content: Mapping[str, Any], form: Mapping[str, Form], where: Path, at: str) -> None:
    for key, inner in form.items():
        value = content.get(key)
        if isinstance(inner, Optional):
            if value is not None:
                check_form(value, inner.form, where=where, at=_dotted(at, key))
        elif key not in content:
            raise ValueError(f"{where} is damaged: {_dotted(at, key)} is missing.")
        else:
            check_form(value, inner, where=where, at=_dotted(at, key))


def _check_is(content: Any, kind: type, words: str, where: Path, at: str) -> None:
    if not isinstance(content, kind):
        raise ValueError(f"{where} is damaged: {at or 'it'} must be {words}, got {_short(content)}.")


def _dotted(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
