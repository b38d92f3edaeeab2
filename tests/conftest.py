"""How tests run: those marked `quiet` measure, and come last, when the rest no longer holds the CPUs.

How long an example takes depends on the disk and on what else runs; it fails no test.
"""

import os
import sys

from hypothesis import settings

# Tests start hundreds of processes, and none of them should have to compile brinery again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("brinery", deadline=None)
settings.load_profile("brinery")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("quiet") is not None)
