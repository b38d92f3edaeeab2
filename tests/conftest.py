"""How tests run: those marked `quiet` measure, and come last, when the rest no longer holds the CPUs.

How long an example takes depends on the disk and on what else runs; it fails no test.
"""

from hypothesis import settings

settings.register_profile("brinery", deadline=None)
settings.load_profile("brinery")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("quiet") is not None)
