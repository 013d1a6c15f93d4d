"""The registry of objectives: every name that a plan string may hold, what it makes, and what the guide says of it.

Plan strings, `infotorch list objectives`, the table in docs/choosing-an-objective.md (`make stubs`), benchmarks and the
tests of all objectives read this table: a new objective is a file of its own, an entry in
`registered_inputs.py` or `registered_labels.py`, and a test.
"""

from __future__ import annotations

from infotorch.objectives.entry import Registered
from infotorch.objectives.registered_inputs import OF_INPUTS
from infotorch.objectives.registered_labels import OF_LABELS

REGISTRY: dict[str, Registered] = {**OF_INPUTS, **OF_LABELS}

SHORT = {"X": "X:reconstruction", "Y": "Y:readout", "MSE": "Y:squared-error"}
