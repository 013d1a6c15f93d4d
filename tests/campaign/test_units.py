"""A short part of the campaign over units."""

from campaign import units


def test_what_changes_with_units_says_so(tmp_path):
    part = units.run(1, 0.04, tmp_path)
    assert part.failures == []
    assert part.tried["the same value"] > 10
    assert part.tried["another value"] > 10
