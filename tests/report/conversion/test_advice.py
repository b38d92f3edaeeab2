"""What a convert's page says about runs made by hand, whose right answer is known."""

import json
import sqlite3
from dataclasses import replace

import pytest

from brinery.benchmark.text.findings import verdict_lines
from brinery.engine.machine.activity import Surroundings
from brinery.engine.records import Phases
from brinery.engine.summary import RunSummary
from brinery.report.conversion.advice import advice
from brinery.report.conversion.head import conclusion, reason
from brinery.report.conversion.markdown import conversion_markdown
from brinery.report.conversion.read import RunUse, read_conversion, verdict_of

from ..made import dataset

S = 1_000_000_000
WALL, WORKERS = 100 * S, 2


def run(cpu=0.9, waited=0.0, *, phases=None, around=None, workers=WORKERS, parent=0.02, **changes):
    """A run of 100 s on two CPUs; `cpu` and `waited` are shares of the workers' time."""
    there = workers * WALL
    known = {"cpu_ns": 2 * WALL, "usable_cpu_ns": 2 * WALL, "others_cpu_ns": 0, "steal_ns": 0}
    known |= {"throttled_ns": 0, "io_stalled_ns": 0, "device_busy_ns": 0} | (around or {})
    shares = {"decode": 0.8, "write": 0.1, "read": 0.05} if phases is None else phases
    summary = RunSummary(
        wall_ns=WALL, members=5000, samples=5000, failures=0, skipped=0, source_bytes=10**8,
        pixel_bytes=10**9, file_bytes=10**9,
        phases=Phases(**{f"{name}_ns": round(share * there) for name, share in shares.items()}),
        worker_cpu_ns=round(cpu * there), parent_cpu_ns=round(parent * WALL), sampler_cpu_ns=0,
        read_bytes=0, write_bytes=10**9, switches_voluntary=500, switches_involuntary=0,
        peak_rss_bytes=10**8, peak_pss_bytes=10**8, units_by_worker={1: 40, 2: 40},
        run_wait_ns=round(waited * there), around=Surroundings(**known),
    )  # fmt: skip
    settings = {"fsync": False}
    return RunUse("2026-01-01", "finished", workers, "loky", settings, replace(summary, **changes), 0.9)


QUIET = run()
DISTURBED = run(0.11, 0.8, around={"others_cpu_ns": round(0.61 * 2 * WALL)})
THROTTLED = run(0.4, 0.5, around={"throttled_ns": WALL // 2})
STOLEN = run(0.6, 0.02, around={"steal_ns": round(0.35 * 2 * WALL)})
CROWDED = run(0.25, 0.7, workers=8)
STORAGE = run(
    0.2,
    0.01,
    phases={"read": 0.75, "decode": 0.2},
    around={"device_busy_ns": round(0.95 * WALL)},
    read_bytes=10**10,
)
UNKNOWN = run(0.11, around=dict.fromkeys(Surroundings.__slots__), run_wait_ns=None)  # as 0.1.0 recorded it


@pytest.mark.parametrize(
    ("made", "limit", "first"),
    [
        (QUIET, "cpu", "Use more or faster CPUs"),
        (DISTURBED, "other-programs", "Stop other programs, or convert when they are done"),
        (THROTTLED, "throttled", "Raise the quota of CPU time, or use fewer workers"),
        (STOLEN, "throttled", "Use a machine whose CPUs are not shared"),
        (CROWDED, "oversubscribed", "Use fewer workers"),
        (STORAGE, "disk", "Put the archive on faster storage"),
        (UNKNOWN, "undetermined", "Find what keeps the workers waiting"),
    ],
)
def test_limit_and_advice_follow_what_the_workers_waited_for(made, limit, first):
    assert verdict_of(made).limit == limit
    assert advice(made, "npy")[0].what == first
    assert (first == "Use more or faster CPUs") == any(
        "faster CPUs" in one.what for one in advice(made, "npy")
    )


def test_the_next_likely_limit_has_most_of_its_evidence_or_all():
    assert verdict_of(QUIET).runner_up is None
    assert "Next likely is oversubscribed, whose evidence holds too." in verdict_lines(verdict_of(THROTTLED))


def test_reading_that_computes_is_not_sped_up_by_storage():
    steps = advice(run(0.95, 0.01, phases={"read": 0.6, "decode": 0.38}), "npy")
    assert steps[0].what == "Read from one archive that is not compressed"


def test_savings_are_what_was_waited():
    (only,) = advice(DISTURBED, "npy")
    assert only.why == "other programs took 61% of the CPUs, and workers waited for a CPU 80% of their time"
    assert only.bound == " At most 80% of the time."


def test_first_screen_and_markdown_say_who_held_the_cpus(tmp_path):
    found = read_conversion(dataset(tmp_path))
    made = replace(found, run=DISTURBED, usage=None)
    assert conclusion(made) == (
        "5,000 images in 1 min 40 s with 2 workers, none failed, while other programs took 61% of the CPUs."
    )
    said = reason(made, verdict_of(DISTURBED))
    assert "The limit is other programs: other programs took 61% of the CPUs" in said
    assert "Stop other programs, or convert when they are done: that can save up to 80%." in said
    assert "Use more or faster CPUs" not in conversion_markdown(made)
    assert "other programs" not in conclusion(replace(made, run=QUIET))


def test_a_run_records_what_was_around_it_and_earlier_datasets_are_read_as_before(tmp_path):
    out = dataset(tmp_path)
    around = read_conversion(out).run.summary.around
    assert around.cpu_ns >= around.usable_cpu_ns > 0
    with sqlite3.connect(out / "manifest.sqlite") as connection:
        (text,) = connection.execute("SELECT summary FROM runs").fetchone()
        earlier = {
            k: v for k, v in json.loads(text).items() if k not in ("around", "run_wait_ns", "block_wait_ns")
        }
        connection.execute("UPDATE runs SET summary = ?", (json.dumps(earlier),))
    found = read_conversion(out)
    assert found.run.summary.around == Surroundings()
    assert verdict_of(found.run).limit not in ("other-programs", "oversubscribed", "throttled")
