"""A user's program is checked by mypy, and `brinery.benchmark` is a function whatever was imported."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import brinery

ROOT = Path(__file__).parents[1]
RIGHT = """
import brinery

result = brinery.convert("photos.tar", "photos.brine", protocol="npy", workers=2)
samples: int = result.samples
with brinery.open("photos.brine") as dataset:
    shape: tuple[int, ...] = dataset[0].shape
measured = brinery.benchmark("photos.tar", cores=(1, 2), protocols="npy,hickle", memory_cap="2GiB")
valid: list[str] = [cell.protocol for cell in measured.cells if cell.valid]
written = brinery.write_report(measured, "report.html", format="html")
size: int = written.bytes
"""
WRONG = """
import brinery

brinery.benchmark("photos.tar", core=(1, 2))
brinery.benchmark(quick="yes")
brinery.benchmark(1)
brinery.benchmark().cell
"""


def checked(folder, text):
    (folder / "program.py").write_text(text)
    path = folder / "path"
    path.mkdir(exist_ok=True)
    if not (path / "brinery").exists():
        (path / "brinery").symlink_to(ROOT / "src", target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "program.py"],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "MYPYPATH": str(path)},
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if line.startswith("program.py")], done


def test_a_program_is_checked_by_its_authors_mypy(tmp_path):
    errors, done = checked(tmp_path, RIGHT)
    assert errors == [], done.stdout
    errors, _ = checked(tmp_path, WRONG)
    assert [line.split(":")[1] for line in errors if ": error:" in line] == ["4", "5", "6", "7"]


def test_the_bench_is_one_function_also_when_its_package_was_imported():
    import brinery.benchmark.cells
    from brinery.benchmark.options import DEFAULTS, BenchArguments

    assert inspect.isfunction(brinery.benchmark)
    assert sys.modules["brinery.benchmark.cells"].seed_cells
    assert DEFAULTS.keys() == BenchArguments.__annotations__.keys()
    assert list(inspect.signature(brinery.benchmark).parameters) == [
        "source", "progress", "say", "argv", "options",
    ]  # fmt: skip


def test_an_option_that_there_is_not_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="'core'"):
        brinery.benchmark(output=tmp_path, core=(1, 2))
    assert not list(tmp_path.iterdir())
