"""The soak, in short, and what it would notice."""

import pytest

from campaign import soak


@pytest.mark.slow
def test_a_short_soak_stays_flat(tmp_path):
    part = soak.run(0, 0.03, tmp_path)
    assert part.failures == []
    assert part.tried["fit"] == 6
    assert part.tried["estimate with its standard error"] == 60


def test_a_leak_is_growth_and_a_first_third_of_caches_is_not():
    rounds = 200
    leak = [100 + 0.5 * number for number in range(rounds)]  # half a megabyte a round
    caches = [100 + 3 * min(number, rounds // 3) for number in range(rounds)]
    assert soak.growth(leak) > soak.allowed("memory in MB", rounds) > soak.growth(caches) == 0
    assert soak.growth([float(number // 20) for number in range(rounds)]) > soak.allowed("open files", rounds)
