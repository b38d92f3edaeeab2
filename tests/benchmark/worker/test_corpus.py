"""The images of a bench: which are taken, in which order."""

import numpy as np

from brinery.benchmark.worker.corpus import make_corpus

from ...images import jpeg, make_folder


def mixed_folder(path, count=32):
    """Make images that grow from the first to the last, as an archive in the order of dates may."""
    return make_folder(path, {f"{n:02}.jpg": jpeg(n, (16, 16 + 8 * n, 3)) for n in range(count)})


def test_every_stretch_of_mixed_images_has_about_the_mean_size(tmp_path):
    (tmp_path / "scratch").mkdir()
    mixed_folder(tmp_path / "photos")
    corpus = make_corpus(tmp_path / "photos", tmp_path / "scratch", limit=100, seed=0)
    sizes = [image.nbytes for image in corpus.images]
    assert len(set(sizes)) == len(sizes) == 32
    for start in range(0, 32, 8):
        assert 0.8 < np.mean(sizes[start : start + 8]) / np.mean(sizes) < 1.2
    keys = [image.key for image in corpus.images]
    assert keys == sorted(keys)  # a convert lists them in this order
    assert sorted(path.name for path in (tmp_path / "scratch" / "images").iterdir()) == keys
    assert corpus.info.archive_bytes is None  # all of it was taken


def test_a_part_of_a_source_knows_how_large_all_of_it_is(tmp_path):
    (tmp_path / "scratch").mkdir()
    mixed_folder(tmp_path / "photos")
    corpus = make_corpus(tmp_path / "photos", tmp_path / "scratch", limit=5, seed=0)
    assert corpus.info.images == 5
    whole = sum(path.stat().st_size for path in (tmp_path / "photos").iterdir())
    assert corpus.info.archive_bytes == whole > corpus.info.source_bytes
