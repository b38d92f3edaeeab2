"""The sentinel runs once without the sampler, which reads nothing meanwhile."""

import time

from brinery.engine.machine.sampler import Sampler


def test_a_paused_sampler_reads_nothing():
    with Sampler() as sampler:
        time.sleep(0.25)
        with sampler.paused():
            before = len(sampler.timeline)
            time.sleep(0.3)
            assert len(sampler.timeline) == before
        time.sleep(0.3)
    assert len(sampler.timeline) > before
