"""Data sets by the names that people know, in the folders that other libraries made."""

import pytest
import torch
from tests.data import test_planetoid, test_tudataset

from infotorch.data import check, load
from infotorch.data.catalogue import KNOWN, SOURCES, find


def renamed(folder, old, new):
    for path in folder.iterdir():
        path.rename(folder / path.name.replace(old, new))


@pytest.mark.parametrize(
    "layout", ["planetoid/citeseer", "CiteSeer", "Planetoid/CiteSeer", "planetoid/CITESEER", "CiteSeer/CiteSeer"]
)
def test_citeseer_has_its_own_name_and_lies_where_torch_geometric_put_it(tmp_path, layout):
    renamed(test_planetoid.raw_files(tmp_path / layout / "raw"), "ind.toy", "ind.citeseer")
    graph = load("CiteSeer", root=tmp_path)
    assert len(graph.x) == test_planetoid.NODES
    assert torch.equal(graph.x, load("planetoid/citeseer", root=tmp_path).x)


@pytest.mark.parametrize(
    "layout", ["tudataset/MUTAG", "MUTAG", "TUDataset/MUTAG", "MUTAG/MUTAG", "TUDataset/MUTAG/MUTAG"]
)
def test_collections_too(tmp_path, layout):
    renamed(test_tudataset.raw_files(tmp_path / layout / "raw"), "TOY", "MUTAG")
    for name in ("mutag", "MUTAG", "tudataset/MUTAG"):
        assert len(load(name, root=tmp_path).y) == test_tudataset.GRAPHS


@pytest.mark.parametrize("name", ["pubmed", "Proteins", "imdb_binary", "PTC-MR"])
def test_one_that_is_not_there_says_where_it_belongs(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="No checksum of this set is known, so it is not downloaded"):
        load(name, root=tmp_path)


def test_dashes_do_not_matter_and_no_two_sets_have_one_name():
    assert find("CIFAR-10").name == "cifar10"
    assert find("FashionMNIST").name == "fashion-mnist"
    plain = [name.replace("-", "") for name in SOURCES]
    assert len(set(plain)) == len(plain)
    assert not {*KNOWN} & {*SOURCES}
    with pytest.raises(ValueError, match=r"there is no data set 'citseer'\. Did you mean citeseer"):
        load("citseer")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "ours", "others"),
    [
        ("mnist", "mnist/MNIST", "MNIST"),  # torchvision.datasets.MNIST(root)
        ("fashion-mnist", "fashion-mnist/FashionMNIST", "FashionMNIST"),
        ("cora", "planetoid/Cora", "Cora"),  # torch_geometric.datasets.Planetoid(root, "Cora")
        ("cora", "planetoid/Cora", "Planetoid/Cora"),
        ("cora", "planetoid/Cora", "Cora/Cora"),  # Planetoid(root="Cora", name="Cora"), as in its introduction
        ("mutagenicity", "tudataset/Mutagenicity", "TUDataset/Mutagenicity"),
    ],
)
def test_a_listed_set_is_found_in_the_folders_of_other_libraries(tmp_path, real, name, ours, others):
    root = real(name)
    (tmp_path / others).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / others).symlink_to(root / ours)
    assert [status.status for status in check(name, tmp_path)] == ["ok"] * len(find(name).files)
    if name == "cora":
        assert len(load(name, root=tmp_path).x) == 2708
