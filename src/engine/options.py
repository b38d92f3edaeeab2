"""The options of a convert, checked."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias, get_args

from ..errors import UsageError
from ..parser.options import FRAMES, MODES, DecodeOptions, Frames, Mode
from .cpus import default_workers
from .pool import Backend
from .records import Layout
from .sizes import parse_size

__all__ = ["LAYOUTS", "ConvertOptions", "FailureLimit", "PathLike", "make_options"]

PathLike: TypeAlias = str | os.PathLike[str]
LAYOUTS: tuple[str, ...] = get_args(Layout)


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many failures a run bears: a number, or a percentage of the members handled."""

    value: float
    percent: bool

    def __str__(self) -> str:
        return f"{self.value:g}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What `brinery.convert` takes beside source and destination.

    Attributes:
        protocol: name of the protocol, with its compression: `npy`, `hickle`, `hdf5+gzip:4`.
        workers: worker processes or threads; None is one for every usable CPU.
        backend: "loky" for processes, "threading" for threads.
        shard_size: bytes of pixels after which a shard ends, as int or "32MiB".
        layout: "shards", or "mirror" for one file an image.
        mode: "native", "rgb", "gray" or "rgba".
        orient: turn images as their EXIF orientation says.
        frames: "first", or "all" for a sample each.
        max_failures: stop when more members fail: a number, or a share such as "5%".
        salvage: keep what can be decoded of truncated images, flagged.
        retry_failed: try recorded failures again.
        prune: drop samples whose members the archive no longer holds.
        limit: look at this many entries of the listing only.
        overwrite: delete the dataset that is there and start afresh.
        fsync: flush every shard and the manifest to storage before a unit counts as done.
    """

    protocol: str = "npy"
    workers: int | None = None
    backend: Backend = "loky"
    shard_size: int | str = "32MiB"
    layout: Layout = "shards"
    mode: Mode = "native"
    orient: bool = False
    frames: Frames = "first"
    max_failures: int | str | None = None
    salvage: bool = False
    retry_failed: bool = False
    prune: bool = False
    limit: int | None = None
    overwrite: bool = False
    fsync: bool = True

    @property
    def worker_count(self) -> int:
        """Workers, by default one for every usable CPU."""
        return default_workers() if self.workers is None else self.workers

    @property
    def shard_bytes(self) -> int:
        """The shard size in bytes."""
        return parse_size(self.shard_size)

    @property
    def failure_limit(self) -> FailureLimit | None:
        """The limit of failures, None for no limit."""
        if self.max_failures is None:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(self.max_failures))
        if match is None or (not match[2] and "." in match[1]):
            raise UsageError(
                f"max-failures is a number or a percentage such as 5%, not {self.max_failures!r}"
            )
        return FailureLimit(float(match[1]), bool(match[2]))

    def decode_options(self) -> DecodeOptions:
        """Return what of this concerns the decoder."""
        return DecodeOptions(mode=self.mode, orient=self.orient, frames=self.frames, salvage=self.salvage)

    def identity(self) -> dict[str, str]:
        """Return what a dataset keeps for life: two runs into one dataset must agree on it."""
        return {
            "protocol": self.protocol,
            "layout": self.layout,
            "mode": self.mode,
            "shard_size": str(self.shard_bytes),
            "frames": self.frames,
            "orient": "yes" if self.orient else "no",
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"workers": self.worker_count, "shard_size": self.shard_bytes}


def make_options(values: Mapping[str, Any]) -> ConvertOptions:
    """Return the options after checking names and values.

    Raises:
        UsageError: an unknown option, or a value that it does not take.
    """
    known = [field.name for field in fields(ConvertOptions)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}: known are {', '.join(known)}")
    options = ConvertOptions(**values)
    for name, choices in (("mode", MODES), ("frames", FRAMES), ("layout", LAYOUTS)):
        value = getattr(options, name)
        if value not in choices:
            raise UsageError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"limit must be 1 or more, not {options.limit}")
    _ = options.shard_bytes, options.failure_limit
    return options
