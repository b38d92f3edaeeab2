"""Usable CPUs are the smallest of affinity and every enclosing quota."""

import os

import pytest

from brinery.engine.machine import cpus


@pytest.fixture
def groups(tmp_path):
    def make(membership, quotas):
        for path, (limit, period) in quotas.items():
            folder = tmp_path / "cgroup" / path
            folder.mkdir(parents=True, exist_ok=True)
            if "cpu" in path.split("/")[0]:
                (folder / "cpu.cfs_quota_us").write_text(f"{limit}\n")
                (folder / "cpu.cfs_period_us").write_text(f"{period}\n")
            else:
                (folder / "cpu.max").write_text(f"{limit} {period}\n")
        (tmp_path / "self").write_text(membership)
        found = cpus.enclosing_groups("cpu", tmp_path / "self", tmp_path / "cgroup")
        return [quota for quota in map(cpus._quota, found) if quota is not None]

    return make


def test_every_ancestor_of_a_v2_group_counts(groups):
    quotas = groups(
        "0::/user/job\n", {".": ("max", 100000), "user": (250000, 100000), "user/job": (400000, 100000)}
    )
    assert sorted(quotas) == [2.5, 4.0]


def test_v1_quotas_count(groups):
    assert groups("4:cpu,cpuacct:/box\n", {"cpu,cpuacct/box": (150000, 100000)}) == [1.5]


def test_no_limit_is_no_quota(groups):
    assert groups("4:cpu:/\n0::/\n", {"cpu": (-1, 100000), ".": ("max", 100000)}) == []


def test_the_affinity_bounds_it():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cpus.usable_cpus() <= 1
        assert cpus.default_workers() == 1
    finally:
        os.sched_setaffinity(0, before)
