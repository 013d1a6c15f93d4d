"""What is known of every listed data set: its files, their sizes and checksums, and where they are published.

Plain data without torch. A path is relative to the data folder and follows the upstream layout, so that files people
already have are found. A checksum pins the content of the publisher's own file.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

Kind = Literal["vectors", "images", "image-files", "regression", "graph", "graph-set"]


@dataclass(frozen=True)
class Download:
    """One place to get a file from: a URL, and the file's path inside when the URL is an archive."""

    url: str
    member: str | None = None


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Args:
        path: below the data folder, with forward slashes.
        size: bytes.
        checksums: "sha256:..." or "md5:..."; the file must match one of them.
        downloads: tried in order.
    """

    path: str
    size: int
    checksums: tuple[str, ...]
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data set as it is published.

    Args:
        name: what `load` takes.
        kind: what `load` returns.
        summary: one line for people.
        page: where the publisher describes it.
        files: everything the reader needs; empty when it is embedded, or a folder that nobody may pass on.
        folder: below the data folder, for a set whose files are too many to list.

    Example:
        >>> find("digits").embedded, find("mnist").size
        (True, 11594722)
    """

    name: str
    kind: Kind
    summary: str
    page: str
    files: tuple[File, ...] = ()
    folder: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all listed files."""
        return sum(file.size for file in self.files)

    @property
    def embedded(self) -> bool:
        """Whether it comes with an installed package and needs no file."""
        return not self.files and self.folder is None


def _idx(folder: str, mirrors: tuple[str, ...], files: tuple[tuple[str, int, str], ...]) -> tuple[File, ...]:
    return tuple(
        File(f"{folder}/{name}", size, (f"md5:{md5}",), tuple(Download(mirror + name) for mirror in mirrors))
        for name, size, md5 in files
    )


def _archived(folder: str, url: str, files: tuple[tuple[str, int, str], ...]) -> tuple[File, ...]:
    """Files of one archive that holds them in a folder of the same name as the last part of `folder`."""
    inside = folder.rsplit("/", 1)[-1]
    return tuple(
        File(f"{folder}/{name}", size, (f"md5:{md5}",), (Download(url, f"{inside}/{name}"),))
        for name, size, md5 in files
    )


_UCI = "https://archive.ics.uci.edu"
_TORONTO = "https://www.cs.toronto.edu/~kriz"
_PROXIMAL = "https://doi.org/10.1109/ACCESS.2023.3346697"
_PLANETOID = "https://raw.githubusercontent.com/kimiyoung/planetoid/af6abf468a772cc055bec88c52e4d6f51b7c37e3/data"
TUDATASET_URL = "https://www.chrsmrrs.com/graphkerneldatasets"
PLANETOID_URL = "https://github.com/kimiyoung/planetoid/raw/master/data"

_MNIST = Source(
    "mnist",
    "images",
    "handwritten digits, 60,000 + 10,000 grey images of 28 x 28, 10 classes",
    "https://yann.lecun.com/exdb/mnist/",
    _idx(
        "mnist/MNIST/raw",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        (
            ("train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            ("train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"),
            ("t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"),
            ("t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
)

_FASHION = Source(
    "fashion-mnist",
    "images",
    "Zalando's articles of clothing, 60,000 + 10,000 grey images of 28 x 28, 10 classes",
    "https://github.com/zalandoresearch/fashion-mnist",
    _idx(
        "fashion-mnist/FashionMNIST/raw",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        (
            ("train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            ("train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe"),
            ("t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79"),
            ("t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
    ),
)

_CIFAR10 = Source(
    "cifar10",
    "images",
    "50,000 + 10,000 colour photographs of 32 x 32, 10 classes",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    _archived(
        "cifar10/cifar-10-batches-py",
        f"{_TORONTO}/cifar-10-python.tar.gz",
        (
            ("data_batch_1", 31035704, "c99cafc152244af753f735de768cd75f"),
            ("data_batch_2", 31035320, "d4bba439e000b95fd0a9bffe97cbabec"),
            ("data_batch_3", 31035999, "54ebc095f3ab1f0389bbae665268c751"),
            ("data_batch_4", 31035696, "634d18415352ddfa80567beed471001a"),
            ("data_batch_5", 31035623, "482c414d41f54cd18b22e5b47cb7c3cb"),
            ("test_batch", 31035526, "40351d587109b95175f43aff81a1287e"),
        ),
    ),
)

_CIFAR100 = Source(
    "cifar100",
    "images",
    "50,000 + 10,000 colour photographs of 32 x 32, 100 classes",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    _archived(
        "cifar100/cifar-100-python",
        f"{_TORONTO}/cifar-100-python.tar.gz",
        (
            ("train", 155249918, "16019d7e3df5f24257cddd939b257f8d"),
            ("test", 31049707, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
        ),
    ),
)

_ADULT = Source(
    "adult",
    "vectors",
    "census income, 30,162 + 15,060 complete rows, 104 features one-hot, 2 classes",
    "https://archive.ics.uci.edu/dataset/2/adult",
    tuple(
        File(
            f"adult/{name}",
            size,
            (f"sha256:{sha256}",),
            (
                Download(f"{_UCI}/ml/machine-learning-databases/adult/{name}"),
                Download(f"{_UCI}/static/public/2/adult.zip", name),
            ),
        )
        for name, size, sha256 in (
            ("adult.data", 3974305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
            ("adult.test", 2003153, "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"),
        )
    ),
)

_TEMPERATURE = Source(
    "temperature",
    "regression",
    "forecast of next-day temperatures in Seoul, 21 features, 2 targets in degC, 2013-2016 and 2017",
    "https://archive.ics.uci.edu/dataset/514/bias+correction+of+numerical+prediction+model+temperature+forecast",
    (
        File(
            "temperature/Bias_correction_ucl.csv",
            1650766,
            # The copy known here ends its lines in LF; the second checksum is the same text with CRLF.
            (
                "sha256:f1e630ba9a637e9dae3e2c75c9ec46c50c7f3a54377fc177dce6557f08676552",
                "sha256:c60150c3e0c80b7bbb9e96eed7458404e1745327899d4b351462987109cbf5ea",
            ),
            (
                Download(
                    f"{_UCI}/static/public/514/bias+correction+of+numerical+prediction+model+temperature+forecast.zip",
                    "Bias_correction_ucl.csv",
                ),
                Download(f"{_UCI}/ml/machine-learning-databases/00514/Bias_correction_ucl.csv"),
                Download(
                    "https://raw.githubusercontent.com/Zhendong-Wang/Probabilistic-Conformal-Prediction/"
                    "54a31cbfe0c87182cbc4351f1d12a59a65452a40/data/Bias_correction_ucl.csv"
                ),
            ),
        ),
    ),
)

_CORA = Source(
    "cora",
    "graph",
    "citations between 2,708 papers, 1,433 words, 7 classes, the public split",
    "https://github.com/kimiyoung/planetoid",
    tuple(
        File(
            f"planetoid/Cora/raw/ind.cora.{part}",
            size,
            (f"sha256:{sha256}",),
            (Download(f"{_PLANETOID}/ind.cora.{part}"),),
        )
        for part, size, sha256 in (
            ("x", 22119, "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab"),
            ("y", 4054, "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1"),
            ("tx", 148025, "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a"),
            ("ty", 28135, "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad"),
            ("allx", 257305, "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543"),
            ("ally", 47959, "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71"),
            ("graph", 59847, "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d"),
            ("test.index", 5000, "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875"),
        )
    ),
)

_MUTAGENICITY = Source(
    "mutagenicity",
    "graph-set",
    "4,337 molecules, 14 atoms, 3 bonds, mutagen (2,401) or not (1,936)",
    "https://chrsmrrs.github.io/datasets/",
    tuple(
        File(
            f"tudataset/Mutagenicity/raw/Mutagenicity_{part}.txt",
            size,
            (f"sha256:{sha256}",),
            (Download(f"{TUDATASET_URL}/Mutagenicity.zip", f"Mutagenicity/Mutagenicity_{part}.txt"),),
        )
        for part, size, sha256 in (
            ("A", 3554144, "ae85e22b4b898ebd819d2ed3adc8f06a7bf1cda746b333086472d19b36711145"),
            ("graph_indicator", 622816, "88b2d83ff10fad75b3280654061e965976f74e75620058c371ed23567236b4bc"),
            ("graph_labels", 8674, "b604c7dcbfdf89193901e32abdcbf9b5b92137414ce22231f00ed65d48ec48f9"),
            ("node_labels", 263105, "b429ec418c831d02dc3088b2fe08d11214627850d2bbdacfa9797c0510e70ae7"),
            ("edge_labels", 533788, "bf8e783386ac22e6033bbce56d765c0a4336649bd590a6f1e467b27b549f2114"),
        )
    ),
)

_IDNNS = Source(
    "idnns",
    "vectors",
    "the synthetic task of Shwartz-Ziv and Tishby: all 4,096 patterns of 12 bits, 2 classes",
    "https://github.com/artemyk/ibsgd",
    (
        File(
            "idnns/var_u.mat",
            1003,
            ("sha256:0ba9551878a855396a8de0cbaae620788ede1e7b1eb2b8373bbe017d5ea02036",),
            (
                Download(
                    "https://raw.githubusercontent.com/artemyk/ibsgd/"
                    "04c1b62e457949913ef6ced24a59922eb22293bc/datasets/var_u.mat"
                ),
            ),
        ),
    ),
)

_DIGITS = Source(
    "digits",
    "images",
    "handwritten digits of scikit-learn, 1,797 grey images of 8 x 8, 10 classes",
    "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
)

_IMAGENET = Source(
    "imagenet",
    "image-files",
    "ILSVRC 2012 as folders train/<class>/ and val/<class>/, read as it is needed",
    "https://image-net.org/download.php",
    folder="imagenet",
)


def _binary(rule: str, summary: str) -> Source:
    return Source(f"binary-{rule}", "vectors", f"600 + 2,000 points of N(0, I) in the plane, {summary}", _PROXIMAL)


_BINARY = (
    _binary("circle", "inside or outside a circle"),
    _binary("line", "on either side of a line"),
    _binary("quadrants", "by the sign of x1 x2 (exclusive or)"),
    _binary("sine", "above or below a sine wave"),
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _DIGITS,
        _MNIST,
        _FASHION,
        _CIFAR10,
        _CIFAR100,
        _ADULT,
        *_BINARY,
        _IDNNS,
        _TEMPERATURE,
        _CORA,
        _MUTAGENICITY,
        _IMAGENET,
    )
}
UNLISTED = "planetoid/NAME, tudataset/NAME or folder:PATH"
#: Sets of the two families that people know by their own names: the family, and how the set is spelt there.
KNOWN: dict[str, str] = {
    name.lower().replace("_", "-"): f"{family}/{name}"
    for family, members in {
        "planetoid": "citeseer pubmed",
        "tudataset": (
            "AIDS BZR COLLAB COX2 DD DHFR ENZYMES IMDB-BINARY IMDB-MULTI MUTAG NCI1 NCI109 PROTEINS PTC_FM PTC_FR "
            "PTC_MM PTC_MR REDDIT-BINARY REDDIT-MULTI-5K REDDIT-MULTI-12K Synthie Tox21_AHR"
        ),
    }.items()
    for name in members.split()
}


def names() -> tuple[str, ...]:
    """Names of the listed data sets.

    Example:
        >>> "mnist" in names()
        True
    """
    return tuple(SOURCES)


def find(name: str) -> Source:
    """The listed data set of that name; case, "_" and "-" do not matter.

    Raises:
        TypeError: name is not a string.
        ValueError: no listed set has that name; the message suggests near ones.

    Example:
        >>> find("Fashion_MNIST").name
        'fashion-mnist'
    """
    if not isinstance(name, str):
        raise TypeError(f"data: the name of a data set must be a string, got {type(name).__name__}.")
    key = name.strip().lower().replace("_", "-")
    plain = {listed.replace("-", ""): listed for listed in SOURCES}
    if (listed := plain.get(key.replace("-", ""))) is not None:
        return SOURCES[listed]
    near = difflib.get_close_matches(key, [*SOURCES, *KNOWN], n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"data: there is no data set {name!r}.{hint} There are {', '.join(SOURCES)}, and {UNLISTED}.")
