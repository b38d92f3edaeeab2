"""A unit that is compared tells the members whose bytes are not the recorded ones, and writes nothing."""

from pathlib import Path

import pytest

from brinery.engine.checksums import bytes_checksum
from brinery.engine.converting.claims import read_claims
from brinery.engine.converting.comparing import Comparison
from brinery.engine.records import Failure, Job, Numbered, Source, Unit
from brinery.parser.archives.listing import list_archives
from brinery.parser.options import DecodeOptions

from ...images import images, make_folder


@pytest.fixture
def files():
    return images(6)


@pytest.fixture
def folder(tmp_path, files):
    return make_folder(tmp_path / "photos", files)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "claims").mkdir()
    decode = DecodeOptions()
    return Job("", "npy", "shards", 1, False, decode, "token", claims=str(tmp_path / "claims"))


def unit_of(folder, recorded, quarantined=()):
    members = tuple(Numbered(number, one) for number, one in enumerate(list_archives([folder])))
    return Unit(-10, members, quarantined, tuple(recorded))


def never():
    return False


def test_only_members_of_other_bytes_differ(folder, files, job):
    recorded = [bytes_checksum(files[name]) for name in sorted(files)]
    done = Comparison(job, unit_of(folder, recorded), never).run()
    assert (done.number, done.differing, done.shards, done.samples) == (-10, (), (), ())
    assert done.usage.source_bytes == sum(map(len, files.values()))
    assert (done.usage.pixel_bytes, done.usage.file_bytes) == (0, 0)
    recorded[2], recorded[5] = "0" * 16, "1" * 16
    assert Comparison(job, unit_of(folder, recorded), never).run().differing == (2, 5)
    assert read_claims(Path(job.claims)) == []  # nothing is claimed once it is done


def test_what_cannot_be_read_or_must_not_be_touched_differs(folder, files, job):
    recorded = [bytes_checksum(files[name]) for name in sorted(files)]
    killer = Failure("x", 1, "decode", "WorkerDied", "", Source(1, 1))
    unit = unit_of(folder, recorded, (killer,))
    (folder / sorted(files)[3]).unlink()
    assert Comparison(job, unit, never).run().differing == (1, 3)


def test_a_run_that_was_told_to_stop_compares_no_further(folder, files, job):
    done = Comparison(job, unit_of(folder, ["0" * 16] * 6), lambda: True).run()
    assert (done.stopped, done.differing, done.usage) == (True, None, None)
