"""JPEG 2000, kind by kind: the samples as stored, against openjpeg through imagecodecs."""

import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError

from .formats import decoded, native, same, values

SPREAD = {1: 255, 2: 85, 4: 17}


def codestream(array, bits=None):
    return imagecodecs.jpeg2k_encode(
        array, reversible=True, level=0, codecformat="j2k", bitspersample=bits, mct=False
    )


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def colours(number):
    return box(b"colr", struct.pack(">3BI", 1, 0, 0, number))


def profile(space):
    return box(b"colr", b"\2\0\0" + bytes(16) + space + bytes(108))


def channels(*triples):
    return box(b"cdef", struct.pack(f">{1 + 3 * len(triples)}H", len(triples), *sum(triples, ())))


def palette(entries, bits):
    body = struct.pack(">HB", len(entries), entries.shape[1]) + bytes([bits - 1] * entries.shape[1])
    maps = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(entries.shape[1]))
    return box(b"pclr", body + entries.astype(entries.dtype.newbyteorder(">")).tobytes()) + box(b"cmap", maps)


def jp2(stream, *boxes, before=b""):
    width, height = struct.unpack_from(">2I", stream, 8)
    (count,) = struct.unpack_from(">H", stream, 40)
    header = box(b"ihdr", struct.pack(">2IH4B", height, width, count, stream[42], 7, 0, 0)) + b"".join(boxes)
    start = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + before + box(b"jp2h", header) + box(b"jp2c", stream)


FILES = {"bare": lambda stream, *_: stream, "jp2": jp2}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
@pytest.mark.parametrize("bits", range(1, 17))
def test_grey_of_every_depth_is_as_stored(bits, file):
    array = np.random.default_rng(bits).integers(0, 1 << bits, (9, 11), "u1" if bits <= 8 else "u2")
    data = file(codestream(array, bits), colours(17))
    same(imagecodecs.jpeg2k_decode(data), array)
    same(native(data), array * array.dtype.type(SPREAD.get(bits, 1)))
    high = array >> (bits - 8) if bits > 8 else np.rint(array * 255.0 / ((1 << bits) - 1))
    same(native(data, mode="gray"), high.astype("u1"))


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_signed_samples_are_as_stored(dtype, file):
    array = values(dtype, (9, 11))
    data = file(codestream(array), colours(17))
    same(imagecodecs.jpeg2k_decode(data), array)
    same(native(data), array)
    with pytest.raises(DecodeError, match="no 8-bit form"):
        native(data, mode="gray")


@pytest.mark.parametrize("bits", [9, 12, 15])
def test_signed_samples_of_odd_depths(bits):
    array = np.random.default_rng(bits).integers(-(1 << bits - 1), 1 << bits - 1, (9, 11), "i2")
    stream = codestream(array.astype("u2") + np.uint16(1 << bits - 1) & np.uint16((1 << bits) - 1), bits)
    data = stream[:42] + bytes([stream[42] | 0x80]) + stream[43:]  # the offset is what signed samples lack
    same(native(data), array)
    same(imagecodecs.jpeg2k_decode(data), array)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_colours_of_up_to_8_bits_are_as_stored(bits, count):
    array = np.random.default_rng(bits).integers(0, 1 << bits, (9, 11, count), "u1")
    data = codestream(array, bits)
    same(imagecodecs.jpeg2k_decode(data), array)
    same(native(data), array * np.uint8(SPREAD.get(bits, 1)))


@pytest.mark.parametrize("mode", ["native", "rgb", "gray", "rgba"])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_deeper_colours_are_refused_in_every_mode(bits, mode):
    array = np.random.default_rng(bits).integers(0, 1 << bits, (9, 11, 3), "u2")
    with pytest.raises(DecodeError, match=f"{bits}-bit colour JPEG2000: Pillow would give 8 bits"):
        native(codestream(array, bits), mode=mode)


def test_channels_are_put_into_the_order_of_their_colours():
    array = values("u1", (9, 11, 4))
    blue_first = jp2(codestream(array), colours(16), channels((0, 0, 3), (1, 0, 2), (2, 0, 1), (3, 1, 0)))
    same(native(blue_first), array[..., [2, 1, 0, 3]].copy())
    same(imagecodecs.jpeg2k_decode(blue_first), array[..., [2, 1, 0, 3]].copy())
    alpha_first = jp2(codestream(array), colours(16), channels((0, 1, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3)))
    same(native(alpha_first), array[..., [1, 2, 3, 0]].copy())
    multiplied = jp2(codestream(array), colours(16), channels((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 2, 0)))
    assert decoded(multiplied).colours == "RGBa"
    unknown = jp2(codestream(array), colours(16), channels((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 65535, 0)))
    assert decoded(unknown).colours == "RGBX"
    for doubled in (
        ((0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 1, 0)),
        ((0, 0, 1), (1, 0, 2), (2, 0, 4), (3, 1, 0)),
    ):
        with pytest.raises(DecodeError, match="colours"):
            native(jp2(codestream(array), colours(16), channels(*doubled)))


@pytest.mark.parametrize(
    ("header", "count", "label"),
    [
        (colours(16), 3, None),
        (colours(17), 1, None),
        (colours(17), 2, None),
        (colours(12), 4, "CMYK"),
        (colours(21), 3, None),
        (profile(b"CMYK"), 4, "CMYK"),
        (profile(b"RGB "), 3, None),
        (profile(b"GRAY"), 1, None),
        (b"", 4, None),
    ],
)
def test_colour_spaces_whose_samples_are_kept(header, count, label):
    array = values("u1", (9, 11, count))
    image = decoded(jp2(codestream(array), header))
    same(image.array, array if count > 1 else array[..., 0].copy())
    assert image.colours == label


@pytest.mark.parametrize("count", [3, 4])
def test_sycc_becomes_rgb(count):
    array = values("u1", (9, 11, count))
    with Image.frombytes("YCbCr", (11, 9), array[..., :3].tobytes()) as image:
        rgb = np.array(image.convert("RGB"))
    data = jp2(codestream(array), colours(18))
    same(native(data), np.concatenate((rgb, array[..., 3:]), axis=2))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (colours(14), "CIELab"),
        (colours(1), "YCbCr"),
        (colours(13), "YCCK"),
        (colours(24), "e-sYCC"),
        (colours(11), "CMY"),
        (profile(b"Lab "), "Lab"),
    ],
)
def test_other_colour_spaces_are_refused_by_name(header, name):
    array = values("u1", (9, 11, 3))
    for mode in ("native", "rgb"):
        with pytest.raises(DecodeError, match=f"JPEG 2000 of {name} colours"):
            native(jp2(codestream(array), header), mode=mode)


def test_bitmaps_whose_0_is_white():
    array = np.random.default_rng(0).integers(0, 2, (9, 11), "u1")
    same(native(jp2(codestream(array, 1), colours(0))), (1 - array) * np.uint8(255))
    same(native(jp2(codestream(array, 1), colours(15))), array * np.uint8(255))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [3, 4])
def test_palettes_become_their_colours(bits, count):
    indices = np.random.default_rng(0).integers(0, 6, (9, 11), "u1")
    entries = values(f"u{bits // 8}", (6, count))
    entries[4] = entries[1]  # the same colour twice
    data = jp2(codestream(indices), palette(entries, bits), colours(16))
    same(native(data), entries[indices])
    if bits == 8:
        same(imagecodecs.jpeg2k_decode(data), entries[indices])


def test_an_index_beyond_the_palette_is_damage():
    indices = np.array([[0, 6]], "u1")
    with pytest.raises(DecodeError, match="a colour of number 6 in a palette of 6"):
        native(jp2(codestream(indices), palette(values("u1", (6, 3)), 8), colours(16)))


def test_components_that_pillow_would_sort_wrongly_are_refused():
    stream = bytearray(codestream(values("u1", (9, 11, 3))))
    for at, value, says in ((45, 4, "different depths"), (46, 2, "subsampled"), (47, 2, "subsampled")):
        changed = bytes(stream[:at] + bytes([value]) + stream[at + 1 :])
        with pytest.raises(DecodeError, match=says):
            native(changed)
    with pytest.raises(DecodeError, match="5 components"):
        native(codestream(values("u1", (9, 11, 5))))


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_orientation_in_exif_and_xmp_is_recorded(orientation):
    array = values("u1", (9, 11))
    exif = Image.Exif()
    exif[0x0112] = orientation
    xmp = f'<x tiff:Orientation="{orientation}"/>'.encode()
    for box_ in (
        b"JpgTiffExif->JP2" + exif.tobytes()[6:],
        bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + xmp,
    ):
        data = jp2(codestream(array), colours(17), before=box(b"uuid", box_))
        assert decoded(data).orientation == orientation
        same(native(data), array)
        same(native(data, orient=True), np.rot90(array, {3: 2, 6: -1, 8: 1}[orientation]).copy())


@pytest.mark.parametrize("cut", [3, 20, 41, 60, 90])
def test_headers_that_are_cut_off_fail(cut):
    data = jp2(codestream(values("u1", (9, 11, 3))), colours(16))
    with pytest.raises(DecodeError):
        native(data[:12] + data[12 : 12 + cut])
    stream = codestream(values("u1", (9, 11, 3)))
    with pytest.raises(DecodeError):
        native(stream[:cut])
