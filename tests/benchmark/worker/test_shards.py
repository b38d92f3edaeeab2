"""What a finished region leaves takes no room, and is nobody else's; what it read is compared."""

from pathlib import Path

import pytest

from brinery.benchmark.cells import Slice
from brinery.benchmark.worker.corpus import make_corpus
from brinery.benchmark.worker.shards import Part, empty
from brinery.benchmark.worker.single_files import make_action


def sizes(folder):
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_files_are_emptied_and_stay(tmp_path):
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/deep/a").write_bytes(b"aaa")
    (tmp_path / "b").write_bytes(b"b")
    empty(tmp_path / "folder", tmp_path / "b", tmp_path / "never made")
    assert sizes(tmp_path) == {"a": 0, "b": 0}


def test_a_dump_leaves_alone_what_another_worker_writes_beside_it(tmp_path):
    corpus = make_corpus(None, tmp_path, limit=2, seed=0, size=(64, 48))
    scratch = tmp_path / "new"
    scratch.mkdir()
    part = Part("npy", "dump", "shards", (Slice(0, 2),), 1, corpus.index, "", str(scratch), check=False)
    own, other = make_action(part), make_action(part)
    own.turn, other.turn = 0, 1
    own.one_pass(0)
    other.one_pass(0)
    own.clean()
    found = sizes(Path(scratch))
    assert found["0.npy"] == 0
    assert found["1.npy"] > 2 * 64 * 48 * 3


@pytest.mark.parametrize("layout", ["shards", "single"])
def test_of_a_lossy_protocol_all_but_the_values_is_compared(layout, tmp_path):
    corpus = make_corpus(None, tmp_path, limit=2, seed=0, size=(64, 48))
    scratch = tmp_path / "new"
    scratch.mkdir()
    label = "webdataset+jpg:50"
    action = make_action(
        Part(label, "dump", layout, (Slice(0, 2),), 1, corpus.index, "", str(scratch), check=True)
    )
    action.run()
    action.check()
    assert (action.checked, action.problems) == (2, [])
    action.compare(0, None, "|u1", (48, 65, 3), 0)
    assert len(action.problems) == 1
