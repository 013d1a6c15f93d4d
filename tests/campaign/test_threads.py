"""Eight threads, in short."""

from campaign import threads


def test_eight_threads_get_what_one_gets(tmp_path):
    part = threads.run(0, 0.2, tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) == 8 * 5 + 9  # five tasks in every thread, nine looks at the process
