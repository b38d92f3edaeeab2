"""How large each protocol's files are: of the same images, whatever a timed region gets to."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from brinery.benchmark.options import make_bench_options
from brinery.benchmark.regions import sizes
from brinery.benchmark.regions.session import Scratch
from brinery.benchmark.regions.sizes import affordable, measure_sizes, spread
from brinery.benchmark.worker.corpus import Image as CorpusImage
from brinery.benchmark.worker.corpus import make_corpus
from brinery.engine.workers import pool

SMALL, LARGE = (12, 16), (120, 160)
NPY_HEADER = 128


@pytest.fixture(scope="module", autouse=True)
def no_workers_left():
    yield
    pool.shutdown()


def made(folder, shapes):
    """A corpus of noise in these shapes, in this order."""
    random = np.random.default_rng(0)
    source, scratch = folder / "source", folder / "scratch"
    source.mkdir()
    scratch.mkdir()
    for number, shape in enumerate(shapes):
        pixels = random.integers(0, 256, (*shape, 3), np.uint8)
        Image.fromarray(pixels).save(source / f"{number:03}.png")
    return make_corpus(source, scratch, limit=1000, seed=0), Scratch(scratch)


def measured(corpus, scratch, protocols=("npy", "json"), **options):
    said = []
    found = measure_sizes(corpus, protocols, make_bench_options(None, **options), scratch, said.append)
    assert said == []
    return {(one.protocol, one.layout): one for one in found}


@pytest.mark.parametrize("shapes", [[SMALL] * 9 + [LARGE] * 2, [LARGE] * 2 + [SMALL] * 9])
def test_sizes_are_of_every_image_wherever_the_large_ones_stand(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr(sizes, "_price", lambda *_: 0.001)  # a busy machine would make it a sample
    corpus, scratch = made(tmp_path, shapes)
    found = measured(corpus, scratch)
    pixels = sum(3 * height * width for height, width in shapes)
    assert {(one.images, one.of_images, one.pixel_bytes) for one in found.values()} == {(11, 11, pixels)}
    assert found["npy", "single"].file_bytes == pixels + 11 * NPY_HEADER
    assert found["npy", "shards"].file_bytes < 1.05 * pixels
    for layout in ("single", "shards"):
        assert found["json", layout].file_bytes > 3 * found["npy", layout].file_bytes
    assert found["source-files", "single"].file_bytes == corpus.info.source_bytes
    for version in (0, 2):
        plain = sum(len(pickle.dumps(image.array(), version)) for image in corpus.images)
        assert found[f"article-pickle-{version}", "single"].file_bytes == plain


def test_where_time_is_short_every_protocol_writes_the_same_few(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "_MOST_ALL_S", 0.0)
    shapes = [SMALL] * 24 + [LARGE] * 8
    corpus, scratch = made(tmp_path, shapes)
    found = measured(corpus, scratch, preset="seed")
    assert {one.layout for one in found.values()} == {"single"}
    source = found.pop(("source-files", "single"))  # known without writing anything
    assert (source.images, source.file_bytes) == (32, corpus.info.source_bytes)
    assert {(one.images, one.of_images) for one in found.values()} == {(4, 32)}
    few = 3 * 3 * SMALL[0] * SMALL[1] + 3 * LARGE[0] * LARGE[1]
    assert {one.pixel_bytes for one in found.values()} == {few}
    all_pixels = corpus.info.pixel_bytes
    npy = found["npy", "single"]
    assert npy.file_bytes == few + 4 * NPY_HEADER
    assert npy.per_image(all_pixels) == pytest.approx(all_pixels / 32, rel=0.01)
    assert found["json", "single"].per_image(all_pixels) > 3 * npy.per_image(all_pixels)


def test_two_versions_in_turns_take_the_same_images_whatever_their_clocks_say(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "_price", lambda *_: pytest.fail("a clock was asked"))
    corpus, scratch = made(tmp_path, [SMALL] * 24)
    found = measured(corpus, scratch, preset="seed", costs=tmp_path / "costs.json")
    assert set(found) == {("npy", "single"), ("json", "single")}
    assert len({one.pixel_bytes for one in found.values()}) == 1


def test_a_protocol_that_cannot_store_an_image_has_no_size(tmp_path):
    corpus, scratch = made(tmp_path, [SMALL] * 3)
    said = []
    options = make_bench_options(None, preset="seed")
    found = measure_sizes(corpus, ("npy", "of-nobody"), options, scratch, said.append)
    assert "of-nobody" not in {one.protocol for one in found}
    assert len(said) == 1
    assert said[0].startswith("the size of of-nobody is not known: ")


def images(widths):
    return [
        CorpusImage(str(n), 1, "|u1", (width,), (n * 2654435761) % (1 << 32), "", 0)
        for n, width in enumerate(widths)
    ]


@pytest.mark.parametrize(
    "widths", [[10] * 50 + [1000] * 50, [1000] * 50 + [10] * 50, [10, 1000] * 50, [1000, 10, 10, 1000] * 25]
)
def test_a_sample_has_small_and_large_ones_in_their_proportion_whatever_their_order(widths):
    chosen = spread(images(widths), 8)
    assert chosen == sorted(set(chosen))
    assert sorted(widths[number] for number in chosen) == [10] * 4 + [1000] * 4
    assert spread(images(widths), 100) == list(range(100))


def test_images_of_one_shape_are_spread_over_what_they_compress_to():
    corpus = [replace(image, source_bytes=1 + (n * 37) % 100) for n, image in enumerate(images([1000] * 100))]
    told = [corpus[number].source_bytes for number in spread(corpus, 10)]
    assert sum(told) / 10 == pytest.approx(sum(image.source_bytes for image in corpus) / 100, rel=0.02)


def test_a_sample_shrinks_with_the_price_and_keeps_four():
    corpus = images([1000] * 100)
    counts = [len(affordable(corpus, [0.001, price], most_s=3.0)) for price in (0.001, 0.1, 1.0, 100.0)]
    assert counts[0] == 100
    assert counts == sorted(counts, reverse=True)
    assert 4 < counts[1] < 100
    assert counts[-1] == 4
    assert affordable(corpus[:2], [100.0], most_s=3.0) == [0, 1]
