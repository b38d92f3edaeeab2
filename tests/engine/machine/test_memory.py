"""How much memory a worker gets, and that it gets no more."""

import subprocess
import sys

import pytest

from brinery.engine.machine import memory

GIB = 1 << 30


@pytest.mark.parametrize(
    ("usable", "workers", "expected"),
    [
        (64 * GIB, 4, 16 * GIB),  # an equal share
        (64 * GIB, 32, 4 * GIB),  # at least four, though not all can have them at once
        (2 * GIB, 2, 0.9 * 2 * GIB),  # never all there is
        (64 * GIB, 1, 0.9 * 64 * GIB),
    ],
)
def test_a_workers_share(monkeypatch, usable, workers, expected):
    monkeypatch.setattr(memory, "usable_memory", lambda: usable)
    assert memory.worker_memory(workers) == int(expected)


def test_the_smallest_limit_of_a_group_counts(monkeypatch, tmp_path):
    groups = [tmp_path / name for name in ("unlimited", "v1", "v2", "without")]
    for group in groups:
        group.mkdir()
    (groups[0] / "memory.max").write_text("max\n")
    (groups[1] / "memory.limit_in_bytes").write_text(f"{300 << 20}\n")
    (groups[2] / "memory.max").write_text(f"{200 << 20}\n")
    monkeypatch.setattr(memory, "enclosing_groups", lambda _: iter(groups))
    memory.usable_memory.cache_clear()
    try:
        assert memory.usable_memory() == 200 << 20
    finally:
        memory.usable_memory.cache_clear()


LIMITED = """
import mmap, sys
from brinery.engine.machine.memory import limit_memory
limit_memory(300 << 20)
file = open(sys.executable, "rb")
mapped = [mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for _ in range(200)]  # mapped files are free
small = bytearray(50 << 20)
try:
    bytearray(400 << 20)
except MemoryError:
    print("MemoryError")
"""


def test_a_process_that_asks_for_more_gets_an_error():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.stdout == "MemoryError\n", done.stderr
