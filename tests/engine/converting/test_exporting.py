"""Arrays go from one protocol to another without being decoded: what comes out is what a convert makes."""

import io

import numpy as np
import pytest
from PIL import Image

import brinery
from brinery.engine.datasets.failures import read_failures
from brinery.engine.protocols.registry import get_serializer, known_protocols
from brinery.errors import DatasetError, UsageError

from ...images import encoded, images, jpeg, make_folder, make_tar, make_zip, pixels
from ..test_convert import SMALL, contents, keys_in
from .test_lost_frames import tiff

LABELS = [info.name for info in known_protocols() if info.origin == "built-in"] + ["hdf5+gzip", "npy+zstd"]


ARRAYS = [label for label in LABELS if not get_serializer(label).abilities.keeps_source]


def various():
    """Images of several shapes and kinds, files that are none, and one that is broken."""
    turned, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels(50)).save(turned, "JPEG", exif=exif)
    inks = io.BytesIO()
    Image.fromarray(pixels(51)).convert("CMYK").save(inks, "JPEG")
    return images(9) | {
        "broken.jpg": b"no image",
        "grey.png": encoded(pixels(52, (24, 32)), "PNG"),
        "inks.jpg": inks.getvalue(),
        "inner.zip": b"PK\x03\x04" + bytes(40),
        "notes.txt": b"text",
        "turned.jpg": turned.getvalue(),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a convert makes of an archive, by protocol, and its contents."""
    root = tmp_path_factory.mktemp("made")
    source = make_zip(root / "photos.zip", various())
    found = {}
    for label in LABELS:
        out = root / label.replace(":", "-")
        result = brinery.convert(source, out, protocol=label, **SMALL)
        assert (result.samples, result.failures, result.exit_code) == (12, 1, 3)
        found[label] = out, contents(out)
    return found


def without_advice(found):
    """Contents of a dataset, with the kinds of archives it skipped alone."""
    files, rows = found
    rows["skipped"] = [(key, reason.partition(":")[0]) for key, reason in rows["skipped"]]
    return files, rows


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("label", LABELS)
def test_every_protocol_becomes_what_a_convert_to_the_other_makes(made, tmp_path, label, step):
    others = [one for one in ARRAYS if one != label]
    other = others[(LABELS.index(label) + step) % len(others)]
    result = brinery.convert(made[label][0], tmp_path / "out", protocol=other, **SMALL)
    assert (result.samples, result.converted, result.failures, result.exit_code) == (12, 12, 1, 3)
    assert result.summary.phases.decode_ns == 0
    assert contents(tmp_path / "out") == without_advice(made[other][1])


def test_images_are_copied_from_a_dataset_that_keeps_them(made, tmp_path):
    source, whole = made["encoded"]
    brinery.convert(source, tmp_path / "out", protocol="encoded", **SMALL)
    assert contents(tmp_path / "out") == without_advice(whole)
    with brinery.open(tmp_path / "out", verify=True) as dataset:
        assert {key: dataset.encoded(key) for key in dataset.keys}.items() <= various().items()
    with pytest.raises(UsageError, match=r"holds arrays \(npy\) and not the images"):
        brinery.convert(made["npy"][0], tmp_path / "none", protocol="encoded", **SMALL)
    assert not (tmp_path / "none").exists()


def test_images_that_were_not_decoded_become_arrays(made, tmp_path):
    source = made["npy"][0].parent / "photos.zip"
    brinery.convert(source, tmp_path / "copied", protocol="encoded", check=False, **SMALL)
    brinery.convert(tmp_path / "copied", tmp_path / "out", protocol="npy", **SMALL)
    with brinery.open(tmp_path / "out", verify=True) as dataset, brinery.open(made["npy"][0]) as whole:
        for one, two in zip(dataset, whole, strict=True):
            np.testing.assert_array_equal(one, two, strict=True)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_workers_and_layout_change_no_byte(made, tmp_path, layout, workers):
    options = SMALL | {"layout": layout, "protocol": "npy"}
    source = made["npz"][0]
    brinery.convert(source, tmp_path / "out", **options | {"workers": workers, "backend": "loky"})
    brinery.convert(source.parent / "photos.zip", tmp_path / "whole", **options)
    assert contents(tmp_path / "out") == without_advice(contents(tmp_path / "whole"))
    brinery.convert(tmp_path / "out", tmp_path / "back", protocol="npz", **SMALL)
    assert contents(tmp_path / "back") == without_advice(made["npz"][1])


def test_frames_and_their_failures_stay_with_their_image(tmp_path):
    source = make_folder(tmp_path / "in", {"a.tif": tiff(), "b.tif": tiff(1, 3), "c.tif": tiff(0)})
    options = SMALL | {"frames": "all"}
    brinery.convert(source, tmp_path / "made", **options)
    brinery.convert(source, tmp_path / "whole", protocol="npz", **options)
    result = brinery.convert(tmp_path / "made", tmp_path / "out", protocol="npz", **SMALL)
    assert (result.samples, result.failures) == (9, 3)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    again = brinery.convert(tmp_path / "made", tmp_path / "out", protocol="npz", retry_failed=True, **SMALL)
    assert (again.samples, again.failures) == (9, 3)


def test_a_run_that_is_interrupted_goes_on_and_ends_with_the_same_bytes(tmp_path, folder):
    def interrupt(now):
        if now.images:
            raise KeyboardInterrupt

    brinery.convert(folder, tmp_path / "made", **SMALL)
    brinery.convert(folder, tmp_path / "whole", protocol="json", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        brinery.convert(
            tmp_path / "made", tmp_path / "out", protocol="json", progress=interrupt, **SMALL | {"workers": 1}
        )
    result = brinery.convert(tmp_path / "made", tmp_path / "out", protocol="json", **SMALL)
    assert 0 < result.converted < result.samples == 40
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("protocol", ["npy", "npz+deflate", "json"])
def test_a_damaged_sample_is_a_failure_until_its_dataset_is_repaired(tmp_path, folder, protocol):
    made, out = tmp_path / "made", tmp_path / "out"
    brinery.convert(folder, made, protocol=protocol, **SMALL)
    shard = max((made / "shards").iterdir())
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    result = brinery.convert(made, out, protocol="hdf5", **SMALL)
    assert (result.samples, result.failures, result.exit_code) == (39, 1, 3)
    with pytest.raises(DatasetError), brinery.open(made, verify=True) as dataset:
        list(dataset)
    (failed,) = read_failures(out).failures
    assert (failed.stage, failed.error) == ("read", "CorruptError")
    assert failed.key in keys_in(made, shard)
    assert brinery.verify(out).exit_code == 0
    again = brinery.convert(made, out, protocol="hdf5", **SMALL)
    assert (again.converted, again.unchanged, again.failures) == (0, 39, 1)
    brinery.convert(folder, made, protocol=protocol, repair=True, **SMALL)
    again = brinery.convert(made, out, protocol="hdf5", **SMALL)
    assert (again.converted, again.samples, again.failures) == (1, 40, 0)


def test_a_missing_shard_costs_its_samples_only(tmp_path, folder):
    brinery.convert(folder, tmp_path / "made", **SMALL)
    shard = max((tmp_path / "made" / "shards").iterdir())
    lost = keys_in(tmp_path / "made", shard)
    shard.unlink()
    result = brinery.convert(tmp_path / "made", tmp_path / "out", **SMALL)
    assert (result.samples, result.failures) == (40 - len(lost), len(lost))
    assert sorted(failed.key for failed in read_failures(tmp_path / "out").failures) == sorted(lost)


def test_a_key_that_the_protocol_or_layout_cannot_hold_is_a_failure(tmp_path):
    source = make_tar(tmp_path / "names.tar", {"a/../b.jpg": jpeg(1), "c.jpg": jpeg(2)})
    brinery.convert(source, tmp_path / "made", **SMALL)
    result = brinery.convert(tmp_path / "made", tmp_path / "out", layout="mirror", **SMALL)
    assert (result.samples, result.failures) == (1, 1)
    assert read_failures(tmp_path / "out").failures[0].stage == "write"


@pytest.mark.parametrize("name", ["big", "deep"])
def test_values_and_dtypes_come_through(tmp_path, name):
    array = {"big": pixels(1, (40, 50), "uint16"), "deep": np.full((8, 9), 0.5, "<f4")}[name]
    source = make_folder(tmp_path / "in", {"a.tif": encoded(array, "TIFF")})
    brinery.convert(source, tmp_path / "made", protocol="hickle", **SMALL)
    brinery.convert(tmp_path / "made", tmp_path / "out", protocol="npz", **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        np.testing.assert_array_equal(dataset["a.tif"], array)
        assert dataset["a.tif"].dtype == array.dtype
