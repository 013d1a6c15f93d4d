"""What is left of memory, and the refusal before an allocation that would not fit."""

import resource

import pytest
import torch

from infotorch.estimators.renyi import renyi_entropy, renyi_mi, renyi_normalised_mi
from infotorch.estimators.renyi_multivariate import renyi_joint_entropy
from infotorch.estimators.renyi_randomised import renyi_mi_randomised
from infotorch.numerics import memory
from infotorch.numerics.memory import check_memory, free_memory

CPU = torch.device("cpu")
GB = 10**9


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes files below /proc and /sys/fs/cgroup of a machine with 8.192 GB available, 1.024 GB of them swap."""
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")

    def file(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    file("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 7000000 kB\nSwapFree: 1000000 kB\n")
    return file


def test_the_machine_and_its_swap(write):
    assert free_memory(CPU) == 1024 * 8 * 10**6
    write("proc/meminfo", "")
    assert free_memory(CPU) >= GB  # what sysconf tells


def test_limits_of_control_groups(write):
    write("proc/self/cgroup", "4:cpu:/\n0::/inner/most\n")
    write("groups/inner/memory.max", f"{GB}\n")
    write("groups/inner/memory.current", f"{GB // 2}\n")
    write("groups/inner/memory.stat", "anon 5\ninactive_file 1000\n")  # a cache that is given back
    write("groups/inner/most/memory.max", "max\n")
    write("groups/inner/most/memory.current", "5\n")
    assert free_memory(CPU) == GB // 2 + 1000
    write("proc/self/cgroup", "4:cpu,memory:/not/there\n")
    write("groups/memory/memory.limit_in_bytes", f"{GB // 4}\n")
    write("groups/memory/memory.usage_in_bytes", "4000\n")
    write("groups/memory/memory.stat", "total_inactive_file 500\n")
    assert free_memory(CPU) == GB // 4 - 3500


def test_the_limit_of_the_process(write, monkeypatch):
    write("proc/self/statm", "100 5 0 0 0 0 0\n")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (GB, resource.RLIM_INFINITY))
    assert free_memory(CPU) == GB - 100 * resource.getpagesize()


def test_a_gpu_tells_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (5 * GB, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: GB)
    assert free_memory(torch.device("cuda")) == 7 * GB


def test_what_fits_or_is_not_known_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda _: 100)
    check_memory(100, CPU, where="f", what="w", instead="i")
    with pytest.raises(MemoryError, match=r"f: w needs 1.01e-07 GB of memory, and 1e-07 GB are free; use i"):
        check_memory(101, CPU, where="f", what="w", instead="i")
    monkeypatch.setattr(memory, "free_memory", lambda _: None)
    check_memory(1e30, CPU, where="f", what="w", instead="i")


def test_eigenvalues_of_too_many_samples_are_refused_with_the_way_out(monkeypatch):
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(400) % 10
    value = float(renyi_mi(x, codes))
    needed = 2 * 4 * 400**2
    monkeypatch.setattr(memory, "free_memory", lambda _: needed)
    e = renyi_mi(x, codes)
    assert float(e) == value
    with pytest.raises(MemoryError, match=r"renyi_mi: std_error by the eigenvalues of a 400 x 400 kernel matrix"):
        _ = e.std_error
    monkeypatch.setattr(memory, "free_memory", lambda _: needed - 1)
    rule = "the value by the eigenvalues of a 400 x 400 kernel matrix needs 0.00128 GB of memory, and 0.00128 GB are"
    with pytest.raises(MemoryError, match=f"^renyi_mi: {rule} free; use renyi_mi_randomised, alpha=2 or fewer samples"):
        renyi_mi(x, codes)
    with pytest.raises(MemoryError, match=f"^renyi_entropy: {rule} free; use renyi_entropy_randomised, alpha=2"):
        renyi_entropy(x)
    for measure in (renyi_normalised_mi, renyi_joint_entropy):
        with pytest.raises(MemoryError, match=f"{measure.__name__}: {rule} free; use alpha=2 or fewer samples"):
            measure(x, x)
    # The ways out, and symbols, need no such matrix.
    renyi_mi(x, codes, alpha=2)
    renyi_mi_randomised(x, codes, num_probes=8)
    assert renyi_mi(codes, codes % 5).std_error >= 0


def test_a_hundred_thousand_samples_are_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda _: 64 * GB)
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    with pytest.raises(MemoryError, match=r"100,000 x 100,000 kernel matrix needs 80 GB of memory, and 64 GB are free"):
        renyi_mi(x, x, bandwidth=1.0)
