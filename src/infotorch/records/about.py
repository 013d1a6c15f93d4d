"""What is known of a table beside its runs: which statistic its paper prints, and what was changed after a test score.

In about.json, which stands beside the tables' files: table -> the fields of `About`, each of which may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from infotorch.records.files import read_json
from infotorch.records.forms import NUMBER, TEXT, TRUTH, Each, Optional, check_form
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import CollectedRun

ABOUT = "about.json"
_FORM = Each({
    "statistic": Optional(TEXT), "best": Optional(TRUTH), "train": Optional(Each(NUMBER)),
    "deviation": Optional(Each(NUMBER)), "after_test": Optional(Each(TEXT)),
})  # fmt: skip


@dataclass(frozen=True)
class About:
    """One table.

    Args:
        statistic: what a published number is, such as "best of 3 seeds"; "" where nothing is known.
        best: the published numbers are the best of several runs, and no means.
        train: variant -> published number on training samples, in the unit of the metric.
        deviation: variant -> published standard deviation.
        after_test: variant, or "*" for all -> what of its design was changed after a test score had been seen.

    Example:
        >>> About(after_test={"*": "fewer epochs"}).changed("best, epochs 50")
        'fewer epochs'
    """

    statistic: str = ""
    best: bool = False
    train: Mapping[str, float] = field(default_factory=dict)
    deviation: Mapping[str, float] = field(default_factory=dict)
    after_test: Mapping[str, str] = field(default_factory=dict)

    def changed(self, variant: str) -> str:
        """What of a variant's design was changed after a test score had been seen; "" for nothing."""
        name = variant.partition(", ")[0]  # behind the comma stand settings that tell it from other runs
        return self.after_test.get(name, self.after_test.get("*", ""))


def about_table(record: RunRecord) -> About:
    """What is known of the table that holds a run; of a run directory nothing is.

    Raises:
        ValueError: about.json is damaged; the message names it.
    """
    if not isinstance(record, CollectedRun):
        return About()
    path = record.table.path.with_name(ABOUT)
    if not path.exists():
        return About()
    return _read(path, path.stat().st_mtime_ns).get(record.table.path.stem, About())


@cache
def _read(path: Path, _written: int) -> dict[str, About]:
    content = read_json(path)
    check_form(content, _FORM, where=path)
    known = set(About.__dataclass_fields__)
    for table, fields in content.items():
        if unknown := set(fields) - known:
            raise ValueError(f"{path} is damaged: {table} must have no other fields than {', '.join(sorted(known))}, "
                             f"got {', '.join(sorted(unknown))}.")  # fmt: skip
    return {table: About(**fields) for table, fields in content.items()}
