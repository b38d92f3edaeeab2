"""A disk that cannot read a place costs the samples there, and verify names them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

import brinery

from ..images import images, make_folder


@pytest.mark.parametrize("protocol", ["npy", "hickle", "pickle-2", "npz"])
def test_verify_names_what_cannot_be_read(tmp_path, protocol):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = make_folder(tmp_path / "in", images(30))
    options = {"protocol": protocol, "shard_size": "64KiB", "workers": 1, "backend": "threading"}
    brinery.convert(folder, tmp_path / "out", fsync=False, **options)
    names = sorted(path.name for path in (tmp_path / "out" / "shards").iterdir())
    assert len(names) > 2
    calls = "pread64,preadv,preadv2,read"
    command = [sys.executable, "-m", "brinery", "verify", "--json", "--workers", "1", str(tmp_path / "out")]
    done = subprocess.run(
        [
            *("strace", "-f", "-o", os.devnull, "-P", str(tmp_path / "out" / "shards" / names[1])),
            *("-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO", *command),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if not done.stdout and "strace: " in done.stderr:
        pytest.skip(f"strace may trace nothing here: {done.stderr.strip()[:100]}")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    bad = {entry["key"] for entry in document["bad"]}
    with closing(sqlite3.connect(tmp_path / "out" / "manifest.sqlite")) as manifest:
        rows = manifest.execute(
            "SELECT key FROM samples JOIN shards ON shards.id = samples.shard WHERE name = ?", (names[1],)
        ).fetchall()
    assert rows
    assert bad == {key for (key,) in rows}
    assert document["samples"] == 30
