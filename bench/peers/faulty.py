"""One peer in its own environment, about to meet a fault: converts, or reads what it left behind.

    ENVIRONMENT/bin/python bench/peers/faulty.py ADAPTER convert OUT FOLDER WORKERS
    ENVIRONMENT/bin/python bench/peers/faulty.py ADAPTER read OUT FOLDER

Adapters are those of the comparison of speeds. `read` prints how many arrays come, and how many of them are
an image of the folder, each counted once. What only an adapter needs is no peer's fault: a folder for the
output may be there already, and the shape that an adapter keeps in a file of its own is given.
"""

import importlib
import json
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np


def main() -> None:
    name, action, out, folder, *rest = sys.argv[1:]
    name, _, variant = name.partition(":")
    adapter: Any = importlib.import_module(f"adapters.{name}")
    if variant:
        adapter.VARIANT = variant
    paths = sorted(map(str, Path(folder).iterdir()))
    Path.mkdir = _make  # type: ignore[method-assign]
    if action == "convert":
        start, count = adapter.START, int(rest[0])
        adapter.convert(paths, out, common.Workers(count, start) if start else count)
    else:
        if hasattr(adapter, "_shape"):
            shape = next(image.shape for image in map(_decoded, paths) if image is not None)
            adapter._shape = lambda _: shape  # noqa: SLF001
        print(json.dumps(_count(_opened(adapter, out), paths)))


def _make(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:  # noqa: ARG001
    os.makedirs(path, mode, exist_ok=True)  # noqa: PTH103 - it stands for the method


def _opened(adapter: Any, out: str) -> Iterator[np.ndarray]:
    if adapter.PACKAGE == "datasets" and not Path(out, "files.txt").exists():
        adapter.datasets.load_from_disk(out)  # says what it thinks of the folder
    yield from adapter.read(out)


def _count(arrays: Any, paths: list[str]) -> dict[str, Any]:
    wanted = {_sum(image) for image in map(_decoded, paths) if image is not None}
    came = right = 0
    error = None
    try:
        for array in arrays:
            came += 1
            found = _sum(np.asarray(array))
            right += found in wanted
            wanted.discard(found)
    except Exception as problem:  # noqa: BLE001 - whatever a reader raises is what is observed
        error = f"{type(problem).__name__}: {problem}"
    return {"came": came, "right": right, "error": error}


def _decoded(path: str) -> np.ndarray | None:
    try:
        return common.decode(path)
    except ValueError:  # the broken one
        return None


def _sum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array))


if __name__ == "__main__":
    main()
