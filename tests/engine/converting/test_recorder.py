"""Results are published before they are recorded; notes wait for them, unless there are many."""

from types import SimpleNamespace

import pytest

from brinery.engine.converting import recorder
from brinery.engine.converting.options import ConvertCall
from brinery.engine.converting.recorder import Recorder
from brinery.engine.records import Shard, Skipped, Source, UnitResult
from brinery.errors import StorageError

NOTE = Skipped("a.txt", None, "no image", Source(0, 0))
DONE = UnitResult(0, 1, shards=(Shard(0, "000000.npy", 10, 8, 1),))


@pytest.fixture
def happened(monkeypatch):
    """What was asked of the destination and the manifest, in order."""
    steps = []
    monkeypatch.setattr(recorder, "publish_shards", lambda _, names, **__: steps.append(("publish", *names)))
    return steps


def recorder_of(happened, layout="shards", gone=()):
    def commit(results, notes):
        happened.append(("commit", len(results), len(notes)))
        return gone

    destination = SimpleNamespace(
        folder="out",
        check=lambda: None,
        manifest=SimpleNamespace(commit=commit),
        place=SimpleNamespace(
            remove=lambda *file: happened.append(("remove", *file)),
            holds=lambda folders, name: (folders, name) == (("files", "a"), "b.jpg.npy"),
        ),
    )
    return Recorder(destination, ConvertCall("", "", layout=layout))


def test_files_get_their_names_before_they_are_recorded(happened):
    recorder_of(happened).publish([DONE])
    assert happened == [("publish", "000000.npy"), ("commit", 1, 0)]


def test_notes_are_recorded_with_the_next_results_or_when_there_are_many(happened):
    one = recorder_of(happened)
    one.commit()
    one.note(NOTE)
    assert happened == []
    one.publish([DONE])
    for _ in range(4096):
        one.note(NOTE)
    one.commit()
    assert happened == [("publish", "000000.npy"), ("commit", 1, 1), ("commit", 0, 4096)]


def test_a_shard_that_cannot_be_published_is_not_recorded(happened, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "000000.npy")

    monkeypatch.setattr(recorder, "publish_shards", full)
    with pytest.raises(StorageError, match="No space left on device; what was committed stays: free space"):
        recorder_of(happened).publish([DONE])
    assert happened == []


def test_in_the_layout_mirror_files_of_samples_that_are_gone_are_removed(happened):
    recorder_of(happened, gone=["a/b.jpg"]).commit([DONE])
    assert happened == [("commit", 1, 0)]
    mirror = recorder_of(happened, "mirror", gone=["a/b.jpg", "../c"])
    mirror.commit([DONE])
    assert happened[2:] == [("remove", ("files", "a"), "b.jpg.npy")]
    assert [mirror.file_is_there(key) for key in ("a/b.jpg", "b.jpg", "../c")] == [True, False, False]
    assert recorder_of(happened).file_is_there("any key")
