"""What a decoder's exceptions mean, in words for people."""

import re
import struct
from typing import Final

from ...errors import DecodeError

__all__ = ["decode_error"]

_MEANT: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"truncated|not enough image data|no data|unexpected end|end of file", "it is cut off: {}"),
        (
            r"broken data stream|buffer overrun|decoder error -?\d+|failed to read next frame",
            "its compressed pixels are broken",
        ),
        (r"could not create decoder object", "its chunks make no sense or are cut off"),
        (
            r"not an? \S+( \S+)? file$|not identified by this driver|no marker found",
            "its header makes no sense",
        ),
        (r"codec configuration error|cannot load this image", "its header asks for what no decoder does"),
        (r"no more images in", "the frame is missing"),
        (
            r"out of range|unpack_from requires|unpack requires|negative|attempt to seek",
            "its header is cut off or makes no sense",
        ),
    )
)
_UNREAD: Final = re.compile(
    r"unsupported|not supported|unknown|unimplemented|not implemented|cannot handle", re.IGNORECASE
)
_READABLE: Final = (OSError, SyntaxError, ValueError, EOFError, RuntimeError)
_OF_NUMBERS: Final = (ArithmeticError, struct.error)
_LONGEST: Final = 300


def decode_error(error: Exception, kind: str) -> DecodeError:
    """Return one line for whatever a decoder raises; a DecodeError is returned as it is.

    Pillow raises at least nine classes. Those whose text was made for programmers (`KeyError: 7`) say only
    that what the image says of itself makes no sense.

    Args:
        error: the exception.
        kind: the image's format.
    """
    if isinstance(error, DecodeError):
        return error
    if isinstance(error, MemoryError):
        return DecodeError(f"{kind} that does not fit into the memory that there is")
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))[:_LONGEST]
    if isinstance(error, NotImplementedError) or (isinstance(error, _READABLE) and _UNREAD.search(text)):
        return DecodeError(f"{kind} that is not read: {text or 'Pillow does not say why'}")
    return DecodeError(f"damaged {kind}: {_meaning(error, text)}")


def _meaning(error: Exception, text: str) -> str:
    for pattern, meaning in _MEANT:
        if pattern.search(text):
            return meaning.format(text)
    if isinstance(error, _OF_NUMBERS):
        return "its header holds numbers that make no sense"
    if isinstance(error, RecursionError):
        return "its parts are nested without end"
    readable = isinstance(error, _READABLE) and not isinstance(error, UnicodeError) and " " in text
    return text if readable else "what it says of itself makes no sense"
