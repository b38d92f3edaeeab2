"""What a convert reports while it runs and when it is done."""

from dataclasses import dataclass
from pathlib import Path

from ..summary import RunSummary

__all__ = ["ConvertProgress", "ConvertResult"]


@dataclass(frozen=True, slots=True)
class ConvertProgress:
    """How far a convert is.

    Attributes:
        members: members handled in this run.
        failures: how many of them failed.
        source_bytes: encoded bytes of the handled members.
        total_bytes: bytes of all sources; None while they are being counted.
    """

    members: int
    failures: int
    source_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class ConvertResult:
    """What a convert did.

    Attributes:
        path: the dataset's folder.
        samples: arrays the dataset holds now.
        converted: arrays written by this run.
        unchanged: members found done already.
        failures: failures the dataset records now.
        skipped: entries recorded as not being images.
        archives: those of the skipped entries that are archives, which `nested` reads.
        gone: samples whose members the archive no longer holds; they are kept.
        pruned: samples that `prune` dropped because their members are gone.
        shards: shard files of the dataset.
        summary: what this run used.
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

    @property
    def exit_code(self) -> int:
        """0, or 3 while the dataset records failures."""
        return 3 if self.failures else 0
