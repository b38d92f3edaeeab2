"""Two versions measured in turns."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from brinery.benchmark.compare import ab
from brinery.benchmark.compare.ab import _arguments, _rounds_each, run_ab
from brinery.benchmark.compare.compare import compare_files
from brinery.benchmark.options import make_bench_options
from brinery.errors import BrineryError, MissingLibraryError, UsageError

pytest.importorskip("scipy")

SRC = Path(__file__).parents[3] / "src"
SLOWER_DUMP = """

def _slower(self, array, file, dump=NpySerializer.dump):
    import time

    time.sleep(0.004)
    return dump(self, array, file)


NpySerializer.dump = _slower
"""


def test_ab_measures_the_trees_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(ab, "_MOST_ROUNDS", 3)
    for name in ("as-is", "slow"):
        shutil.copytree(SRC, tmp_path / name / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "slow" / "src" / "engine" / "protocols" / "npy.py").open("a") as module:
        module.write(SLOWER_DUMP)
    said, told, known = [], [], []
    found = run_ab(
        (str(tmp_path / "as-is"), str(tmp_path / "slow")), rounds=1, output=tmp_path / "out", say=said.append,
        progress=told.append, after_pair=known.append, preset="seed", protocols="npy", limit=8, quick=True,
    )  # fmt: skip
    ratios = {(one.protocol, one.op): one.ratio.value for one in found.cells}
    assert ratios["npy", "dump"] > 4
    assert ratios["npy", "load"] < 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["base.json", "head.json"]
    assert known == [found]
    assert found.paired
    assert compare_files(tmp_path / "out" / "base.json", tmp_path / "out" / "head.json") == found
    assert [side.version for side in (found.a, found.b)] == [
        str(tmp_path / name) for name in ("as-is", "slow")
    ]

    plan, rounds, pair, expected = said
    assert plan.startswith("plan       1 pairs of processes, A of ")
    assert rounds == "           3 rounds in each pair, of npy: one file an image"
    assert pair == f"pair 1 of 1: {tmp_path / 'as-is'} and {tmp_path / 'slow'}"
    assert expected.startswith("expected   12 regions, about ")
    assert told[0].doing.startswith("pair 1 of 1, round 1, ")
    assert told[-1].doing.startswith("pair 1 of 1, round 3, ")
    assert {one.doing.split(", ", 2)[2] for one in told} == {
        f"{op} npy, one file an image" for op in ("dump", "load")
    }
    assert 0 < told[0].fraction < told[-1].fraction <= 1
    assert told[0].left_s > told[-1].left_s >= 0


def test_fewer_cells_are_measured_more_often():
    def rounds(protocols=None, **options):
        return _rounds_each(make_bench_options(**options), protocols)

    assert rounds("npy", cores="1,2", ops="dump,load") == 8
    assert rounds(["npy", "json"], cores="1,2") == 5
    assert rounds("a-new-one,npy", preset="seed") == 8
    assert rounds() == 3


def test_ab_hands_on_what_differs_from_the_defaults():
    given = {
        "protocols": "npy,hdf5",
        "cores": "1,2,4,8",
        "ops": ("dump", "load"),
        "cache": "warm",
        "quick": True,
    }
    given |= {"budget": None, "seed": 0, "reads_per_write": 10.0, "memory_cap": "2GiB"}
    assert _arguments(given) == [
        "--protocols", "npy,hdf5", "--ops", "dump,load", "--quick", "--memory-cap", "2GiB",
    ]  # fmt: skip


def test_ab_refuses_what_is_no_version(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="neither a checkout"):
        run_ab((str(tmp_path / "empty"), "HEAD"), output=tmp_path / "out", source=tmp_path)
    with pytest.raises(UsageError, match="neither a folder nor a git revision"):
        run_ab(("no-such-branch", "HEAD"), output=tmp_path / "out", source=tmp_path)
    with pytest.raises(UsageError, match="rounds"):
        run_ab(("HEAD", "HEAD"), rounds=0, output=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_ab_runs_revisions_of_a_repository_and_says_why_a_bench_failed(tmp_path):
    package = tmp_path / "repository" / "src"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("raise SystemExit('brinery: no disk')\n")
    git = [
        "git",
        "-C",
        str(package.parent),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "-c",
        "core.hooksPath=/dev/null",
    ]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one", "--no-verify"]):
        subprocess.run([*git, *arguments], check=True)
    with pytest.raises(BrineryError, match=r"the bench of HEAD failed: no disk; see .*failed\.log"):
        run_ab(("HEAD", "HEAD"), output=tmp_path / "out", source=tmp_path, repository=package.parent)


def test_without_scipy_nothing_is_measured_in_vain(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'brinery\[bench\]'"):
        run_ab(("no such version", "nor this one"), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
