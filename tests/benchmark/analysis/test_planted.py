"""Every workload whose limit is known gets that verdict, from counters taken here and now.

Another program on the CPUs makes any workload wait; so each waits for a quiet moment, and may try again.
"""

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from brinery.benchmark.host import CpuUse
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.regions.session import Progress, Scratch, Session
from brinery.benchmark.worker.corpus import make_corpus
from brinery.benchmark.worker.page_cache import why_not_cold
from brinery.engine.workers import pool

from .planted import USABLE, measure

pytestmark = [
    pytest.mark.quiet,
    pytest.mark.xdist_group("quiet"),
    pytest.mark.skipif(
        not os.environ.get("BRINERY_SOAK"), reason="BRINERY_SOAK=1 measures workloads of known limits"
    ),
]

TRIES = 5
DISTURBED = ("other-programs", "oversubscribed", "throttled")
PATIENCE_S = 90  # of all tests together
BUSY = 0.15
GROWTH = 1.15  # of CPU time with two: of a copy, memory is full; of a loop, others are at work
NEARLY = 0.95  # of a loop's speed-up: nobody holds back what comes as near
TIMES = 10


@pytest.fixture(scope="module")
def patience():
    return time.monotonic() + PATIENCE_S


@pytest.fixture(autouse=True)
def free_cpus(patience):
    """Wait until others leave the CPUs, such as the rest of a test run."""
    while time.monotonic() < patience:
        use = CpuUse()
        time.sleep(0.5)
        if (use.foreign() or 0.0) < BUSY:
            return


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("planted")
    options = make_bench_options(quick=True, output=scratch)
    corpus = make_corpus(None, scratch, limit=4, seed=0, size=(64, 48))
    yield Session(options, corpus, Scratch(scratch), USABLE, Ledger(), Progress(lambda _: None))
    pool.shutdown()


def verdicts(session, work, expected, workers=1, backend="loky"):
    """Measure until the expected verdict comes; return all that came."""
    came = []
    for _ in range(TRIES):
        came.append(measure(session, work, workers, backend))
        if came[-1][0].limit == expected:
            break
    return came


def gets(session, work, expected, **options):
    """Assert that the verdict is this one, each time; where other programs hold the CPUs all along, skip."""
    for _ in range(TIMES):
        came = verdicts(session, work, expected, **options)
        if all(verdict.limit in DISTURBED for verdict, _ in came):
            pytest.skip(f"other programs hold the CPUs: {came[-1][0].evidence}")
        assert came[-1][0].limit == expected, came


def test_a_spinner_is_limited_by_the_cpu(session):
    gets(session, "spin", "cpu")


def held_back(verdict, facts):
    """Whether memory, not other programs, kept two workers from being as fast as two."""
    alone = verdict.limit in DISTURBED or facts.spin_growth >= GROWTH
    return facts.cpu_growth >= GROWTH and facts.gain < NEARLY * facts.spin_gain and not alone


def test_a_copier_by_memory_unless_two_copy_twice_as_fast_as_one(session):
    if USABLE < 2:
        pytest.skip("two copiers need two CPUs")
    for _ in range(TIMES):
        came = verdicts(session, "copy", "memory-bandwidth", workers=2)
        expected = came[-1][0].limit == "memory-bandwidth"
        assert expected == any(held_back(*one) for one in came), came


def test_an_fsync_loop_by_the_disk(session):
    reason = why_not_cold(session.scratch.path)
    if reason is not None:
        pytest.skip(f"no disk here that fsync would wait for: {reason}")
    gets(session, "flush", "disk")


def test_threads_that_hold_the_interpreter_by_a_lock(session):
    gets(session, "spin", "lock", workers=2, backend="threading")


def test_a_sleeper_has_no_limit_that_could_be_told(session):
    gets(session, "sleep", "undetermined")


def test_a_maker_of_files_by_file_creation(session):
    # In memory where there is room: on a disk one folder's files can be many times as dear as another's.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        gets(replace(session, scratch=Scratch(Path(folder))), "make", "file-creation")
