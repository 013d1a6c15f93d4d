from __future__ import annotations

import subprocess
import sys

import pytest

from infotorch.data.catalogue import SOURCES, Source, find, names


def test_the_sets_of_the_design_are_listed():
    assert set(names()) == {
        "digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "adult", "idnns", "temperature", "cora",
        "mutagenicity", "imagenet", "binary-circle", "binary-line", "binary-quadrants", "binary-sine",
    }  # fmt: skip


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_every_listed_file_is_pinned_and_has_a_publisher(source: Source):
    assert source.page.startswith("https://")
    for file in source.files:
        assert file.path.startswith(f"{file.path.split('/')[0]}/")
        assert not file.path.startswith("/")
        assert ".." not in file.path
        assert file.size > 0
        assert file.downloads
        kinds = {checksum.split(":")[0] for checksum in file.checksums}
        assert len(kinds) == 1  # one algorithm a file: it is hashed once
        length = {"md5": 32, "sha256": 64}[kinds.pop()]
        assert all(len(checksum.split(":")[1]) == length for checksum in file.checksums)


def test_size_is_the_sum_of_the_files():
    assert find("mnist").size == 9912422 + 28881 + 1648877 + 4542


@pytest.mark.parametrize("name", ["fashion-mnist", "Fashion_MNIST", " fashion-mnist "])
def test_a_name_may_be_written_in_several_ways(name: str):
    assert find(name).name == "fashion-mnist"


@pytest.mark.parametrize(("wrong", "near"), [("minst", "mnist"), ("cifar-11", "cifar10"), ("mutagen", "mutagenicity")])
def test_an_unknown_name_is_answered_with_near_ones_and_the_list(wrong: str, near: str):
    with pytest.raises(ValueError, match=rf"no data set '{wrong}'\. Did you mean .*{near}.*\? There are digits, mnist"):
        find(wrong)


def test_a_name_like_no_other_gets_the_list_alone():
    with pytest.raises(ValueError, match=r"no data set 'zzz'\. There are .*planetoid/NAME, tudataset/NAME or folder:"):
        find("zzz")


def test_a_name_must_be_a_string():
    with pytest.raises(TypeError, match="must be a string, got int"):
        find(3)  # type: ignore[arg-type]


def test_listing_needs_no_torch_and_loading_imports_no_heavy_package_before_it_is_needed():
    script = (
        "import sys, infotorch.data.inventory as i; i.describe('nowhere'); i.check('mnist', 'nowhere')\n"
        "print(*sorted({'torch', 'sklearn', 'scipy', 'PIL', 'pooch'} & set(sys.modules)))\n"
        "import infotorch.data.loading\n"
        "print(*sorted({'sklearn', 'scipy', 'PIL', 'pooch'} & set(sys.modules)))"
    )
    seen = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert seen == "\n\n"
