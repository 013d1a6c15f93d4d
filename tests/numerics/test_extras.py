"""A package that is not installed is told with the command that installs it."""

import pytest

from infotorch.numerics.extras import require


def test_a_missing_package_names_the_command():
    with pytest.raises(ModuleNotFoundError, match=r"graphs needs no_such_package: pip install 'infotorch\[graph\]'"):
        require("graph", "no_such_package", "graphs")
    assert require("core", "math", "numbers").sqrt(4) == 2
