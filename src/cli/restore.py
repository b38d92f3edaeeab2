"""brinery restore."""

from typing import cast

import click

from ..engine.choices import IMAGE_FORMATS, Backend, ImageFormat
from .output import ProgressBar, backend_option, emit_json, json_option, put, say, workers_option

__all__ = ["command"]

_MAX_LINES = 20


@click.command("restore", short_help="turn a dataset's arrays back into image files")
@click.argument("dest")
@click.argument("out")
@click.option(
    "--format", "image_format", type=click.Choice(IMAGE_FORMATS), default="png", show_default=True,
    help="png and tiff lose nothing. source: the images as they were, from a dataset of protocol encoded.",
)  # fmt: skip
@click.option("--quality", type=int, help="1 to 100, for jpeg (default 95) and webp (default 90).")
@workers_option
@backend_option
@json_option
def command(
    dest: str,
    out: str,
    image_format: str,
    quality: int | None,
    workers: int | None,
    backend: Backend,
    as_json: bool,
) -> int:
    r"""Turn the arrays of the dataset DEST back into image files in the new or empty folder OUT.

    Files are named by their keys. Exit code 3 says that some arrays could not become such a file.

    \b
    brinery restore photos.brine photos-png
    brinery restore photos.brine photos-jpeg --format jpeg --quality 90
    brinery restore encoded.brine photos-again --format source
    """
    from ..engine.datasets.restore import restore  # noqa: PLC0415 - start-up stays cheap

    with ProgressBar("restoring", "images") as bar:
        result = restore(
            dest,
            out,
            format=cast("ImageFormat", image_format),
            quality=quality,
            workers=workers,
            backend=backend,
            progress=lambda done, total: bar.update(done, done / total),
        )
    if as_json:
        emit_json(
            {
                "path": out,
                "images": result.images,
                "failures": [{"key": one.key, "reason": one.reason} for one in result.failures],
                "exit_code": result.exit_code,
            }
        )
        return result.exit_code
    put(f"{out}: {result.images} images restored")
    for failure in result.failures[:_MAX_LINES]:
        say(f"  {failure.key}: {failure.reason}")
    if len(result.failures) > _MAX_LINES:
        say(f"  and {len(result.failures) - _MAX_LINES} more: --json names all")
    return result.exit_code
