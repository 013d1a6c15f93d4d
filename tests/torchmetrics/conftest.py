import pytest

pytest.importorskip("torchmetrics")
