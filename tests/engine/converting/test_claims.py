"""Claims on file systems that keep a deleted file under another name while it is open, as NFS does."""

import os

import pytest

from brinery.engine.converting.claims import ClaimWriter, claim_writer, claimants, read_claims


@pytest.fixture
def writer(tmp_path):
    writer = ClaimWriter(str(tmp_path))
    yield writer
    writer.close()


def test_a_worker_is_seen_while_its_file_has_its_name(tmp_path, writer):
    writer.claim(3, 14, 0)
    assert claimants(tmp_path) == [str(os.getpid())]
    assert [(claim.unit, claim.ordinal) for claim in read_claims(tmp_path)] == [(3, 14)]
    (tmp_path / str(os.getpid())).rename(tmp_path / ".nfs000000000001")
    assert claimants(tmp_path) == []
    assert read_claims(tmp_path) == []
    assert not writer.seen


def test_a_file_that_was_deleted_is_made_anew(tmp_path):
    first = claim_writer(str(tmp_path))
    assert claim_writer(str(tmp_path)) is first
    (tmp_path / str(os.getpid())).rename(tmp_path / ".ghost-1")
    second = claim_writer(str(tmp_path))
    second.claim(1, 2, 0)
    assert [claim.ordinal for claim in read_claims(tmp_path)] == [2]
