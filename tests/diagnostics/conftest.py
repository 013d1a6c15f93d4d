import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    """Networks start from the same weights whatever ran before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
