"""WebDataset shards as others read them, and lossy ones that verify."""

import io
import subprocess
import tarfile
from urllib.parse import unquote

import numpy as np
import pytest
import webdataset
from PIL import Image

import brinery
from brinery.engine.corpus import make_corpus
from brinery.engine.protocols.registry import get_serializer, known_protocols
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single
from brinery.errors import CorruptError

from ...images import as_pillow, encoded, pixels

KEYS = [
    "photos/a.jpg",
    "photos/a.png",
    "photos/a",
    "v1.0/b.tar.gz",
    "__x__/c.jpg",
    "ü/" + "d" * 300,
    "../e",
    "f/",
    "%2E",
]
SAMPLES = [(key, make_array((4, 6, 3), seed=seed)) for seed, key in enumerate(KEYS)]
IMAGES = ["webdataset+png", "webdataset+webp", "webdataset+jpg"]


def by_webdataset(path):
    """Every sample as the package `webdataset` groups and decodes it, by its unescaped key."""
    samples = webdataset.WebDataset(str(path), shardshuffle=False).decode("pil")
    return {unquote(one["__key__"]): one for one in samples}


def test_the_package_webdataset_finds_every_sample_under_its_key(tmp_path):
    write_shard(get_serializer("webdataset"), tmp_path / "0.tar", SAMPLES)
    found = by_webdataset(tmp_path / "0.tar")
    assert list(found) == KEYS
    assert all(same(found[key]["npy"], array) for key, array in SAMPLES)


def test_the_file_is_what_tarfile_writes_of_the_same_members(tmp_path, monkeypatch):
    monkeypatch.setattr(tarfile, "RECORDSIZE", 1024)  # it fills up the end of a file as for tapes
    write_shard(get_serializer("webdataset"), tmp_path / "0.tar", SAMPLES)
    with tarfile.open(tmp_path / "0.tar") as archive, tarfile.open(tmp_path / "1.tar", "w") as again:
        for member in archive:
            assert (member.mtime, member.uid, member.uname, member.mode) == (0, 0, "", 0o644)
            info = tarfile.TarInfo(member.name)
            info.size = member.size
            again.addfile(info, archive.extractfile(member))
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()


def test_tar_unpacks_it_into_one_folder(tmp_path):
    samples = [(key, array) for key, array in SAMPLES if len(key) < 200]
    write_shard(get_serializer("webdataset"), tmp_path / "0.tar", samples)
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        ["tar", "-xf", tmp_path / "0.tar", "-C", tmp_path / "out"], capture_output=True, check=True
    )
    assert done.stderr == b""
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == len(samples)
    assert same(np.load(tmp_path / "out" / "photos" / "a%2Ejpg.npy"), samples[0][1])


@pytest.mark.parametrize("label", IMAGES)
def test_what_a_codec_cannot_hold_stands_beside_as_npy(label, tmp_path):
    arrays = [
        make_array((4, 6, 3)),
        make_array((4, 6), "f4"),
        make_array((4, 6, 5)),
        make_array((4, 6, 3), "u2"),
    ]
    serializer = get_serializer(label)
    placements = write_shard(serializer, tmp_path / "0.tar", [(str(n), one) for n, one in enumerate(arrays)])
    suffix = label.partition("+")[2]
    with tarfile.open(tmp_path / "0.tar") as archive:
        assert archive.getnames() == [f"0.{suffix}", "1.npy", "2.npy", "3.npy"]
    found = by_webdataset(tmp_path / "0.tar")
    assert np.asarray(found["0"][suffix]).shape == (4, 6, 3)
    assert all(same(found[str(n)]["npy"], arrays[n]) for n in (1, 2, 3))
    assert [one.payload is None for one in placements] == [True, False, False, False]


def test_payloads_are_aligned_for_vectors(tmp_path):
    placements = write_shard(get_serializer("webdataset"), tmp_path / "0.tar", SAMPLES)
    assert all(one.payload % 64 == 0 for one in placements)


def test_a_member_of_another_kind_is_refused(tmp_path):
    array = make_array((4, 6, 3))
    (placement,) = write_shard(get_serializer("webdataset+png"), tmp_path / "0.tar", [("a", array)])
    for label in ("webdataset", "webdataset+webp"):
        with (
            (tmp_path / "0.tar").open("rb") as file,
            get_serializer(label).shard_reader(file) as reader,
            pytest.raises(CorruptError, match="kind 'png'"),
        ):
            reader.read(placement, get_spec(array))


def get_spec(array):
    from brinery.engine.protocols.base import Spec

    return Spec(array.dtype, array.shape)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photographs, and images that JPEG cannot hold."""
    folder = tmp_path_factory.mktemp("photos")
    make_corpus(folder / "in", count=6, size=(64, 48), workers=1)
    (folder / "in" / "alpha.png").write_bytes(encoded(pixels(1, (9, 11, 4)), "PNG"))
    (folder / "in" / "deep.png").write_bytes(encoded(pixels(2, (9, 11)).astype("uint16") * 257, "PNG"))
    return folder / "in"


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_a_lossy_dataset_verifies_and_a_damaged_one_does_not(photos, layout, tmp_path):
    out = tmp_path / "out"
    options = {"workers": 1, "backend": "threading", "fsync": False, "layout": layout}
    assert brinery.convert(photos, out, protocol="webdataset+jpg:80", **options).samples == 8
    assert brinery.verify(out).exit_code == 0
    with brinery.open(out, verify=True) as dataset:
        for name in ("alpha.png", "deep.png"):
            assert same(dataset[name], as_pillow((photos / name).read_bytes()))
        source = as_pillow((photos / "000000.jpg").read_bytes())
        lossy = dataset["000000.jpg"]
        assert 0 < np.abs(lossy.astype(int) - source).mean() < 8
    (file, *_) = sorted(path for path in out.rglob("*.tar"))
    data = bytearray(file.read_bytes())
    at = data.index(b"\xff\xda") + 40  # in the pixels
    data[at] ^= 0x15
    file.write_bytes(data)
    assert brinery.verify(out).exit_code == 3


def test_the_same_quality_gives_the_same_shards_by_any_workers(photos, tmp_path):
    for workers in (1, 2):
        options = {"workers": workers, "backend": "threading", "fsync": False}
        brinery.convert(
            photos, tmp_path / str(workers), protocol="webdataset+jpg", shard_size="32KiB", **options
        )
    one, two = (sorted((tmp_path / n / "shards").iterdir()) for n in "12")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_hugging_face_reads_it(tmp_path):
    import datasets

    write_shard(get_serializer("webdataset+png"), tmp_path / "0.tar", SAMPLES)
    found = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "0.tar"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [unquote(key) for key in found["__key__"]] == KEYS
    assert all(same(np.asarray(row["png"]), array) for row, (_, array) in zip(found, SAMPLES, strict=True))


def test_a_single_file_holds_one_member(tmp_path):
    array = make_array((4, 6, 3))
    for label, name in (("webdataset", "image.npy"), ("webdataset+png", "image.png")):
        write_single(get_serializer(label), tmp_path / "a.tar", array)
        with tarfile.open(tmp_path / "a.tar") as archive:
            assert archive.getnames() == [name]
        names = {}
        exec(get_serializer(label).lines(str(tmp_path / "a.tar"), single=True), names)
        assert same(names["array"], array)


def test_lossy_is_said():
    (info,) = (one for one in known_protocols() if one.name == "webdataset")
    assert info.abilities.lossy == ("jpg",)
    assert get_serializer("webdataset+jpg:75").lossy
    assert not get_serializer("webdataset+png:9").lossy
    assert not get_serializer("webdataset").lossy


def test_images_are_what_pillow_writes_at_the_level(tmp_path):
    array = make_array((4, 6, 3))
    write_shard(get_serializer("webdataset+png:9"), tmp_path / "0.tar", [("a.jpg", array)])
    expected = io.BytesIO()
    Image.fromarray(array).save(expected, "PNG", compress_level=9)
    with tarfile.open(tmp_path / "0.tar") as archive:
        assert archive.extractfile("a%2Ejpg.png").read() == expected.getvalue()
