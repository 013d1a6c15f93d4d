"""What every public estimator promises about its input, tried on generated input: the last paragraph of the contract.

An estimator either refuses, by a ValueError or TypeError that begins with its name, or gives a sane, finite number.
The cases stand in contract_cases.py.
"""

import importlib
import inspect
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.estimators.contract_cases import CASES as SHARED
from tests.estimators.contract_cases import REAL, SCORES, Case
from torch import Tensor, nn

import infotorch
from infotorch import Estimate
from infotorch.estimators import registry

FILES = sorted({*Path(__file__).parent.glob("test_*.py")} - {Path(__file__)})
OWN = [path.stem for path in FILES if "\nCASES = [" in path.read_text(encoding="utf-8")]
CASES = [*SHARED, *(case for name in OWN for case in importlib.import_module(f"tests.estimators.{name}").CASES)]

GENERATED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
seeds = st.integers(0, 10**6)


def cases(keep: Callable[[Case], bool] = lambda case: True) -> Any:
    """Runs a test for these cases."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CASES if keep(case)])


def tensor_of(result: Any) -> Tensor:
    """One number a result: estimators that give several are judged by their sum."""
    return (result.value if isinstance(result, Estimate) else result).sum()


def value_of(result: Any) -> float:
    return float(tensor_of(result).detach())


def outcome(case: Case, arguments: list[Any]) -> float | str:
    """The value, or what the error says before any number of the input."""
    try:
        return value_of(case.call(*arguments))
    except (ValueError, TypeError) as error:
        if not str(error).startswith(f"{case.name}: "):
            raise
        return f"{type(error).__name__}: {str(error).split(' got ')[0]}"


def same(case: Case, found: float | str, expected: float | str, accuracy: float = 1e-7) -> bool:
    if isinstance(found, str) or isinstance(expected, str):
        return found == expected
    return found == pytest.approx(expected, rel=accuracy, abs=accuracy, nan_ok=case.passes_on)


def check_sane(case: Case, result: Any) -> None:
    """Finite, not above its ceiling, and with a standard error that is none or a number."""
    value = value_of(result)
    assert math.isfinite(value) or (case.overflows and value == -math.inf)
    if isinstance(result, Estimate):
        rounding = 1e-6 + (case.accuracy if case.random else 0.0)
        assert value <= result.ceiling + rounding or case.ceiling_without_ties
        assert math.isnan(result.std_error) or 0 <= result.std_error < math.inf, result.std_error


def test_every_registered_estimator_has_a_case():
    others = {"gaussian_log_likelihood", "MineGradient"}  # with samples or scores as arguments too
    assert {case.name for case in CASES} == set(registry.HOMES) | others


def test_cases_know_how_their_estimator_names_its_arguments():
    for case in CASES:
        function = getattr(infotorch.estimators, case.name)
        names = set(inspect.signature(function.forward if inspect.isclass(function) else function).parameters)
        assert set(case.roles) <= names or {"variables", "views"} & names, case


# -- refusals ---------------------------------------------------------------------------------------------------------


def _with_one(values: Tensor, bad: float, where: int) -> Tensor:
    values = values.clone()
    # Not on the diagonal, which not every bound reads.
    values.view(len(values), -1)[0, 1 + where % (values[0].numel() - 1) if values[0].numel() > 1 else 0] = bad
    return values


WRONG: dict[str, Callable[[Tensor, int], Any]] = {
    "a single number": lambda values, _: values.flatten()[0],
    "no rows": lambda values, _: values[:0],
    "no columns": lambda values, _: values.reshape(len(values), -1)[:, :0],
    "complex": lambda values, _: values.to(torch.complex64),
    "text": lambda values, _: np.full(tuple(values.shape), "a"),
    "objects": lambda values, _: np.full(tuple(values.shape), None),
    "None": lambda values, _: None,
    "ragged": lambda values, _: [[1.0], [1.0, 2.0]],
}
NOT_FINITE = {
    "NaN": lambda values, where: _with_one(values, math.nan, where),
    "inf": lambda values, where: _with_one(values, math.inf, where),
    "-inf": lambda values, where: _with_one(values, -math.inf, where),
}


@cases()
@pytest.mark.parametrize("wrong", [*WRONG, *NOT_FINITE])
def test_what_is_no_sample_is_refused_by_name(case, wrong):
    for position, (name, role) in enumerate(case.roles.items()):
        if wrong in NOT_FINITE and (case.passes_on or role not in REAL):
            continue
        if wrong == "a single number" and role == "numbers" and case.passes_on:
            continue  # scores of any shape
        if wrong == "text" and case.name == "mutual_information":
            continue  # words are symbols
        arguments: list[Any] = case.draw(12, position)
        arguments[position] = {**WRONG, **NOT_FINITE}[wrong](arguments[position], position)
        with pytest.raises((ValueError, TypeError)) as refused:
            case.call(*arguments)
        assert str(refused.value).startswith(f"{case.name}: ")
        assert name in str(refused.value) or "view" in str(refused.value) or "variable" in str(refused.value)


@cases(lambda case: case.passes_on)
def test_where_scores_are_not_looked_at_nan_stays_nan(case):
    for position in range(len(case.roles)):
        arguments = case.draw(12, position)
        if arguments[position].is_floating_point():
            arguments[position] = _with_one(arguments[position], math.nan, 0)
            assert math.isnan(value_of(case.call(*arguments)))


@cases(lambda case: len(case.roles) > 1 and case.name != "prior_matching")
@pytest.mark.slow
@GENERATED
@given(seed=seeds, shorter=st.integers(0, 2), by=st.integers(1, 8))
def test_unpaired_rows_are_refused(case, seed, shorter, by):
    arguments = case.draw(16, seed)
    position = shorter % len(arguments)
    arguments[position] = case.reordered(arguments, torch.arange(16 - by))[position]
    with pytest.raises(ValueError, match=rf"^{case.name}: "):
        case.call(*arguments)


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds)
def test_too_few_rows_are_refused_and_just_enough_are_not(case, seed):
    for n in range(1, case.at_least):
        with pytest.raises(ValueError, match=rf"^{case.name}: "):
            case.call(*case.draw(n, seed))
    just_enough = case.draw(case.at_least, seed)
    found = outcome(case, just_enough)
    if isinstance(found, float):
        check_sane(case, case.call(*just_enough))
    else:
        assert "singular" in found  # so few rows may have equal ranks


# -- the same number however it is written ----------------------------------------------------------------------------


def _read_only(values: Tensor) -> np.ndarray:
    array = values.numpy().copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[Tensor], Any]] = {
    "numpy": lambda values: values.numpy(),
    "columns first": lambda values: np.asfortranarray(values.numpy()),
    "backwards": lambda values: values.flip(0).numpy()[::-1],
    "read-only": _read_only,
    "big-endian": lambda values: values.numpy().astype(values.numpy().dtype.newbyteorder(">")),
    "lists": lambda values: values.tolist(),
    "strided": lambda values: torch.stack([values, values + 1], dim=-1)[..., 0],
    "transposed": lambda values: values.movedim(0, -1).contiguous().movedim(-1, 0),
    "parameter": lambda values: nn.Parameter(values, requires_grad=values.is_floating_point()),
}


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, n=st.integers(12, 20), columns=st.integers(1, 2))
def test_layout_and_library_do_not_matter(case, seed, n, columns):
    arguments = case.draw(n, seed, columns)
    expected = outcome(case, arguments)
    for name, layout in LAYOUTS.items():
        assert same(case, outcome(case, [layout(values) for values in arguments]), expected), name


@cases(lambda case: bool({"rows", "symbols"} & set(case.roles.values())) and case.name != "dim_grid")
@pytest.mark.slow
@GENERATED
@given(seed=seeds)
def test_trailing_axes_are_columns(case, seed):
    arguments = case.draw(20, seed, columns=4)
    folded = [v.view(20, 2, 2) if v.ndim == 2 and v.shape[1] == 4 else v for v in arguments]
    assert same(case, outcome(case, folded), outcome(case, arguments))
    arguments = case.draw(20, seed)
    flat = [v[:, 0] if v.ndim == 2 and v.shape[1] == 1 else v for v in arguments]
    assert same(case, outcome(case, flat), outcome(case, arguments))


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds)
def test_floating_point_types_differ_by_rounding_alone(case, seed):
    # Eighths up to 4 are exact in every type.
    wide = [(8 * v).round().clamp(-32, 32) / 8 if v.is_floating_point() else v for v in case.draw(20, seed)]
    single = [v.float() if v.is_floating_point() else v for v in wide]
    # Random numbers of another type are other numbers.
    expected = outcome(case, single if case.random else wide)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        narrow = [v.to(dtype) if v.is_floating_point() else v for v in wide]
        assert same(case, outcome(case, narrow), expected, case.accuracy), dtype
    for kind in (np.float32, np.float16):
        narrow = [v.numpy().astype(kind) if v.is_floating_point() else v for v in wide]
        assert same(case, outcome(case, narrow), expected, case.accuracy), kind
    longer = [v.numpy().astype(np.longdouble) if v.is_floating_point() else v for v in wide]
    assert same(case, outcome(case, longer), outcome(case, wide))


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, most=st.sampled_from([1, 3, 100]))
def test_integer_types_do_not_matter(case, seed, most):
    wide = [(v.abs() * most / 3).round().clamp(0, most).long() for v in case.draw(16, seed)]
    expected = outcome(case, wide)
    torch_types = [torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16, torch.uint32, torch.uint64]
    numpy_types = [np.int8, np.uint8, np.uint16, np.uint32, np.uint64]
    for dtype in [*torch_types, torch.bool] if most == 1 else torch_types:
        assert same(case, outcome(case, [v.to(dtype) for v in wide]), expected, case.accuracy), dtype
    for kind in numpy_types:
        assert same(case, outcome(case, [v.numpy().astype(kind) for v in wide]), expected, case.accuracy), kind


@cases(lambda case: not case.random)
@pytest.mark.slow
@GENERATED
@given(seed=seeds, n=st.integers(12, 20), ties=st.booleans())
def test_order_of_rows_does_not_matter(case, seed, n, ties):
    arguments = case.draw(n, seed, columns=2)
    if ties:
        arguments = [values.round() if values.is_floating_point() else values for values in arguments]
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert same(case, outcome(case, case.reordered(arguments, order)), outcome(case, arguments))


@cases(lambda case: case.scales != "none")
@pytest.mark.slow
@GENERATED
@given(seed=seeds, powers=st.lists(st.integers(-660, 660), min_size=3, max_size=3), columns=st.integers(1, 2))
def test_units_do_not_matter(case, seed, powers, columns):
    arguments = case.draw(max(24, 2 * case.at_least), seed, columns)
    expected = value_of(case.call(*arguments))
    if case.scales != "each":
        powers = powers[:1] * 3
    # Powers of two, about 1e-198 to 1e198, are exact.
    scaled = [v * 2.0**p if v.is_floating_point() else v for v, p in zip(arguments, powers, strict=False)]
    if case.scales == "entropy":
        expected += columns * powers[0] * math.log(2)
    assert same(case, value_of(case.call(*scaled)), expected, 1e-6), powers


# -- edges ------------------------------------------------------------------------------------------------------------


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, constant=st.sampled_from([0.0, 1.5, 1e-300, -1e150, 1e300]), n=st.integers(12, 20))
def test_constants_tell_nothing(case, seed, constant, n):
    for position, (name, role) in enumerate(case.roles.items()):
        most = 1e6 if role in SCORES | {"classes", "grid", "numbers"} else case.largest
        constant = min(most, max(-most, constant))
        arguments = case.draw(max(n, case.at_least), seed)
        arguments[position] = torch.full_like(arguments[position], int(constant > 0) if role not in REAL else constant)
        if case.constant == "refused":
            assert isinstance(outcome(case, arguments), str)
        elif name in (case.ignores or case.roles) and case.constant is not None:
            result = case.call(*arguments)
            check_sane(case, result)
            assert value_of(result) == pytest.approx(case.constant, abs=case.accuracy if case.random else 1e-9)
        else:
            check_sane(case, case.call(*arguments))


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, n=st.integers(12, 30), distinct=st.integers(1, 6), columns=st.integers(1, 2))
def test_repeated_rows_give_a_sane_number_or_are_refused(case, seed, n, distinct, columns):
    rows = torch.randint(distinct, (n,), generator=torch.Generator().manual_seed(seed))
    arguments = case.reordered(case.draw(distinct, seed, columns), rows)
    if isinstance(outcome(case, arguments), float):
        check_sane(case, case.call(*arguments))


# Rows that only real data seem too kind to contain.
EXTREMES = torch.tensor(
    [0.0, 1.0, -1.0, 1e308, -1e308, 1.7e308, 1e-308, 5e-324, 1e200, -1e-200, 1e16, 1e16 + 2], dtype=torch.float64
)
# Scores are log-densities; far beyond a million they stand for nothing.
EXTREME_SCORES = torch.tensor([0.0, 1.0, -1.0, 80.0, -80.0, 700.0, -700.0, 1e6, -1e6, 1e-30, 5e-324, 3.0])


@cases()
@pytest.mark.slow
@settings(GENERATED, max_examples=25)
@given(seed=seeds, n=st.integers(1, 14), columns=st.integers(1, 3), palette=st.lists(st.integers(0, 11), min_size=1))
def test_extreme_values_give_a_sane_number_or_are_refused(case, seed, n, columns, palette):
    generator = torch.Generator().manual_seed(seed)
    arguments = case.draw(n, seed, columns)
    for i, role in enumerate(case.roles.values()):
        if role in REAL:
            values = (
                EXTREMES.clamp(-case.largest, case.largest) if role == "rows" and not case.passes_on else EXTREME_SCORES
            )
            picked = torch.tensor(palette)[torch.randint(len(palette), arguments[i].shape, generator=generator)]
            arguments[i] = values.double()[picked]
    if isinstance(outcome(case, arguments), float):
        check_sane(case, case.call(*arguments))


# -- what is left untouched -------------------------------------------------------------------------------------------


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, kind=st.sampled_from(["float64", "float32", "numpy"]), n=st.integers(12, 20))
def test_input_and_global_random_state_stay_as_they_are(case, seed, kind, n):
    arguments: list[Any] = case.draw(n, seed)
    if kind != "float64":
        arguments = [(v.numpy() if kind == "numpy" else v.float()) if v.is_floating_point() else v for v in arguments]
    before = [np.array(v.tolist()) for v in arguments]
    versions = [v._version for v in arguments if isinstance(v, Tensor)]
    states = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    if isinstance(outcome(case, arguments), float):
        result = case.call(*arguments)
        _ = result.std_error if isinstance(result, Estimate) else None
    assert all(np.array_equal(v.tolist(), old) for v, old in zip(arguments, before, strict=True))
    assert versions == [v._version for v in arguments if isinstance(v, Tensor)]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (str(np.random.get_state()), random.getstate()) == states[1:]  # noqa: NPY002
    assert torch.is_grad_enabled()


@cases()
@pytest.mark.slow
@GENERATED
@given(seed=seeds, n=st.integers(12, 20), kind=st.sampled_from(["apart", "repeated", "constant"]))
def test_a_gradient_is_finite_where_there_is_one(case, seed, n, kind):
    arguments = case.draw(n, seed, columns=2)
    if kind != "apart":
        few = 3 if kind == "repeated" else 1
        arguments = case.reordered(arguments, torch.arange(n) % few)
    leaves = [v.clone().requires_grad_() if v.is_floating_point() else v for v in arguments]
    found = outcome(case, leaves)
    assert same(case, found, outcome(case, arguments))
    if isinstance(found, float) and tensor_of(case.call(*leaves)).requires_grad:
        tensor_of(case.call(*leaves)).backward()
        for leaf in leaves:
            assert leaf.grad is None or leaf.grad.isfinite().all()
