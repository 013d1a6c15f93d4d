"""What the tests of segments share."""


def run(segments, x):
    """The segments after one another: each is given what the one before it returned, and the input."""
    hidden = x
    for segment in segments:
        hidden = segment(hidden, x)
    return hidden
