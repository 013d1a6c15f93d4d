"""Tensors in the same memory: against the addresses of all their bytes, counted one by one."""

import itertools

import torch

from infotorch.diagnostics.shared_tensors import share_memory, shared_with


def addresses(tensor):
    places = itertools.product(*map(range, tensor.shape))
    starts = [
        tensor.data_ptr() + 4 * sum(i * s for i, s in zip(place, tensor.stride(), strict=True)) for place in places
    ]
    return {start + byte for start in starts for byte in range(4)}


def test_views_share_memory_where_a_byte_is_in_both():
    table = torch.zeros(4, 6)
    views = [table, table[:2], table[2:], table[:, ::2], table[:, 1::2], table[3, 5], table.t()[1:3], table[:0]]
    views += [torch.zeros(4, 6), table.as_strided((3,), (7,), 1)]
    for one, other in itertools.product(views, repeat=2):
        assert share_memory(one, other) == (one is other or bool(addresses(one) & addresses(other)))


def test_pieces_of_a_large_flat_tensor_are_told_apart_by_where_they_lie(monkeypatch):
    pieces = dict(zip("abcd", torch.zeros(8).split(2), strict=True))
    monkeypatch.setattr("infotorch.diagnostics.shared_tensors._bytes", None)  # what takes long is not asked
    assert shared_with({"a": pieces["a"]}, {"rest": {name: pieces[name] for name in "bcd"}}) == {}
