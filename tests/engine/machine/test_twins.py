"""On a file system that takes different names for the same no sample has another one's pixels."""

import os
import shutil
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import brinery
from brinery.engine.converting.unit_files import open_unit_files
from brinery.engine.machine.twins import NameTwins
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.records import Job
from brinery.errors import MemberError
from brinery.parser.options import DecodeOptions

from ...crash.disks import mounted, run
from ...images import jpeg, make_tar
from ..test_convert import SMALL, assert_holds

MIRROR = SMALL | {"layout": "mirror"}


def forgiving(name):
    """What a file system looks at that ignores case, the form of letters, and dots at the end."""
    return unicodedata.normalize("NFC", name).casefold().rstrip(". ")


@pytest.fixture
def ignoring(monkeypatch):
    """File systems ignore what `forgiving` does, as far as names are looked at."""
    monkeypatch.setattr(NameTwins, "_are_one", lambda _, one, other: forgiving(one) == forgiving(other))


@pytest.fixture
def disk(tmp_path):
    """An NTFS that ignores case."""
    if os.geteuid() or None in map(shutil.which, ("lowntfs-3g", "mkntfs")) or not Path("/dev/fuse").exists():
        pytest.skip("it takes root, /dev/fuse and lowntfs-3g (Debian: ntfs-3g)")
    image = tmp_path / "disk.image"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    assert run("mkntfs", "-q", "-F", str(image)).returncode == 0
    with mounted(tmp_path / "disk", "-t", "lowntfs-3g", "-o", "ignore_case", image) as folder:
        yield folder


def failures(dataset):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return dict(db.execute("SELECT key, error FROM failures"))


TWINS = {
    "x.png": jpeg(1),
    "X.PNG": jpeg(2),
    "a/y.png": jpeg(3),
    "A/y.png": jpeg(4),
    "A/z.png": jpeg(5),
    "\N{LATIN SMALL LETTER E WITH ACUTE}.png": jpeg(6),
    "e\N{COMBINING ACUTE ACCENT}.png": jpeg(7),
    "dot./w.png": jpeg(8),
    "dot/w.png": jpeg(9),
    "stra\N{LATIN SMALL LETTER SHARP S}e.png": jpeg(10),
    "strase.png": jpeg(11),
}
LOST = {"X.PNG", "A/y.png", "e\N{COMBINING ACUTE ACCENT}.png", "dot/w.png"}


def test_the_first_of_two_names_keeps_the_file(tmp_path, ignoring):
    tar, out = make_tar(tmp_path / "in.tar", TWINS), tmp_path / "out"
    result = brinery.convert(tar, out, **MIRROR)
    assert (result.samples, result.failures, result.exit_code) == (7, 4, 3)
    assert failures(out) == dict.fromkeys(LOST, "NameTwin")
    assert_holds(out, {name: data for name, data in TWINS.items() if name not in LOST})
    again = brinery.convert(tar, out, **MIRROR)
    assert (again.converted, again.samples, again.failures) == (0, 7, 4)
    assert not (out / ".partial").exists()


def test_a_name_that_comes_later_does_not_take_the_file_of_one_that_is_there(tmp_path, ignoring):
    tar, out = tmp_path / "in.tar", tmp_path / "out"
    brinery.convert(make_tar(tar, {"x.png": jpeg(1), "y.png": jpeg(2)}), out, **MIRROR)
    make_tar(tar, {"X.PNG": jpeg(3), "x.png": jpeg(1), "y.png": jpeg(2)})
    result = brinery.convert(tar, out, **MIRROR)
    assert (result.converted, result.unchanged) == (0, 2)
    assert failures(out) == {"X.PNG": "NameTwin"}
    assert_holds(out, {"x.png": jpeg(1), "y.png": jpeg(2)})


def test_in_shards_every_name_has_its_place(tmp_path, ignoring):
    brinery.convert(make_tar(tmp_path / "in.tar", TWINS), tmp_path / "out", **SMALL)
    assert_holds(tmp_path / "out", TWINS)


def test_where_names_differ_every_name_has_its_file(tmp_path):
    if os.path.lexists(str(tmp_path).upper()):
        pytest.skip("this file system ignores case")
    brinery.convert(make_tar(tmp_path / "in.tar", TWINS), tmp_path / "out", **MIRROR)
    assert_holds(tmp_path / "out", TWINS)


def test_on_a_real_disk(tmp_path, disk):
    wanted = {name: TWINS[name] for name in ("x.png", "X.PNG", "a/y.png", "A/y.png", "A/z.png")}
    tar, out = make_tar(tmp_path / "in.tar", wanted), disk / "out"
    brinery.convert(tar, out, **MIRROR)
    assert failures(out) == {"X.PNG": "NameTwin", "A/y.png": "NameTwin"}
    assert brinery.verify(out, workers=1).bad == ()
    assert_holds(out, {name: data for name, data in wanted.items() if name not in LOST})
    assert brinery.convert(tar, out, **MIRROR).converted == 0
    shards = disk / "shards"
    brinery.convert(tar, shards, **SMALL)
    assert_holds(shards, wanted)
    back = brinery.restore(shards, disk / "back", workers=1)
    assert (back.images, {failure.key for failure in back.failures}) == (3, {"X.PNG", "A/y.png"})


def test_a_worker_does_not_write_over_a_name_that_only_the_disk_takes_for_its_own(disk):
    (disk / ".partial").mkdir()
    (disk / "files").mkdir()
    job = Job(str(disk), "npy", "mirror", 600, False, DecodeOptions(), "token", twins=True)
    files = open_unit_files(job, 0, get_serializer("npy"))
    files.add("a.png", np.full(3, 1, np.uint8))
    files.add("a.png", np.full(3, 2, np.uint8))  # the unit is done again
    with pytest.raises(MemberError, match="cannot tell its name"):
        files.add("A.png", np.full(3, 3, np.uint8))
    assert np.load(disk / "files" / "a.png.npy").tolist() == [2, 2, 2]
