"""The README.txt of a dataset tells how to read it without brinery, and its lines do."""

import os
import re
import sqlite3

import numpy as np
import pytest

import brinery
from brinery.engine.converting.readme import readme_text
from brinery.engine.protocols.registry import get_serializer

from ...images import as_pillow, encoded, make_tar, pixels

SHAPES = [(10, 40), (40, 10, 3), (10, 40), (7, 9)]
FILES = {f"{i % 3}/ü {i}.png": encoded(pixels(i, SHAPES[i % 4]), "PNG") for i in range(24)}
PROTOCOLS = [
    *("npy", "npz", "hdf5", "hickle", "arrow", "parquet", "pickle-5", "json"),
    *("safetensors", "msgpack", "cbor", "tfrecord", "encoded", "zarr", "zarr+zstd"),
    *("webdataset", "webdataset+png"),
    *("npy+zstd", "pickle-4+gzip", "json+lz4", "msgpack+lz4", "cbor+gzip", "cbor+zstd"),
]


def convert(root, **options):
    tar = root / "photos.tar"
    if not tar.exists():
        make_tar(tar, FILES)
    options = {"backend": "threading", "workers": 1, "shard_size": "8KiB", "fsync": False} | options
    brinery.convert(tar, root / "out", **options)
    return root / "out"


def programs(folder):
    """The indented parts of the README that are to be run without brinery: files, then the manifest."""
    text = (folder / "README.txt").read_text("utf-8")
    _, text = text.split("\nWithout brinery", 1)
    parts = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.MULTILINE)
    files, manifest = (re.sub(r"^ {4}", "", part, flags=re.MULTILINE) for part in parts)
    return files, manifest


def run(program, **values):
    exec(program, values)
    values.pop("manifest", sqlite3.connect(":memory:")).close()
    return values


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_its_lines_give_every_image_of_every_shard(protocol, tmp_path, monkeypatch):
    folder = convert(tmp_path, protocol=protocol)
    monkeypatch.chdir(folder)
    files, manifest = programs(folder)
    suffix = get_serializer(protocol).file_suffix
    names = sorted(os.listdir("shards"))
    assert len(names) > 2
    samples, arrays = {}, []
    for name in names:
        found = run(files.replace(f"shards/000000{suffix}", f"shards/{name}"))
        samples |= found.get("samples", {})
        arrays += [*found.get("arrays", ()), *found.get("samples", {}).values()]
    expected = {key: as_pillow(data) for key, data in FILES.items()}
    assert sorted(a.tobytes() for a in arrays) == sorted(a.tobytes() for a in expected.values())
    for key, array in samples.items():
        assert np.array_equal(array, expected[key])
    for key, array in expected.items():
        found = run(manifest.replace("a/b.jpg", key))
        assert found["name"] in names
        if "array" in found:
            assert np.array_equal(found["array"], array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_its_lines_give_every_image_of_its_own_file(protocol, tmp_path, monkeypatch):
    folder = convert(tmp_path, protocol=protocol, layout="mirror")
    monkeypatch.chdir(folder)
    files, manifest = programs(folder)
    assert run(manifest)["keys"] == list(FILES)
    for key, data in FILES.items():
        assert np.array_equal(run(files.replace("a/b.jpg", key))["array"], as_pillow(data))


def test_it_says_what_is_lossy():
    for label in ("webdataset", "webdataset+png", "webdataset+jpg:80"):
        assert ("lossy" in readme_text(get_serializer(label), "shards")) == ("jpg" in label)


def test_a_readme_of_somebody_else_stays(tmp_path):
    folder = convert(tmp_path)
    readme = folder / "README.txt"
    for own in (b"Photos of 2019, ask Ada.\n", readme.read_bytes().replace(b"arrays", b"ARRAYS"), b""):
        readme.write_bytes(own)
        convert(tmp_path)
        assert readme.read_bytes() == own
        convert(tmp_path, overwrite=True)
        assert readme.read_bytes() == own
    assert brinery.verify(folder, workers=1, backend="threading").exit_code == 0


def test_brinerys_own_is_made_anew_where_it_is_missing_or_of_another_kind(tmp_path):
    folder = convert(tmp_path)
    readme = folder / "README.txt"
    assert readme.read_text("utf-8") == readme_text(get_serializer("npy"), "shards")
    readme.unlink()
    assert len(brinery.open(folder)) == len(FILES)
    convert(tmp_path)
    assert readme.read_text("utf-8") == readme_text(get_serializer("npy"), "shards")
    convert(tmp_path, protocol="hdf5", layout="mirror", overwrite=True)
    assert readme.read_text("utf-8") == readme_text(get_serializer("hdf5"), "mirror")


def test_a_link_or_a_pipe_of_its_name_is_left_alone(tmp_path):
    folder = convert(tmp_path)
    readme, other = folder / "README.txt", tmp_path / "other"
    other.write_bytes(readme.read_bytes())
    readme.unlink()
    readme.symlink_to(other)
    convert(tmp_path, protocol="hdf5", overwrite=True)
    assert readme.is_symlink()
    assert other.read_text("utf-8") == readme_text(get_serializer("npy"), "shards")
    readme.unlink()
    os.mkfifo(readme)
    convert(tmp_path, protocol="hdf5")
    assert readme.is_fifo()
