"""What a part of the campaign is: so many seeded trials, and every one that did not end as it must."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Part:
    """What a part found.

    Attributes:
        tried: what was tried -> how often, for the table of the page.
        failures: one line a trial that did not end as it must: what was done (enough to do it again) and what happened.
        figures: other numbers worth telling, such as the seconds that a fresh start took.

    Example:
        >>> part = Part()
        >>> part.count("a file cut short")
        >>> part.check(True, "a file cut short: was read as if it were whole")
        >>> dict(part.tried), part.failures
        ({'a file cut short': 1}, [])
    """

    tried: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def count(self, what: str) -> None:
        """One more trial of a kind."""
        self.tried[what] += 1

    def check(self, held: bool, otherwise: str) -> None:
        """Write down a failure where something that must hold did not."""
        if not held:
            self.failures.append(otherwise)
