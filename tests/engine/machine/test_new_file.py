"""New files hold what was written, wherever and however it was."""

import errno
import os
from pickle import PickleBuffer

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brinery.engine.machine import new_file as output
from brinery.engine.machine.new_file import NewFile


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.binary(max_size=300)),
            st.tuples(st.just("large"), st.integers(65_536, 70_000)),
            st.tuples(st.just("seek"), st.integers(0, 100_000)),
            st.tuples(st.just("truncate"), st.integers(0, 100_000)),
            st.tuples(st.just("read"), st.integers(0, 500)),
        ),
        max_size=12,
    )
)
@example([("seek", 1), ("write", b"")])
def test_it_is_like_an_ordinary_file(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("files")
    new = NewFile(folder / "new")
    with (folder / "plain").open("w+b") as plain:
        for what, value in steps:
            if what == "write":
                assert new.write(value) == plain.write(value)
            elif what == "large":
                assert new.write(np.arange(value, dtype=np.uint8)) == value
                plain.write(np.arange(value, dtype=np.uint8).tobytes())
            elif what == "seek":
                assert new.seek(value) == plain.seek(value)
            elif what == "truncate":
                new.truncate(value)
                plain.truncate(value)
            else:
                assert new.read(value) == plain.read(value)
            assert new.tell() == plain.tell()
    new.commit(folder / "done", fsync=True)
    assert (folder / "done").read_bytes() == (folder / "plain").read_bytes()


def test_any_buffer_is_written_without_a_copy_of_its_shape(tmp_path):
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    file = NewFile(tmp_path / "new")
    for buffer in (array, memoryview(array), PickleBuffer(array), bytearray(b"xy"), np.empty((0, 3))):
        file.write(buffer)
    file.commit(tmp_path / "done", fsync=False)
    assert (tmp_path / "done").read_bytes() == array.tobytes() * 3 + b"xy"


def test_short_writes_are_continued(tmp_path, monkeypatch):
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, views, at: whole(fd, [bytes(views[0])[:1000]], at))
    file = NewFile(tmp_path / "new")
    data = bytes(range(256)) * 300
    file.write(b"head")
    file.write(data)
    file.commit(tmp_path / "done", fsync=False)
    assert (tmp_path / "done").read_bytes() == b"head" + data


def test_the_first_error_is_kept_for_those_who_hide_it(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", fail)
    file = NewFile(tmp_path / "new")
    with pytest.raises(OSError, match="No space"):
        file.write(bytes(100_000))
    with pytest.raises(OSError, match="No space"):
        file.raise_own(RuntimeError("h5py says something else"))
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_shorter_than_written_is_never_published(tmp_path):
    file = NewFile(tmp_path / "new")
    file.write(b"abc")
    file.flush()
    os.truncate(tmp_path / "new", 1)
    with pytest.raises(OSError, match="1 bytes arrived of 3"):
        file.commit(tmp_path / "done", fsync=False)
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("early", [True, False])
def test_the_device_may_begin_before_the_end(tmp_path, monkeypatch, early):
    begun = []
    monkeypatch.setattr(output, "_begin_writing", lambda _, start, length: begun.append((start, length)))
    monkeypatch.setattr(output, "_in_memory", lambda _device: False)
    file = NewFile(tmp_path / "new", early=early)
    mib = 1 << 20
    for _ in range(7):
        file.write(bytes(mib // 2))
    file.seek(0)
    file.write(b"a header, written again")
    file.commit(tmp_path / "done", fsync=True)
    assert begun == ([(0, mib), (mib, mib), (2 * mib, mib)] if early else [])


def test_telling_the_device_to_begin_changes_no_byte(tmp_path):
    file = NewFile(tmp_path / "new", early=True)
    data = os.urandom(9 << 20)
    for start in range(0, len(data), 1 << 20):
        file.write(data[start : start + (1 << 20)])
    file.commit(tmp_path / "done", fsync=True)
    assert (tmp_path / "done").read_bytes() == data
