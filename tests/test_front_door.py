"""What a stranger imports: real types for a type checker, errors for wrong names, and little else loaded."""

import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_origin

import pytest
from tools import stubs

import infotorch

ROOT = Path(__file__).parents[1]
NAMESPACES = ("", *infotorch.PACKAGES)


def module_of(namespace):
    return importlib.import_module(f"infotorch.{namespace}" if namespace else "infotorch")


def test_stubs_are_those_of_the_tables():
    assert [n for n in NAMESPACES if stubs.stub_of(n) != (stubs.SOURCE / n / "__init__.pyi").read_text()] == []
    assert set(stubs.PACKAGES) == set(NAMESPACES)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_public_name_loads_has_a_docstring_and_is_shown_by_completion(namespace):
    module = module_of(namespace)
    for name in module.__all__:
        value = getattr(module, name)
        assert name in dir(module)
        assert get_origin(value) is not None or (value.__doc__ or "").strip(), name  # an alias has none


def public_functions_and_classes():
    """By name with namespace; aliases and errors, which are raised and not called, stand aside."""
    found = {f"{n}.{name}".lstrip("."): getattr(module_of(n), name) for n in NAMESPACES for name in module_of(n).HOMES}
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value) or (inspect.isclass(value) and not issubclass(value, BaseException))
    }


def test_every_public_function_and_class_has_an_example():
    # `--doctest-modules` runs them.
    assert [name for name, value in public_functions_and_classes().items() if ">>>" not in (value.__doc__ or "")] == []


# What may stay `Any`, and why.
UNTYPED = {
    "Split.x",  # a tensor or graphs, as the data set has it: of a union, `split.x.shape` would be an error
    "Split.__init__",
    "ProximalInfo.output",  # whatever the user's own model gives
    "ProximalInfo.__init__",
    "ProximalSplit.step",  # of that, a loss_fn written as a lambda would be an error
    "ProximalSplit.accumulate",
    "state_dict",  # torch's own signature
    "load_state_dict",
    "check_state",  # of that
}


def annotations_of(name, value):
    """(place, annotation) of a function, or of a class, its fields and its methods, those inherited from ours too."""
    if inspect.isfunction(value):
        yield from ((name, hint) for hint in value.__annotations__.values())
        return
    for base in (base for base in value.__mro__ if base.__module__.startswith("infotorch")):
        fields = vars(base).get("__annotations__", {})
        yield from ((f"{name}.{field}", hint) for field, hint in fields.items() if not field.startswith("_"))
        for method, held in vars(base).items():
            function = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
            if inspect.isfunction(function) and (not method.startswith("_") or method.startswith("__")):
                place = method if method in UNTYPED else f"{name}.{method}"
                yield from ((place, hint) for hint in function.__annotations__.values())


def test_no_public_signature_has_any():
    found = {
        place
        for name, value in public_functions_and_classes().items()
        for place, hint in annotations_of(name.rpartition(".")[2], value)
        if re.search(r"\bAny\b", str(hint))
    }
    assert found == UNTYPED


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_no_public_name_is_a_modules_too(namespace):
    # Importing that module would put it in the name's place.
    module = module_of(namespace)
    folder = Path(module.__file__).parent
    assert [name for name in module.HOMES if (folder / f"{name}.py").exists() or (folder / name).is_dir()] == []


def test_the_top_holds_what_is_taken_first():
    assert 40 <= len(infotorch.HOMES) <= 53
    contract = (
        "mutual_information ksg ross mixed_ksg discrete_mi binned_mi gaussian_mi renyi_entropy renyi_mi hsic cka "
        "pairwise_bounds neural_mi architecture_aware_mine Plan train fit FitResult ProximalSplit "
        "MutualInformationDecay lr_range_test InformationPlane diagnose audit_isolation IsolationAudit mi_matrix"
    )
    assert set(contract.split()) <= set(infotorch.HOMES)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'infotorch' has no attribute 'mutual_infromation'"):
        _ = infotorch.mutual_infromation
    with pytest.raises(AttributeError, match=r"module 'infotorch.estimators' has no attribute 'ksgg'"):
        _ = infotorch.estimators.ksgg


def test_importing_infotorch_and_its_namespaces_is_light():
    heavy = "'torch', 'numpy', 'scipy', 'sklearn', 'plotly', 'pydantic'"
    packages = ", ".join(["infotorch", *(f"infotorch.{name}" for name in infotorch.PACKAGES)])
    code = f"import sys, {packages}; print([m for m in ({heavy}) if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_type_checker_knows_the_public_names_and_refuses_others(tmp_path):
    file = tmp_path / "user.py"
    file.write_text(
        "import infotorch\n"
        "import torch\n"
        "from torch import nn\n"
        "x = torch.randn(8, 1)\n"
        "estimate: infotorch.Estimate = infotorch.ksg(x, x, k=3)\n"
        "number: float = estimate.std_error\n"
        "result: infotorch.FitResult = infotorch.fit(nn.Linear(2, 2), (x, x))\n"
        "plan: infotorch.Plan = result.plan\n"
        "name: str = infotorch.diagnose(nn.Linear(2, 2), (x, x)).layers[0].verdict\n"
        "law = infotorch.distributions.CorrelatedGaussian.for_information(1.0)\n"
        "truth: float = law.mutual_information()\n"
        "infotorch.ksg(x, x, metric='manhattan')\n"
        "infotorch.not_a_name\n"
        "infotorch.estimators.not_a_name\n"
        "wrong: int = infotorch.ksg(x, x)\n",
        encoding="utf-8",
    )
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"include": ["user.py"], "typeCheckingMode": "standard"}))
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "--project",
            str(tmp_path),
            "--pythonpath",
            sys.executable,
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    told = {
        (1 + one["range"]["start"]["line"], one["rule"])
        for one in json.loads(checked.stdout)["generalDiagnostics"]
        if one["severity"] == "error"
    }
    assert told == {
        (12, "reportArgumentType"),
        (13, "reportAttributeAccessIssue"),
        (14, "reportAttributeAccessIssue"),
        (15, "reportAssignmentType"),
    }
