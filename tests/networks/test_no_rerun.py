"""What torch.utils.checkpoint would run again, and several processes could not."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from infotorch.networks.no_rerun import check_no_rerun


def layer(x):
    check_no_rerun("dropout")
    return x.exp()


def test_what_runs_again_in_the_backward_pass_is_refused():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"several processes: dropout cannot run again within torch\.utils\.checkpoint"
    ):
        checkpoint(layer, x, use_reentrant=False)


def test_what_runs_once_is_not():
    x = torch.ones(2, requires_grad=True)
    layer(x).sum().backward()
    with torch.no_grad():
        checkpoint(layer, x, use_reentrant=False)
