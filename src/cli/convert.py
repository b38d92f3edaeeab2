"""brinery convert."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.choices import LAYOUTS
from ..engine.sizes import format_size
from ..parser.options import FRAMES, MAX_MEMBERS, MODES, DecodeOptions, ReadBudget
from .output import ProgressBar, backend_option, emit_json, json_option, put, say, workers_option

if TYPE_CHECKING:
    from ..engine.converting.outcome import ConvertProgress, ConvertResult

__all__ = ["command"]

_DECODE, _READ = DecodeOptions(), ReadBudget()  # the budgets' defaults
_FRAMES = "Of one image, with --frames all."
_TIMEOUT = "Seconds one image may take. Default: CPU time that grows with its bytes and pixels."
_MEMORY = "What one worker may take. Default: its share of all, at least 4GiB."
_RATIO = "Unpacked to packed bytes, of a zip's member or a compressed tar."
_NAMES = "Of names in zips and tars that do not say theirs: cp932, gbk ... Default: UTF-8."
_MEMBERS = "Entries of all SRC together."


@click.command("convert", short_help="convert archives of images into a dataset")
@click.argument("src", nargs=-1, required=True)
@click.argument("dest")
@click.option("--protocol", default="npy", show_default=True, help="See `brinery protocols`.")
@workers_option
@backend_option
@click.option("--shard-size", default="32MiB", show_default=True, help="Bounds a worker's memory.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="shards", show_default=True)
@click.option("--mode", type=click.Choice(MODES), default="native", show_default=True)
@click.option("--orient", is_flag=True, help="Turn images as their EXIF orientation says.")
@click.option("--frames", type=click.Choice(FRAMES), default="first", show_default=True)
@click.option("--max-failures", metavar="N|P%", help="Stop when more members fail. Default: unlimited.")
@click.option("--salvage", is_flag=True, help="Keep what can be decoded of damaged images, flagged.")
@click.option("--retry-failed", is_flag=True, help="Try recorded failures again.")
@click.option("--prune", is_flag=True, help="Drop samples whose members the archive no longer holds.")
@click.option("--yes", is_flag=True, help="Let --prune drop more than half of the samples.")
@click.option("--add", is_flag=True, help="Take in a SRC that DEST was not made from.")
@click.option("--follow-links", is_flag=True, help="Read what links lead to outside of a SRC folder too.")
@click.option("--nested", is_flag=True, help="Read archives inside of archives and folders, one level deep.")
@click.option("--encoding", metavar="NAME", help=_NAMES)
@click.option("--timeout", type=float, metavar="S", help=_TIMEOUT)
@click.option("--repair", is_flag=True, help="Verify first, and do again what is damaged.")
@click.option("--memory", metavar="SIZE", help=_MEMORY)
@click.option("--max-pixels", type=int, default=_DECODE.max_pixels, show_default=True, help="Of one frame.")
@click.option("--max-frames", type=int, default=_DECODE.max_frames, show_default=True, help=_FRAMES)
@click.option("--max-bytes", default="1GiB", show_default=True, help="Of one encoded image.")
@click.option("--max-ratio", type=float, default=_READ.max_ratio, show_default=True, help=_RATIO)
@click.option("--max-members", type=int, default=MAX_MEMBERS, show_default=True, help=_MEMBERS)
@click.option("--limit", type=int, metavar="N", help="Look at the first N entries only.")
@click.option("--overwrite", is_flag=True, help="Delete the dataset that is there and start afresh.")
@click.option("--no-fsync", is_flag=True, help="Faster on disks; a power cut may cost shards.")
@json_option
def command(src: tuple[str, ...], dest: str, no_fsync: bool, as_json: bool, **options: Any) -> int:
    r"""Convert archives of images (SRC...) into the dataset DEST, or bring it up to date.

    SRC is a folder, a tar file (plain, gz, bz2, xz, zst) or a zip file. Running the same command again
    does only what is missing, new or changed; --add takes in another SRC. Keys of several begin with
    the name of their SRC. Exit code 3 says that members failed: the manifest's table `failures` names them.
    Links are samples of what they lead to inside SRC; of several entries of one name the last one counts.

    \b
    brinery convert photos.tar photos.brine --protocol hickle
    brinery convert train/ extra.zip all.brine --workers 4 --shard-size 64MiB
    brinery convert more.zip all.brine --shard-size 64MiB --add
    brinery convert photos.tar photos.brine --protocol hickle --repair
    brinery convert tars-of-tars.tar all.brine --nested
    brinery convert scans/ scans.npy --layout mirror --mode gray --max-failures 1%
    """
    from ..engine.convert import convert  # noqa: PLC0415 - start-up stays cheap

    with ProgressBar("converting", "images") as bar:

        def show(progress: "ConvertProgress") -> None:
            total = progress.total_bytes
            fraction = min(1.0, progress.source_bytes / total) if total else None
            bar.update(progress.members, fraction, progress.failures)

        result = convert(src, dest, progress=show, warn=lambda text: say(f"warning: {text}"),
                         fsync=not no_fsync, **options)  # fmt: skip
    result = replace(result, path=Path(dest))  # as it was given
    if as_json:
        emit_json(as_document(result))
    else:
        put(_sentence(result))
    _tell_rest(result)
    return result.exit_code


def as_document(result: "ConvertResult") -> dict[str, Any]:
    """Return a result as plain values for JSON."""
    return {
        "path": str(result.path),
        "samples": result.samples,
        "converted": result.converted,
        "unchanged": result.unchanged,
        "failures": result.failures,
        "skipped": result.skipped,
        "archives": result.archives,
        "gone": result.gone,
        "pruned": result.pruned,
        "shards": result.shards,
        "exit_code": result.exit_code,
        "run": result.summary.as_dict(),
    }


def _sentence(result: "ConvertResult") -> str:
    run = result.summary
    text = f"{result.path}: {result.converted} images converted in {run.wall_ns / 1e9:.2f} s"
    if result.converted:
        rate = format_size(run.pixel_bytes_per_second)
        text += f" ({run.images_per_second:.0f}/s, {rate}/s of pixels, {run.cores_busy:.2f} cores busy)"
    if result.unchanged:
        text += f"; {result.unchanged} were done already"
    return f"{text}; {result.samples} samples"


def _tell_rest(result: "ConvertResult") -> None:
    if result.failures:
        say(f"{result.failures} members failed: `brinery info {result.path}` shows why")
    if result.skipped > result.archives:
        say(f"{result.skipped - result.archives} files are no images and were passed over")
    if result.archives:
        say(f"{result.archives} files are archives and were passed over: --nested reads them")
    if result.gone:
        say(f"{result.gone} samples are of members that the archive no longer holds; --prune drops them")
    if result.pruned:
        say(f"{result.pruned} samples were dropped since the archive no longer holds them")
