"""The number that stands for a protocol's size, and when there is none."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.recommend import recommend
from brinery.benchmark.analysis.sizes import shown_layout, sizes_of
from brinery.benchmark.result.findings import StoredSize
from brinery.benchmark.result.recommendations import Weights
from brinery.benchmark.text.report import report_markdown
from brinery.benchmark.text.tables import seed_table

from ..made import pooled, result, single

ROUNDS = [10.0, 10.1, 10.2, 10.1, 10.0]
PIXELS = 230_400_000  # of the 1000 images


def bench(stored, layouts=("single", "shards")):
    """A result whose cells' files are of other images than the sizes: json's regions got to small ones."""
    cells = [
        (make(protocol, op), ROUNDS)
        for protocol in ("npy", "json")
        for op in ("dump", "load")
        for make in (single, lambda protocol, op: pooled(protocol, op, 1))
    ]
    found = result(cells)
    told = {"npy": (80, 280_000.0), "json": (2, 60_000.0)}
    found = replace(
        found,
        cells=tuple(
            replace(
                cell,
                size=replace(
                    cell.size, images=told[cell.protocol][0], file_bytes_per_image=told[cell.protocol][1]
                ),
            )
            for cell in found.cells
        ),
    )
    sizes = tuple(
        StoredSize(protocol, layout, images, 1000, pixels, 1, size)
        for layout in layouts
        for protocol, (images, pixels, size) in stored.items()
    )
    return replace(found, sizes=sizes)


WHOLE = {"npy": (1000, PIXELS, 231_000_000), "json": (1000, PIXELS, 997_000_000)}
PART = {"npy": (4, 400_000, 401_000), "json": (4, 400_000, 1_600_000)}


def advice(made, **options):
    pytest.importorskip("scipy")
    return {found.objective: found for found in recommend(made, **options)}


def test_the_smallest_is_that_of_the_same_images():
    found = advice(bench(WHOLE))["smallest"]
    assert (found.winner, found.layout, found.decided) == ("source-files", "shards", True)
    sizes = [("source-files", 24_000.0), ("npy", 231_000.0), ("json", 997_000.0)]
    assert [(one.protocol, one.value) for one in found.choices] == sizes
    assert advice(bench(WHOLE, layouts=("single",)))["smallest"].layout == "single"


def test_a_part_is_extrapolated_by_bytes_of_pixels():
    sizes = sizes_of(bench(PART), "shards")
    assert sizes.mark == "~"
    assert sizes.values == pytest.approx({"npy": 230_976.0, "json": 921_600.0, "source-files": 24_000.0})
    assert sizes.over_source("npy") == pytest.approx(9.624)
    assert sizes_of(bench(WHOLE), "shards").mark == ""


def test_sizes_of_other_images_name_no_winner():
    old = bench({})
    assert shown_layout(old) == "shards"
    found = advice(old, weights=Weights(link_mb_per_s=100.0))
    for objective in ("smallest", "cost"):
        assert (found[objective].winner, found[objective].reason) == (None, "sizes are of different images")
    assert advice(old)["cost"].winner is not None  # without a link no size counts


def test_sizes_of_earlier_results_count_where_all_are_of_as_many_images():
    old = bench({})
    even = tuple(replace(cell, size=replace(cell.size, images=80)) for cell in old.cells)
    found = advice(replace(old, cells=even))["smallest"]
    assert [one.protocol for one in found.choices] == ["source-files", "json", "npy"]
    assert found.choices[1].value == 60_000.0


def test_a_cost_with_a_link_takes_the_same_sizes():
    found = advice(bench(WHOLE), weights=Weights(reads_per_write=0, link_mb_per_s=100.0))["cost"]
    values = {one.protocol: one.value for one in found.choices}
    assert values["json"] - values["npy"] == pytest.approx((997_000 - 231_000) / 100e6 * 1e9, rel=0.01)


@pytest.mark.parametrize(
    ("stored", "shown", "note"),
    [
        (WHOLE, {"npy": "231", "json": "997"}, "files of all 1,000 images, written once, untimed"),
        (PART, {"npy": "~231", "json": "~922"}, "the same 4 of 1,000 images for every protocol"),
    ],
)
def test_the_seed_table_shows_them_and_says_of_which_images(stored, shown, note):
    made = bench(stored)
    table = seed_table(made)
    texts = {strip.head: strip.cells for strip in table.strips()}
    assert dict(zip(texts["protocol"], texts["kB a file"], strict=True)) == shown
    assert note in " ".join(table.notes)
    assert "otherwise shards as convert cuts them" in report_markdown(made)
