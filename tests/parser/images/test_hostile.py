"""Any names and bytes come back; any damage is told, by the errors that are meant for it."""

import gzip
import io
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from brinery.errors import BrineryError, DecodeError
from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader
from brinery.parser.decode import decode
from brinery.parser.images.pixels import LostFrames
from brinery.parser.images.signature import NotAnImage
from brinery.parser.options import DecodeOptions

from ..samples import JPEG_LIKE, contents, encoded, listed, members, smooth, unreadable

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

part = st.text(
    st.characters(exclude_characters="/\0\\", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda text: text not in {".", ".."} and len(text.encode()) < 250)
names = st.lists(part, min_size=1, max_size=4).map("/".join)
bodies = st.binary(max_size=2000).map(lambda data: JPEG_LIKE + data)
trees = st.dictionaries(names, bodies, max_size=5)


def packed_tar(files, kind, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def packed_zip(files, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@given(files=trees)
@SETTINGS
def test_any_tar_comes_back(tmp_path, kind, mode, files):
    (tmp_path / "a").write_bytes(packed_tar(files, kind, mode))
    assert contents(tmp_path / "a") == files


@given(files=st.dictionaries(names.filter(lambda name: len(name.encode()) < 100), bodies, max_size=5))
@SETTINGS
def test_any_ustar_comes_back(tmp_path, files):
    (tmp_path / "a").write_bytes(packed_tar(files, tarfile.USTAR_FORMAT))
    assert contents(tmp_path / "a") == files


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@given(files=trees)
@SETTINGS
def test_any_zip_comes_back(tmp_path, method, files):
    (tmp_path / "a").write_bytes(packed_zip(files, method))
    assert contents(tmp_path / "a") == files


@given(files=st.dictionaries(part, bodies, max_size=5))
@SETTINGS
def test_any_folder_comes_back(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("tree")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert contents(folder) == files
    assert list(contents(folder)) == sorted(files, key=str.encode)


PICTURES = {f"{number}.jpg": encoded(smooth(20 + number, 30, seed=number), "JPEG") for number in range(5)}
ARCHIVES = {
    "tar": packed_tar(PICTURES, tarfile.GNU_FORMAT),
    "pax": packed_tar({f"{'é' * 90}/{name}": data for name, data in PICTURES.items()}, tarfile.PAX_FORMAT),
    "tar.gz": packed_tar(PICTURES, tarfile.GNU_FORMAT, "w:gz"),
    "tar.bz2": packed_tar(PICTURES, tarfile.GNU_FORMAT, "w:bz2"),
    "tar.xz": packed_tar(PICTURES, tarfile.GNU_FORMAT, "w:xz"),
    "zip": packed_zip(PICTURES, zipfile.ZIP_DEFLATED),
    "stored zip": packed_zip(PICTURES, zipfile.ZIP_STORED),
}
flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8)


def said(error):
    assert str(error)
    assert "\n" not in str(error)


def flipped(data, where):
    out = bytearray(data)
    for place, bits in where:
        out[int(place * len(out))] ^= bits
    return bytes(out)


@pytest.mark.parametrize("kind", ARCHIVES)
@given(where=flips)
@SETTINGS
def test_flipped_bytes_in_archives_end_in_an_entry_or_an_error(tmp_path, kind, where):
    (tmp_path / "a").write_bytes(flipped(ARCHIVES[kind], where))
    try:
        entries = list(list_archives([tmp_path / "a"]))
    except BrineryError as error:
        said(error)
        return
    with MemberReader() as reader:
        for entry in entries:
            assert entry.key
            entry.key.encode()
            if isinstance(entry, Member):
                try:
                    assert len(reader.read(entry)) == entry.size
                except (BrineryError, NotAnImage) as error:
                    said(error)
    if kind == "tar":
        # A lost member is reported: each is there, or something is said.
        assert len(members(entries)) >= 5 or len(entries) > len(members(entries))


@pytest.mark.parametrize("kind", ARCHIVES)
@given(share=st.floats(0, 1, exclude_max=True))
@SETTINGS
def test_a_cut_off_archive_never_ends_in_silence(tmp_path, kind, share):
    whole = ARCHIVES[kind]
    end = len(whole)
    if kind in {"tar", "pax"}:
        end = whole.rindex(PICTURES["4.jpg"]) + len(PICTURES["4.jpg"])  # what follows is padding
    (tmp_path / "a").write_bytes(whole[: int(share * end)])
    try:
        entries = listed(tmp_path / "a")
    except BrineryError:
        return
    assert unreadable(entries)


@pytest.mark.parametrize(
    "head",
    [b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", bytes(257) + b"ustar", b""],
)
@given(data=st.binary(max_size=3000))
@SETTINGS
def test_noise_behind_a_signature_is_refused_or_listed_as_damage(tmp_path, head, data):
    (tmp_path / "a").write_bytes(head + data)
    try:
        entries = listed(tmp_path / "a")
    except BrineryError:
        return
    assert unreadable(entries)
    assert not members(entries)


@given(where=flips)
@SETTINGS
def test_flips_in_a_stream_behind_its_checksum_are_listed_as_damage(tmp_path, where):
    # The compression is sound, the tar in it is not.
    (tmp_path / "a").write_bytes(gzip.compress(flipped(ARCHIVES["tar"], where), 1))
    try:
        entries = listed(tmp_path / "a")
    except BrineryError:
        return
    assert len(members(entries)) >= 5 or len(entries) > len(members(entries))


KINDS = [
    "JPEG",
    "PNG",
    "GIF",
    "WEBP",
    "BMP",
    "TIFF",
    "PPM",
    "JPEG2000",
    "ICO",
    "AVIF",
    "PCX",
    "SGI",
    "DDS",
    "QOI",
]
IMAGES = {kind: encoded(smooth(24, 24), kind) for kind in KINDS}
IMAGES["progressive"] = encoded(smooth(24, 24), "JPEG", progressive=True)
IMAGES["cmyk"] = encoded(Image.fromarray(smooth(24, 24, 4), "CMYK"), "JPEG")
IMAGES["animation"] = encoded(
    Image.fromarray(smooth(24, 24)),
    "GIF",
    save_all=True,
    append_images=[Image.fromarray(smooth(24, 24, seed=1))],
)
IMAGES["pages"] = encoded(
    Image.fromarray(smooth(24, 24)),
    "TIFF",
    save_all=True,
    append_images=[Image.fromarray(smooth(24, 24, seed=1))],
)


@pytest.mark.parametrize("kind", IMAGES)
@given(
    where=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1), st.integers(1, 255)), max_size=8
    ),
    share=st.just(1.0) | st.floats(0, 1),
    salvage=st.booleans(),
    frames=st.sampled_from(["first", "all"]),
    mode=st.sampled_from(["native", "rgb", "gray", "rgba"]),
)
@SETTINGS
def test_damaged_images_decode_or_fail_with_one_line(kind, where, share, salvage, frames, mode):
    data = flipped(IMAGES[kind], where)
    data = data[: int(share * len(data))]
    options = DecodeOptions(
        mode, orient=True, frames=frames, salvage=salvage, max_pixels=1 << 20, max_frames=50
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for decoded in decode(data, options):
                if isinstance(decoded, LostFrames):
                    said(decoded.error)
                    continue
                assert decoded.array.flags.c_contiguous
                assert decoded.array.flags.writeable
                assert decoded.array.dtype.isnative
                assert decoded.array.shape[0] * decoded.array.shape[1] <= 1 << 20
                assert 1 <= decoded.orientation <= 8
        except DecodeError as error:
            said(error)
