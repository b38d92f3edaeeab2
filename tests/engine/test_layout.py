"""Names of files in a dataset: inside its folder, or a failure of one member."""

import errno
import os
from pathlib import PurePosixPath

import pytest

from brinery.engine.layout import refusal, single_path
from brinery.errors import MemberError


@pytest.mark.parametrize(
    ("key", "path"), [("a.jpg", "a.jpg.npy"), ("a/b/c", "a/b/c.npy"), ("...", "....npy"), (" ", " .npy")]
)
def test_a_key_becomes_a_path_with_the_suffix(key, path):
    assert single_path(key, ".npy") == PurePosixPath(path)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b"])
def test_a_key_that_could_lead_elsewhere_is_refused(key):
    with pytest.raises(MemberError, match="cannot be a path inside the destination"):
        single_path(key, ".npy")


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.EISDIR, errno.EILSEQ, errno.ELOOP])
def test_an_error_of_one_name_is_one_members_failure(number):
    refused = refusal(OSError(number, os.strerror(number)))
    assert isinstance(refused, MemberError)
    assert os.strerror(number) in str(refused)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_an_error_of_the_disk_ends_the_run(number):
    error = OSError(number, os.strerror(number))
    assert refusal(error) is error
