"""Small file systems of a test's own."""

import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

MEGABYTES = {"ext4": 64, "xfs": 320}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def make_image(kind, path):
    """A new file system in a file."""
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    with path.open("wb") as file:
        file.truncate(MEGABYTES[kind] << 20)
    made = run(f"mkfs.{kind}", "-q", str(path))
    assert made.returncode == 0, made.stderr
    return path


@contextmanager
def mounted(folder, *arguments):
    """Mount what the arguments say on a folder, as long as the context lasts."""
    folder.mkdir(exist_ok=True)
    done = run("mount", *map(str, arguments), str(folder))
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        for _ in range(50):
            done = run("umount", str(folder))
            if done.returncode == 0:
                break
            time.sleep(0.1)
        else:
            run("umount", "-l", str(folder))
            pytest.fail(done.stderr)
