"""Tests marked `quiet` measure: they come last, when the rest of the run no longer holds the CPUs."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("quiet") is not None)
