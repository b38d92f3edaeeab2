"""Whether time and memory per image stay the same from ten thousand to a million images, for each archive.

    python bench/scale.py --folder /dev/shm/scale --kind tar

Archives hold tiny JPEG images (16 x 16), so that listing, planning and recording weigh as much as they can: a
few distinct ones, many times over (in folders, hard links). One process converts the small archive, then the
large one, then the small one again, in warm workers; the parent's CPU time in each tenth of the large one
shows whether listing, planning and recording get dearer on the way (others disturb CPU time less than images
a second). Last, the large one is converted again, with nothing to do. Memory is the highest
resident set of the process that converts (VmHWM), whose workers are processes of their own.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import brinery
from brinery.engine.converting.outcome import ConvertProgress
from brinery.engine.corpus import make_corpus

DISTINCT = 64
A_FOLDER = 1000


def names(count: int) -> Iterator[str]:
    return (f"{number // A_FOLDER:06}/{number:08}.jpg" for number in range(count))


def make_archive(kind: str, target: Path, images: list[Path], count: int) -> None:
    """Make an archive of so many images out of a few."""
    if kind == "flat":
        target.mkdir()
        for number in range(count):
            os.link(images[number % len(images)], target / f"{number:08}.jpg")
        return
    if kind == "folder":
        for number, name in enumerate(names(count)):
            if number % A_FOLDER == 0:
                (target / name).parent.mkdir(parents=True)
            os.link(images[number % len(images)], target / name)
        return
    data = [path.read_bytes() for path in images]
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            for number, name in enumerate(names(count)):
                archive.writestr(name, data[number % len(data)])
        return
    with target.open("wb") as file:
        for number, name in enumerate(names(count)):
            member = tarfile.TarInfo(name)
            content = data[number % len(data)]
            member.size, member.mtime = len(content), 1_700_000_000
            file.write(member.tobuf(tarfile.USTAR_FORMAT))
            file.write(content + bytes(-len(content) % 512))
        file.write(bytes(1024))


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


@dataclass(frozen=True)
class Converted:
    """Images a second, and CPU time an image in us: the parent's, that of its tenths, and the workers'."""

    rate: float
    parent: float
    workers: float
    tenths: list[float]


def converted(source: Path, out: Path, workers: int, count: int) -> Converted:
    """Convert anew."""
    marks: list[tuple[int, float]] = []

    def note(progress: ConvertProgress) -> None:
        marks.append((progress.members, time.process_time()))

    shutil.rmtree(out, ignore_errors=True)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    result = brinery.convert(source, out, workers=workers, progress=note)
    rate = count / (time.perf_counter() - begin)
    assert result.samples == count
    parent = time.process_time() - begin_cpu
    tenths = []
    members, since = 0, begin_cpu
    for done, now in marks:
        if done - members >= count / 10 or done == count:
            tenths.append(1e6 * (now - since) / (done - members))
            members, since = done, now
    return Converted(rate, 1e6 * parent / count, result.summary.worker_cpu_ns / 1e3 / count, tenths)


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="for temporary files (4 GB in all); deleted at the end")
    add("--kind", choices=("folder", "flat", "tar", "zip"), default="tar", help="flat: one folder for all")
    add("--small", type=int, default=10_000)
    add("--large", type=int, default=1_000_000)
    add("--rounds", type=int, default=5, help="of the small archive, before the large one and after it")
    add("--workers", type=int, default=2)
    given = parser.parse_args()
    try:
        measure(given)
    finally:
        shutil.rmtree(given.folder)


def measure(given: argparse.Namespace) -> None:
    make_corpus(given.folder / "photos", count=DISTINCT, size=(16, 16))
    images = sorted((given.folder / "photos").iterdir())
    small, large, out = (given.folder / name for name in ("small", "large", "out"))
    for target, count in ((small, given.small), (large, given.large)):
        # In a process of its own: zipfile holds what it wrote, and that is not brinery's memory.
        maker = multiprocessing.get_context("spawn").Process(
            target=make_archive, args=(given.kind, target, images, count)
        )
        maker.start()
        maker.join()
        assert maker.exitcode == 0
    converted(small, out, given.workers, given.small)
    few = [converted(small, out, given.workers, given.small) for _ in range(given.rounds)]
    low = memory("VmHWM")
    many = converted(large, out, given.workers, given.large)
    high = memory("VmHWM")
    begin = time.perf_counter()
    assert brinery.convert(large, out, workers=given.workers).unchanged == given.large
    again, highest = given.large / (time.perf_counter() - begin), memory("VmHWM")
    few += [converted(small, out, given.workers, given.small) for _ in range(given.rounds)]
    rate, parent, workers = (
        statistics.median(getattr(one, name) for one in few) for name in ("rate", "parent", "workers")
    )
    print(f"{given.kind}, {given.workers} workers: {given.small:,} images, then {given.large:,}")
    print(f"images/s: {rate:,.0f}, then {many.rate:,.0f} ({many.rate / rate:.2f})")
    print(f"CPU an image, workers: {workers:.1f} us, then {many.workers:.1f} ({many.workers / workers:.2f})")
    print(f"CPU an image, parent: {parent:.1f} us, then {many.parent:.1f} ({many.parent / parent:.2f})")
    print("its tenths: " + ", ".join(f"{tenth:.1f}" for tenth in many.tenths))
    print(f"again, with nothing to do: {again:,.0f} images/s")
    grown, grown_again = ((value - low) / 2**20 for value in (high, highest))
    print(f"memory: {low / 2**20:.0f} MiB, {grown:+.0f} for the large one, {grown_again:+.0f} once more")


if __name__ == "__main__":
    main()
