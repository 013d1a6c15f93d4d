import numpy as np
import pytest
import torch

from infotorch.numerics import checks
from infotorch.numerics.symbols import as_symbols, is_constant, multiplicity, symbols


def test_a_tensor_or_array_is_shared_and_never_changed():
    array = np.arange(6.0).reshape(3, 2)
    tensor = checks.as_tensor(array, where="f", name="x")
    assert tensor.data_ptr() == array.ctypes.data
    frozen = array[::-1]
    frozen.flags.writeable = False
    assert checks.as_tensor(frozen, where="f", name="x").tolist() == array[::-1].tolist()


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2", "g", "u2", ">u4", "i1", "?"])
def test_every_real_type_is_read(dtype):
    assert checks.as_tensor(np.ones(3, dtype=dtype), where="f", name="x").double().tolist() == [1, 1, 1]


def test_rows():
    assert checks.as_rows([1, 2, 3], where="f", name="x").shape == (3, 1)
    assert checks.as_rows(torch.zeros(2, 3, 4), where="f", name="x").shape == (2, 12)
    assert checks.as_rows(torch.zeros(2, dtype=torch.float16), where="f", name="x").dtype == torch.float32
    assert checks.as_rows(torch.ones(2).to(torch.float8_e4m3fn), where="f", name="x").tolist() == [[1.0], [1.0]]
    assert checks.as_rows(np.ma.masked_array([1.0, 2.0]), where="f", name="x").tolist() == [[1.0], [2.0]]
    samples = checks.as_samples(torch.zeros(2, requires_grad=True), where="f", name="x")
    assert samples.dtype == torch.float64
    assert not samples.requires_grad


@pytest.mark.parametrize(
    ("error", "match", "values"),
    [
        (TypeError, "f: x must hold real numbers, got dtype object", [None]),
        (TypeError, r"f: x must hold real numbers, got dtype torch\.complex64", torch.ones(1, dtype=torch.complex64)),
        (ValueError, "f: x must have rows of samples, got a single number", 3),
        (ValueError, r"f: x is empty, shape \(0, 2\)", np.zeros((0, 2))),
        (ValueError, "f: x must be finite, got 2 NaN or infinite values", [1, np.nan, -np.inf]),
        (TypeError, r"f: x must hold real numbers, got dtype <U3; numpy\.unique\(names, return_inv", ["cat", "dog"]),
        (TypeError, r"got dtype object; numpy\.unique\(names", np.array(["cat", "dog"], dtype=object)),
        (TypeError, "f: x must be a dense tensor of numbers, got a torch.sparse_coo one", torch.eye(2).to_sparse()),
        (TypeError, "f: x must be a dense tensor of numbers, got a meta one", torch.ones(2, device="meta")),
        (TypeError, "got a nested one", torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged)),
        (ValueError, "f: x must have no masked values, got 1", np.ma.masked_array([1.0, 2.0], mask=[True, False])),
        (ValueError, "f: x must fit 64-bit integers, got 9223372036854775808", np.array([2**63], dtype=np.uint64)),
    ],
)
def test_what_is_not_rows_is_refused(error, match, values):
    with pytest.raises(error, match=match):
        checks.as_rows(values, where="f", name="x")


def test_numbers_are_checked():
    checks.check_positive(np.float32(0.5), where="f", name="a")
    checks.check_noise_std(torch.tensor(0.5), where="f")
    checks.check_neighbours(np.int64(3), 4, where="f")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="f: a must be a number, got bool"):
        checks.check_positive(True, where="f", name="a")
    with pytest.raises(ValueError, match="f: a must be positive and finite, got inf"):
        checks.check_positive(float("inf"), where="f", name="a")
    with pytest.raises(ValueError, match=r"f: noise_std must be a number or a 0-d tensor, got shape \(1,\)"):
        checks.check_noise_std(torch.ones(1), where="f")
    with pytest.raises(ValueError, match="f: x must have at least 2 rows, got 1"):
        checks.check_rows(torch.ones(1), where="f", name="x", at_least=2)
    with pytest.raises(TypeError, match="f: k must be an integer, got bool"):
        checks.check_neighbours(True, 9, where="f")
    with pytest.raises(ValueError, match="f: k must be at least 1, got -1"):
        checks.check_neighbours(-1, 9, where="f")
    with pytest.raises(ValueError, match="f: needs more samples than neighbours, got 3 samples for k = 3"):
        checks.check_neighbours(3, 3, where="f")
    with pytest.raises(ValueError, match="f: m must be one of a, b, got 'c'"):
        checks.check_choice("c", ("a", "b"), where="f", name="m")
    with pytest.raises(ValueError, match="f: x and y must be paired row by row, got 2 and 3 rows"):
        checks.check_paired(torch.ones(2), torch.ones(3), where="f")


def test_rows_are_symbols():
    rows = torch.tensor([[1.5, 0.0], [1.5, -0.0], [0.0, 2.0]])
    assert symbols(rows).tolist() == [1, 1, 0]
    assert multiplicity(rows).tolist() == [2, 2, 1]
    assert is_constant(rows[:2])
    assert not is_constant(rows)
    with pytest.raises(TypeError, match=r"f: y must be integers or booleans, got torch\.float32"):
        as_symbols(rows, where="f", name="y")


@pytest.mark.parametrize("values", [[[1.0], [1.0, 2.0]], [torch.ones(1, requires_grad=True)] * 2])
def test_what_numpy_cannot_read_is_refused_by_name(values):
    with pytest.raises(TypeError, match=r"^f: x must be a tensor or an array of real numbers: "):
        checks.as_tensor(values, where="f", name="x")
