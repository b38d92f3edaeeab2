"""One convert at a time in a destination, and none that a crash keeps out."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import brinery
from brinery.engine.converting import destination
from brinery.errors import DestinationError, StorageError

from ..engine.test_convert import contents
from ..images import images, make_folder
from .running import finish, make_archive, start, start_slowly, wait_for_samples

SMALL = {"workers": 1, "backend": "threading", "fsync": False}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"))


def test_a_second_convert_is_refused_and_the_first_goes_on(archive, tmp_path):
    tar, whole = archive
    first = start_slowly(tar, tmp_path / "out", pause=0.03)
    wait_for_samples(first, tmp_path / "out")
    first.send_signal(signal.SIGSTOP)
    for option in ((), ("--overwrite",), ("--repair",)):
        _, _, err = finish(start(tar, tmp_path / "out", *option), 4)
        assert "another convert is writing into" in err
        assert err.count("\n") == 1
    first.send_signal(signal.SIGCONT)
    finish(first, 0)
    assert contents(tmp_path / "out") == whole


def test_a_killed_convert_keeps_nobody_out(archive, tmp_path):
    tar, whole = archive
    first = start_slowly(tar, tmp_path / "out")
    wait_for_samples(first, tmp_path / "out")
    first.send_signal(signal.SIGKILL)
    first.wait()
    finish(start(tar, tmp_path / "out"), 0)
    assert contents(tmp_path / "out") == whole


HOLDER = """
import sys, time
from brinery.engine.converting.claims import ClaimWriter
ClaimWriter(sys.argv[1])
print("here", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(out, seconds):
    """Be a worker of a killed run, for some time."""
    (out / ".partial" / "claims").mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(out / ".partial" / "claims"), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    holder.stdout.readline()
    return holder


def test_workers_of_a_killed_run_are_waited_for(tmp_path):
    folder = make_folder(tmp_path / "in", images(9))
    holder = hold(tmp_path / "out", 0.7)
    begin = time.monotonic()
    assert brinery.convert(folder, tmp_path / "out", **SMALL).samples == 9
    assert time.monotonic() - begin > 0.4
    holder.communicate()


def test_workers_of_a_killed_run_that_hang_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(destination, "_ORPHAN_SECONDS", 0.2)
    folder = make_folder(tmp_path / "in", images(9))
    holder = hold(tmp_path / "out", 60)
    with pytest.raises(StorageError, match=f"end them first .*{holder.pid}"):
        brinery.convert(folder, tmp_path / "out", **SMALL)
    holder.kill()
    holder.communicate()
    assert brinery.convert(folder, tmp_path / "out", **SMALL).samples == 9


def test_links_to_a_destination(tmp_path):
    folder = make_folder(tmp_path / "in", images(9))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert brinery.convert(folder, tmp_path / "link", **SMALL).samples == 9
    assert brinery.verify(tmp_path / "real", workers=1).bad == ()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(DestinationError, match=r"dangling is a link to nothing"):
        brinery.convert(folder, tmp_path / "dangling", **SMALL)


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_shards_deleted_by_hand_are_made_again(tmp_path, layout):
    folder = make_folder(tmp_path / "in", images(40))
    options = SMALL | {"layout": layout, "shard_size": "16KiB"}
    brinery.convert(folder, tmp_path / "out", **options)
    whole = contents(tmp_path / "out")
    files = sorted(path for path in (tmp_path / "out").rglob("*.npy"))
    for number, path in enumerate(files):
        if number % 3 == 0:
            path.unlink()
    brinery.convert(folder, tmp_path / "out", **options)
    assert contents(tmp_path / "out")[0] == whole[0]
    shutil.rmtree(tmp_path / "out" / ("shards" if layout == "shards" else "files"))
    brinery.convert(folder, tmp_path / "out", **options)
    assert contents(tmp_path / "out")[0] == whole[0]
    assert brinery.verify(tmp_path / "out", workers=1).bad == ()


def test_closed_standard_streams_lead_nothing_into_a_shard(tmp_path):
    # The first files that such a process opens get the streams' numbers, and libraries print there.
    folder = make_folder(tmp_path / "in", images(9))
    command = [
        sys.executable,
        "-m",
        "brinery",
        "convert",
        "--workers",
        "1",
        str(folder),
        str(tmp_path / "out"),
    ]
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *command], check=False)
    assert done.returncode == 0
    assert brinery.verify(tmp_path / "out", workers=1).samples == 9


def test_a_full_disk_behind_stdout_is_said(tmp_path):
    folder = make_folder(tmp_path / "in", images(9))
    command = [
        sys.executable,
        "-m",
        "brinery",
        "convert",
        "--backend",
        "threading",
        str(folder),
        str(tmp_path / "out"),
    ]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "brinery: No space left on device\n")
    assert brinery.verify(tmp_path / "out", workers=1).samples == 9


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 300, "File name too long"), ("loop", "loop"), ("file/below", "Not a directory")],
)
def test_a_destination_that_cannot_be(tmp_path, name, reason):
    folder = make_folder(tmp_path / "in", images(3))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=f"cannot make .*{reason}"):
        brinery.convert(folder, tmp_path / name, **SMALL)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    folder = make_folder(tmp_path / "in", images(3))
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        brinery.convert(folder, tmp_path / "out", **SMALL)
