"""Turn a dataset's arrays back into image files."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from ...errors import DatasetError, MemberError, UsageError
from ..choices import IMAGE_FORMATS, Backend, ImageFormat
from ..layout import refusal, single_path
from ..paths import PathLike, absolute
from ..protocols.base import Array
from .dataset import Dataset
from .open_shard import Stored
from .out_folder import make_out_folder
from .stretches import BadSample, Outcome, Stretch, read_dataset, reason_of

__all__ = ["RestoreResult", "restore"]

_SUFFIXES = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "source": ("",),  # with which every name ends
}
# Channels and dtype that a format holds without loss of depth or channels.
_MODES = {
    (1, "uint8"): "L",
    (3, "uint8"): "RGB",
    (4, "uint8"): "RGBA",
    (2, "uint8"): "LA",
    (1, "uint16"): "I;16",
    (1, "int32"): "I",
    (1, "float32"): "F",
}
_TAKES = {
    "png": {"L", "LA", "RGB", "RGBA", "I;16"},
    "jpeg": {"L", "RGB", "CMYK"},
    "webp": {"RGB", "RGBA"},
    "tiff": {"L", "LA", "RGB", "RGBA", "RGBX", "I;16", "I", "F", "CMYK", "LAB"},
}
_NAMED = {"CMYK": 4, "LAB": 3, "HSV": 3, "RGBX": 4}  # channels of uint8
_LONGEST_SIDE = {"webp": 16_383, "jpeg": 65_500}  # pixels; WEBP_MAX_DIMENSION, JPEG_MAX_DIMENSION of libjpeg
_CLASSIC_TIFF_BYTES = 0xF000_0000  # TIFF's offsets have 32 bits; beyond, BigTIFF is written


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore did.

    Attributes:
        path: the folder of the image files.
        images: how many were written.
        failures: samples that could not be written.
    """

    path: Path
    images: int
    failures: tuple[BadSample, ...]

    @property
    def exit_code(self) -> int:
        """0, or 3 where samples could not be restored."""
        return 3 if self.failures else 0


def restore(
    path: PathLike,
    out: PathLike,
    *,
    format: ImageFormat = "png",  # noqa: A002 - the option's name
    quality: int | None = None,
    workers: int | None = None,
    backend: Backend = "loky",
    progress: Callable[[int, int], None] | None = None,
) -> RestoreResult:
    """Write every sample of a dataset as an image file.

    Files are named by key: `a/b.jpg` becomes `a/b.jpg` with `format="jpeg"`, and `a/b.jpg.png` with "png".
    With "source" they are the images that the dataset was made from, byte for byte, one for all frames.

    Args:
        path: the dataset's folder.
        out: a new or empty folder outside the dataset.
        format: "png" or "tiff" (both lossless), "jpeg" or "webp"; "source" if the protocol is "encoded".
        quality: 1 to 100, for jpeg (default 95) and webp (default 90).
        workers: how many processes or threads write at most; by default one for every usable CPU.
        backend: "loky" for processes, or threads where no process can start; "threading" for threads.
        progress: called with the number of samples handled and the number of all samples.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        UsageError: the format is unknown, or "source" and the dataset keeps no images; the quality is out of
            range, or `out` is not empty or lies inside the dataset.
        StorageError: `out` cannot be written.

    Example:
        result = brinery.restore("photos.brine", "restored", format="png")
        print(result.images, "files in", result.path)
    """
    if format not in IMAGE_FORMATS:
        raise UsageError(f"format is one of {', '.join(IMAGE_FORMATS)}, not {format!r}")
    if quality is not None and not (1 <= quality <= 100 and format in ("jpeg", "webp")):
        raise UsageError("quality is 1 to 100, for jpeg and webp")
    folder = absolute(path)
    with Dataset(folder) as dataset:  # before anything is made, see that there is one
        if format == "source" and not dataset.keeps_images:
            raise UsageError(
                f"{path} holds arrays ({dataset.protocol}): format source is for encoded datasets"
            )
    target = make_out_folder(out, path)
    task = partial(restore_stretch, folder, target, format, quality)
    found = read_dataset(task, folder, workers=workers, backend=backend, progress=progress)
    failures = tuple(sorted(found.bad, key=lambda bad: bad.key))
    return RestoreResult(target, found.samples - sum(1 for bad in failures if bad.key), failures)


def restore_stretch(
    path: Path, out: Path, image_format: ImageFormat, quality: int | None, stretch: Stretch
) -> Outcome:
    """Restore the samples of a stretch."""
    samples = nbytes = 0
    bad: list[BadSample] = []
    fatal = None
    with Dataset(path, verify=True) as dataset:
        for stored in stretch.samples(dataset):
            if isinstance(stored, BadSample):
                bad.append(stored)
                continue
            if image_format == "source" and stored.image is None:
                continue  # a later frame
            samples += 1
            try:
                file = out / restored_path(stored.key, image_format)
                data, size = _file_of(stored, image_format, quality)
            except (DatasetError, MemberError) as error:
                bad.append(BadSample(stored.key, reason_of(error, stored.key), stored.file))
                continue
            nbytes += size
            try:
                _write(file, data, again=stretch.again)
            except FileExistsError:
                reason = "another sample's file has the same name"
                bad.append(BadSample(stored.key, reason, stored.file))
            except OSError as error:
                refused = refusal(error)
                if not isinstance(refused, MemberError):
                    fatal = f"cannot write into {out}: {error.strerror or error}"
                    break
                bad.append(BadSample(stored.key, str(refused), stored.file))
    return Outcome(samples, nbytes, tuple(bad), fatal)


def _file_of(stored: Stored, image_format: ImageFormat, quality: int | None) -> tuple[memoryview, int]:
    """Return the bytes of a sample's file, and how many were read for it."""
    if stored.image is not None and image_format == "source":
        image = stored.image()
        return memoryview(image), len(image)
    array = stored.array()
    return encode(array, image_format, quality, stored.colours), array.nbytes


def _write(file: Path, data: memoryview, *, again: bool) -> None:
    """Write a new file, whole or not at all; again, over what was begun of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if again and file.is_file() and data.tobytes().startswith(file.read_bytes()):
        file.unlink()
    with file.open("xb") as stream:
        try:
            stream.write(data)
            stream.flush()
        except BaseException:
            file.unlink()
            raise


def restored_path(key: str, image_format: ImageFormat) -> PurePosixPath:
    """Return the relative path of a key's image file.

    Raises:
        MemberError: the key cannot be a path inside a folder.
    """
    suffixes = _SUFFIXES[image_format]
    return single_path(key, "" if key.lower().endswith(suffixes) else suffixes[0])


def to_image(array: Array, image_format: ImageFormat, colours: str | None = None) -> Image.Image:
    """Return a Pillow image of an array of shape (H, W) or (H, W, C).

    Args:
        array: the pixels.
        image_format: what they will be saved as.
        colours: what the channels are, where their number does not say it: "CMYK", "LAB", "RGBX" ...

    Raises:
        MemberError: the format does not hold such an array faithfully.
    """
    channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    mode = _MODES.get((channels, array.dtype.name))
    if colours is not None:
        mode = colours if (_NAMED.get(colours), "uint8") == (channels, array.dtype.name) else None
    if mode is None or mode not in _TAKES[image_format]:
        what = f"{array.dtype} array of shape {array.shape}"
        raise MemberError(
            f"{image_format} holds no {what if colours is None else f'{colours} image'} without loss"
        )
    if not array.size:
        raise MemberError("an image without pixels cannot be a file")
    height, width = array.shape[:2]
    return Image.frombytes(mode, (width, height), array.astype(array.dtype.newbyteorder("<"), copy=False))


def encode(
    array: Array, image_format: ImageFormat, quality: int | None = None, colours: str | None = None
) -> memoryview:
    """Return the bytes of an image file.

    Args:
        array: the pixels, (H, W) or (H, W, C).
        image_format: what kind of file.
        quality: of jpeg and webp, 1 to 100.
        colours: as `to_image` takes it.

    Raises:
        MemberError: the format does not hold such an image.
    """
    image = to_image(array, image_format, colours)
    longest = _LONGEST_SIDE.get(image_format)
    if longest is not None and max(image.size) > longest:
        raise MemberError(
            f"{image_format} holds at most {longest:,} pixels a side, the image has"
            f" {image.width:,} x {image.height:,}: png and tiff hold it"
        )
    stream = io.BytesIO()  # in memory, so that what an encoder refuses is told apart from what a disk does
    try:
        image.save(stream, image_format.upper(), **_save_options(image_format, quality, array.nbytes))
    except Exception as error:  # encoders raise OSError, ValueError, struct.error ...
        raise MemberError(f"{image_format} does not hold it: {type(error).__name__}: {error}") from error
    return stream.getbuffer()


def _save_options(image_format: ImageFormat, quality: int | None, pixel_bytes: int) -> dict[str, Any]:
    if image_format == "jpeg":
        return {"quality": quality or 95}
    if image_format == "webp":
        return {"quality": quality or 90}
    if image_format == "tiff":
        return {"big_tiff": pixel_bytes > _CLASSIC_TIFF_BYTES}
    return {}
