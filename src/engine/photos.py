"""A corpus of images that compress like photographs, the same ones for the same seed."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ..errors import StorageError

__all__ = ["photo", "photo_name", "write_photos"]


def photo(index: int, width: int = 320, height: int = 240, seed: int = 0) -> NDArray[np.uint8]:
    """Return one photo-like image: noise with the spectrum of natural images.

    Luma has an amplitude of about 1/f^1.5, chroma, which is smoother in photographs, 1/f^2. How rough,
    how bright, how colourful and how contrasty an image is varies from one to the next.

    Args:
        index: which image of the corpus; images do not depend on each other.
        width: in pixels.
        height: in pixels.
        seed: which corpus.

    Returns:
        uint8 array (height, width, 3), RGB.
    """
    random = np.random.default_rng([seed, index])
    rough = random.normal(0.0, 0.08)
    brightness = random.uniform(95.0, 160.0)
    contrast = random.uniform(38.0, 62.0)
    colour = random.uniform(8.0, 24.0)
    luma = _field(random, width, height, 1.5 + rough) * np.float32(contrast) + np.float32(brightness)
    blue = _field(random, width, height, 2.0) * np.float32(colour)
    red = _field(random, width, height, 2.0) * np.float32(colour)
    # ITU-R BT.601, full range, as in JPEG files.
    pixels = np.empty((height, width, 3), np.float32)
    pixels[..., 0] = luma + np.float32(1.402) * red
    pixels[..., 1] = luma - np.float32(0.344136) * blue - np.float32(0.714136) * red
    pixels[..., 2] = luma + np.float32(1.772) * blue
    np.rint(pixels, out=pixels)
    np.clip(pixels, 0, 255, out=pixels)
    return pixels.astype(np.uint8)


def photo_name(index: int) -> str:
    """Return the file name of an image: `000000.jpg`."""
    return f"{index:06}.jpg"


def write_photos(
    folder: str | os.PathLike[str],
    indices: range,
    width: int = 320,
    height: int = 240,
    seed: int = 0,
    quality: int = 90,
) -> int:
    """Write some images of the corpus as JPEG files (4:2:0) into a folder that exists.

    Args:
        folder: where to.
        indices: which images; a task for one worker.
        width: in pixels.
        height: in pixels.
        seed: which corpus.
        quality: of the JPEG files, 1 to 100.

    Returns:
        Bytes written.

    Raises:
        StorageError: the folder cannot be written.
    """
    total = 0
    for index in indices:
        pixels = photo(index, width, height, seed)
        data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="420")
        try:
            (Path(folder) / photo_name(index)).write_bytes(data)
        except OSError as error:
            raise StorageError(f"cannot write into {os.fspath(folder)}: {error.strerror or error}") from error
        total += len(data)
    return total


def _field(random: np.random.Generator, width: int, height: int, power: float) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1 whose amplitudes fall with the frequency to a power."""
    noise = random.standard_normal((height, width), np.float32)
    spectrum = np.fft.rfft2(noise)
    spectrum *= _chroma_filter(width, height) if power == 2.0 else _filter(width, height, power)
    field: NDArray[np.float32] = np.fft.irfft2(spectrum, s=(height, width)).astype(np.float32, copy=False)
    field -= field.mean()
    deviation = field.std()
    if deviation:
        field /= deviation
    return field


@lru_cache(maxsize=8)
def _log_frequencies(width: int, height: int) -> NDArray[np.float32]:
    """Return the logarithm of each coefficient's distance from the mean, in cycles per image height."""
    down = np.fft.fftfreq(height)[:, None] * height
    across = np.fft.rfftfreq(width)[None, :] * height
    distance = np.hypot(down, across)
    distance[0, 0] = np.inf  # the mean is set apart
    logarithm: NDArray[np.float32] = np.log(distance).astype(np.float32)
    return logarithm


def _filter(width: int, height: int, power: float) -> NDArray[np.float32]:
    out: NDArray[np.float32] = np.exp(np.float32(-power) * _log_frequencies(width, height))
    return out


@lru_cache(maxsize=8)
def _chroma_filter(width: int, height: int) -> NDArray[np.float32]:
    return _filter(width, height, 2.0)
