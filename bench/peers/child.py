"""One peer in its own environment: answers the driver's JSON lines with JSON lines.

    ENVIRONMENT/bin/python bench/peers/child.py ADAPTER WORKERS

An adapter is a module of `adapters` with a TITLE, a PACKAGE whose version is shown, START (how its worker
processes start, None where the library starts its own), `convert(paths, out, workers)`, and, unless it is a
ceiling, `read(out)` and `read_at(out, order)` that yield arrays. `read_at` is absent where a format can only
be streamed.
"""

import gc
import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import common
import numpy as np


def touch(arrays: Iterable[np.ndarray]) -> dict[str, int]:
    """Read every byte of every array."""
    samples = total = 0
    for array in arrays:
        array.max()
        samples += 1
        total += array.nbytes
    return {"samples": samples, "bytes": total}


def checksum(arrays: Iterable[np.ndarray]) -> dict[str, int]:
    """Add up CRC-32 of all arrays, in whatever order they come."""
    sums = [zlib.crc32(np.ascontiguousarray(array)) for array in arrays]
    return {"samples": len(sums), "crc": sum(sums)}


class Peer:
    """An adapter and its workers."""

    def __init__(self, name: str, count: int) -> None:
        name, _, self.variant = name.partition(":")
        self.adapter: Any = importlib.import_module(f"adapters.{name}")
        start = self.adapter.START
        self.workers: Any = common.Workers(count, start) if start else count
        if self.variant:
            self.adapter.VARIANT = self.variant

    def hello(self) -> dict[str, Any]:
        adapter = self.adapter
        return {
            "title": adapter.TITLE.format(self.variant),
            "package": adapter.PACKAGE,
            "version": common.version(adapter.PACKAGE),
            "start": adapter.START,
            "reads": hasattr(adapter, "read"),
            "reads_at": hasattr(adapter, "read_at"),
        }

    def convert(self, source: str, out: str) -> dict[str, Any]:
        begin = time.perf_counter()
        folder = Path(source)
        paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))  # noqa: PTH118, PTH208
        self.adapter.convert(paths, out, self.workers)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "samples": len(paths), "file_bytes": _size(Path(out))}

    def read(self, out: str, order: list[int] | None = None) -> dict[str, Any]:
        begin = time.perf_counter()
        arrays = self.adapter.read(out) if order is None else self.adapter.read_at(out, order)
        seen = touch(arrays)
        return {"seconds": time.perf_counter() - begin, **seen}

    def check(self, out: str) -> dict[str, Any]:
        return checksum(self.adapter.read(out))

    def close(self) -> None:
        if isinstance(self.workers, common.Workers):
            self.workers.close()


def _size(out: Path) -> int:
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def main() -> None:
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("do")
        gc.collect()
        try:
            peer = peer or Peer(sys.argv[1], int(sys.argv[2]))
            answer = getattr(peer, action)(**request)
        except Exception as error:  # noqa: BLE001 - the driver shows it
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer or {}), file=answers)
        if action == "close":
            break


if __name__ == "__main__":
    main()
