"""A library that could crash on a stranger's shard is shown none."""

import sqlite3
import subprocess
import sys

import pytest

from .test_canaries import make


@pytest.mark.parametrize("protocol", ["arrow", "parquet", "parquet+zstd"])
def test_pyarrow_is_shown_no_shard(tmp_path, protocol):
    dataset, shard = make(tmp_path, protocol)
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        places = db.execute("SELECT start, start + length FROM samples").fetchall()
    data = shard.read_bytes()
    forged = bytearray(b"\xff" * len(data))
    for start, end in places:
        forged[start:end] = data[start:end]
    shard.write_bytes(forged)
    program = (
        "import sys, brinery\n"
        "for via in (None, 'protocol'):\n"
        "    with brinery.open(sys.argv[1], via=via, verify=True) as dataset:\n"
        "        assert len(list(dataset)) == 3\n"
        "assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, dataset], check=True, timeout=60)
