"""Headers of old formats, made by hand."""

import struct

FIELDS = {
    "BGRA": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "RGBA": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    "ABGR": (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    "ARGB": (0xFF00, 0xFF0000, 0xFF000000, 0xFF),
    "BGAR": (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
    "BGRX": (0xFF0000, 0xFF00, 0xFF, 0),
    "RGBX": (0xFF, 0xFF00, 0xFF0000, 0),
    "XBGR": (0xFF000000, 0xFF0000, 0xFF00, 0),
}


def bitmap(bits, width, height, rows, *, palette=(), packing=0, used=0, masks=(), header=40):
    """A BMP of these rows, which are bytes as they lie in the file; palette of (red, green, blue)."""
    fields = struct.pack(f"<{len(masks)}I", *masks)
    if header == 12:
        info = struct.pack("<I4H", 12, width, height, 1, bits)
        colours = b"".join(bytes(colour[::-1]) for colour in palette)
    else:
        info = struct.pack("<Iii2H6I", header, width, height, 1, bits, packing, len(rows), 0, 0, used, 0)
        info = (info + fields).ljust(header, b"\0")
        colours = b"".join(bytes(colour[::-1]) + b"\0" for colour in palette)
    start = 14 + len(info) + len(colours)
    return b"BM" + struct.pack("<I2HI", start + len(rows), 0, 0, start) + info + colours + rows


def padded(rows, unit=4):
    """Rows of bytes, each filled up to a multiple of `unit`."""
    return b"".join(row.ljust(-(-len(row) // unit) * unit, b"\0") for row in rows)


def icon(bits, width, height, rows, mask=b"", *, palette=(), says=None):
    """An icon of one bitmap; its directory may say another depth."""
    body = bitmap(bits, width, 2 * height, rows + mask, palette=palette, used=len(palette))[14:]
    entry = struct.pack("<4B2H2I", width, height, 0, 0, 1, bits if says is None else says, len(body), 22)
    return b"\0\0\1\0\1\0" + entry + body


def sun(depth, width, height, kind, data, palette=b""):
    head = struct.pack(">8I", 0x59A66A95, width, height, depth, len(data), kind, bool(palette), len(palette))
    return head + palette + data


def pcx(bits, planes, width, height, stride, data, *, version=5, colours=bytes(48), tail=b""):
    """A PCX; its bytes below 0xC0 stand for themselves."""
    head = bytes([10, version, 1, bits]) + struct.pack("<6H", 0, 0, width - 1, height - 1, 72, 72)
    head += colours + bytes([0, planes]) + struct.pack("<2H", stride, 1)
    return head.ljust(128, b"\0") + data + tail


def psd(mode, depth, planes, width, height, palette=b""):
    """A PSD of its merged image alone, not packed."""
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">H2I2H", len(planes), height, width, depth, mode)
    return head + struct.pack(">I", len(palette)) + palette + bytes(8) + b"\0\0" + b"".join(planes)


def dds(width, height, data, *, flags=0x40, code=b"\0\0\0\0", bits=0, masks=(0, 0, 0, 0), form=None):
    head = b"DDS " + struct.pack("<7I", 124, 0x1007, height, width, 0, 0, 0) + bytes(44)
    head += struct.pack("<2I4s5I", 32, flags, code, bits, *masks) + struct.pack("<5I", 0x1000, 0, 0, 0, 0)
    extra = b"" if form is None else struct.pack("<5I", form, 3, 0, 1, 0)
    return head + extra + data
