"""What a dataset holds and what its runs used, as plain values."""

import json
from collections import Counter
from typing import Any

from ..errors import DatasetError
from .catalog import Catalog
from .options import PathLike
from .paths import absolute

__all__ = ["describe"]

_MAX_FAILURES = 20
_OF_RUNS = {
    "open_unit",
    "open_ordinal",
    "listed_twice",
}  # settings that say how to list, not what was asked for
_MAX_SHAPES = 10


def describe(path: PathLike) -> dict[str, Any]:
    """Return a dataset's settings, counts, shapes, failures and runs.

    Args:
        path: the dataset's folder.

    Raises:
        DatasetError: it is no dataset, or its manifest is damaged.
    """
    catalog = Catalog(absolute(path))
    try:
        file_bytes, pixel_bytes = catalog.query(
            "SELECT COALESCE(SUM(file_bytes), 0), COALESCE(SUM(pixel_bytes), 0) FROM shards"
        )[0]
        shapes = catalog.query(
            "SELECT dtype, shape, COUNT(*) AS n FROM samples GROUP BY 1, 2 ORDER BY n DESC"
        )
        reasons = catalog.query(
            "SELECT stage, error, COUNT(*) AS n, MIN(key) FROM failures GROUP BY 1, 2 ORDER BY n DESC"
        )
        skipped = Counter(
            dict(catalog.query("SELECT reason, COUNT(*) AS n FROM skipped GROUP BY 1 ORDER BY n DESC"))
        )
        failures = catalog.query(
            f"SELECT key, stage, error, message FROM failures ORDER BY ordinal, key LIMIT {_MAX_FAILURES}"  # noqa: S608
        )
        unfinished = "open_unit" in catalog.settings
        return {
            "path": str(path),
            "format": catalog.settings["format"],
            "protocol": catalog.settings["protocol"],
            "settings": {k: v for k, v in catalog.settings.items() if k not in _OF_RUNS},
            "complete": not unfinished,
            "samples": len(catalog),
            "shards": len(catalog.shard_ids),
            "file_bytes": file_bytes,
            "pixel_bytes": pixel_bytes,
            "shapes": [
                {"dtype": dtype, "shape": json.loads(shape), "samples": count}
                for dtype, shape, count in shapes[:_MAX_SHAPES]
            ],
            "distinct_shapes": len(shapes),
            "failed": sum(count for _, _, count, _ in reasons),
            "failure_reasons": [
                {"stage": stage, "error": error, "members": count, "example": example}
                for stage, error, count, example in reasons
            ],
            "failures": [
                dict(zip(("key", "stage", "error", "message"), failure, strict=True)) for failure in failures
            ],
            "skipped": sum(skipped.values()),
            "skipped_reasons": dict(skipped),
            "runs": [_run(row) for row in catalog.query("SELECT * FROM runs ORDER BY id")],
        }
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: its manifest is damaged: {error}") from error
    finally:
        catalog.close()


def _run(row: tuple[Any, ...]) -> dict[str, Any]:
    number, command, started, outcome, workers, backend, wall_ns, settings, summary = row
    return {
        "id": number,
        "command": command,
        "started": started,
        "outcome": outcome,
        "workers": workers,
        "backend": backend,
        "wall_ns": wall_ns,
        "settings": json.loads(settings),
        "summary": json.loads(summary) if summary else None,
    }
