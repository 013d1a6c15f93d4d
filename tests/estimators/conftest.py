import pytest
import torch


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def same_initial_weights():
    """Modules that a test builds draw their weights from the global generator: without a seed it fails now and then."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
