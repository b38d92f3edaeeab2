"""A call of convert: its options, checked, and the values that follow from them."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...parser.archives.names import checked_encoding
from ...parser.options import FRAMES, MODES, DecodeOptions, ReadBudget
from ..choices import LAYOUTS
from ..machine.cpus import default_workers
from ..machine.memory import worker_memory
from ..options import ConvertOptions, ExportOptions
from ..paths import PathLike
from ..sizes import format_size, parse_size
from ..workers.pool import check_workers
from .outcome import ConvertProgress

__all__ = ["ConvertCall", "ExportCall", "FailureLimit"]

_LEAST_MEMORY = 256 << 20  # libraries, and a small image


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many failures a run tolerates: a number, or a percentage of the members handled."""

    value: float
    percent: bool

    def __str__(self) -> str:
        return f"{self.value:g}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConvertCall(ConvertOptions):
    """One call of `brinery.convert`, and the values that follow from its options.

    Attributes:
        src: one or several folders, tar files (plain, gz, bz2, xz, zst) or zip files; or datasets, whose
            arrays are not decoded again.
        dest: the dataset's folder: new, empty, or a dataset made with the same settings.
        progress: called about twice a second, and whenever units have been recorded.
        warn: called with messages for people. Without it, a BrineryWarning says so when threads work although
            processes were asked for.
    """

    src: PathLike | Sequence[PathLike]
    dest: PathLike
    progress: Callable[[ConvertProgress], None] | None = field(default=None, kw_only=True)
    warn: Callable[[str], None] | None = field(default=None, kw_only=True)

    @property
    def sources(self) -> list[Path]:
        """The archives to convert."""
        given = [self.src] if isinstance(self.src, str | os.PathLike) else self.src
        return [Path(source) for source in given]

    @property
    def worker_count(self) -> int:
        """Workers, by default one for every usable CPU."""
        return default_workers() if self.workers is None else self.workers

    @property
    def shard_bytes(self) -> int:
        """The shard size in bytes."""
        return parse_size(self.shard_size)

    @property
    def memory_bytes(self) -> int:
        """The bytes that a worker process may take."""
        return worker_memory(self.worker_count) if self.memory is None else parse_size(self.memory)

    @property
    def name_encoding(self) -> str | None:
        """The encoding of names, as Python calls it."""
        return None if self.encoding is None else checked_encoding(self.encoding)

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

    def validate(self) -> None:
        """Raise UsageError for a value that an option does not take."""
        for name, choices in (("mode", MODES), ("frames", FRAMES), ("layout", LAYOUTS)):
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(f"{name} is one of {', '.join(choices)}, not {value!r}")
        for name in ("limit", "max_pixels", "max_frames", "max_ratio", "max_members"):
            value = getattr(self, name)
            if value is not None and not value >= 1:
                raise UsageError(f"{name.replace('_', '-')} must be 1 or more, not {value}")
        if self.timeout is not None and not self.timeout > 0:
            raise UsageError(f"timeout is a number of seconds above 0, not {self.timeout}")
        if self.timeout is not None and self.backend == "threading":
            raise UsageError("a thread cannot be stopped: timeout needs the backend loky")
        if not self.check and self.frames == "all":
            raise UsageError("no-check does not decode, and so finds first frames only: give frames first")
        check_workers(self.worker_count, self.backend)
        if self.memory is not None and self.memory_bytes < _LEAST_MEMORY:
            raise UsageError(f"memory is {format_size(_LEAST_MEMORY)} or more, not {self.memory}")
        _ = self.shard_bytes, self.failure_limit, self.read_budget(), self.name_encoding

    def decode_options(self) -> DecodeOptions:
        """Return the options of the decoder."""
        return DecodeOptions(
            mode=self.mode,
            orient=self.orient,
            frames=self.frames,
            salvage=self.salvage,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
        )

    def read_budget(self) -> ReadBudget:
        """Return the limits of the reader of members."""
        return ReadBudget(max_bytes=parse_size(self.max_bytes), max_ratio=self.max_ratio)

    def identity(self) -> dict[str, str]:
        """Return what a dataset keeps for life: all runs into one dataset must agree on it."""
        return {
            "protocol": self.protocol,
            "layout": self.layout,
            "mode": self.mode,
            "shard_size": str(self.shard_bytes),
            "frames": self.frames,
            "orient": "yes" if self.orient else "no",
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values for JSON."""
        return {option.name: getattr(self, option.name) for option in fields(ConvertOptions)} | {
            "workers": self.worker_count,
            "shard_size": self.shard_bytes,
            "memory": self.memory_bytes if self.backend == "loky" else None,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExportCall(ExportOptions):
    """One call of `brinery.export`.

    Attributes:
        path: the folder of a dataset.
        dest: the folder of the other one: new, empty, or a dataset made with the same settings.
        progress: called about twice a second, and whenever units have been recorded.
        warn: called with messages for people, as for `brinery.convert`.
    """

    path: PathLike
    dest: PathLike
    progress: Callable[[ConvertProgress], None] | None = field(default=None, kw_only=True)
    warn: Callable[[str], None] | None = field(default=None, kw_only=True)
