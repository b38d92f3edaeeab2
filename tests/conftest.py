"""How tests run, and in which order.

Tests that share a fixture of their file or folder run in one process, one after another, and come first: the
others fill in. Those of the package as a whole start mypy and builds, which take long, and come next. Those
marked `quiet` measure, and come last, when the rest no longer holds the CPUs.

How long an example takes depends on the disk and on what else runs; it fails no test.
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
SOAK = os.environ.get("BRINERY_SOAK")  # many tests of few files, which both CPUs take

# Tests start hundreds of processes, and none of them should have to compile brinery again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("brinery", deadline=None)
settings.load_profile("brinery")


def shared(item):
    """The file or folder whose fixtures a test has in common with others; None if all are its own."""
    fixtures = [one for some in item._fixtureinfo.name2fixturedefs.values() for one in some]
    places = [one.baseid for one in fixtures if one.scope in ("module", "session")]
    return min(filter(None, places), default=None)  # pytest's own have no place


def turn(item):
    if item.get_closest_marker("quiet"):
        return 3
    if item.get_closest_marker("xdist_group"):
        return 0
    return 1 if item.path.parent == TESTS else 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        place = None if SOAK else shared(item)
        if place and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(Path(place).stem))
        group = item.get_closest_marker("xdist_group")
        if group and getattr(config.option, "loadgroup", False):
            # As pytest-xdist 3.8 does, where pytest 9.2 no longer looks.
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")
    items.sort(key=turn)
