"""The corpus is the same whatever number of workers makes it."""

import pytest

from brinery.engine.corpus import make_corpus
from brinery.errors import DestinationError, StorageError


def test_workers_change_no_byte(tmp_path):
    seen = []
    for workers in (1, 2):
        make_corpus(tmp_path / str(workers), count=70, size=(16, 12), workers=workers, progress=seen.append)
    files = [{path.name: path.read_bytes() for path in (tmp_path / str(n)).iterdir()} for n in (1, 2)]
    assert len(files[0]) == 70
    assert files[0] == files[1]
    assert seen[-1] == 70


def test_it_never_mixes_with_other_files(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DestinationError, match="not empty"):
        make_corpus(tmp_path, count=1)
    with pytest.raises((DestinationError, StorageError)):
        make_corpus(tmp_path / "thesis.tex" / "below", count=1)
