"""What to say of a word that is not among the few that are allowed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def suggest(word: str, allowed: Sequence[str]) -> str:
    """The end of an error's line: near misses first, then everything that is allowed.

    Example:
        >>> suggest("recipez", ["recipes", "data"])
        'did you mean recipes? Allowed: recipes, data.'
        >>> suggest("zzz", ["recipes", "data"])
        'allowed: recipes, data.'
    """
    near = difflib.get_close_matches(word, allowed, n=2, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}? Allowed: " if near else "allowed: "
    return f"{suggestion}{', '.join(allowed)}."
