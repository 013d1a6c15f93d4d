"""What the processes of a run tell each other."""

import pytest

from infotorch.runs.ranks import LOST, ending, together


def listening(heard):
    """Steps that note how they end."""
    try:
        yield 0
        yield 1
    except BaseException as error:
        heard.append(error)
        raise


@pytest.mark.parametrize("failure", [OSError("no space left on device"), KeyboardInterrupt()])
def test_steps_hear_of_what_fails_in_their_loop(failure):
    """A pipeline tells the others; they waited a minute for each other where a run's folder could not be written."""
    heard = []

    def fails():
        with ending(listening(heard)) as steps:
            next(steps)
            raise failure

    with pytest.raises(type(failure)):
        fails()
    assert heard == [failure]


def test_steps_end_with_a_loop_that_is_left():
    heard = []
    with ending(listening(heard)) as steps:
        next(steps)
    assert [type(one) for one in heard] == [GeneratorExit]


def test_a_process_that_is_gone_before_training_is_told_in_a_line():
    with pytest.raises(ConnectionError, match=LOST), together():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), together():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
