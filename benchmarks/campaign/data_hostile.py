"""Files that someone made to run code, to fill the memory, or to end the interpreter, for every reader of data."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from infotorch.data.adult import COLUMNS
from infotorch.data.temperature import FEATURES, TARGETS

_DEEP = 300_000


def hostile(trace: Path) -> list[tuple[str, str, str, bytes]]:
    """(reader, path of the file, what it is, content); what runs code would make the file `trace`."""
    planetoid, collection = "planetoid/toy/raw/ind.toy", "tudataset/TOY/raw/TOY"
    pickles = {f"pickle: {what}": content for what, content in _pickles(trace).items()}
    made = {
        ("cifar", "data_batch_2"): pickles | _labels(),
        ("planetoid", f"{planetoid}.graph"): pickles | _neighbours(),
        ("planetoid", f"{planetoid}.allx"): pickles | _matrices(),
        ("idx", "train-images-idx3-ubyte.gz"): _idx(),
        ("adult", "adult.data"): _adult(),
        ("temperature", "Bias_correction_ucl.csv"): _temperature(),
        ("tudataset", f"{collection}_node_labels.txt"): {"a label of its own for every node": _many(60_000)},
        ("tudataset", f"{collection}_graph_labels.txt"): {"a label of its own for every graph": _many(60_000)},
        ("tudataset", f"{collection}_A.txt"): {"a node of number 10^18": b"1, 2\n2, 1000000000000000000"},
        ("tudataset", f"{collection}_graph_indicator.txt"): {"a graph of number 10^18": b"1\n" * 39 + b"1" + b"0" * 18},
        ("idnns", "var_u.mat"): _matlab(),
        ("pictures", "black/0.png"): _pictures(trace),
        ("pictures, their size", "black/0.png"): _pictures(trace),
        ("measure", "x.npy"): _arrays(),
    }
    return [(*place, what, content) for place, files in made.items() for what, content in files.items()]


def _named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _word(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def _number(value: int) -> bytes:
    raw = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _kind(code: bytes, order: bytes = b"<", fields: bytes = b"NNN", flags: int = 0) -> bytes:
    state = b"(K\x03" + _word(order) + fields + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK" + bytes([flags]) + b"tb"
    return _named("numpy", "dtype") + _word(code) + b"K\x00K\x01\x87R" + state


def _array(code: bytes, shape: tuple[int, ...], raw: bytes, *, kind: bytes | None = None) -> bytes:
    sizes = b"(" + b"".join(map(_number, shape)) + b"t"
    state = b"(K\x01" + sizes + (kind or _kind(code)) + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"t"
    empty = _named("numpy.core.multiarray", "_reconstruct") + _named("numpy", "ndarray") + b"K\x00\x85U\x01b\x87R"
    return empty + state + b"b"


def _matrix(data: bytes, indices: bytes, starts: bytes, shape: tuple[int, int]) -> bytes:
    parts = zip((b"data", b"indices", b"indptr"), (data, indices, starts), strict=True)
    state = b"}(" + b"".join(_word(name) + part for name, part in parts)
    state += _word(b"_shape") + _number(shape[0]) + _number(shape[1]) + b"\x86u"
    return b"\x80\x02" + _named("scipy.sparse.csr", "csr_matrix") + b")\x81" + state + b"b."


def _ints(*values: int) -> bytes:
    return _array(b"i8", (len(values),), struct.pack(f"<{len(values)}q", *values))


def _arrays_of_odd_kinds() -> dict[str, bytes]:
    objects = _kind(b"O8", b"|")
    records = _kind(b"V8", b"|", b"NU\x01a\x85}U\x01a" + objects + b"K\x00\x86s")
    return {
        "an array of objects": _array(b"O8", (2,), b"A" * 16, kind=objects),
        "an array of objects that says so": _array(b"O8", (2,), b"A" * 16, kind=_kind(b"O8", b"|", flags=63)),
        "an array of numbers that says objects": _array(b"u1", (2,), b"AA", kind=_kind(b"u1", b"|", flags=63)),
        "records with objects": _array(b"V8", (1,), b"A" * 8, kind=records),
        "axes within a number": _array(b"V8", (1,), b"A" * 8, kind=_kind(b"V8", b"|", objects + b"K\x01\x85\x86NN")),
        "a scalar that is an object": _named("numpy.core.multiarray", "scalar") + objects + b"U\x08AAAAAAAA\x86R",
        "a shape of 2^40": _array(b"u1", (2**40,), b"a"),
        "a negative shape": _array(b"u1", (-1, -1), b"a"),
        "a shape that overflows": _array(b"u1", (2**32, 2**32), b""),
        "a hundred axes": _array(b"u1", (1,) * 100, b"a"),
        "an array filled twice": _array(b"u1", (4,), b"abcd") + b"(K\x01K\x01\x85" + _kind(b"u1") + b"\x89U\x01atb",
        "an array that is set by a key": _array(b"u1", (4,), b"abcd") + b"K\x00K\x01s",
        "a dictionary as an array's state": _array(b"u1", (1,), b"a") + b"}U\x07tofileU\x01xsb",
    }


def _pickles(trace: Path) -> dict[str, bytes]:
    command = f"touch {trace}".encode()
    text = b"X" + struct.pack("<I", len(command)) + command
    encode, start = _named("_codecs", "encode"), b"\x80\x02"
    repeated = (encode + b"h\x00U\x06latin1\x86R") * 9000
    calls = {
        f"calls {module}.{name}": start + _named(module, name) + text + b"\x85R."
        for module, name in (
            ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("subprocess", "Popen"),
            ("builtins", "getattr"), ("numpy", "load"), ("copyreg", "_reconstructor"), ("builtins", "bytearray"),
            ("numpy", "ndarray"), ("numpy", "dtype"), ("builtins", "list"), ("collections", "defaultdict"),
            ("numpy.core.multiarray", "scalar"), ("scipy.sparse.csr", "csr_matrix"), ("_codecs", "encode"),
        )
    }  # fmt: skip
    bodies = {
        "calls by INST": b"(" + text + b"ios\nsystem\n.",
        "calls by OBJ": b"(" + _named("os", "system") + text + b"o.",
        "a path through attributes": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        "an extension's number": b"\x82\x01.",
        "a persistent name": b"Psomething\n.",
        "keywords for a class": _named("scipy.sparse.csr", "csr_matrix") + b")}\x92.",
        "a place of 2^31 in the memo": b"]r\xff\xff\xff\x7f.",
        "2^63 bytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
        "a bytearray of 6 GB": b"\x80\x05\x96" + struct.pack("<Q", 6 * 10**9) + b".",
        "a text of 4 GB": b"X\xff\xff\xff\xff.",
        "a number of 2 GB": b"\x8b\xff\xff\xff\x7f.",
        "a number of 10^5 digits": b"L" + b"9" * 10**5 + b"L\n.",
        "a frame of 2^62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
        "lists in lists": b"(" * _DEEP + b"l" * _DEEP + b".",
        "a deep tuple as a key": b"})" + b"\x85" * _DEEP + b"K\x01s.",
        "a deep tuple as a key at once": b"()" + b"\x85" * _DEEP + b"K\x01d.",
        "a deep tuple as a codec": encode + b"U\x01a)" + b"\x85" * _DEEP + b"\x86R.",
        "keys of one hash": b"}(" + b"".join(_number(k * (2**61 - 1)) + b"N" for k in range(1, 32)) * 2000 + b"u.",
        "one text encoded again and again": b"X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x00](" + repeated + b"e.",
    }  # fmt: skip
    codecs = ("zlib_codec", "unicode_escape", "no-such", "rot13", "hex", "../x")
    asked = {f"the codec {name}": encode + b"U\x01a" + _word(name.encode()) + b"\x86R." for name in codecs}
    arrays = {what: body + b"." for what, body in _arrays_of_odd_kinds().items()}
    return calls | {what: start + body for what, body in (bodies | asked | arrays).items()}


def _again(place: int, times: int) -> bytes:
    return b"](" + (b"h" + bytes([place])) * times + b"e"


def _labels() -> dict[str, bytes]:
    nested = b"](K\x01K\x01eq\x00" + b"".join(_again(k, 10) + b"q" + bytes([k + 1]) for k in range(50))
    pixels = b"U\x04data" + _array(b"u1", (1, 3072), b"a" * 3072)
    return {"labels that double in 50 lists": b"\x80\x02}(" + pixels + b"U\x04more](" + nested + b"eU\x06labelsh\x32u."}


def _neighbours() -> dict[str, bytes]:
    shared = b"](" + b"K\x01" * 60_000 + b"eq\x00"
    lists = b"".join(b"J" + struct.pack("<i", k) + b"h\x00" for k in range(1, 60_000))
    return {
        "one list for 60,000 nodes": b"\x80\x02}(K\x00" + shared + lists + b"u.",
        "the dictionary as its own neighbour": b"\x80\x02}q\x00(K\x00h\x00u.",
        "a list as its own neighbour": b"\x80\x02}(K\x00]q\x00h\x00au.",
    }


def _matrices() -> dict[str, bytes]:
    ones = _array(b"f4", (2,), struct.pack("<2f", 1, 1))
    nothing = _array(b"f4", (0,), b"")
    return {
        "columns outside": _matrix(ones, _ints(0, 10**9), _ints(0, 1, 2), (2, 10)),
        "columns below 0": _matrix(ones, _ints(0, -(10**9)), _ints(0, 1, 2), (2, 10)),
        "rows that go back": _matrix(ones, _ints(0, 1), _ints(0, 10**6, 2), (2, 10)),
        "rows that go back to 0": _matrix(nothing, _ints(), _ints(0, 10**9, -(2**62), 0), (3, 10)),
        "no row's end": _matrix(nothing, _ints(), _ints(), (0, 10)),
        "10^12 columns": _matrix(nothing, _ints(), _ints(*[0] * 505), (504, 10**12)),
        "10^12 rows": _matrix(nothing, _ints(), _ints(0), (10**12, 10)),
        "lists as parts": _matrix(b"]", b"]", b"]", (504, 10)),
        "an array that is empty still": _matrix(ones, _named("numpy", "ndarray"), _ints(0, 1, 2), (2, 10)),
    }


def _idx() -> dict[str, bytes]:
    def header(*sizes: int) -> bytes:
        return bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)

    return {
        "6 GB by the header": gzip.compress(header(60_000, 320, 320)),
        "2^96 by the header": gzip.compress(header(2**32 - 1, 2**32 - 1, 2**32 - 1)),
        "32 MB of zeros": gzip.compress(header(2, 2, 3) + bytes(32 << 20), 1),
        "255 axes": gzip.compress(header(*[1] * 255) + b"a"),
        "an empty axis": gzip.compress(header(0, 2**31, 2**31)),
    }


def _adult() -> dict[str, bytes]:
    fields = ["1"] * len(COLUMNS) + ["<=50K"]
    own = "\n".join(",".join(["1", str(k), *fields[2:]]) for k in range(60_000))
    long = ",".join(["1", "a" * 10**7, *fields[2:]])
    digits = ",".join(["9" * 5000, *fields[1:]])
    lines = "\n".join([",".join(fields)] * 3000)
    return {
        "a category of its own for every row": own.encode(),
        "a field of 10 MB": f"{long}\n{lines}".encode(),
        "a number of 5,000 digits": f"{digits}\n{lines}".encode(),
    }


def _temperature() -> dict[str, bytes]:
    header = ",".join(["Date", *FEATURES, *TARGETS])
    cells = ",".join(["1e39"] * len(FEATURES + TARGETS))
    return {
        "10^5 columns and short lines": (header + ",a" * 10**5 + "\n1" * 50_000).encode(),
        "a number beyond float32": f"{header}\n2013-01-01,{cells}\n2017-01-01,{cells}".encode(),
        "a quote that never ends": (header + '\n"' + "a\n" * 10**5).encode(),
    }


def _many(count: int) -> bytes:
    return "\n".join(map(str, range(count))).encode()


def _matlab() -> dict[str, bytes]:
    def variable(kind: int, sizes: tuple[int, int], rest: bytes = b"") -> bytes:
        flags = struct.pack("<IIII", 6, 8, kind, 0)
        body = flags + struct.pack("<IIii", 5, 8, *sizes) + struct.pack("<HH4s", 1, 1, b"F\0\0\0") + rest
        return b"MATLAB 5.0".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + struct.pack("<II", 14, len(body)) + body

    packed = zlib.compress(variable(6, (2**15, 2**15), struct.pack("<II", 9, 2**30) + bytes(16 << 20))[128:])
    kinds = {"cells": 1, "structs": 2, "objects": 3, "letters": 4, "a sparse matrix": 5, "doubles": 6, "a function": 16}
    made = {f"2^31 x 2^31 {what}": variable(kind, (2**31 - 1, 2**31 - 1)) for what, kind in kinds.items()}
    made["2^30 bytes by the tag"] = variable(6, (16, 4), struct.pack("<II", 9, 2**30))
    made["cells in cells"] = variable(1, (1, 1), struct.pack("<II", 14, 8) * 20_000)
    made["16 MB of zeros, compressed"] = variable(6, (1, 1))[:128] + struct.pack("<II", 15, len(packed)) + packed
    return made


def _pictures(trace: Path) -> dict[str, bytes]:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    def png(width: int, height: int, *chunks: bytes) -> bytes:
        size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + size + b"".join(chunks) + chunk(b"IEND", b"")

    program = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(%pipe%touch {trace}) (w) file closefile\nshowpage\n"
    return {
        "30,000 x 30,000 pixels": png(30_000, 30_000, chunk(b"IDAT", zlib.compress(bytes(10**6)))),
        "2^31 x 2^31 pixels": png(2**31 - 1, 2**31 - 1),
        "no pixel at all": png(0, 0, chunk(b"IDAT", zlib.compress(b""))),
        "16 MB of text": png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(16 << 20)))),
        "a PostScript program": program.encode(),
        "100,000 x 100,000 grey values": b"P5 100000 100000 255\n",
        "a text": b"not a picture",
    }


def _arrays() -> dict[str, bytes]:
    def npy(header: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)

    shapes = (
        "(6000000000,)",
        "(-1,)",
        "(-1, -8)",
        "(2**40,)",
        f"({2**62}, 4)",
        f"({2**64},)",
        f"(0, {2**62})",
        "(1,) * 10**9",
    )
    described = ("|O", "(2,3)f8", "(1000000000,)f8", "V8", "S9999999999", "U999999999", "M8[s]", "c16", "x", "")
    header = "{{'descr': {}, 'fortran_order': False, 'shape': {}}}"
    made = {f"shape {shape}": npy(header.format("'<f8'", shape)) for shape in shapes}
    made |= {f"kind {kind!r}": npy(header.format(repr(kind), "(8,)")) for kind in described}
    made["records with objects"] = npy(header.format([("a", "|O"), ("b", "<f8")], "(4,)"))
    made["200 axes"] = npy(header.format("'<f8'", (1,) * 200))
    for what, text in {"parentheses": "(" * 9000, "minus signs": "-" * 9000 + "1", "sums": "1+" * 4500 + "1"}.items():
        made[f"a header of {what}"] = npy(text)
    made |= {"brackets": npy("[" * 90 + "]" * 90), "a number of 9,000 digits": npy("9" * 9000), "a call": npy("exit()")}
    made["a header of 4 GB"] = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"
    made["a version of the future"] = b"\x93NUMPY\x09\x00" + bytes(64)
    return made
