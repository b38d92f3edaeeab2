"""The sampler's view of the workers beside their own."""

from dataclasses import replace

from brinery.benchmark.sampled import cpu_seen
from brinery.engine.machine.sampler import Reading

from .made import pooled, result

SECOND = 1_000_000_000


def reading(pid, seconds, cpu):
    return Reading(round(seconds * SECOND), pid, "worker", round(cpu * SECOND), *[0] * 10)


def cells(*points):
    """Cells whose one worker had used so many seconds of CPU at the end of each region."""
    (cell,) = result([(pooled("npy", "load", 1), [100] * len(points))]).cells
    samples = [
        replace(
            one,
            workers=(
                replace(
                    one.workers[0],
                    pid=7,
                    begin_ns=round(end * SECOND),
                    wall_ns=0,
                    lifetime_cpu_ns=round(cpu * SECOND),
                ),
            ),
        )
        for one, (end, cpu) in zip(cell.samples, points, strict=True)
    ]
    return [replace(cell, samples=tuple(samples))]


def test_between_the_first_and_the_last_region_both_are_counted():
    timeline = [reading(7, t, 0.5 * t) for t in range(11)] + [reading(8, t, t) for t in range(11)]
    assert cpu_seen(timeline, 100 * SECOND, cells((102, 1.0), (105, 2.6), (108, 4.1))) == (
        3_100_000_000,
        3_000_000_000,
    )


def test_a_worker_that_the_sampler_hardly_saw_does_not_count():
    assert cpu_seen([reading(7, 3, 1)], 0, cells((2, 1.0), (8, 4.0))) == (None, None)
    late = [reading(7, t, t) for t in range(5, 10)]
    assert cpu_seen(late, 0, cells((2, 1.0), (8, 4.0))) == (None, None)
    assert cpu_seen([], 0, []) == (None, None)
