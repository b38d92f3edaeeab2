"""A user's program is checked by mypy, and `brinery.benchmark` is a function whatever was imported."""

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import brinery

ROOT = Path(__file__).parents[1]
RIGHT = """
import dataclasses
import pathlib
import brinery

result = brinery.convert("photos.tar", "photos.brine", protocol="npy", workers=2)
samples: int = result.samples
brinery.convert(src=[pathlib.Path("a.zip"), "b.tar"], dest="b.brine", shard_size=1 << 20, warn=print)
brinery.convert("a.zip", "a.brine", layout="mirror", progress=lambda now: print(now.members))
options = brinery.ConvertOptions(mode="rgb", memory="2GiB")
brinery.convert("a.zip", "a.brine", **dataclasses.asdict(options))
exported: int = brinery.export(pathlib.Path("photos.brine"), "photos.h5", protocol="hdf5").samples
with brinery.open("photos.brine") as dataset:
    shape: tuple[int, ...] = dataset[0].shape
measured = brinery.benchmark("photos.tar", cores=(1, 2), protocols="npy,hickle", memory_cap="2GiB")
valid: list[str] = [cell.protocol for cell in measured.cells if cell.valid]
written = brinery.write_report(measured, "report.html", format="html")
size: int = written.bytes
"""
WRONG = """
import brinery

brinery.convert("photos.tar", "photos.brine", protocl="npy")
brinery.convert("photos.tar", "photos.brine", mode="blue")
brinery.convert("photos.tar", "photos.brine", progress=lambda now: now.nothing)
brinery.convert("photos.tar")
brinery.ConvertOptions().mode = "rgb"
brinery.export("photos.brine", "gray.brine", mode="gray")
brinery.benchmark("photos.tar", core=(1, 2))
brinery.benchmark(quick="yes")
brinery.benchmark(1)
brinery.benchmark().cell
"""


def checked(folder, **programs):
    """Check programs of a user; what mypy knows of brinery itself since `make lint` it knows here too."""
    files = [folder / f"{name}.py" for name in programs]
    for file, text in zip(files, programs.values(), strict=True):
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *map(str, files)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line.partition(":") for line in done.stdout.splitlines() if ": error:" in line]
    return {file.stem: [rest for name, _, rest in lines if name.endswith(file.name)] for file in files}, done


def test_a_program_is_checked_by_its_authors_mypy(tmp_path):
    errors, done = checked(tmp_path, right=RIGHT, wrong=WRONG)
    assert errors["right"] == [], done.stdout
    lines = [int(error.split(":")[0]) for error in errors["wrong"]]
    assert lines == [*range(4, 14)], done.stdout


def test_the_bench_is_one_function_also_when_its_package_was_imported():
    import brinery.benchmark.cells
    from brinery.benchmark.options import BenchArguments
    from brinery.engine.option_records import meanings

    assert inspect.isfunction(brinery.benchmark)
    assert sys.modules["brinery.benchmark.cells"].seed_cells
    names = [option.name for option in fields(BenchArguments)]
    assert list(meanings(BenchArguments)) == names
    assert list(inspect.signature(brinery.benchmark).parameters) == [
        "source", *names, "progress", "say", "argv",
    ]  # fmt: skip


def test_an_option_that_there_is_not_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="'core'"):
        brinery.benchmark(output=tmp_path, core=(1, 2))
    assert not list(tmp_path.iterdir())
