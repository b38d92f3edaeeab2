"""What a convert reports while it runs and when it is done."""

from dataclasses import dataclass
from pathlib import Path

from ..summary import RunSummary

__all__ = ["ConvertProgress", "ConvertResult", "Settled"]


@dataclass(frozen=True, slots=True)
class ConvertProgress:
    """How far a convert is.

    Attributes:
        members: members handled in this run.
        failures: how many of them failed.
        source_bytes: encoded bytes of the handled members; of an export the bytes of their arrays.
        total_bytes: bytes of all sources, or of a dataset's arrays; None while they are being counted.
        images: arrays written in this run.
        skipped: members handled in this run that are no images.
        entries: that the listing of the sources has passed, done already or not.
        seconds: since the run began.
        seconds_left: an estimate; None while nothing tells.
        verified: samples that `repair` has verified.
        to_verify: samples that it verifies first; 0 once it has.
    """

    members: int
    failures: int
    source_bytes: int
    total_bytes: int | None
    images: int = 0
    skipped: int = 0
    entries: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    verified: int = 0
    to_verify: int = 0

    @property
    def fraction(self) -> float | None:
        """The part of the time that has gone by, 0 to 1; None while nothing tells."""
        if self.to_verify:
            return self.verified / self.to_verify
        if self.seconds_left is None:
            return None
        return self.seconds / ((self.seconds + self.seconds_left) or 1.0)


@dataclass(frozen=True, slots=True)
class ConvertResult:
    """What a convert did.

    It adds up: `samples` are `converted`, `unchanged`, `gone` and `others` together, and `samples` before the
    run and `converted` are `samples` now, `replaced` and `pruned` together.

    Attributes:
        path: the dataset's folder.
        samples: arrays the dataset holds now.
        converted: those that this run wrote.
        unchanged: those of earlier runs whose members the listing found as they were.
        failures: failures the dataset records now.
        skipped: entries recorded as not being images.
        archives: those of the skipped entries that are archives, which `nested` reads.
        gone: samples whose members their source no longer holds; they are kept.
        pruned: samples that `prune` dropped because their members are gone.
        shards: shard files of the dataset.
        summary: what this run used.
        others: samples of sources that the run did not name, or of entries beyond `limit`.
        replaced: samples of earlier runs in whose place this run put others, or failures.
        failed: those of the failures that this run met; the others are of earlier runs.
    """

    path: Path
    samples: int
    converted: int
    unchanged: int
    failures: int
    skipped: int
    archives: int
    gone: int
    pruned: int
    shards: int
    summary: RunSummary
    others: int = 0
    replaced: int = 0
    failed: int = 0

    @property
    def exit_code(self) -> int:
        """0, or 3 while the dataset records failures."""
        return 3 if self.failures else 0


@dataclass(frozen=True, slots=True)
class Settled:
    """Samples of earlier runs that a listing did not meet.

    Attributes:
        gone: those that their source no longer holds, and that are kept.
        others: those of sources that were not listed, or not to their end.
        pruned: those that were dropped.
    """

    gone: int = 0
    others: int = 0
    pruned: int = 0
