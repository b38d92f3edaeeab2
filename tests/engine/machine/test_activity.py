"""What the machine did around a run, from counters that a test writes."""

import os
import subprocess
import sys

from brinery.engine.machine import activity
from brinery.engine.machine.activity import MachineCounters, cpu_of_others, read_machine, surroundings

SPINNING = """
import sys, time
while time.process_time() < 0.2:
    pass
sys.stdout.write("x")
sys.stdout.flush()
sys.stdin.read()
"""


def test_what_lies_between_two_readings_and_what_is_unknown_stays_so():
    earlier = MachineCounters(100, 10, 1, None, 5, 7)
    later = MachineCounters(300, 60, 1, 9, None, 8)
    assert later - earlier == MachineCounters(200, 50, 0, None, None, 1)


def test_a_counter_that_goes_back_counts_as_nothing(tmp_path, monkeypatch):
    readings = iter([MachineCounters(0, 9, 50, 0, 0, 0), MachineCounters(10**9, 8, 40, 0, None, 3)])
    monkeypatch.setattr(activity, "read_machine", lambda _folder: next(readings))
    found = surroundings(tmp_path)([])
    assert (found.steal_ns, found.io_stalled_ns, found.device_busy_ns) == (0, None, 3)
    assert found.cpu_ns == 10**9 * len(os.sched_getaffinity(0)) >= found.usable_cpu_ns > 0


def test_children_are_no_other_programs_while_they_run_and_once_they_are_gone():
    begin = cpu_of_others() - read_machine("/").busy_ns
    child = subprocess.Popen([sys.executable, "-c", SPINNING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.read(1)  # it has had a fifth of a second of CPU time
    running = cpu_of_others() - read_machine("/").busy_ns
    child.communicate(timeout=60)
    gone = cpu_of_others() - read_machine("/").busy_ns
    assert begin - running > 100_000_000
    assert begin - gone > 100_000_000
