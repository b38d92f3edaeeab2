"""How the images that a dataset keeps are decoded, by its settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from ...errors import DatasetError
from ...parser.options import FRAMES, MODES, DecodeOptions, Frames, Mode

__all__ = ["decoding_of"]

_MOST_DIGITS: Final = 18


def decoding_of(path: Path, settings: Mapping[str, str]) -> DecodeOptions:
    """Return how the images of a dataset are decoded.

    Args:
        path: the dataset's folder.
        settings: the table `dataset`.

    Raises:
        DatasetError: the settings make no sense.
    """
    default = DecodeOptions()
    mode, frames = settings["mode"], settings["frames"]
    orient, salvage = settings.get("orient", "no"), settings.get("salvage", "no")
    if mode not in MODES or frames not in FRAMES or not {orient, salvage} <= {"yes", "no"}:
        raise DatasetError(f"{path} does not say how its images are decoded")
    limits = []
    for name in ("max_pixels", "max_frames"):
        text = settings.get(name, str(getattr(default, name)))
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            raise DatasetError(f"{path}: {name} is {text!r:.50}, which is no number")
        limits.append(int(text))
    return DecodeOptions(
        mode=cast("Mode", mode),
        orient=orient == "yes",
        frames=cast("Frames", frames),
        salvage=salvage == "yes",
        max_pixels=limits[0],
        max_frames=limits[1],
    )
