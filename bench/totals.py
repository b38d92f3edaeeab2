"""A convert's own totals beside independent readings of the same run.

    python bench/totals.py --folder /tmp/totals --images 2500 --protocol json

CPU time: what the run recorded over the lives of parent and workers, beside wait4(2) of the whole command.
Bytes: what the run counted and what the kernel counted as written, beside the sizes of the shards. Memory:
the sampler's highest sum of proportional shares, beside a memory cgroup (v1 or v2) made for the command, as
root: the highest sum of its anonymous memory and mapped files. Libraries that are in memory already are
not charged to it, so those of this environment are first dropped from the page cache; where other programs
hold them, give `--python` a copy of interpreter and libraries.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
FIELDS = {"memory": ("total_rss", "total_mapped_file"), "cgroup": ("anon", "file_mapped")}


def make_group() -> Path | None:
    for root in ROOTS:
        group = root / f"brinery-totals-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "memory.stat").exists():
            return group
        group.rmdir()
    return None


def charged(group: Path) -> int:
    values = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return sum(int(values[name]) for name in FIELDS[group.parent.name])


def drop_libraries() -> None:
    for path in Path(sysconfig.get_paths()["purelib"]).rglob("*.so*"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(command: list[str], group: Path | None) -> tuple[dict, resource.struct_rusage, int | None]:
    if group is not None:
        command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs"), *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peaks, done = [0], threading.Event()

    def watch() -> None:
        while group is not None and not done.wait(0.02):
            peaks[0] = max(peaks[0], charged(group))

    watcher = threading.Thread(target=watch)
    watcher.start()
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    done.set()
    watcher.join()
    if status:
        raise SystemExit(f"the convert ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(text), usage, peaks[0] if group is not None else None


def show(what: str, own: float, other: float, unit: str, by: str) -> None:
    print(f"{what}: {own:.3f} {unit}, {by} {other:.3f}: {own / other - 1:+.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for temporary files; deleted at the end")
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--protocol", default="json")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--python", default=sys.executable, help="that runs the convert: a copy is in no memory yet"
    )
    given = parser.parse_args()
    photos, out = given.folder / "photos", given.folder / "out"
    brinery = [sys.executable, "-m", "brinery"]
    subprocess.run(
        [*brinery, "sample", str(photos), "--count", str(given.images), "--size", given.size],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    drop_libraries()
    brinery[0] = given.python
    group = make_group()
    options = ["--protocol", given.protocol, "--workers", str(given.workers), "--json"]
    begin = time.monotonic()
    try:
        result, usage, peak = run([*brinery, "convert", str(photos), str(out), *options], group)
    finally:
        if group is not None:
            group.rmdir()
    used = result["run"]
    print(f"{given.protocol}, {result['samples']} images, {time.monotonic() - begin:.1f} s")
    show("CPU", used["lifetime_cpu_ns"] / 1e9, usage.ru_utime + usage.ru_stime, "s", "by wait4")
    sizes = sum(path.stat().st_size for path in (out / "shards").iterdir())
    show("file bytes", used["file_bytes"] / 1e6, sizes / 1e6, "MB", "by their sizes")
    if used["write_bytes"]:
        show("written", used["write_bytes"] / 1e6, sizes / 1e6, "MB", "by their sizes")
    if peak and used["peak_pss_bytes"]:
        show("peak memory", used["peak_pss_bytes"] / 2**20, peak / 2**20, "MiB", "by its cgroup")
    shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
