"""Few kills and few pairs of starts; the campaign makes a hundred."""

import pytest

from campaign import kills, starts


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_they_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "CASES", {name: kills.CASES[name] for name in ("demo full-bound", "demo bp")})
    part = kills.run(0, 0.04, tmp_path)
    assert part.failures == []
    assert sum(times for what, times in part.tried.items() if what.startswith("SIGKILL")) == 4


@pytest.mark.slow
def test_of_two_starts_one_runs(tmp_path):
    part = starts.run(0, 0.2, tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) == 4
