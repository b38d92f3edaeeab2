"""What a dataset holds and what its runs used, as plain values."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, Final

from ...errors import CorruptError
from ..documents import parse_document
from ..machine.activity import Surroundings
from ..manifest.kept import is_unknown
from ..manifest.reader import Catalog
from ..paths import PathLike, absolute
from ..records import Phases
from ..summary import RunSummary
from .failures import FailureKind, each_failure, failure_kinds, made_from

__all__ = ["describe", "reason_of"]

_OF_RUNS: Final = {"open_unit", "open_ordinal", "listed_twice"}  # say how to list, not what was asked for
_LONGEST_SPEC: Final = 1024  # bytes of a dtype or a shape
_RUN: Final = ("id", "command", "started", "outcome", "workers", "backend", "wall_ns", "settings", "summary")
_MOST: Final = 1 << 63
_MOST_WORKERS: Final = 1 << 16
_MAY_BE_UNKNOWN: Final = {"read_bytes", "write_bytes", "peak_pss_bytes"}
_LATER: Final = {
    "lifetime_cpu_ns",
    "run_wait_ns",
    "block_wait_ns",
    "workers_died",
}  # in no summary of the first versions


def describe(path: PathLike) -> dict[str, Any]:
    """Return a dataset's settings, counts, shapes, kinds of failures, and runs.

    Args:
        path: the dataset's folder.

    Raises:
        DatasetError: it is no dataset, or its manifest is damaged.
    """
    catalog = Catalog(absolute(path))
    try:
        sizes = [*_rows(catalog.table("shards", ("file_bytes", "pixel_bytes")))]
        counts = catalog.counted("samples", ("dtype", "shape"), longest=_LONGEST_SPEC, at_once=4096)
        unknown = sum(count for spec, count in counts.items() if is_unknown(catalog.spec(*spec)))
        shapes = [one for one in _ranked(counts) if not is_unknown(catalog.spec(*one[0]))]
        kinds = failure_kinds(each_failure(catalog))
        skipped = {reason: count for (reason,), count in _ranked(catalog.counted("skipped", ("reason",)))}
        return {
            "path": str(path),
            "format": catalog.settings["format"],
            "protocol": catalog.settings["protocol"],
            "settings": {k: v for k, v in catalog.settings.items() if k not in _OF_RUNS},
            "sources": [{"path": one.path, "prefix": one.prefix} for one in made_from(catalog)],
            "complete": "open_unit" not in catalog.settings,
            "samples": len(catalog),
            "shards": catalog.shards.files,
            "file_bytes": sum(file_bytes for file_bytes, _ in sizes),
            "pixel_bytes": sum(pixel_bytes for _, pixel_bytes in sizes),
            "shapes": [
                {"dtype": dtype, "shape": list(catalog.spec(dtype, shape).shape), "samples": count}
                for (dtype, shape), count in shapes
            ],
            "distinct_shapes": len(shapes),
            "not_decoded": unknown,
            "failed": sum(kind.members for kind in kinds),
            "failure_reasons": [reason_of(kind) for kind in kinds],
            "skipped": sum(skipped.values()),
            "skipped_reasons": skipped,
            "runs": [_run(catalog, row) for row in _rows(catalog.table("runs", _RUN, "ORDER BY id"))],
        }
    finally:
        catalog.close()


def _rows(batches: Iterable[list[tuple[Any, ...]]]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from batch


def _ranked(counts: Counter[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], int]]:
    """Return what was counted, the most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def reason_of(kind: FailureKind) -> dict[str, Any]:
    """Return a kind of failures as plain values."""
    return {
        "stage": kind.stage,
        "error": kind.error,
        "message": kind.message,
        "members": kind.members,
        "example": kind.examples[0][0],
    }


def _run(catalog: Catalog, row: tuple[Any, ...]) -> dict[str, Any]:
    run = dict(zip(_RUN, row, strict=True))
    try:
        return run | _parsed(run)
    except ValueError as error:
        raise CorruptError(f"{catalog.path}: the run {run['id']} makes no sense: {error}") from error


def _parsed(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run's documents as values; ValueError where it makes no sense."""
    if not 0 < run["workers"] <= _MOST_WORKERS:
        raise ValueError(f"{run['workers']:,} workers")
    summary = _summary(_object(run["summary"])) if run["summary"] else None
    return {"settings": _object(run["settings"]), "summary": summary}


def _object(text: str) -> dict[str, Any]:
    document = parse_document(text)
    if not isinstance(document, dict):
        raise ValueError(f"{text:.60} is no JSON object")  # noqa: TRY004 - of the text's value, not of a type
    return document


def _summary(document: dict[str, Any]) -> dict[str, Any]:
    """Return a run's summary with its rates; ValueError where a number of it is missing or none."""
    known: dict[str, Any] = {}
    for field in fields(RunSummary):
        value = document.get(field.name)
        if field.name in ("phases", "units_by_worker", "around"):
            value = document.get(field.name, {})
            if isinstance(value, dict) and field.name == "around":  # a counter may be unknown
                value = {
                    name: count for name in Surroundings.__slots__ if (count := value.get(name)) is not None
                }
            if not isinstance(value, dict) or not all(map(_is_count, value.values())):
                raise ValueError(f"{field.name} is {value!r:.60}")
        elif not (_is_count(value) or (value is None and field.name in _MAY_BE_UNKNOWN | _LATER)):
            raise ValueError(f"{field.name} is {value!r:.60}")
        if field.name in document:
            known[field.name] = value
    known["around"] = Surroundings(**known.get("around", {}))
    known["phases"] = Phases(**{name: known["phases"].get(name, 0) for name in Phases.__slots__})
    return RunSummary(**known).as_dict()


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST
