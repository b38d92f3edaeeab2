"""A third party's protocol whose new version dumps 20 % slower: what `brinery bench --ab` says of it.

    python bench/planted.py --output planted

Makes two folders, each with brinery and a package that registers the protocol `planted` by its entry point:
JSON, which computes more than it allocates or writes, in one of them made to take `--times` as long to dump.
Prints every cell's ratio beside the truth, and ends with 1 unless all dumps are reported as slower within 5
points of it, and all loads as the same.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import brinery

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
METADATA = "Metadata-Version: 2.1\nName: planted-protocol\nVersion: {version}\n"


def make_folder(folder: Path, version: str, times: float, *, copy: bool = False) -> None:
    """Make a folder with brinery, or a link to it, and the protocol."""
    about = folder / f"planted_protocol-{version}.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(METADATA.format(version=version))
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "planted_protocol.py").write_text(MODULE.format(times=times))
    package, installed = folder / "brinery", Path(brinery.__file__).resolve().parent
    if package.exists():
        return
    if copy:
        shutil.copytree(installed, package, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        package.symlink_to(installed, target_is_directory=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--times", type=float, default=1.2)
    given = parser.parse_args()
    versions = [given.output / "1.0", given.output / "2.0"]
    make_folder(versions[0], "1.0", 1.0)
    make_folder(versions[1], "2.0", given.times)
    command = [
        *(sys.executable, "-m", "brinery", "bench", "--ab", *map(str, versions), "--protocols", "planted"),
        *("--cores", "1,2", "--ops", "dump,load", "--limit", "32", "--rounds", str(given.rounds)),
        *("--output", str(given.output), "--json"),
    ]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.returncode)
    right = True
    for cell in json.loads(done.stdout)["cells"]:
        if cell["protocol"] != "planted":
            continue
        ratio, slower = cell["ratio"], cell["op"] == "dump"
        truth = given.times if slower else 1.0
        good = cell["verdict"] == "regressed" if slower else cell["verdict"] == "same"
        good = good and abs(ratio["value"] - truth) <= 0.05
        right = right and good
        name = f"{cell['op']:4} {cell['layout']:6} {cell['pool']:4} {cell['workers']}"
        mark = cell["verdict"] + ("" if good else " (!)")
        bounds = "" if ratio["low"] is None else f" [{ratio['low']:.3f}..{ratio['high']:.3f}]"
        print(f"{name}  {ratio['value']:.3f}{bounds}, truth {truth:.2f}: {mark}")
    raise SystemExit(not right)


if __name__ == "__main__":
    main()
