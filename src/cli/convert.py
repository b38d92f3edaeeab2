"""brinery convert."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.options import ConvertOptions
from .output import ProgressBar, counted, emit_json, json_option, put, say
from .record_options import options_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine.converting.outcome import ConvertProgress, ConvertResult
    from ..engine.summary import RunSummary

__all__ = ["PLACEHOLDERS", "as_document", "command", "perform"]

_HELD = 0.1  # of the CPUs
_MISSED = 0.25  # of the CPU time that the workers had
PLACEHOLDERS = {
    "protocol": "NAME",
    "shard_size": "SIZE",
    "max_failures": "N|P%",
    "encoding": "NAME",
    "timeout": "SECONDS",
    "memory": "SIZE",
    "max_bytes": "SIZE",
}


@click.command("convert", short_help="convert archives of images into a dataset")
@click.argument("src", nargs=-1, required=True)
@click.argument("dest")
@options_of(ConvertOptions, PLACEHOLDERS)
@json_option
def command(src: tuple[str, ...], dest: str, as_json: bool, **options: Any) -> int:
    r"""Convert archives of images (SRC...) into the dataset DEST, or bring it up to date.

    SRC is a folder, a tar file (plain, gz, bz2, xz, zst), a zip file, or a dataset, as for `brinery export`.
    Running the same command again does only what is missing, new or changed; --add takes in another SRC. Keys
    of several begin with the name of their SRC. Exit code 3 says that members failed: `brinery failures DEST`
    lists them.
    The last line adds up to what DEST holds: converted, unchanged, gone (from the source, but kept) and not
    looked at (of sources that were not named, or beyond --limit).
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

    return perform(convert, src, dest, as_json=as_json, **options)


def perform(
    function: "Callable[..., ConvertResult]", source: Any, dest: str, *, as_json: bool, **options: Any
) -> int:
    """Convert or export, show how far that is, and tell what was done; return the exit code."""
    with ProgressBar("converting", "images") as bar:

        def show(progress: "ConvertProgress") -> None:
            bar.show(_how_far(progress), progress.fraction, progress.seconds_left)

        result = function(source, dest, progress=show, warn=lambda text: say(f"warning: {text}"), **options)
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
        "others": result.others,
        "replaced": result.replaced,
        "failed": result.failed,
        "shards": result.shards,
        "exit_code": result.exit_code,
        "run": result.summary.as_dict(),
    }


def _how_far(now: "ConvertProgress") -> str:
    if now.to_verify:
        return f"{now.verified:,} of {counted(now.to_verify, 'sample')} verified"
    if not now.members:
        return f"{counted(now.entries, 'entry', 'entries')} listed"
    text = f"{counted(now.images, 'image')}, {now.images / (now.seconds or 1.0):,.0f}/s"
    if now.failures:
        text += f", {now.failures:,} failed"
    if now.skipped:
        text += f", {now.skipped:,} skipped"
    return text


def _sentence(result: "ConvertResult") -> str:
    """Return what was done, and a sum of what the dataset holds."""
    run = result.summary
    text = f"{result.path}: {counted(result.converted, 'image')} converted in {run.wall_ns / 1e9:.2f} s"
    if result.converted:
        rate = f"{run.traffic[0] / 1e6:.0f} MB/s of {run.traffic[1]}"
        text += f" ({run.images_per_second:,.0f}/s, {rate}, {run.cores_busy:.2f} cores busy)"
    kept = {"unchanged": result.unchanged, "gone": result.gone, "not looked at": result.others}
    text += "".join(f", {count:,} {what}" for what, count in kept.items() if count)
    return f"{text}; {counted(result.samples, 'sample')}"


def _disturbed(run: "RunSummary") -> float | None:
    """Return the share of the CPUs that other programs took; None where that is little, or held up nobody."""
    others, cpus, waited = run.around.others_cpu_ns, run.around.cpu_ns, run.run_wait_ns
    if others is None or not cpus or waited is None or waited < _MISSED * run.worker_cpu_ns:
        return None
    return others / cpus if others > _HELD * cpus else None


def _tell_rest(result: "ConvertResult") -> None:
    held = _disturbed(result.summary)
    if held is not None:
        page = f"`brinery report {shlex.quote(str(result.path))}`"
        say(f"other programs took {held:.0%} of the CPUs meanwhile: {page} shows what that cost")
    more = f"`brinery failures {shlex.quote(str(result.path))}` shows why"
    earlier = result.failures - result.failed
    if result.failed:
        say(f"{counted(result.failed, 'failure')} in this run: {more}")
    if earlier:
        again = "`--retry-failed` tries them again"
        say(f"{counted(earlier, 'failure')} of earlier runs{'' if result.failed else f': {more}'}; {again}")
    skipped = {
        ": no images": result.skipped - result.archives,
        ": archives; --nested reads them": result.archives,
    }
    for why, number in skipped.items():
        if number:
            say(f"{counted(number, 'entry', 'entries')} skipped{why}")
    if result.replaced:
        say(
            f"{counted(result.replaced, 'sample')} of earlier runs replaced: the image changed or was damaged"
        )
    if result.gone:
        say(f"{counted(result.gone, 'sample')} gone from the source and kept; --prune drops them")
    if result.pruned:
        say(f"{counted(result.pruned, 'sample')} dropped: gone from the source")
