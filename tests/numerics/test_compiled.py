import sys

import pytest
import torch

from infotorch.numerics import compiled, neighbours


def test_a_numba_that_refuses_its_numpy_is_done_without_and_said(monkeypatch, tmp_path):
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = neighbours.nearest_distances(x, 3, "chebyshev")
    (tmp_path / "numba.py").write_text('raise ImportError("Numba needs NumPy 2.2 or less. Got NumPy 9.9.")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    compiled._loops.cache_clear()
    try:
        with pytest.warns(UserWarning, match="without numba, several times slower: Numba needs NumPy 2.2 or less"):
            after = neighbours.nearest_distances(x, 3, "chebyshev")
        assert compiled.tree_loops() is None
    finally:
        compiled._loops.cache_clear()
    assert torch.equal(before, after)


def test_tasks_are_done_in_order_on_any_number_of_threads():
    for threads in (1, 3, 50):
        assert compiled.in_threads(lambda i: i * i, list(range(20)), threads=threads) == [i * i for i in range(20)]
