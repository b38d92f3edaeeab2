"""What lies in the current folder, or beside an archive, is data: no command imports it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..images import images, make_tar

BRINERY = Path(sys.executable).with_name("brinery")
MODULES = (
    "numpy",
    "queue",
    "json",
    "random",
    "string",
    "signal",
    "click",
    "heapq",
    "joblib",
    "psutil",
    "PIL",
)


@pytest.fixture
def place(tmp_path):
    """A folder with an archive, and modules that leave a mark when they are imported."""
    make_tar(tmp_path / "photos.tar", images(6))
    for name in (*MODULES, "sitecustomize", "usercustomize"):
        mark = f"open({str(tmp_path / 'RAN-')!r} + {name!r}, 'w')\n"
        if name == "PIL":
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(mark)
        else:
            (tmp_path / f"{name}.py").write_text(mark)
    return tmp_path


def run(command, folder, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def marks(folder):
    return sorted(path.name for path in folder.glob("RAN-*"))


@pytest.mark.parametrize("program", [(BRINERY,), (sys.executable, "-m", "brinery")], ids=["script", "module"])
def test_no_command_imports_from_the_current_folder(place, program):
    for command in (
        ("convert", "photos.tar", "out", "--workers", "2", "--shard-size", "1KiB"),
        ("verify", "out", "--workers", "1"),
        ("restore", "out", "images", "--workers", "1"),
        ("info", "out"),
        ("sample", "sample", "--count", "3", "--size", "16x12", "--workers", "1"),
    ):
        done = run([*program, *command], place)
        assert done.returncode == 0, done.stderr
        assert marks(place) == []


@pytest.mark.parametrize("given", [":/nowhere", ".:/nowhere", "/nowhere::"])
def test_what_pythonpath_names_relative_to_the_current_folder_is_left_out(place, given):
    (place / "sitecustomize.py").unlink()  # Python itself imports them before brinery begins
    (place / "usercustomize.py").unlink()
    done = run([BRINERY, "convert", "photos.tar", "out", "--workers", "2"], place, PYTHONPATH=given)
    assert done.returncode == 0, done.stderr
    assert marks(place) == []


def test_an_absolute_folder_in_pythonpath_is_the_users_choice(tmp_path, place):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "sitecustomize.py").write_text(f"open({str(place / 'CHOSEN-')!r} + str(os.getpid()), 'w')\n")
    text = (chosen / "sitecustomize.py").read_text()
    (chosen / "sitecustomize.py").write_text(f"import os\n{text}")
    done = run([BRINERY, "convert", "photos.tar", "out", "--workers", "1"], place, PYTHONPATH=str(chosen))
    assert done.returncode == 0, done.stderr
    assert marks(place) == []
    assert len(list(place.glob("CHOSEN-*"))) >= 2  # this process and its worker


SCRIPT = """
import os, sys
import beside, brinery
from brinery.engine.workers import pool
if __name__ == "__main__":
    assert brinery.convert(sys.argv[1], sys.argv[2], workers=1).samples == 6
    print(*pool.run(beside.answer, [1], workers=1))
"""
BESIDE = """
import os, subprocess, sys
def answer(_):
    return "PYTHONSAFEPATH" in os.environ
"""


def test_a_script_keeps_its_own_path_in_its_workers(tmp_path, place):
    """What lies beside the script is found, and what lies in the current folder is not."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "script.py").write_text(SCRIPT)
    (own / "beside.py").write_text(BESIDE)
    done = run([sys.executable, own / "script.py", place / "photos.tar", tmp_path / "out"], place)
    assert done.stdout.split() == ["False"], done.stderr
    assert marks(place) == []


def test_a_script_from_stdin_finds_what_lies_in_its_current_folder(tmp_path):
    make_tar(tmp_path / "photos.tar", images(6))
    (tmp_path / "beside.py").write_text(BESIDE)
    command = [sys.executable, "-", "photos.tar", "out"]
    done = subprocess.run(
        command, cwd=tmp_path, input=SCRIPT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["False"], done.stderr
