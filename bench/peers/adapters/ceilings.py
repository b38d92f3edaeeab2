"""What the machine can do: decoding alone, writing alone, copying alone. Nothing here is a format."""

import os
from pathlib import Path

import numpy as np
import simplejpeg
from common import Workers, decode, decode_into, pieces

TITLE = "{}"
PACKAGE = "numpy"
START = "fork"
VARIANT = "decode"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    Path(out).mkdir()
    work = {
        "decode alone": _decode,
        "decode alone, one buffer": _decode_into,
        "raw write": _write,
        "memcpy": _copy,
    }[VARIANT]
    workers.map(work, ((files, Path(out, str(first))) for first, files in pieces(paths)))


def _decode(files: list[str], _: Path) -> None:
    for file in files:
        decode(file)


def _decode_into(files: list[str], _: Path) -> None:
    buffer = _warm(files)
    for file in files:
        decode_into(file, buffer)


def _write(files: list[str], target: Path) -> None:
    data = _warm(files)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT)
    for _ in files:
        written = 0
        while written < data.nbytes:
            written += os.write(descriptor, memoryview(data).cast("B")[written:])
    os.close(descriptor)


def _copy(files: list[str], _: Path) -> None:
    source = _warm(files)
    target = _warms.setdefault(("copy", source.shape), np.zeros_like(source))
    for _ in files:
        np.copyto(target, source)


_warms: dict[object, np.ndarray] = {}


def _warm(files: list[str]) -> np.ndarray:
    """A buffer as large as one image, whose pages are there."""
    height, width, _, _ = simplejpeg.decode_jpeg_header(Path(files[0]).read_bytes())
    shape = (height, width, 3)
    if shape not in _warms:
        _warms[shape] = np.full(shape, 7, np.uint8)
    return _warms[shape]
