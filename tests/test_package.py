"""The package as it is installed and imported."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from brinery.cli import _COMMANDS

ROOT = Path(__file__).parent.parent


def python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_every_folder_of_modules_is_packaged():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("__init__.py")}
    assert listed == {".".join(("brinery", *folder.parts)) for folder in folders}


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_importing_brinery_imports_nothing_heavy():
    code, out, err = python("import sys, brinery; print(*sorted(sys.modules))")
    assert code == 0, err
    heavy = {"joblib", "h5py", "hickle", "scipy", "numpy", "PIL", "psutil", "rich", "click"}
    assert heavy & set(out.split()) == set()


def test_converting_jpegs_imports_no_pillow(tmp_path):
    data = simplejpeg.encode_jpeg(np.zeros((9, 9, 3), np.uint8))
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(data)
    code, listed, err = python(
        "import sys, brinery\n"
        f"brinery.convert({os.fspath(photos)!r}, {os.fspath(out)!r}, backend='threading')\n"
        "print(*sorted(sys.modules))"
    )
    assert code == 0, err
    assert "simplejpeg" in listed.split()
    assert {"PIL", "h5py", "hickle", "importlib.metadata"} & set(listed.split()) == set()


@pytest.mark.parametrize("command", ["", *_COMMANDS])
def test_help_imports_nothing_heavy(command):
    code, out, err = python(
        f"import sys, brinery.cli as c; sys.argv = ['brinery', *{command.split()}, '--help']\n"
        "try: c.main()\nexcept SystemExit: print(*sorted(sys.modules), file=sys.stderr)"
    )
    assert (code, out != "") == (0, True)
    assert {"joblib", "h5py", "hickle", "scipy", "numpy", "PIL", "psutil", "rich"} & set(err.split()) == set()


def test_a_bench_is_a_call_whatever_was_imported_before():
    code, out, err = python(
        "import brinery, brinery.benchmark.cells\n"
        "try: brinery.benchmark(cores='0')\nexcept brinery.errors.UsageError as error: print(error)"
    )
    assert (code, out != "") == (0, True), err


def test_public_names_are_there():
    code, out, err = python(
        "import brinery; print([getattr(brinery, n) is not None for n in brinery.__all__])"
    )
    assert code == 0, err
    assert "False" not in out
    code, _, err = python("import brinery; brinery.nonsense")
    assert code == 1
    assert "has no attribute 'nonsense'" in err


def test_no_other_name_imports_the_package():
    code, _, err = python(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import src")
    assert code == 1
    assert "is called brinery, not src" in err
