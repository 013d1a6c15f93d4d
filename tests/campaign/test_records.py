"""A few of the campaign's trials: hostile run directories, checkpoints and tables' files."""

import os

import pytest

from campaign.records import run


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a trial is a forked process")
def test_a_few_trials_end_as_they_must(tmp_path):
    part = run(seed=0, scale=0.004, scratch=tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) >= 12
