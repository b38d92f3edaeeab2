"""AVIF, WebP, GIF, QOI, JPEG, DDS, PSD, PCX and SGI: against other decoders, or by known bytes."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from brinery.errors import DecodeError
from brinery.parser.images.isobmff import avif_bits

from ..samples import encoded, smooth
from .bitmaps import dds, pcx, psd
from .formats import decoded, native, same, values

# AVIF: libavif gives the depth, and Pillow 8 bits of it.


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_of_more_than_8_bits_is_refused_unless_8_are_asked(bits, channels):
    array = smooth(32, 40, channels).astype("u1" if bits == 8 else "u2") << (bits - 8)
    data = imagecodecs.avif_encode(array, level=100, bitspersample=bits)
    full = imagecodecs.avif_decode(data)
    assert avif_bits(data) == bits
    if bits == 8:
        same(native(data), full)
        return
    with pytest.raises(DecodeError, match=f"{bits}-bit AVIF: Pillow would give 8 bits"):
        native(data)
    if channels > 1:
        shown = native(data, mode="rgb").astype(int)
        assert np.abs(shown - (full[..., :3] >> (bits - 8))).max() <= 1


def test_the_depth_of_an_avif_sequence_is_its_tracks():
    frames = [Image.fromarray(smooth(16, 16, seed=seed)) for seed in range(2)]
    data = encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    assert data[8:12] == b"avis"
    assert avif_bits(data) == 8
    # The flag high_bitdepth of every configuration.
    deep, at = bytearray(data), data.find(b"av1C")
    while at >= 0:
        deep[at + 6] |= 0x40
        at = data.find(b"av1C", at + 1)
    assert avif_bits(bytes(deep)) == 10


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize("wide", [0, 1], ids=["short", "long"])
@pytest.mark.parametrize(
    ("properties", "linked", "bits"),
    [
        ([0x00], {1: [1]}, 8),
        ([0x40], {1: [1]}, 10),
        ([0x60], {1: [1]}, 12),
        ([0x00, b"\x0a\x0a\x0a"], {1: [1, 2]}, 10),  # pixi, beside a configuration of 8 bits
        ([0x00, 0x40], {1: [1], 2: [2]}, 8),  # another item, such as a gain map, is deeper
        ([0x40], {2: [1], 3: [1]}, 8),  # nor do items count that the primary is not made of
        ([0x40], {5: [1], 6: [1]}, 10),  # the primary is a grid of these
    ],
)
def test_the_depth_of_an_avif_is_its_primary_items(properties, linked, bits, wide):
    ipco = [
        box(b"av1C", bytes([0x81, 0, one, 0]))
        if isinstance(one, int)
        else box(b"pixi", bytes([0, 0, 0, 0, 3]), one)
        for one in properties
    ]
    size = ">H" if wide else ">B"
    links = b"".join(
        struct.pack(">HB", item, len(numbers)) + b"".join(struct.pack(size, number) for number in numbers)
        for item, numbers in sorted(linked.items())
    )
    ipma = box(b"ipma", bytes([0, 0, 0, wide]), struct.pack(">I", len(linked)), links)
    grid = box(b"iref", bytes(4), box(b"dimg", struct.pack(">4H", 1, 2, 5, 6)))
    pitm = box(b"pitm", bytes(4), b"\0\1")
    meta = box(b"meta", bytes(4), pitm, grid, box(b"iprp", box(b"ipco", *ipco), ipma))
    data = box(b"ftyp", b"avif\0\0\0\0avifmif1") + meta
    assert avif_bits(data) == bits
    if bits > 8:
        with pytest.raises(DecodeError, match=f"{bits}-bit AVIF"):
            native(data)


def test_boxes_that_make_no_sense_are_left_to_the_decoder():
    data = imagecodecs.avif_encode(smooth(16, 16), level=90)
    for cut in range(0, len(data), 7):
        avif_bits(data[:cut])
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for at in random.integers(0, min(len(data), 400), 4):
            broken[at] = random.integers(0, 256)
        assert avif_bits(bytes(broken)) <= 255


# WebP, GIF, QOI.


@pytest.mark.parametrize("options", [{"lossless": True}, {"level": 60}], ids=["lossless", "lossy"])
@pytest.mark.parametrize("channels", [3, 4])
def test_webp_is_what_libwebp_gives(channels, options):
    data = imagecodecs.webp_encode(smooth(30, 41, channels), **options)
    same(native(data), imagecodecs.webp_decode(data))


def test_gif_is_what_giflib_gives():
    image = Image.fromarray(smooth(30, 41)).quantize(60)
    plain = encoded(image, "GIF")
    same(native(plain), imagecodecs.gif_decode(plain))
    clear = encoded(image, "GIF", transparency=7)
    hidden = np.asarray(image) == 7
    same(native(clear)[..., 3].copy(), np.where(hidden, 0, 255).astype("u1"))
    same(native(clear)[~hidden], imagecodecs.gif_decode(clear)[~hidden])


@pytest.mark.parametrize("channels", [3, 4])
def test_qoi_is_what_its_own_decoder_gives(channels):
    for array in (smooth(30, 41, channels), smooth(30, 41, channels) // 64 * 64):
        data = imagecodecs.qoi_encode(array)
        same(native(data), imagecodecs.qoi_decode(data))


@pytest.mark.parametrize("first", [0xC0, 0xC1, 0xFD])
def test_qoi_remembers_the_pixel_that_it_begins_with(first):
    runs = (first & 0x3F) + 1
    data = b"qoif" + struct.pack(">2I2B", runs + 3, 1, 4, 0) + bytes([first, 0xFE, 9, 8, 7, 0x35, 0xC0])
    same(native(data + b"\0\0\0\0\0\0\0\1"), imagecodecs.qoi_decode(data + b"\0\0\0\0\0\0\0\1"))


# JPEG.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("subsampling", ["444", "422", "420", "411"])
def test_jpeg_is_what_libjpeg_gives(channels, subsampling):
    data = imagecodecs.jpeg8_encode(smooth(33, 47, channels), level=90, subsampling=subsampling)
    same(native(data), imagecodecs.jpeg8_decode(data))


def test_ink_is_255_in_cmyk_whatever_the_file_stores():
    ink = smooth(33, 47, 4)
    data = encoded(Image.fromarray(ink, "CMYK"), "JPEG", quality=95)  # Adobe's files store it inverted
    image = decoded(data)
    same(image.array, np.uint8(255) - imagecodecs.jpeg8_decode(data, outcolorspace="CMYK"))
    assert image.colours == "CMYK"
    planes = [(255 - ink[..., channel]).tobytes() for channel in range(4)]
    same(native(psd(4, 8, planes, 47, 33)), ink)


@pytest.mark.parametrize("bits", [12, 16])
def test_jpegs_of_more_than_8_bits_are_refused(bits):
    array = values("u2", (32, 40)) >> (16 - bits)
    with pytest.raises(DecodeError, match=r"12-bit|16-bit|lossless"):
        native(imagecodecs.ljpeg_encode(array, bitspersample=bits))


# DDS.


BLOCKS = {
    "BC1": ({"code": b"DXT1"}, 1, 4, 1),
    "BC2": ({"code": b"DXT3"}, 2, 4, 1),
    "BC3": ({"code": b"DXT5"}, 3, 4, 1),
    "BC4": ({"code": b"ATI1"}, 4, 1, 0),
    "BC5": ({"code": b"ATI2"}, 5, 2, 0),
    "BC7": ({"code": b"DX10", "form": 98}, 7, 4, 0),
}


@pytest.mark.parametrize(("about", "number", "channels", "rounding"), BLOCKS.values(), ids=BLOCKS)
def test_packed_dds_is_what_bcdec_gives_but_for_rounding(about, number, channels, rounding):
    body = values("u1", 64 * (8 if number in {1, 4} else 16)).tobytes()
    shape = (32, 32) if channels == 1 else (32, 32, channels)
    expected = imagecodecs.bcn_decode(body, number, shape=shape)
    array = native(dds(32, 32, body, flags=4, **about))
    if number == 5:
        assert not array[..., 2].any()  # Pillow's third channel
        array = array[..., :2]
    assert array.shape == expected.shape
    assert np.abs(array.astype(int) - expected).max() <= rounding


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        (32, (0xFF0000, 0xFF00, 0xFF, 0)),
        (24, (0xFF0000, 0xFF00, 0xFF, 0)),
        (16, (0xF800, 0x7E0, 0x1F, 0)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (8, (0xE0, 0x1C, 0x3, 0)),
    ],
)
def test_dds_of_bit_fields(bits, masks):
    stored = np.random.default_rng(0).integers(0, 1 << bits, (5, 7), "u8")
    body = b"".join(int(pixel).to_bytes(bits // 8, "little") for pixel in stored.flat)
    data = dds(7, 5, body, flags=0x41 if masks[3] else 0x40, bits=bits, masks=masks)
    parts = []
    for mask in masks[: 4 if masks[3] else 3]:
        low = (mask & -mask).bit_length() - 1
        parts.append(
            ((stored & np.uint64(mask)) >> np.uint64(low)) * np.uint64(255) // np.uint64(mask >> low)
        )
    same(native(data), np.stack(parts, axis=2).astype("u1"))


@pytest.mark.parametrize("mode", ["native", "rgb"])
@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"bits": 32, "masks": (0x3FF, 0xFFC00, 0x3FF00000, 0)}, "10-bit colours"),
        ({"flags": 4, "code": b"DX10", "form": 95}, "BC6H, half floats"),
        ({"flags": 4, "code": b"DX10", "form": 96}, "BC6H, half floats"),
        ({"flags": 4, "code": b"DX10", "form": 84}, "signed BC5"),
        ({"flags": 4, "code": b"BC5S"}, "signed BC5"),
    ],
)
def test_dds_that_pillow_would_cut_is_refused(about, says, mode):
    with pytest.raises(DecodeError, match=says):
        native(dds(4, 4, bytes(64), **about), mode=mode)


# PSD.


PSDS = {
    "grey": (1, 1, None),
    "duotone": (8, 1, None),
    "rgb": (3, 3, None),
    "rgba": (3, 4, None),
    "lab": (9, 3, "ICCLAB"),
}


@pytest.mark.parametrize(("code", "count", "colours"), PSDS.values(), ids=PSDS)
def test_psd_of_8_bits_is_as_stored(code, count, colours):
    array = values("u1", (5, 7, count))
    data = psd(code, 8, [array[..., channel].tobytes() for channel in range(count)], 7, 5)
    image = decoded(data)
    same(image.array, array if count > 1 else array[..., 0].copy())
    assert image.colours == colours


def test_black_is_0_in_psd_bitmaps_and_palettes_become_rgb():
    bits = np.random.default_rng(0).integers(0, 2, (5, 16), "u1")
    same(native(psd(0, 1, [np.packbits(bits, axis=1).tobytes()], 16, 5)), (1 - bits) * np.uint8(255))
    colours, indices = values("u1", (256, 3)), values("u1", (5, 7))
    same(native(psd(2, 8, [indices.tobytes()], 7, 5, colours.T.tobytes())), colours[indices])


@pytest.mark.parametrize("depth", [16, 32])
@pytest.mark.parametrize("code", [1, 3, 4, 9])
def test_deeper_psd_is_refused(code, depth):
    count = {1: 1, 3: 3, 4: 4, 9: 3}[code]
    data = psd(code, depth, [bytes(35 * depth // 8)] * count, 7, 5)
    for mode in ("native", "rgb"):
        with pytest.raises(DecodeError, match=f"PSD of {count} x {depth}-bit"):
            native(data, mode=mode)


@pytest.mark.parametrize(("code", "count", "given"), [(1, 2, 1), (3, 5, 4), (4, 5, 4), (9, 4, 3)])
def test_channels_that_pillow_drops_from_a_psd_are_not_lost_silently(code, count, given):
    data = psd(code, 8, [bytes([10 * channel] * 35) for channel in range(count)], 7, 5)
    for mode in ("native", "rgba"):
        with pytest.raises(DecodeError, match=f"PSD of {count} channels: Pillow would give {given}"):
            native(data, mode=mode)
    if code == 3:
        assert native(data, mode="rgb")[0, 0].tolist() == [0, 10, 20]


def test_multichannel_psd_is_refused():
    with pytest.raises(DecodeError, match="2 x 8-bit multichannel"):
        native(psd(7, 8, [bytes(35)] * 2, 7, 5))


# PCX and SGI.


@pytest.mark.parametrize("stride", [13, 14])
def test_pcx_of_8_bits(stride):
    indices = np.random.default_rng(0).integers(0, 0xC0, (5, 13), "u1")
    colours = values("u1", (256, 3))
    body = b"".join(row.tobytes().ljust(stride, b"\0") for row in indices)
    same(native(pcx(8, 1, 13, 5, stride, body, tail=b"\x0c" + colours.tobytes())), colours[indices])
    array = np.random.default_rng(0).integers(0, 0xC0, (5, 13, 3), "u1")
    body = b"".join(row[:, channel].tobytes().ljust(stride, b"\0") for row in array for channel in range(3))
    same(native(pcx(8, 3, 13, 5, stride, body)), array)


def test_pcx_of_bit_planes():
    colours = values("u1", (16, 3))
    indices = np.random.default_rng(0).integers(0, 16, (5, 16), "u1")
    rows = [np.packbits(row >> plane & 1).tobytes() for row in indices for plane in range(4)]
    body = b"".join(bytes([0xC1, byte]) for row in rows for byte in row)
    same(native(pcx(1, 4, 16, 5, 2, body, colours=colours.tobytes())), colours[indices])


def test_pcx_with_longer_rows_than_pillow_counts_is_refused():
    with pytest.raises(DecodeError, match="rows take 16 bytes instead of 14"):
        native(pcx(8, 1, 13, 1, 16, bytes(16)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sgi_of_8_bits(channels):
    array = smooth(9, 14, channels)
    same(native(encoded(array, "SGI")), array)


@pytest.mark.parametrize("use", [1, 2, 3])
def test_sgi_whose_samples_are_no_colours_is_refused(use):
    data = bytearray(encoded(smooth(9, 14, 1), "SGI"))
    data[107] = use
    with pytest.raises(DecodeError, match="SGI image of"):
        native(bytes(data))


# Orientation, where the container has ways of its own to say it.


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_and_mirrors_of_an_avif_are_recorded_and_not_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(smooth(16, 24), "AVIF", exif=exif)  # written as the properties irot and imir
    plain = encoded(smooth(16, 24), "AVIF")
    assert decoded(data).orientation == orientation
    same(native(data), native(plain))
    turned = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    same(native(data, orient=True), turned)


@pytest.mark.parametrize("code", [1, 3, 4], ids=["byte", "short", "long"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_any_whole_type_is_read(code, order):
    entry = struct.pack(order + "2HL", 0x0112, code, 1)
    entry += struct.pack(order + {1: "B", 3: "H", 4: "L"}[code], 6).ljust(4, b"\0")
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    exif = b"Exif\0\0" + mark + struct.pack(order + "LH", 8, 1) + entry + bytes(4)
    for kind in ("JPEG", "PNG", "WEBP"):
        assert decoded(encoded(smooth(16, 24), kind, exif=exif)).orientation == 6


def test_exif_in_a_psd_is_read():
    exif = Image.Exif()
    exif[0x0112] = 8
    block = exif.tobytes()[6:]
    block += b"\0" * (len(block) % 2)
    resource = b"8BIM" + struct.pack(">HHL", 1058, 0, len(block)) + block
    plain = psd(1, 8, [bytes(range(35))], 7, 5)
    data = plain[:30] + struct.pack(">I", len(resource)) + resource + plain[34:]
    assert decoded(data).orientation == 8
    same(native(data), native(plain))
    same(native(data, orient=True), np.rot90(native(plain)).copy())
