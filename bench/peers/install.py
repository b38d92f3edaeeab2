"""Makes an environment of its own for every peer, and one with a wheel of this checkout for brinery.

    python bench/peers/install.py [PEER...]

Environments lie under .peers/, requirements with pinned versions under bench/peers/requirements/. Where one
cannot be installed, .peers/PEER.failed says why, and the comparison shows it.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
ENVIRONMENTS = CHECKOUT / ".peers"


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # start-up is compared byte-compiled
    ENVIRONMENTS.mkdir(exist_ok=True)
    names = sys.argv[1:] or sorted(path.stem for path in (HERE / "requirements").iterdir())
    for name in names:
        _install(name, HERE / "requirements" / f"{name}.txt")
    _install_brinery()


def _install(name: str, requirements: Path) -> None:
    environment, stamp = ENVIRONMENTS / name, ENVIRONMENTS / name / "requirements.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    print(f"{name} ...", flush=True)
    failed = ENVIRONMENTS / f"{name}.failed"
    failed.unlink(missing_ok=True)
    _venv(environment)
    done = _pip(environment, "--requirement", str(requirements))
    if done.returncode:
        failed.write_text(_reason(done.stderr))
        shutil.rmtree(environment)
        print(f"{name}: {failed.read_text()}", flush=True)
        return
    shutil.copy(requirements, stamp)


def _reason(errors: str) -> str:
    """The line that says most: a build's exception, or what pip makes of it."""
    lines = [line.strip() for line in errors.splitlines()]
    exceptions = [line for line in lines if re.match(r"\w+(Error|Exception): ", line)]
    told = exceptions or [line for line in lines if line.startswith("ERROR: ")] or lines or ["pip failed"]
    return told[-1][:300]


def _install_brinery() -> None:
    """Install what is in the checkout now, built as users get it."""
    environment = ENVIRONMENTS / "brinery"
    _venv(environment)
    wheels = ENVIRONMENTS / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.rmtree(CHECKOUT / "build", ignore_errors=True)  # setuptools would pack files that are gone
    subprocess.run(
        [_python(environment), "-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", wheels, CHECKOUT],
        check=True,
    )
    constraints = str(CHECKOUT / "constraints.txt")
    wheel = str(next(wheels.glob("*.whl")))
    for options in (("--constraint", constraints, wheel), ("--force-reinstall", "--no-deps", wheel)):
        done = _pip(environment, *options)
        if done.returncode:
            sys.exit(done.stderr)


def _venv(environment: Path) -> None:
    if not (environment / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)


def _python(environment: Path) -> str:
    return os.fspath(environment / "bin" / "python")


def _pip(environment: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [_python(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
