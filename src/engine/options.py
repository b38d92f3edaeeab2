"""The options of `brinery.convert` and `brinery.export`: their names, types, defaults and meaning, once."""

from dataclasses import dataclass

from ..parser.options import MAX_MEMBERS, DecodeOptions, Frames, Mode, ReadBudget
from .choices import Backend, Layout

__all__ = ["ConvertOptions", "ExportOptions"]

_DECODE, _READ = DecodeOptions(), ReadBudget()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of an export, as a record; a convert has them too.

    Attributes:
        protocol: the protocol, with its compression if any, such as "npy", "hickle" or "hdf5+gzip:4";
            `brinery protocols` lists them.
        workers: how many processes or threads work at most. The default is one for every usable CPU.
        backend: "loky" for processes, or threads where no process can start; "threading" for threads.
        shard_size: bytes of pixels after which a shard ends, such as "32MiB"; bounds a worker's memory.
        layout: "shards" for files of many images, "mirror" for one file per image.
        max_failures: stop when more members fail: a number, or a share such as "5%". The default is no limit.
        retry_failed: try recorded failures again.
        prune: drop samples whose members are gone from their source, if the call names that source.
        yes: let `prune` drop more than half of the samples.
        timeout: seconds that one member may take; after that its worker is killed and the member has failed.
            The default is CPU time: 5 s, and more for an image of many bytes and pixels. Threads are not
            watched.
        repair: verify the dataset first, and convert damaged samples again if their source still holds them.
        memory: bytes that one worker process may use, such as "2GiB"; an image that needs more fails. The
            default is an equal share of the available memory, but at least 4 GiB if there is that much.
        limit: look only at this many entries of the listing, the first ones.
        overwrite: delete the dataset in `dest` and start afresh.
        fsync: flush every shard and the manifest to storage before a unit counts as done. False is faster on
            disks, but a power cut may cost shards.
    """

    protocol: str = "npy"
    workers: int | None = None
    backend: Backend = "loky"
    shard_size: int | str = "32MiB"
    layout: Layout = "shards"
    max_failures: int | str | None = None
    retry_failed: bool = False
    prune: bool = False
    yes: bool = False
    timeout: float | None = None
    repair: bool = False
    memory: int | str | None = None
    limit: int | None = None
    overwrite: bool = False
    fsync: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions(ExportOptions):
    """The options of a convert, as a record.

    `brinery.convert` takes each by keyword, and so does the command: `max_pixels` is --max-pixels. To keep
    options for several calls, hand on `dataclasses.asdict(options)`.

    Attributes:
        mode: "native" for samples as they are stored, or "rgb", "gray" or "rgba".
        orient: turn images as their EXIF orientation says.
        frames: "first" for the first frame or page of an image, "all" for a sample of each.
        salvage: keep what can be decoded of damaged images, flagged.
        check: decode each image that is copied with `protocol="encoded"`, which finds damaged ones. False is
            faster, and takes whatever begins as an image does; shapes are not known before images are read.
        add: add sources that the dataset was not made from. Their keys begin with their names.
        follow_links: also read what symbolic links lead to outside their source folder.
        nested: also read archives that are members of an archive or files of a folder, one level deep. The
            dataset remembers this.
        encoding: encoding of names in zips and tars that do not declare one, such as "cp932" or "gbk". By
            default they are read as UTF-8, and in a zip as code page 437 if they are not valid UTF-8.
        max_pixels: most pixels of one frame, by its header; an image's frames may hold four times as many.
        max_frames: most frames of one image, with `frames="all"`.
        max_bytes: most bytes of one encoded image, unpacked.
        max_ratio: most unpacked bytes for one packed byte, in a zip's member or a compressed tar as a whole.
        max_members: most entries of all sources together.
    """

    mode: Mode = "native"
    orient: bool = False
    frames: Frames = "first"
    salvage: bool = False
    check: bool = True
    add: bool = False
    follow_links: bool = False
    nested: bool = False
    encoding: str | None = None
    max_pixels: int = _DECODE.max_pixels
    max_frames: int = _DECODE.max_frames
    max_bytes: int | str = "1GiB"
    max_ratio: float = _READ.max_ratio
    max_members: int = MAX_MEMBERS
