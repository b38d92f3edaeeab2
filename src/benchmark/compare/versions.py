"""Versions of brinery to measure: git revisions, checkouts, or environments that have it installed."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ...errors import UsageError

_WHERE = "import brinery, os; print(os.path.realpath(os.path.dirname(brinery.__file__)))"


@dataclass(frozen=True, slots=True)
class Tree:
    """One of the two versions."""

    name: str  # as the user gave it
    python: str  # the interpreter that runs it
    path: Path | None  # goes first on PYTHONPATH; None where the interpreter's own brinery is meant
    commit: str | None = None  # what a revision stands for

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its processes, workers included."""
        given = dict(os.environ)
        paths = [] if self.path is None else [str(self.path.resolve())]
        given["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [given.get("PYTHONPATH")])])
        return given


def make_tree(name: str, target: Path, repository: Path) -> Tree:
    """Find or unpack a version; UsageError if it is neither a folder with brinery nor a revision."""
    folder = Path(name)
    if folder.is_dir():
        if (folder / "bin" / "python").exists():
            return Tree(name, str((folder / "bin").absolute() / "python"), None)
        if (folder / "src" / "errors.py").is_file():
            return Tree(name, sys.executable, _linked(folder / "src", target))
        if (folder / "brinery" / "__init__.py").is_file():
            return Tree(name, sys.executable, folder)
        raise UsageError(f"{name} is neither a checkout of brinery nor an environment that has it")
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    commit = None if found is None else found.decode().strip()
    packed = None if commit is None else _git(repository, "archive", "--format=tar", commit, "src")
    if packed is None:
        raise UsageError(
            f"{name!r} is neither a folder nor a git revision with brinery's src in {repository.resolve()}: "
            "run in brinery's checkout"
        )
    checkout = target / "checkout"
    checkout.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(checkout, filter="data")
    return Tree(name, sys.executable, _linked(checkout / "src", target), commit)


def _linked(package: Path, target: Path) -> Path:
    """Return a folder in which the package bears its name."""
    path = target / "path"
    path.mkdir(parents=True)
    (path / "brinery").symlink_to(package.resolve(), target_is_directory=True)
    return path


def _git(repository: Path, *arguments: str) -> bytes | None:
    """Return what git prints, or None where it fails."""
    try:
        command = ["git", "-C", str(repository), *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def check_tree(tree: Tree) -> None:
    """Raise UsageError unless the tree itself is imported, and no installed brinery instead."""
    done = subprocess.run(
        [tree.python, "-P", "-c", _WHERE], capture_output=True, text=True, check=False, env=tree.environment()
    )
    found = done.stdout.strip()
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UsageError(f"brinery of {tree.name} cannot be imported: {last}")
    if tree.path is not None and Path(found) != (tree.path / "brinery").resolve():
        raise UsageError(f"for {tree.name} Python imports {found} instead")
