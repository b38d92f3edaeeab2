"""brinery sample."""

import re
from pathlib import Path

import click

from ..engine.choices import Backend
from ..engine.sizes import format_size
from ..errors import UsageError
from .output import ProgressBar, backend_option, emit_json, json_option, put, workers_option

__all__ = ["command"]


@click.command("sample", short_help="make a corpus of photo-like JPEG images")
@click.argument("folder", metavar="DIR")
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--size", default="320x240", show_default=True, help="Width x height in pixels.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True)
@workers_option
@backend_option
@json_option
def command(
    folder: str,
    count: int,
    size: str,
    seed: int,
    quality: int,
    workers: int | None,
    backend: Backend,
    as_json: bool,
) -> int:
    r"""Make a corpus of JPEG images in the new or empty folder DIR: noise that compresses like photographs.

    The same options give the same bytes, whatever the number of workers.

    \b
    brinery sample photos
    brinery sample large --count 300 --size 2000x1500
    """
    from ..engine.corpus import make_corpus  # noqa: PLC0415 - start-up stays cheap

    width, height = _parse_dimensions(size)
    with ProgressBar("making", "images") as bar:
        written = make_corpus(
            Path(folder),
            count=count,
            size=(width, height),
            seed=seed,
            quality=quality,
            workers=workers,
            backend=backend,
            progress=lambda done: bar.update(done, done / count),
        )
    if as_json:
        emit_json({"path": folder, "images": count, "bytes": written, "size": [width, height], "seed": seed})
    else:
        mean = format_size(written / count)
        put(f"{folder}: {count} images of {width} x {height}, {format_size(written)}, {mean} each")
    return 0


def _parse_dimensions(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d+)\s*[xX]\s*(\d+)\s*", text)
    if match is None or not (0 < int(match[1]) <= 65_500 and 0 < int(match[2]) <= 65_500):
        raise UsageError(f"--size is WIDTHxHEIGHT such as 320x240, each 1 to 65500, not {text!r}")
    return int(match[1]), int(match[2])
