"""What starting brinery costs against a bare interpreter, from an installed, byte-compiled wheel.

    python bench/start_up.py                  # makes a venv with a wheel of this checkout, and deletes it

Each round runs every command once, in a new random order; ratios are to `python -c pass` of the same round.
The interpreter is the venv's own in every row.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def install(folder: Path) -> Path:
    """Make a venv with a wheel of this checkout; return its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / "bin"
    pip = [programs / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    constraints = CHECKOUT / "constraints.txt"
    subprocess.run([*pip, "--constraint", constraints, f"{CHECKOUT}[all]"], check=True)
    return programs


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--programs", type=Path, help="bin folder of an environment with brinery, used as it is"
    )
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        programs = given.programs or install(Path(folder))
        python, brinery = os.fspath(programs / "python"), os.fspath(programs / "brinery")
        measure(
            {
                "python -c pass": [python, "-c", "pass"],
                "import click": [python, "-c", "import click"],
                "import brinery": [python, "-c", "import brinery"],
                "import brinery; brinery.open": [python, "-c", "import brinery; brinery.open"],
                "import brinery; brinery.convert": [python, "-c", "import brinery; brinery.convert"],
                "import numpy": [python, "-c", "import numpy"],
                "brinery --help": [brinery, "--help"],
                "brinery --version": [brinery, "--version"],
                "brinery convert --help": [brinery, "convert", "--help"],
                "brinery bench --help": [brinery, "bench", "--help"],
            },
            given.rounds,
        )


def measure(commands: dict[str, list[str]], rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        names = list(commands)
        random.Random(number).shuffle(names)
        for name in names:
            begin = time.perf_counter()
            subprocess.run(commands[name], check=True, stdout=subprocess.DEVNULL)
            if number:  # the first round compiles what is not yet
                seconds[name].append(time.perf_counter() - begin)
    print("| command | ms | to python -c pass |\n|---|---:|---:|")
    bare = seconds["python -c pass"]
    for name, taken in seconds.items():
        ratio = statistics.median(t / b for t, b in zip(taken, bare, strict=True))
        print(f"| `{name}` | {1e3 * statistics.median(taken):.0f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
