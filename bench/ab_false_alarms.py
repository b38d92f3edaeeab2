"""How often `brinery bench --ab` calls a change: of one version against itself, and of a dump made slower.

    python bench/ab_false_alarms.py --output alarms --runs 20 --planted 5

Every run is a `brinery bench --ab` of two copies of the installed brinery with a small matrix; in a planted
one B's protocol `planted`, JSON otherwise, takes `--times` as long to dump. Run again with the same folder to
add runs. Each is compared once more by `brinery compare` of the two files that it saved. The last line counts
the runs that are right, those without a call and the planted ones whose dumps were called and nothing else,
and the comparisons that agree.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import brinery

MATRIX = [*("--preset", "seed"), *("--limit", "32"), *("--rounds", "8"), "--quick"]

MODULE = """
import time

from brinery.engine.protocols.base import ShardWriter
from brinery.engine.protocols.json_lines import JsonSerializer

TIMES = {times}


def prolonged(do, *arguments):
    begin = time.thread_time()
    result = do(*arguments)
    end = begin + TIMES * (time.thread_time() - begin)
    while time.thread_time() < end:
        pass
    return result


class Writer(ShardWriter):
    def __init__(self, inner):
        self.inner = inner

    def add(self, key, array):
        prolonged(self.inner.add, key, array)

    def finish(self):
        return self.inner.finish()


class Planted(JsonSerializer):
    name = "planted"

    def dump(self, array, file):
        return prolonged(super().dump, array, file)

    def writer(self, file):
        return Writer(super().writer(file))
"""
ENTRY_POINTS = "[brinery.protocols]\nplanted = planted_protocol:Planted\n"
METADATA = "Metadata-Version: 2.1\nName: planted-protocol\nVersion: 1.0\n"


def make_folder(folder: Path, times: float) -> None:
    """Make a folder with a copy of brinery, and a package that registers the protocol `planted`."""
    about = folder / "planted_protocol-1.0.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "planted_protocol.py").write_text(MODULE.format(times=times))
    package = folder / "brinery"
    if not package.exists():
        installed = Path(brinery.__file__).resolve().parent
        shutil.copytree(installed, package, ignore=shutil.ignore_patterns("__pycache__"))


def command(*arguments: str) -> dict:
    words = [sys.executable, "-P", "-m", "brinery", *arguments, "--json"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def run(folder: Path, versions: list[Path], protocols: str, options: list[str]) -> None:
    begin = time.monotonic()
    command(
        *("bench", "--ab", *map(str, versions), "--protocols", protocols),
        *(*options, "--output", str(folder / "unfinished")),
    )
    (folder / "unfinished").rename(folder / f"{len(list(folder.glob('[0-9]*'))):03}")
    print(f"{folder.name} {time.monotonic() - begin:.0f} s", flush=True)


def called(comparison: dict) -> list[dict]:
    return [cell for cell in comparison["cells"] if cell["verdict"] in ("regressed", "faster")]


def agree(one: dict, other: dict) -> bool:
    """Return whether two comparisons say the same; the files may have been moved."""
    return all(one[name] == other[name] for name in ("exit_code", "paired", "floor", "cells", "groups"))


def found(cells: list[dict]) -> bool:
    return bool(cells) and all(
        cell["protocol"] == "planted" and cell["op"] == "dump" and cell["verdict"] == "regressed"
        for cell in cells
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the results of all runs")
    parser.add_argument("--runs", type=int, default=20, help="of one version against itself")
    parser.add_argument("--planted", type=int, default=5, help="of a dump that is made slower")
    parser.add_argument("--times", type=float, default=1.2, help="as long the planted dump takes")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=MATRIX, help="other options of bench")
    given = parser.parse_args()
    sides = {"as-it-is": 1.0, "a-copy": 1.0, "slower": given.times}
    versions = {name: given.output.absolute() / "versions" / name for name in sides}
    for name, times in sides.items():
        make_folder(versions[name], times)
    kinds = {
        "same": ("a-copy", "npy,pickle-5,json", given.runs),
        "planted": ("slower", "npy,planted", given.planted),
    }
    for kind, (head, protocols, count) in kinds.items():
        folder = given.output / kind
        folder.mkdir(exist_ok=True)
        for _ in range(count):
            run(folder, [versions["as-it-is"], versions[head]], protocols, given.options)
    right = total = agreed = 0
    for path in sorted(given.output.glob("*/[0-9]*/comparison.json")):
        saved, calls = json.loads(path.read_text()), called(json.loads(path.read_text()))
        again = command("compare", *(str(path.with_name(name)) for name in ("base.json", "head.json")))
        agreed += agree(saved, again)
        total += 1
        kind = path.parent.parent.name
        right += found(calls) if kind == "planted" else not calls
        detectable = sorted(cell["detectable"] for cell in saved["cells"])
        names = [
            f"{one['op']} {one['protocol']} {one['workers']} {one['ratio']['value']:.3f}" for one in calls
        ]
        ends = f"{detectable[0]:.0%} to {detectable[-1]:.0%}"
        print(f"{kind} {path.parent.name}: detectable {ends}; called: {', '.join(names) or 'none'}")
    print(f"{right} of {total} runs right; compare agrees with {agreed} of {total}")


if __name__ == "__main__":
    main()
