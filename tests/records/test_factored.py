import json

from hypothesis import given
from hypothesis import strategies as st

from infotorch.records.factored import own_part, readable_json, same, shared_part, with_shared

KEYS = st.sampled_from("abc")
VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 1), st.just(1.0), st.lists(st.integers(0, 1), max_size=2))
SETTINGS = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3),
    lambda inner: st.dictionaries(KEYS, st.one_of(VALUES, inner), max_size=3),
    max_leaves=8,
)


@given(st.lists(SETTINGS, min_size=1, max_size=4))
def test_what_is_factored_out_comes_back(contents):
    shared = shared_part(contents)
    for content in contents:
        assert same(with_shared(shared, own_part(content, shared)), content)


@given(SETTINGS)
def test_alone_all_is_shared(content):
    assert same(shared_part([content]), content)
    assert own_part(content, content) == {}


@given(st.dictionaries(st.text(max_size=30), st.lists(SETTINGS, max_size=6), max_size=4))
def test_readable_json_is_json_with_a_line_for_whatever_fits_on_one(content):
    text = readable_json(content)
    assert json.loads(text) == content
    for line in text.split("\n"):
        assert len(line) <= 121 or line.rstrip(",")[-1] not in "}]"  # a comma may follow
