"""What all of the user's images cost by the prices given, of benches whose right answer is known."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.prices import costs_of
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.result.recommendations import Prices, Weights
from brinery.benchmark.text.prices import cost_sentence, cost_table
from brinery.benchmark.text.report import all_tables, report_markdown
from brinery.benchmark.text.terminal import text_table
from brinery.errors import UsageError

from .test_recommendations import SOURCE, planted

pytest.importorskip("scipy")

CENTS = Prices(gb_month=0.02, core_hour=0.05)


def priced(prices=CENTS, reads=10.0, images=10**6, **more):
    """Return a bench of a source of a million images, with prices."""
    made = planted(weights=Weights(reads_per_write=reads, prices=prices), **more)
    return replace(made, settings=replace(made.settings, total_bytes=images * SOURCE))


def test_storage_is_paid_by_the_month_and_cores_by_the_hour():
    _, costs = costs_of(priced(noise=0))
    of = {one.protocol: one for one in costs}
    npy, source = of["npy"], of["source-files"]
    assert npy.storage == pytest.approx(231 * 12 * 0.02)  # GB
    assert npy.write == pytest.approx(400 / 3600 * 0.05)  # s: a million times 400 microseconds
    assert npy.read == pytest.approx(10 * 20 / 3600 * 0.05)
    assert npy.total.value == pytest.approx(npy.storage + npy.write + npy.read)
    assert (source.storage, source.write) == (pytest.approx(24 * 12 * 0.02), 0)
    assert source.read == pytest.approx(10 * 500 / 3600 * 0.05)
    assert costs[0] == source


def test_what_is_small_costs_least_where_it_is_seldom_read():
    assert cost_sentence(priced()) == (
        "By the prices given, all 24.0 GB kept for 12 months and read 10 times cost least with the source"
        " files: 5.83, 5.76 of it for storage; hdf5+gzip:4 costs 6.21 times as much."
    )


def test_what_is_read_without_work_costs_least_where_it_is_read_all_day():
    text = cost_sentence(priced(reads=1e5))
    assert "read 100000 times cost least with npy: 83.20, 55.44 of it for storage" in text
    assert "pickle-5 costs 1.08 times as much" in text


def test_what_may_cost_as_little_is_said():
    text = cost_sentence(priced(Prices(0.0, 0.05), noise=0.3))
    assert "npy" in text
    assert text.endswith("may cost as little.")


def test_the_table_fits_a_terminal_and_stands_in_the_report():
    made = priced()
    table = cost_table(made)
    assert table.title == "What all 24.0 GB of your source costs, about 1,000,000 images"
    assert max(map(len, text_table(table, 80).split("\n"))) <= 80
    assert table in all_tables(made)
    assert cost_sentence(made) in report_markdown(made).replace("\\", "")


def test_without_prices_nothing_is_said_of_money():
    made = planted()
    assert cost_table(made) is None
    assert cost_sentence(made) == ""


def test_prices_that_make_no_sense_are_refused():
    assert make_bench_options(prices="0.023,0.05").weights.prices == Prices(0.023, 0.05, 12.0)
    assert make_bench_options(prices=[0, 1, 36]).weights.prices == Prices(0.0, 1.0, 36.0)
    for wrong in ("0.02", "a,b", "1,2,3,4", "", "0.02,nan", "-1,2", "1,2,0"):
        with pytest.raises(UsageError, match=r"price|months"):
            make_bench_options(prices=wrong)


def test_where_times_decide_nothing_only_storage_is_told():
    quiet = priced(reads=1e5)
    made = replace(quiet, noise=replace(quiet.noise, foreign_cpu=0.9))
    table = cost_table(made)
    assert cost_sentence(made) == ""
    assert [row[0] for row in table.rows] == [
        "source files",
        "hdf5+gzip:4",
        "npy",
        "pickle-5",
        "hdf5",
        "json",
    ]
    assert {value for row in table.rows for value in row[2:]} == {None}
    assert any(note.startswith("Costs of time are left out: ") for note in table.notes)


def test_fewer_than_five_rounds_claim_less():
    text = cost_sentence(priced(rounds=3))
    assert text.startswith("By the prices given, so far and by fewer than five rounds, all 24.0 GB kept ")
