"""What the kernel counts for a thread."""

import os
import threading
from pathlib import Path

import pytest

from brinery.engine.machine.counters import read_counters


def by_proc(name):
    lines = Path("/proc/thread-self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)[name])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel does not count bytes of storage")
def test_bytes_of_storage_are_those_of_proc(tmp_path):
    before = by_proc("write_bytes")
    counted = read_counters()
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    spent = read_counters() - counted
    assert spent.write_bytes == by_proc("write_bytes") - before
    assert read_counters().read_bytes == by_proc("read_bytes")


def test_differences_are_what_lies_between():
    before = read_counters()
    while read_counters().cpu_ns - before.cpu_ns < 30_000_000:
        sum(range(1000))
    spent = read_counters() - before
    assert spent.cpu_ns >= 30_000_000
    assert spent.time_ns > 0
    assert spent.cpu_ns == spent.user_ns + spent.system_ns


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="no waits for a CPU are counted")
def test_each_thread_has_its_own_counters_and_leaves_no_file_open():
    read_counters()
    before = len(os.listdir("/proc/self/fd"))
    seen = {}

    def work(name):
        begin = read_counters()
        seen[name] = read_counters() - begin, len(os.listdir("/proc/self/fd"))

    for name in range(3):
        thread = threading.Thread(target=work, args=(name,))
        thread.start()
        thread.join()
    assert [files for _, files in seen.values()] == [before + 1] * 3
    assert all(spent.run_wait_ns is not None for spent, _ in seen.values())
    assert len(os.listdir("/proc/self/fd")) == before
