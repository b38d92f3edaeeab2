import os
from pathlib import Path

import pytest

from brinery.benchmark.runner import benchmark
from brinery.benchmark.worker import page_cache as cold
from brinery.benchmark.worker.page_cache import drop, fetched, fill, resident, why_not_cold
from brinery.engine.workers import pool


def test_a_file_is_dropped_from_memory(tmp_path):
    reason = why_not_cold(tmp_path)
    if reason is not None:
        pytest.skip(reason)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    assert resident(path) == 1
    assert drop([path]) is None
    assert resident(path) == 0


def test_a_file_is_brought_back_into_memory(tmp_path):
    path, empty = tmp_path / "file", tmp_path / "empty"
    path.write_bytes(os.urandom(1 << 20))
    empty.touch()
    drop([path])
    assert fill([path, empty]) is None
    assert resident(path) == 1


def test_a_file_that_does_not_stay_in_memory_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr(cold, "resident", lambda _path: 0.4)
    assert fill([tmp_path / "file"]) == "warm was not warm: 40% of file stayed in memory"
    monkeypatch.setattr(cold, "resident", lambda _path: None)
    assert fill([tmp_path / "file"]) is None


def test_bytes_that_did_not_come_from_storage_are_not_cold():
    assert fetched(960, 1000) is None
    assert "not cold" in fetched(900, 1000)
    assert fetched(None, 1000) is not None


def test_cold_loads_come_from_storage_or_are_left_out_with_the_reason(tmp_path):
    possible = why_not_cold(tmp_path) is None
    made = benchmark(
        cores="1", protocols="npy", rounds=1, limit=12, quick=True, ops="load", cache="warm,cold",
        output=tmp_path / "out",
    )  # fmt: skip
    pool.shutdown()
    cold = [cell for cell in made.cells if cell.cache == "cold"]
    if not possible:
        assert not cold
        assert any("cold loads are left out" in warning for warning in made.warnings)
        return
    assert cold
    for cell in cold:
        assert cell.valid, cell.problem
        for sample in cell.samples:
            assert sum(worker.read_bytes for worker in sample.workers) >= 0.95 * sample.file_bytes
    assert {one.name for one in made.ceilings if one.valid} >= {"raw-read", "raw-read-cold"}


def test_in_memory_file_systems_have_no_cold_files():
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        pytest.skip("no file system in memory here")
    assert why_not_cold(shared) is not None
