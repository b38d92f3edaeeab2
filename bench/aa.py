"""How often two benches of the same code seem to differ: pairs of runs, each pair compared.

    python bench/aa.py --output aa --pairs 20

Every run is `brinery bench --rounds 7` of a small matrix, in a process of its own, one after the other. Run
again with the same folder to add pairs. The last line counts the pairs without a "regressed" or "faster".
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

MATRIX = [
    *("--protocols", "npy,pickle-2"),
    *("--cores", "2"),
    *("--ops", "dump,load"),
    *("--limit", "100"),
    *("--rounds", "7", "--quick"),
]


def bench(output: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "brinery", "bench", *options, "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True)


def compare(a: Path, b: Path) -> dict:
    command = [sys.executable, "-m", "brinery", "compare", str(a), str(b), "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the results of all runs")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=MATRIX, help="other options of bench")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    first = len(list(given.output.glob("*-b/result.json")))
    for number in range(first, first + given.pairs):
        begin = time.monotonic()
        for side in "ab":
            bench(given.output / f"{number:03}-{side}", given.options)
        print(f"pair {number}: {time.monotonic() - begin:.0f} s", flush=True)
    quiet = pairs = 0
    for b in sorted(given.output.glob("*-b/result.json")):
        found = compare(b.parent.with_name(b.parent.name[:-1] + "a") / "result.json", b)
        counts = found["counts"]
        pairs += 1
        quiet += not counts["regressed"] and not counts["faster"]
        ratios = [cell["ratio"]["value"] for cell in found["cells"]]
        print(
            f"{b.parent.name}: {counts}, floor {found['floor']:.1%}, B/A {min(ratios):.3f}..{max(ratios):.3f}"
        )
    print(f"{quiet} of {pairs} pairs without a change")


if __name__ == "__main__":
    main()
