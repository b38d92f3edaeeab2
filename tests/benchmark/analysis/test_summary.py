import pytest

from brinery.benchmark.analysis.summary import cell_results, steady
from brinery.benchmark.ledger import Ledger

from ..made import pooled, sample

pytest.importorskip("scipy")


def test_a_cell_whose_interval_is_tight_needs_no_further_round():
    ledger = Ledger(steady)
    even, uneven = pooled("npy", "load", 1), pooled("json", "load", 1)
    for cell in (even, uneven):
        ledger.expect(cell, 100)
    for number in range(5):
        ledger.add(even, sample(even, number, 200 + 0.2 * number), 100, 0)
        ledger.add(uneven, sample(uneven, number, 200 + 20 * number), 100, 0)
        if number == 3:
            assert ledger.still_open([even, uneven]) == [even, uneven]
    assert ledger.still_open([even, uneven]) == [uneven]
    assert [cell.stopped_early for cell in cell_results(ledger, 2.0)] == [True, False]
