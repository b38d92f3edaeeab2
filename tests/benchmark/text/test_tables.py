from dataclasses import replace

import pytest

from brinery.benchmark.analysis.conclude import conclude, with_bounds
from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.analysis.warnings import REMEDIES
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.result.cell import Cell
from brinery.benchmark.result.findings import Ceiling, Startup
from brinery.benchmark.text.findings import startup_table
from brinery.benchmark.text.report import all_tables, report_markdown
from brinery.benchmark.text.table import Column, Entry, Table, left, markdown_table
from brinery.benchmark.text.tables import seed_table
from brinery.benchmark.text.terminal import text_table

from ..made import pooled, result, sample, single

ROUNDS = [200, 201, 199, 200, 202]


def rows_of(table):
    """The rows as a text shows them."""
    return list(zip(*(strip.cells for strip in table.strips()), strict=True))


def over_workers(made):
    """The tables over workers: each variant's, and its growth where there is any."""
    kept = ("Single process", "Noise", "Start-up", "Recommendations", "Ceilings")
    return [table for table in all_tables(made) if not table.title.startswith(kept)]


def test_the_seed_table_gives_seconds_for_1000_images_marked_as_extrapolated():
    table = seed_table(
        result(
            [
                (single("source-files", "load"), ROUNDS),
                (single("article-pickle-0", "dump"), ROUNDS),
                (single("npy", "dump"), ROUNDS),
                (single("npy", "load"), [20, 20, 20, 20, 20]),
            ]
        )
    )
    rows = {row[0]: row[1:] for row in rows_of(table)}
    assert list(rows) == ["article's loop, pickle 0", "npy", "source JPEG files"]
    assert rows["npy"] == ("~2.00", "1.99 to 2.02", "~0.200", "0.200 to 0.200", "231", "9.6", "100 / 100")
    assert rows["source JPEG files"][0] == "-"


def test_intervals_say_how_often_they_hold_the_median():
    five = [20.0 + step for step in range(5)]
    cells = [
        (single("npy", "load"), five),
        (single("json", "load"), [*five, 25, 26]),
        (single("npy", "dump"), [1]),
    ]
    made = result(cells)
    (note, _) = seed_table(made).notes
    assert "two rounds that hold the median with a probability of 93.8% (5 rounds), 98.4% (7 rounds)" in note
    assert "with fewer than five rounds the fastest and the slowest" in note
    old = replace(made.cells[0], stats=replace(made.cells[0].stats, coverage=None))
    assert "a 95 % interval of the median by resampling" in seed_table(replace(made, cells=(old,))).notes[0]


def test_the_seed_table_says_what_is_lossy_and_does_not_call_it_best():
    cells = [
        (single(name, "load"), times) for name, times in (("webdataset+jpg", [10] * 5), ("npy", [20] * 5))
    ]
    rows = {row[0]: row for row in seed_table(result(cells)).rows}
    assert {"webdataset+jpg (lossy)", "npy"} <= set(rows)
    assert rows["npy"][2].kind == "best"
    assert rows["webdataset+jpg (lossy)"][2].kind != "best"


def test_scaling_is_against_one_worker_and_oversubscribed_rows_are_marked():
    inline = Cell("npy", "load", 1, "shards", "none")
    (table,) = over_workers(
        result(
            [
                (pooled("npy", "load", 1), ROUNDS),
                (pooled("npy", "load", 2), [100] * 5),
                (pooled("npy", "load", 4), [80] * 5),
                (inline, [190] * 5),
            ]
        )
    )
    rows = {row[1]: row for row in rows_of(table)}
    assert list(rows) == ["inline", "1", "2", "4*"]
    assert rows["1"][2:] == ("500", "115", "1.00", "100%", "-", "1.00", "100", "0", "231")
    assert rows["2"][4:8] == ("2.00", "100%", "-", "2.00")
    assert rows["4*"][4:6] == ("2.50", "62%")
    assert rows["inline"][4:6] == ("1.05", "-")
    assert any("oversubscribed" in note for note in table.notes)


def test_a_protocol_that_does_not_map_shows_dashes():
    load, mapped = over_workers(
        result([(pooled("json", "load", 1), ROUNDS), (pooled("npy", "load", 1), ROUNDS),
                (pooled("npy", "map", 1), ROUNDS)])
    )  # fmt: skip
    assert len(load.rows) == 2
    assert rows_of(mapped)[0] == ("json", *["-"] * 10)


def test_text_is_aligned_and_markdown_holds_everything():
    made = result([(single("npy", "dump"), ROUNDS), (pooled("npy", "load", 4), [80] * 3)])
    lines = text_table(seed_table(made)).splitlines()
    assert len(lines[2]) == len(lines[4])
    report = report_markdown(made)
    for words in (
        "| npy |",
        "4\\*",
        "oversubscribed (1 cell)",
        "few-rounds",
        "A CPU",
        "brinery bench",
        "Seed 5",
    ):
        assert words in report


def test_one_table_has_its_notes_in_columns_of_a_text_and_more_columns_on_a_page():
    columns = (*left("name"), Column("time, s", notes="range"), Column("safe", numeric=False, page=True))
    rows = [
        ("npy", Entry("~1,200", 1200.0, "1,100 to 1,300"), "yes"),
        ("json", Entry("void", None, "it died"), None),
    ]
    table = Table("Times", columns, [*rows, ("all", 2345.6, Entry(None, "no"))], ("~ about.",))
    assert text_table(table).splitlines() == [
        "Times",
        "",
        "name  time, s           range",
        "-----------------------------",
        "npy    ~1,200  1,100 to 1,300",
        "json     void               -",
        "all      2346               -",
        "~ about.",
    ]
    assert markdown_table(table).splitlines()[2:4] == ["| name | time, s | range |", "| --- | ---: | ---: |"]


def test_a_cell_whose_arrays_were_wrong_is_void_in_the_table():
    ledger = Ledger()
    cell = pooled("npy", "load", 1)
    ledger.expect(cell, 100)
    ledger.add(cell, sample(cell, 0, 200), 100, 0)
    ledger.add(cell, sample(cell, 1, 200, valid=False, problem="image 1: not the same"), 100, 1)
    (found,) = cell_results(ledger, 2.0)
    assert not found.valid
    assert found.stats is None
    assert found.verify.wrong == 1
    assert set(found.warnings) <= set(REMEDIES)


def ceiling(name, workers, per_s, unit="bytes", cost=1.0):
    return Ceiling(name, unit, workers, True, None, per_s, per_s, per_s, cost, ())


def test_a_cell_stands_beside_the_ceiling_that_binds_it():
    made = result([(pooled("npy", "dump", 1), ROUNDS), (pooled("npy", "load", 1), ROUNDS)])
    ceilings = (
        ceiling("raw-write", 1, 231_000 * 1000),
        ceiling("raw-read", 1, 231_000 * 5000),
        ceiling("memcpy", 1, 231_000 * 2000),
    )
    dump, load = with_bounds(made.cells, ceilings)
    assert (dump.bound.ceiling, round(dump.bound.fraction, 3)) == ("raw-write", 0.5)
    assert (load.bound.ceiling, round(load.bound.fraction, 3)) == ("memcpy", 0.25)


def test_every_protocol_has_a_line_of_growth_and_limits():
    pytest.importorskip("scipy")
    made = conclude(
        result(
            [
                (pooled("npy", "load", 1), [200, 201, 199, 200, 202]),
                (pooled("npy", "load", 2), [100, 101, 100, 99, 100]),
                (pooled("npy", "load", 4), [80] * 5),
            ]
        )
    )
    _, growth = over_workers(made)
    ((protocol, gain, serial, ceiling, limited),) = rows_of(growth)
    assert protocol == "npy"
    assert gain.startswith("x2.00 [")
    assert gain.endswith("at 2")
    assert serial.startswith("serial ")  # two numbers of workers: no curve
    assert (ceiling, limited) == ("-", "cpu (1, 2, 4*)")
    assert "USL" not in report_markdown(made)


def test_three_numbers_of_workers_have_a_curve():
    pytest.importorskip("scipy")
    noise = [1.0, 1.01, 0.99, 1.005, 0.995]
    cells = [
        (pooled("npy", "load", n), [200 / n * (1 + 0.1 * (n - 1)) * x for x in noise]) for n in (1, 2, 4)
    ]
    made = conclude(result(cells, usable=4.0))
    ((_, gain, parameters, ceiling, _),) = rows_of(over_workers(made)[1])
    assert gain == "Amdahl"
    assert "alpha 0.1" in parameters
    assert ceiling == "beyond data"


def test_files_of_one_image_stand_beside_the_making_of_files():
    made = result([(single("npy", "dump"), ROUNDS)])  # 500 files a second
    (dump,) = with_bounds(made.cells, [ceiling("raw-files", 1, 1e12), ceiling("create", 1, 2000, "files")])
    assert (dump.bound.ceiling, round(dump.bound.fraction, 3)) == ("create", 0.25)
    (dump,) = with_bounds(made.cells, [ceiling("raw-files", 1, 231_000 * 1000), ceiling("raw-write", 1, 1)])
    assert (dump.bound.ceiling, round(dump.bound.fraction, 3)) == ("raw-files", 0.5)


def test_starting_workers_has_a_table_of_its_own():
    made = result([(pooled("npy", "load", 1), ROUNDS)])
    assert startup_table(made) is None
    starts = (Startup(2, 800_000_000, 50_000_000), Startup(2, 600_000_000, 30_000_000), Startup(1, 10**9, 1))
    rows = rows_of(startup_table(replace(made, startups=starts)))
    assert rows == [("1", "1.00", "0.000000001"), ("2", "0.700", "0.0400")]


def test_noise_and_recommendations_have_tables():
    pytest.importorskip("scipy")
    made = conclude(result([(pooled("npy", "load", 1), ROUNDS), (pooled("json", "load", 1), [900] * 5)]))
    titles = [table.title for table in all_tables(made)]
    assert titles[-2:] == ["Noise", "Recommendations"]
    assert ("Fastest read through brinery.open", "npy with 1 worker") in [
        row[:2] for row in rows_of(all_tables(made)[-1])
    ]
    assert "## Evidence of the limits" in report_markdown(made)
