"""Shards of pickles: the bytes that Python's own pickler writes, and where an array's bytes stand in them."""

import pickle

import numpy as np
import pytest

from brinery.engine.protocols.base import Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single
from brinery.errors import CorruptError

LARGE = make_array((200, 400, 3))  # written without the pickler, once it is known how
SAMPLES = [
    *((key, LARGE) for key in ("a", "b", "ü", "k" * 300)),
    ("small", make_array((4, 6, 3))),
    ("again", LARGE[::-1].copy()),
    ("turned", np.asfortranarray(LARGE)),
    ("wide", LARGE.astype(">u2")),
    ("none", LARGE[:0]),
]


@pytest.mark.parametrize("version", range(6))
def test_a_shard_is_one_pickle_after_another_as_python_writes_them(tmp_path, version):
    samples = [(key, np.ascontiguousarray(array)) for key, array in SAMPLES]
    placements = write_shard(get_serializer(f"pickle-{version}"), tmp_path / "shard", samples)
    data = (tmp_path / "shard").read_bytes()
    assert data == b"".join(pickle.dumps(sample, version) for sample in samples)
    for (_, array), place in zip(samples, placements, strict=True):
        if version < 3:
            assert place.payload is None
        elif array.size:
            assert data[place.payload : place.payload + array.nbytes] == array.tobytes()


@pytest.mark.parametrize("name", ["pickle-5", "pypickle-2"])
def test_a_record_has_its_key_and_a_file_has_none(tmp_path, name):
    serializer, array = get_serializer(name), make_array((4, 6, 3))
    (record,) = write_shard(serializer, tmp_path / "shard", [("a", array)])
    alone = write_single(serializer, tmp_path / "single", array)
    spec = Spec(array.dtype, array.shape)
    with (tmp_path / "shard").open("rb") as shard, (tmp_path / "single").open("rb") as single:
        assert same(serializer.shard_reader(shard).read(record, spec), array)
        assert same(serializer.single_reader(single).read(alone, spec), array)
        with pytest.raises(CorruptError, match="a record with a key, not an array alone"):
            serializer.single_reader(shard).read(record, spec)
        with pytest.raises(CorruptError, match="an array without its key"):
            serializer.shard_reader(single).read(alone, spec)


def test_a_library_that_changes_pythons_pickler_changes_no_shard(tmp_path, monkeypatch):
    serializer, samples = get_serializer("pypickle-2"), [("a", make_array((4, 6, 3)))]
    write_shard(serializer, tmp_path / "before", samples)
    for kind in (type, dict):
        monkeypatch.setitem(pickle._Pickler.dispatch, kind, lambda pickler, _: pickler.save("changed"))
    write_shard(serializer, tmp_path / "after", samples)
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()
