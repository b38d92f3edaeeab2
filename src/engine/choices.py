"""Names that options take, for the command line to know without loading what they choose."""

from typing import Literal, TypeAlias, get_args

__all__ = ["BACKEND_NAMES", "IMAGE_FORMATS", "LAYOUTS", "STAGES", "Backend", "ImageFormat", "Layout", "Stage"]

Backend: TypeAlias = Literal["loky", "threading"]
Layout: TypeAlias = Literal["shards", "mirror"]
ImageFormat: TypeAlias = Literal["png", "jpeg", "webp", "tiff", "source"]
Stage: TypeAlias = Literal["list", "read", "decode", "dump", "write"]

BACKEND_NAMES: tuple[str, ...] = get_args(Backend)
LAYOUTS: tuple[str, ...] = get_args(Layout)
IMAGE_FORMATS: tuple[str, ...] = get_args(ImageFormat)
STAGES: tuple[str, ...] = get_args(Stage)
