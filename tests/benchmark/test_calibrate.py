"""What an image costs: enough images at once, and one answer for two versions."""

from dataclasses import replace

from brinery.benchmark import calibrate
from brinery.benchmark.calibrate import Costs, _whole, share_costs
from brinery.benchmark.cells import Cost


def test_two_versions_plan_with_the_costs_of_the_first(tmp_path):
    first = Costs({"npy": Cost(1, 2, 3, 4), "hdf5": Cost(5, 6, 7, 8)}, {"source-files": Cost(9, 9, 9, 9)}, {})
    second = Costs({"npy": Cost(2, 2, 2, 2), "new": Cost(3, 3, 3, 3)}, {"source-files": Cost(7, 7, 7, 7)}, {})
    path = tmp_path / "costs.json"
    assert share_costs(first, path) is first
    found = share_costs(replace(second, failed={"hdf5": "no such library"}), path)
    assert found.protocols == {"npy": Cost(1, 2, 3, 4), "new": Cost(3, 3, 3, 3)}
    assert found.baselines == first.baselines
    assert found.failed == {"hdf5": "no such library"}


def test_opening_a_shard_does_not_pass_for_what_an_image_costs(monkeypatch):
    def time_of(do, count):
        return 8e6 + 0.5e6 * count  # ns

    monkeypatch.setattr(calibrate, "_time", time_of)
    each, count = _whole(lambda _: None, 32)
    assert count == 32
    assert each < 0.8e6


def test_neither_a_first_use_nor_a_pause_passes_for_what_an_image_costs(monkeypatch):
    calls = []

    def time_of(do, count):
        do(count)
        pause = 200e6 if len(calls) in (2, 4) else 0  # the first that is timed, and a later one
        return 8e6 + 0.5e6 * count + pause

    monkeypatch.setattr(calibrate, "_time", time_of)
    each, count = _whole(calls.append, 32)
    assert calls[:2] == [1, 1]
    assert (each, count) == (24e6 / 32, 32)


def test_slow_images_are_few(monkeypatch):
    monkeypatch.setattr(calibrate, "_time", lambda _do, count: 50e6 * count)
    assert _whole(lambda _: None, 32) == (50e6, 2)
