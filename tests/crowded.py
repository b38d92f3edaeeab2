"""A CPU that other programs hold, whatever else the machine does."""

import os
import subprocess
import sys
from contextlib import contextmanager

SPIN = "import sys, time\nend = time.monotonic() + 30\nprint(flush=True)\nwhile time.monotonic() < end: pass"


@contextmanager
def crowded(spinners=3):
    """Share one CPU with programs that spin; they end with the context, and after 30 s in any case."""
    allowed, others = os.sched_getaffinity(0), []
    os.sched_setaffinity(0, {min(allowed)})
    try:
        others.extend(
            subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE) for _ in range(spinners)
        )
        for one in others:
            one.stdout.read(1)  # it spins
        yield
    finally:
        for one in others:
            one.kill()
            one.communicate()
        os.sched_setaffinity(0, allowed)
