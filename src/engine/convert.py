"""Convert archives into a dataset: the call that the command and Python programs make."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ArchiveError, NoProcessesError, UsageError
from ..parser.archives.links import identity_of
from ..parser.archives.listing import plan_sources
from ..parser.options import MAX_MEMBERS, DecodeOptions, Frames, Mode, ReadBudget
from .choices import Backend, Layout
from .converting.destination import Destination, check_apart
from .converting.options import ConvertOptions
from .converting.outcome import ConvertProgress, ConvertResult
from .converting.run import Run
from .converting.sources import recognise
from .paths import PathLike, absolute
from .protocols.registry import get_serializer
from .workers import pool

__all__ = ["ConvertProgress", "ConvertResult", "convert"]

_DECODE, _READ = DecodeOptions(), ReadBudget()  # the budgets' defaults


def convert(
    src: PathLike | Sequence[PathLike],
    dest: PathLike,
    *,
    protocol: str = "npy",
    workers: int | None = None,
    backend: Backend = "loky",
    shard_size: int | str = "32MiB",
    layout: Layout = "shards",
    mode: Mode = "native",
    orient: bool = False,
    frames: Frames = "first",
    max_failures: int | str | None = None,
    salvage: bool = False,
    retry_failed: bool = False,
    prune: bool = False,
    follow_links: bool = False,
    nested: bool = False,
    encoding: str | None = None,
    add: bool = False,
    yes: bool = False,
    repair: bool = False,
    timeout: float | None = None,
    memory: int | str | None = None,
    max_pixels: int = _DECODE.max_pixels,
    max_frames: int = _DECODE.max_frames,
    max_bytes: int | str = "1GiB",
    max_ratio: float = _READ.max_ratio,
    max_members: int = MAX_MEMBERS,
    limit: int | None = None,
    overwrite: bool = False,
    fsync: bool = True,
    progress: Callable[[ConvertProgress], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> ConvertResult:
    """Convert the images of one or several archives into a dataset, or bring a dataset up to date.

    Args:
        src: one or several folders, tar files (plain, gz, bz2, xz, zst) or zip files.
        dest: the dataset's folder: new, empty, or a dataset made with the same settings.
        protocol: the protocol, with its compression if any: "npy", "hickle", "hdf5+gzip:4".
        workers: how many processes or threads work at most; by default one for every usable CPU.
        backend: "loky" for processes, or threads where no process can start; "threading" for threads.
        shard_size: bytes of pixels after which a shard ends, as int or "32MiB"; bounds a worker's memory.
        layout: "shards" for files of many images, "mirror" for one file per image.
        mode: "native" for samples as they are stored, or "rgb", "gray" or "rgba".
        orient: turn images as their EXIF orientation says.
        frames: "first" for the first frame or page of an image, "all" for a sample of each.
        max_failures: stop when more members fail: a number, or a share such as "5%".
        salvage: keep what can be decoded of damaged images, flagged.
        retry_failed: try recorded failures again.
        prune: drop samples whose members are gone from their source, if that source is one of `src`.
        follow_links: also read what symbolic links lead to outside their source folder.
        nested: also read archives that are members of an archive or files of a folder, one level deep. The
            dataset remembers this.
        encoding: encoding of names in zips and tars that do not declare one, such as "cp932" or "gbk". By
            default they are read as UTF-8, and in a zip as code page 437 if they are not valid UTF-8.
        add: add sources that the dataset was not made from. Their keys begin with their names.
        yes: let `prune` drop more than half of the samples.
        repair: verify the dataset first, and convert damaged samples again if their source still holds them.
        timeout: seconds that one member may take; after that its worker is killed and the member has failed.
            None is CPU time: 5 s, and more for an image of many bytes and pixels. Threads are not watched.
        memory: bytes that one worker process may use, as int or "2GiB"; an image that needs more fails. The
            default is an equal share of the available memory, but at least 4 GiB if there is that much.
        max_pixels: most pixels of one frame, by its header; an image's frames may hold four times as many.
        max_frames: most frames of one image, with `frames="all"`.
        max_bytes: most bytes of one encoded image, unpacked.
        max_ratio: most unpacked bytes for one packed byte, in a zip's member or a compressed tar as a whole.
        max_members: most entries of all sources together.
        limit: look only at the first entries of the listing, this many.
        overwrite: delete the dataset in `dest` and start afresh.
        fsync: flush every shard and the manifest to storage before a unit counts as done.
        progress: called whenever units have been recorded.
        warn: called with messages for people. Without it, a BrineryWarning says so when threads work although
            processes were asked for.

    Raises:
        UsageError: options, sources or the destination make no sense.
        ArchiveError: a source cannot be listed, holds no image, has more than `max_members` entries or
            changes during the run.
        StorageError: the destination cannot be written; what was recorded stays.
        FailureLimitError: more members failed than `max_failures` allows.
        WorkerError: the worker processes broke down, or none can start and `timeout` needs them.

    Example:
        result = brinery.convert("photos.tar", "photos.brine", protocol="npy")
        print(result.samples, "arrays,", result.failures, "failures")
    """
    given = [src] if isinstance(src, str | os.PathLike) else list(src)
    sources, folder = [Path(source) for source in given], absolute(dest)
    settings = ConvertOptions(
        protocol=protocol,
        workers=workers,
        backend=backend,
        shard_size=shard_size,
        layout=layout,
        mode=mode,
        orient=orient,
        frames=frames,
        max_failures=max_failures,
        salvage=salvage,
        retry_failed=retry_failed,
        prune=prune,
        follow_links=follow_links,
        nested=nested,
        encoding=encoding,
        add=add,
        yes=yes,
        repair=repair,
        timeout=timeout,
        memory=memory,
        max_pixels=max_pixels,
        max_frames=max_frames,
        max_bytes=max_bytes,
        max_ratio=max_ratio,
        max_members=max_members,
        limit=limit,
        overwrite=overwrite,
        fsync=fsync,
    )
    settings.check()
    get_serializer(settings.protocol)
    plan = plan_sources(sources, follow_links=settings.follow_links, encoding=settings.name_encoding)
    check_apart(sources, folder)
    settings = _with_workers(settings, warn)
    destination = Destination(folder, settings.identity(), overwrite=settings.overwrite, fsync=settings.fsync)
    withdrawn = False
    try:
        if settings.nested or destination.manifest.nested:
            plan = [replace(source, nested=True) for source in plan]
            destination.manifest.put_settings({"nested": "yes"})
        recorded, taken = destination.manifest.sources(), destination.manifest.begins_keys
        apart = identity_of(folder.stat())
        plan = [replace(source, apart=apart) for source in plan]
        named = recognise(plan, recorded, add=settings.add, taken=taken, dataset=str(folder))
        run = Run(named, recorded, destination, settings, progress, warn)
        result = run.perform()
        if run.refused:
            raise UsageError(f"{run.refused}; what was converted stays")
        if result.samples == 0 and result.failures == 0:
            withdrawn = result.skipped == 0
            found = f"; {result.skipped} other files were passed over" if result.skipped else ""
            if result.archives:
                found += f", {result.archives} of them archives: --nested reads them"
            raise ArchiveError(f"no image found in {', '.join(map(str, sources))}{found}")
        return result
    finally:
        if withdrawn:
            destination.withdraw()
        else:
            destination.close()


def _with_workers(options: ConvertOptions, warn: Callable[[str], None] | None) -> ConvertOptions:
    """Return the options with threads where no process can be started.

    Raises:
        NoProcessesError: a thread cannot do what is asked.
    """
    if options.backend != "loky":
        return options
    try:
        pool.check_processes()
    except NoProcessesError as error:
        if options.timeout is not None:
            raise NoProcessesError(f"{error.reason}; threads can work, but not keep a timeout") from error
        pool.say_threads(error, warn)
        return replace(options, backend="threading")
    return options
