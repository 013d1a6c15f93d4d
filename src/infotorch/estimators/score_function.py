"""Refusing what scikit-learn's selectors of features would take for the scores of all of them."""

from __future__ import annotations

import sys


def refuse_as_score_function(where: str) -> None:
    """Refuse if the function that calls this was called by a selector of scikit-learn.

    A selector hands all features over together and takes what comes back for their scores: one number for all of them
    would select some feature in silence. It looks at nothing by which the caller could be told, but is the caller.

    Args:
        where: what it called, for the message.

    Raises:
        TypeError: it was.

    Example:
        >>> refuse_as_score_function("mutual_information")
    """
    asking = str(sys._getframe(2).f_globals.get("__name__", ""))
    if asking.startswith("sklearn.feature_selection"):
        raise TypeError(
            f"{where}: must not be a score function, as it measures all features together; use "
            "infotorch.sklearn.mutual_info_scores, which scores each of them."
        )
