"""Wheel and sdist build, and what they install runs away from the checkout."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("build")
    tree = root / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tree / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(root / "dist"), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = (root / "dist").glob("*.whl"), (root / "dist").glob("*.tar.gz")
    return wheel, sdist


def test_wheel_and_sdist_hold_every_module_and_nothing_else(built):
    wheel, sdist = built
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")} | {"py.typed"}
    modules |= {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").glob("report/html/page.*s*")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"brinery/{module}" for module in modules}
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"src/{module}" for module in modules} <= names


def test_the_wheel_runs_outside_the_checkout(built, tmp_path):
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import brinery, sys\n"
        "assert brinery.__file__.startswith(sys.argv[1]), brinery.__file__\n"
        "from brinery.engine.corpus import make_corpus\n"
        "from pathlib import Path\n"
        "make_corpus(Path('photos'), count=6, size=(32, 24), workers=1)\n"
        "print(brinery.convert('photos', 'out', protocol='hickle', workers=1).samples)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "site")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "6"), done.stderr
