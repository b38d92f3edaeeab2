"""What an expert would say of ten benches: the sentence at the head of terminal, Markdown and page.

`planted` makes a result whose right answer is known, from what an image takes in microseconds.
"""

from dataclasses import replace

import numpy as np
import pytest

from brinery.benchmark.analysis.conclude import conclude
from brinery.benchmark.result.findings import Ceiling, CeilingSample, StoredSize
from brinery.benchmark.result.measured import Bound
from brinery.benchmark.result.recommendations import OBJECTIVES, Weights
from brinery.benchmark.text.conclusion import candidate_table, conclusion_of, recommendation_table
from brinery.benchmark.text.projection import projection_table
from brinery.benchmark.text.report import report_markdown
from brinery.benchmark.text.terminal import text_table

from ..made import pooled, result

pytest.importorskip("scipy")

IMAGES, PIXELS, SOURCE = 1000, 230_400, 24_000
SIZES = {"npy": 231_000, "pickle-5": 231_100, "hdf5": 232_000, "hdf5+gzip:4": 150_000, "json": 997_000}
WRITE = {"npy": 400, "pickle-5": 400, "hdf5": 450, "hdf5+gzip:4": 3000, "json": 60_000}
MAP = {"npy": 20, "pickle-5": 25, "hdf5": 26}
LOAD = {"npy": 40, "pickle-5": 20, "hdf5": 90, "hdf5+gzip:4": 1200, "json": 60_000}


def planted(
    map_us=MAP, load_us=LOAD, cold_us=None, decode_us=500, rounds=7, noise=0.005, weights=None, **change
):
    """Return a concluded bench with one worker of five protocols over shards.

    Args:
        map_us, load_us, cold_us, decode_us: microseconds an image, by protocol; the others were not timed.
        rounds, noise: how many there are, and the spread in each.
        weights: of the cost.
        change: fields of the result that differ.
    """
    random = np.random.default_rng(5)

    def times(us):
        return [us / 10 * float(np.exp(random.normal(0, noise))) for _ in range(rounds)]  # ms for 100 images

    cells = [(pooled(name, "convert", 1), times(us)) for name, us in WRITE.items() if name in load_us]
    cells = [(replace(cell, dispatch="engine"), values) for cell, values in cells]
    cells += [(pooled(name, "load", 1), times(us)) for name, us in load_us.items()]
    cells += [(pooled(name, "map", 1), times(us)) for name, us in map_us.items()]
    cold = [(pooled(name, "load", 1), times(us)) for name, us in (cold_us or {}).items()]
    cells += [(replace(cell, cache="cold"), values) for cell, values in cold]
    made = result(cells, ops=("convert", "load", "map"))
    sizes = tuple(
        StoredSize(name, "shards", IMAGES, IMAGES, IMAGES * PIXELS, IMAGES * SOURCE, IMAGES * size)
        for name, size in SIZES.items()
        if name in load_us
    )
    settings = replace(made.settings, weights=weights or Weights())
    made = replace(made, sizes=sizes, settings=settings, ceilings=(decoding(times(decode_us)),))
    return conclude(replace(made, **change))


def decoding(times):
    """Return the ceiling of decoding 100 images a round."""
    samples = tuple(
        CeilingSample(
            number,
            0,
            valid=True,
            problem=None,
            amount=100,
            wall_ns=round(ms * 1e6),
            parent_cpu_ns=None,
            workers=(),
        )
        for number, ms in enumerate(times)
    )
    middle = float(np.median(times))
    return Ceiling(
        "decode", "images", 1, True, None, 1e5 / middle, 1e5 / max(times), 1e5 / min(times), None, samples
    )


def said(made):
    """Return the sentence, once it is seen to be the same in Markdown."""
    found = conclusion_of(made)
    assert f"**{found.sentence}** {found.reason}" in report_markdown(made).replace("\\", "")
    return found.sentence


def test_a_safe_protocol_wins_a_tie_with_an_unsafe_one():
    made = planted(map_us={"npy": 20.1, "pickle-5": 20, "hdf5": 26})
    assert said(made) == (
        "Choose npy with 1 worker: statistically tied with pickle-5, but safe to load and readable outside "
        "Python."
    )


def test_an_unsafe_winner_is_called_unsafe():
    made = planted(
        map_us=MAP | {"pickle-5": 2}, load_us=LOAD | {"npy": 4000, "hdf5": 4000}, weights=Weights(1000)
    )
    assert said(made) == "Choose pickle-5 with 1 worker (unsafe to load from others, Python only)."


def test_what_a_disk_gives_counts_where_it_was_measured():
    cold = {"npy": 2300, "pickle-5": 2300, "hdf5": 2400, "hdf5+gzip:4": 1600, "json": 70_000}
    raw = replace(decoding([10] * 7), name="raw-read-cold", unit="bytes", per_s=100e6)
    made = planted(cold_us=cold, decode_us=6000)
    assert said(conclude(replace(made, ceilings=(*made.ceilings, raw)))) == (
        "Choose hdf5+gzip:4 with 1 worker, read from storage; from memory npy reads fastest."
    )
    assert said(planted()) == "Choose npy with 1 worker."


def test_one_protocol_alone_is_no_choice():
    made = planted(map_us={"npy": 20}, load_us={"npy": 40})
    assert said(made) == "Only npy with 1 worker was measured: there is no other protocol to choose from."
    assert "the source files 8" in conclusion_of(made).reason  # they are a candidate nevertheless


def test_a_run_that_others_disturbed_names_no_winner():
    made = planted()
    made = conclude(replace(made, noise=replace(made.noise, foreign_cpu=0.61)))
    assert said(made) == "This run decides nothing: other programs held the CPUs (61%)."
    assert all(one.winner is None for one in made.recommendations if one.unit == "ns_per_image")
    assert conclusion_of(made).reason == (  # what was written is as large as ever
        "With the source files an image takes 24.0 kB; hdf5+gzip:4 6.25 times as much, json 41.5 times."
    )


def test_three_rounds_give_an_order_and_no_claim():
    made = planted(rounds=3, noise=0.05)
    assert said(made) == (
        "Too few rounds (3) to choose; so far, best first: npy, then pickle-5, then hdf5, then the source "
        "files. About 2 more rounds would decide."
    )
    texts = text_table(recommendation_table(made))
    assert "times as fast" not in texts
    assert "resamples" not in texts


def test_what_does_not_fit_into_the_memory_is_left_out():
    made = planted(weights=Weights(memory_bytes=150 << 20))
    peak = {"hdf5": 100 << 20}
    cells = [
        replace(cell, memory=replace(cell.memory, peak_pss_bytes=peak.get(cell.protocol, 300 << 20)))
        for cell in made.cells
    ]
    made = conclude(replace(made, cells=tuple(cells)))
    assert said(made) == "Choose hdf5 with 1 worker: the only protocol within 150 MiB of memory."


def test_the_assumed_link_stands_beside_what_it_takes():
    made = planted(weights=Weights(link_mb_per_s=40), decode_us=30_000)
    share = "of which 41.2 ms are the assumed link of 40 MB/s"
    assert said(made) == "Choose hdf5+gzip:4 with 1 worker over an assumed link of 40 MB/s."
    assert f"with hdf5+gzip:4, an image costs 56.3 ms, {share};" in conclusion_of(made).reason
    rows = [row for row in candidate_table(made).rows if row[:2] == (OBJECTIVES["cost"], "hdf5+gzip:4")]
    assert [row[3].note for row in rows] == [share]
    assert "a link of 40 MB/s that every write and read crosses" in " ".join(recommendation_table(made).notes)


def test_the_source_files_are_kept_where_no_protocol_costs_less():
    made = planted(weights=Weights(link_mb_per_s=100))
    assert said(made) == "Keep the source files: no protocol costs less over an assumed link of 100 MB/s."
    assert (
        said(planted(weights=Weights(reads_per_write=0.5)))
        == "Keep the source files: no protocol costs less."
    )


def test_images_of_several_sizes_are_compared_by_their_pixels():
    made = planted()
    small = [  # json got to few and small images, so its time an image is less than that of others
        replace(cell, size=replace(cell.size, pixel_bytes_per_image=PIXELS / 5000))
        if cell.protocol == "json"
        else cell
        for cell in planted(load_us=LOAD | {"json": 10}).cells
    ]
    made = conclude(replace(made, cells=tuple(small)))
    assert said(made) == "Choose npy with 1 worker."
    (read, *_) = made.recommendations
    assert read.choices[-1].protocol == "json"
    assert "times scaled by pixels to the corpus's mean image" in read.assumptions


def test_a_winner_faster_than_the_machine_is_noise():
    made = planted()
    bounds = {"convert": Bound("decode + raw-write", 2.58)}
    cells = [replace(cell, bound=bounds.get(cell.op)) for cell in made.cells]
    assert said(conclude(replace(made, cells=tuple(cells)))) == (
        "npy with 1 worker leads, undecided: its convert reached 258% of what decoding and writing alone did,"
        " so that is noise."
    )


def test_the_page_begins_with_the_same_sentence():
    pytest.importorskip("altair")
    from brinery.report.bench.page import bench_page

    made = planted(rounds=3)
    page, found = bench_page(made), conclusion_of(made)
    assert (page.conclusion, page.reason) == (found.sentence, found.reason)


def test_all_of_the_source_is_projected_with_intervals():
    made = planted()
    assert projection_table(made) is None  # all of it was measured
    whole = replace(made, settings=replace(made.settings, total_bytes=40 * 10**12))
    table = projection_table(whole)
    assert table.title == "All 40.0 TB of your source, about 1,670,000,000 images"
    rows = {row[0]: row[1:] for row in zip(*(strip.cells for strip in table.strips()), strict=True)}
    assert rows["source files"][:4] == ("40.0", "1.0", "0", "-")  # they are there, and each read decodes
    space, ratio, write, span, *_ = rows["npy"]
    assert (space, ratio) == ("385", "9.6")
    low, high = (float(end) for end in span.split(" to "))
    assert low <= float(write) <= high
    assert float(write) == pytest.approx(1.667e9 * 400e-6 / 3600, rel=0.02)
    held = conclude(replace(whole, noise=replace(made.noise, foreign_cpu=0.61)))
    assert projection_table(held).notes[-1] == "Times are left out: other programs held the CPUs (61%)."


def test_what_no_safe_reader_was_timed_of_is_named_and_not_chosen():
    made = planted(map_us={"npy": 200}, load_us={"npy": 900, "pickle-5": 20})
    assert said(made) == "Choose npy with 1 worker: the only protocol whose safe read was timed."
    assert "without pickle-5, of which no safe read was timed" in " ".join(recommendation_table(made).notes)
