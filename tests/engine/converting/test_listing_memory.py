"""What a run remembers about a listing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brinery.engine.converting.listing_memory import KeptOrdinals, SeenKeys, SourceSize
from brinery.errors import StorageError


@given(st.lists(st.text(max_size=3)))
def test_a_key_is_new_once(keys):
    seen = SeenKeys()
    known = set()
    for key in keys:
        assert seen.first_time(key) == (key not in known)
        known.add(key)
    seen.close()


@given(st.sets(st.integers(0, 50_000) | st.integers(0, 2**60)))
def test_ordinals_are_kept(ordinals):
    kept = KeptOrdinals()
    for ordinal in ordinals:
        kept.add(ordinal)
    assert all(ordinal in kept for ordinal in ordinals)
    assert all((ordinal in kept) == (ordinal in ordinals) for ordinal in range(0, 60_000, 7))


def test_no_room_for_the_keys_is_said():
    seen = SeenKeys()
    seen._db.execute("PRAGMA max_page_count = 3")
    with pytest.raises(StorageError, match="TMPDIR"):
        [seen.first_time(f"{number:0100}") for number in range(10_000)]


def test_all_sources_add_up(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a").write_bytes(bytes(10))
    (tmp_path / "in" / "deep" / "b").write_bytes(bytes(20))
    (tmp_path / "c.tar").write_bytes(bytes(5))
    size = SourceSize([tmp_path / "in", tmp_path / "c.tar"])
    assert size.total is None
    size.start()
    size.start()
    deadline = time.monotonic() + 10
    while size.total is None and time.monotonic() < deadline:
        time.sleep(0.001)
    size.close()
    assert size.total == 35


def test_a_size_that_nobody_asked_for_is_not_measured(tmp_path):
    size = SourceSize([tmp_path])
    size.close()
    assert size.total is None
