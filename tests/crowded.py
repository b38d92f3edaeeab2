"""A CPU that other programs hold, whatever else the machine does."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

SPIN = """
import os, time
end = time.monotonic() + 30
print(os.getpid(), flush=True)
while time.monotonic() < end: pass
"""


@contextmanager
def crowded(spinners=3):
    """Share one CPU with programs that spin; they end with the context, and after 30 s in any case.

    A shell starts them and leaves, so that they are no children of this process, whose time would be its own.
    """
    allowed, others = os.sched_getaffinity(0), []
    os.sched_setaffinity(0, {min(allowed)})
    try:
        for _ in range(spinners):
            shell = ["sh", "-c", '"$0" -c "$1" &', sys.executable, SPIN]
            with subprocess.Popen(shell, stdout=subprocess.PIPE, text=True) as started:
                others.append(int(started.stdout.readline()))  # it spins
        yield
    finally:
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.sched_setaffinity(0, allowed)
