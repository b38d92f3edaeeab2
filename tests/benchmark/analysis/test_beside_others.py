"""A region and a convert on a CPU that other programs hold, measured here and now."""

import os

import pytest
from click.testing import CliRunner

from brinery.benchmark.analysis.bottleneck import find_limit
from brinery.benchmark.analysis.ceilings import Ceilings, facts_of
from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.cells import Slice
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.regions.session import inline
from brinery.benchmark.result.cell import Cell
from brinery.benchmark.worker.corpus import make_corpus
from brinery.benchmark.worker.shards import Part
from brinery.benchmark.worker.tasks import Task, run_stage
from brinery.cli.convert import command as convert
from brinery.cli.info import command as info
from brinery.report.conversion.advice import advice
from brinery.report.conversion.read import read_conversion, verdict_of

from ...crowded import crowded

CPUS = os.cpu_count() or 1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(None, tmp_path_factory.mktemp("corpus"), limit=240, seed=0, size=(320, 240))


def names_others(verdict):
    if verdict.limit == "throttled":
        pytest.skip(f"the machine itself is held back: {verdict.evidence}")
    assert verdict.limit == "other-programs", verdict
    assert "CPU time taken by other programs" in verdict.evidence[0]


def test_a_region_beside_spinners_is_limited_by_other_programs(corpus, tmp_path):
    cell, ledger = Cell("npy", "load", 1, "shards", "loky"), Ledger()
    part = Part("npy", "load", "shards", (Slice(0, 24),), 12, corpus.index, str(tmp_path), str(tmp_path))
    run_stage(part)
    ledger.expect(cell, 24)
    with crowded():
        for number in range(2):
            ledger.add(cell, inline(Task(0, None, part)).sample(number, 0))
        (found,) = cell_results(ledger, usable=1.0)
        facts = facts_of(found, None, Ceilings(()), 1.0)
    names_others(find_limit(facts))


@pytest.mark.skipif(CPUS > 4, reason="three spinners take little of so large a machine")
def test_a_convert_beside_spinners_is_limited_by_other_programs_and_advised_to_stop_them(corpus, tmp_path):
    out = tmp_path / "out"
    with crowded():
        arguments = [corpus.folder, str(out), "--workers", "1", "--backend", "threading", "--no-fsync"]
        said = CliRunner().invoke(convert, arguments, standalone_mode=False)
    run = read_conversion(out).run
    names_others(verdict_of(run))
    assert run.foreign > 0.2 / CPUS
    assert advice(run, "npy")[0].what.startswith("Stop other programs")
    assert f"other programs took {run.foreign:.0%} of the CPUs meanwhile" in said.stderr
    told = CliRunner().invoke(info, [str(out)], standalone_mode=False)
    assert f"of their time; other programs took {run.foreign:.0%} of the CPUs" in told.output
