"""Eight threads, in short."""

import pytest

from campaign import threads


@pytest.mark.slow
def test_eight_threads_get_what_one_gets(tmp_path):
    part = threads.run(0, 0.2, tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) == 8 * 5 + 9  # five tasks in every thread, nine looks at the process
