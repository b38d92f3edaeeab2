"""What failed in a dataset, one by one and by kind.

Failures of a kind have the same stage and error, and messages that differ in numbers and names alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..manifest.reader import Catalog
from ..paths import PathLike, absolute

__all__ = [
    "Failed",
    "FailureKind",
    "FailureList",
    "MadeFrom",
    "each_failure",
    "failure_kinds",
    "kind_of",
    "made_from",
    "read_failures",
    "source_of",
]

_FAILURE = ("ordinal", "key", "stage", "error", "message", "source_size", "source_mtime_ns", "run")
_SOURCE = ("path", "kind", "prefix", "encoding")
_QUOTED = re.compile(r"(?<!\w)('[^']*'|\"[^\"]*\")(?!\w)")
_NAMED = re.compile(r"\b(link to|name from) .+?(?=, which|: |$)")
_PATH = re.compile(r"(?<!\S)(\.{0,2}/\S+|\S+\.[A-Za-z][A-Za-z0-9]{1,4})(?=[\s,:;)]|$)")
_NUMBER = re.compile(r"(?<![A-Za-z0-9]-)(?<!JPEG )(?<![\w.])\d[\d,]*(\.\d+)?")
_FRAMES = re.compile(r"^frames? \d+( to \d+)?: ")


@dataclass(frozen=True, slots=True)
class Failed:
    """A row of the table `failures`.

    Attributes:
        ordinal: place of its member in the dataset's order; None if the listing found it.
        key: of the member, or of the first of its lost frames.
        stage: "list", "read", "decode", "dump" or "write".
        error: class of the error.
        message: what is wrong.
        source_size: bytes of the member then; 0 if the listing found it.
        source_mtime_ns: its time of change then, in ns since the epoch.
        run: number of the run that found it last.
    """

    ordinal: int | None
    key: str
    stage: str
    error: str
    message: str
    source_size: int
    source_mtime_ns: int
    run: int


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Failures of one kind.

    Attributes:
        stage: of all of them.
        error: of all of them.
        message: of a single one its own, else with N for numbers and NAME for names.
        members: how many there are.
        examples: key and message of the first ones.
    """

    stage: str
    error: str
    message: str
    members: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """A source that the dataset was made from: a row of the table `sources`."""

    path: str
    kind: str
    prefix: str
    encoding: str | None


@dataclass(frozen=True, slots=True)
class FailureList:
    """What failed in a dataset, and what was skipped.

    Attributes:
        failures: in the order of the dataset.
        skipped: key and reason of each entry that is no image.
        sources: what the dataset was made from.
    """

    failures: list[Failed]
    skipped: list[tuple[str, str]]
    sources: list[MadeFrom]


def each_failure(catalog: Catalog) -> Iterator[Failed]:
    """Yield all failures in the order of the dataset, those of the listing first.

    Raises:
        DatasetError: the manifest is damaged.
    """
    for batch in catalog.table("failures", _FAILURE, "ORDER BY ordinal, key"):
        yield from (Failed(*row) for row in batch)


def read_failures(path: PathLike, stages: Sequence[str] = (), text: str = "") -> FailureList:
    """Read which members of a dataset failed, and what was skipped.

    Args:
        path: the dataset's folder.
        stages: those of the wanted failures; all if there are none.
        text: part of the wanted errors or messages, whatever its case.

    Raises:
        DatasetError: it is no dataset, or its manifest is damaged.
    """
    wanted = text.casefold()
    catalog = Catalog(absolute(path))
    try:
        failures = [
            failed
            for failed in each_failure(catalog)
            if (not stages or failed.stage in stages)
            and wanted in f"{failed.error}: {failed.message}".casefold()
        ]
        skipped = [row for batch in catalog.table("skipped", ("key", "reason")) for row in batch]
        return FailureList(failures, skipped, made_from(catalog))
    finally:
        catalog.close()


def failure_kinds(failures: Iterable[Failed], examples: int = 1) -> list[FailureKind]:
    """Return failures by kind, the most frequent first.

    Args:
        failures: in order.
        examples: how many of each kind are named.
    """
    found: dict[tuple[str, str, str], tuple[list[int], list[tuple[str, str]]]] = {}
    for failed in failures:
        kind = (failed.stage, failed.error, kind_of(failed.message, failed.key))
        count, first = found.setdefault(kind, ([0], []))
        count[0] += 1
        if len(first) < examples:
            first.append((failed.key, failed.message))
    kinds = [
        FailureKind(stage, error, first[0][1] if count == 1 else general, count, tuple(first))
        for (stage, error, general), ([count], first) in found.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.members, kind.stage, kind.error, kind.message))


def kind_of(message: str, key: str) -> str:
    """Return a message with NAME for what names files, and N for numbers.

    Args:
        message: of a failure.
        key: of its member.
    """
    for name in (key, key.rpartition("/")[2]):
        if "." in name.strip("."):  # other names may be words
            message = message.replace(name, "NAME")
    message = _FRAMES.sub("frames N: ", message)
    message = _NAMED.sub(r"\1 NAME", message)
    message = _PATH.sub("NAME", _QUOTED.sub("NAME", message))
    return _NUMBER.sub("N", message)


def made_from(catalog: Catalog) -> list[MadeFrom]:
    """Return the sources of a dataset, in the order they were added; none in early ones."""
    if not catalog.has("sources"):
        return []
    rows = catalog.table("sources", _SOURCE, "ORDER BY id")
    return [MadeFrom(*row) for batch in rows for row in batch]


def source_of(sources: Sequence[MadeFrom], key: str) -> MadeFrom | None:
    """Return the source that a key belongs to, by its prefix; None if that is not recorded."""
    own = [source for source in sources if key.startswith(source.prefix)]
    return max(own, key=lambda source: len(source.prefix), default=None)
