"""Small inputs that ask for much are refused before anything is allocated for them."""

import gzip
import io
import json
import pickle
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from functools import cache

import cbor2
import h5py
import msgpack
import numpy as np
import pytest
from tfrecord.writer import TFRecordWriter

import brinery
from brinery.errors import CorruptError

from ..images import encoded, make_folder, make_tar, pixels, png_file
from .apart import peak, run_apart

ROOM = 64 << 20  # bytes that a process may grow by: libraries, and the small images themselves
GOOD = encoded(pixels(0, (20, 24, 3)), "PNG")


def png_bomb(width, height):
    """A one-bit PNG; the pixels deflate to next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    machine, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    data = b"".join(machine.compress(row) for _ in range(height)) + machine.flush()
    return png_file((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))


@cache
def deflated(start):
    """Some bytes, and 256 MB of zeros behind them: one block that was flushed in full, again and again."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = machine.compress(start) + machine.flush(zlib.Z_FULL_FLUSH)
    block = machine.compress(bytes(1 << 20)) + machine.flush(zlib.Z_FULL_FLUSH)
    return first + 256 * block + machine.flush()


def zip_bomb(path, size):
    """A member of 256 MB behind the signature of a PNG, in 256 KB; its headers say another size."""
    packed = deflated(GOOD[:64])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", GOOD)
        archive.writestr("bomb.png", packed)
    data = bytearray(path.read_bytes())
    for signature, method_at, size_at in ((b"PK\3\4", 8, 22), (b"PK\1\2", 10, 24)):
        at = data.rindex(signature)
        data[at + method_at : at + method_at + 2] = struct.pack("<H", 8)
        data[at + size_at : at + size_at + 4] = struct.pack("<I", size)
    path.write_bytes(data)


def convert(step, source, out):
    """Convert in this process; return the failures and what memory grew by."""
    warm = make_folder(out.with_name("warm"), {"a.png": GOOD})
    options = {"workers": 1, "backend": "threading", "fsync": False}
    brinery.convert(warm, out.with_name("warm.brine"), **options)
    before = peak()
    result = brinery.convert(source, out, **options)
    with sqlite3.connect(out / "manifest.sqlite") as db:
        failures = dict(db.execute("SELECT key, message FROM failures"))
    return result.samples, failures, peak() - before


def test_a_png_of_too_many_pixels(tmp_path):
    bomb = png_bomb(13_400, 13_400)
    assert len(bomb) < 30_000
    tar = make_tar(tmp_path / "in.tar", {"bomb.png": bomb, "good.png": GOOD})
    samples, failures, grew = run_apart(convert, tar, tmp_path / "out")
    assert samples == 1
    assert "13400 x 13400 are 179,560,000 pixels; the budget is" in failures["bomb.png"]
    assert grew < ROOM


@pytest.mark.parametrize(
    ("size", "reason"), [(2 << 30, "the budget of one image is"), (1000, "more than the 1,000 bytes")]
)
def test_a_zip_member_that_expands_a_thousandfold(tmp_path, size, reason):
    zip_bomb(tmp_path / "in.zip", size)
    samples, failures, grew = run_apart(convert, tmp_path / "in.zip", tmp_path / "out")
    assert samples == 1
    assert reason in failures["bomb.png"]
    assert grew < ROOM


HUGE = (10**6, 10**6, 1)  # a terabyte of uint8


def npy_bytes(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz_bytes():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", npy_bytes(HUGE))
    return stream.getvalue().partition(b"PK\1\2")[0]


def pickle_bytes(size):
    """An array whose bytes are said to be many, of which none follow."""
    sound = pickle.dumps(("a.png", np.zeros(HUGE[2] * 300, np.uint8)), 4)
    return sound.replace(b"B" + struct.pack("<I", 300), b"\x8e" + struct.pack("<Q", size))


def hdf5_bytes(*, chunked):
    stream = io.BytesIO()
    options = {"chunks": (1, *HUGE[:1], 1000, 1), "compression": "gzip"} if chunked else {}
    with h5py.File(stream, "w", libver=("earliest", "v110")) as container:
        group = container.create_group("1000000x1000000x1-uint8")
        group.create_dataset("images", (1, *HUGE), "u1", **options)
        group.create_dataset("keys", data=np.array([b"a.png"]))
    assert len(stream.getvalue()) < 8000
    return stream.getvalue()


def gzipped_npy():
    """A header of much, as gzip without the checksum at its end, which nobody gets to."""
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + deflated(npy_bytes(HUGE))


def deflated_npz():
    packed = deflated(npy_bytes(HUGE))
    sizes = struct.pack("<2Q", 10**12 + 128, len(packed))
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 8, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, 20)
    return header + b"a" + b"\1\0\x10\0" + sizes + packed


def safetensors_bytes():
    entry = {"dtype": "U8", "shape": HUGE, "data_offsets": [0, 10**12]}
    header = json.dumps({"a.png": entry}).encode()
    return struct.pack("<Q", len(header)) + header


def cbor_bytes():
    sound = cbor2.dumps({"key": "a.png", "dtype": "|u1", "shape": HUGE, "data": b""})
    return sound[:-1] + b"\x5b" + struct.pack(">Q", 10**12)


def msgpack_bytes():
    sound = msgpack.packb({"key": "a.png", "dtype": "|u1", "shape": HUGE, "data": b""})
    return sound[:-2] + b"\xc6\xff\xff\xff\xff"


def tfrecord_bytes():
    """A frame that is said to be a terabyte long, with the right checksum of that length."""
    length = struct.pack("<Q", 10**12)
    return length + TFRecordWriter.masked_crc(length) + b"\x0a"


SHARDS = {
    "npy": lambda: npy_bytes((1, *HUGE)),
    "npy+gzip": gzipped_npy,
    "npz": npz_bytes,
    "npz+deflate": deflated_npz,
    "pickle-4": lambda: pickle_bytes(10**12),
    "pickle-5": lambda: pickle_bytes(2**63),
    "json": lambda: b'{"key":"a.png","dtype":"uint8","shape":[1000000,1000000,1],"data":[]}\n',
    "safetensors": safetensors_bytes,
    "msgpack": msgpack_bytes,
    "cbor": cbor_bytes,
    "tfrecord": tfrecord_bytes,
    "hdf5": lambda: hdf5_bytes(chunked=False),
    "hdf5+gzip": lambda: hdf5_bytes(chunked=True),
}


def read(step, dataset, *ways):
    """Read the first sample in these ways, verified or not; return the reasons and what memory grew by."""
    before = peak()
    reasons = []
    for via in ways:
        for verify in (False, True):
            with brinery.open(dataset, via=via, verify=verify) as opened:
                try:
                    opened[0]
                except CorruptError as error:
                    reasons.append((via, verify, str(error)))
    return reasons, peak() - before


@pytest.mark.parametrize("believed", [True, False], ids=["manifest agrees", "manifest says 1440 bytes"])
@pytest.mark.parametrize("protocol", SHARDS)
def test_a_shard_that_declares_a_terabyte(tmp_path, protocol, believed):
    data = SHARDS[protocol]()
    tar = make_tar(tmp_path / "in.tar", {"a.png": GOOD})
    out = tmp_path / "out"
    brinery.convert(tar, out, protocol=protocol, workers=1, backend="threading", fsync=False)
    (shard,) = (out / "shards").iterdir()
    shard.write_bytes(data)
    stacked = protocol.startswith("hdf5")
    with sqlite3.connect(out / "manifest.sqlite") as db:
        db.execute("UPDATE samples SET start = 0, length = ?", (0 if stacked else len(data),))
        if believed:
            db.execute("UPDATE samples SET shape = ?", (str(list(HUGE)),))
    reasons, grew = run_apart(read, out, None, "protocol")
    assert [reason[:2] for reason in reasons] == [
        (None, False), (None, True), ("protocol", False), ("protocol", True),
    ]  # fmt: skip
    assert grew < ROOM


def convert_in_processes(step, source, out):
    """Convert by two worker processes; return what came of it and what this process grew by."""
    warm = make_folder(out.with_name("warm"), {"a.png": GOOD})
    brinery.convert(warm, out.with_name("warm.brine"), workers=2, fsync=False)
    before = peak()
    result = brinery.convert(source, out, workers=2, fsync=False)
    return result.samples, result.failures, peak() - before


def test_large_members_of_a_compressed_tar_pass_through_the_parent_in_pieces(tmp_path):
    """Images of 48 MiB, in 3 MB altogether: one alone would pass the bound."""
    files = {f"{number}.png": GOOD + bytes(48 << 20) for number in range(8)}
    archive = make_tar(tmp_path / "in.tgz", files, "w:gz")
    samples, failures, grew = run_apart(convert_in_processes, archive, tmp_path / "out")
    assert (samples, failures) == (8, 0)
    assert grew < 40 << 20
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.txt",
        "manifest.sqlite",
        "shards",
    ]


def pipes(count):
    """Headers of named pipes called 000000, 000001 ...: name and checksum put into one that tarfile made."""
    info = tarfile.TarInfo("000000")
    info.type = tarfile.FIFOTYPE
    sound = info.tobuf()
    rest = int(sound[148:154], 8) - sum(b"000000")
    for number in range(count):
        name = b"%06d" % number
        yield name + sound[6:148] + b"%06o\0 " % (rest + sum(name)) + sound[156:]


def test_a_million_entries_that_need_no_worker_wait_in_bounded_memory(tmp_path):
    """Named pipes, a header each: 100,000 of them are 51 MB of tar and half a megabyte packed."""
    image = tarfile.TarInfo("a.png")
    image.size = len(GOOD)
    with gzip.open(tmp_path / "in.tgz", "wb", compresslevel=1) as archive:
        archive.write(b"".join(pipes(100_000)))
        archive.write(image.tobuf() + GOOD.ljust(-len(GOOD) % 512 + len(GOOD), b"\0") + bytes(1024))
    samples, failures, grew = run_apart(convert, tmp_path / "in.tgz", tmp_path / "out")
    assert (samples, failures) == (1, {})
    assert grew < 12 << 20


def chunk_of(data, size):
    """An HDF5 file whose first chunk is said to be so many bytes long."""
    tree = next(at for at in range(len(data)) if data.startswith(b"TREE\1\0", at))
    return data[: tree + 24] + struct.pack("<I", size) + data[tree + 28 :]


@pytest.mark.parametrize(
    "protocol",
    ["npy+gzip", "npy+lz4", "npz", "npz+deflate", "pickle-5", "json", "hdf5+gzip", "msgpack", "tfrecord"],
)
def test_a_record_far_longer_than_its_array_is_not_read(tmp_path, protocol):
    # The file has a hole of two gigabytes, and costs nothing on disk.
    tar = make_tar(tmp_path / "in.tar", {"a.png": GOOD})
    out = tmp_path / "out"
    brinery.convert(tar, out, protocol=protocol, workers=1, backend="threading", fsync=False)
    (shard,) = (out / "shards").iterdir()
    if protocol == "hdf5+gzip":
        shard.write_bytes(chunk_of(shard.read_bytes(), 1 << 31))
    else:
        with sqlite3.connect(out / "manifest.sqlite") as db:
            db.execute("UPDATE samples SET length = length + (1 << 31)")
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size + (1 << 31))
    reasons, grew = run_apart(read, out, "protocol")
    assert len(reasons) == 2
    assert grew < ROOM


@pytest.mark.parametrize("item", ["{}", "[]", '"a"'])
def test_a_line_that_takes_far_more_memory_than_its_numbers_is_not_parsed(tmp_path, item):
    tar = make_tar(tmp_path / "in.tar", {"a.png": encoded(pixels(0, (1000, 1000, 3)), "PNG")})
    out = tmp_path / "out"
    brinery.convert(tar, out, protocol="json", workers=1, backend="threading", fsync=False)
    (shard,) = (out / "shards").iterdir()
    size = shard.stat().st_size
    line = (
        '{"key":"a.png","dtype":"uint8","shape":[1000,1000,3],"data":[' + ",".join([item] * 3_000_000) + "]}"
    )
    shard.write_text(line[:size].ljust(size))
    reasons, grew = run_apart(read, out, None)
    assert [reason for reason in reasons if "not numbers" in reason[2]] == reasons != []
    assert grew < ROOM
