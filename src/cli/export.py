"""brinery export."""

from typing import Any

import click

from ..engine.options import ExportOptions
from .convert import PLACEHOLDERS, perform
from .output import json_option
from .record_options import options_of

__all__ = ["command"]


@click.command("export", short_help="write a dataset's arrays into another protocol")
@click.argument("dataset")
@click.argument("dest")
@options_of(ExportOptions, PLACEHOLDERS)
@json_option
def command(dataset: str, dest: str, as_json: bool, **options: Any) -> int:
    r"""Write the arrays of DATASET into the dataset DEST, of another protocol, layout or shard size.

    No image is decoded: each array is read, compared with its checksum and written. Keys, frames, failures
    and what DATASET knows of each image go along; mode, orientation and frames are those of DATASET. Running
    the same command again does only what is missing, new or changed in DATASET. Exit code 3 says that DEST
    records failures: damaged samples, and what failed when DATASET was made; `brinery failures DEST` lists
    them. `brinery convert DATASET DEST` does the same.

    \b
    brinery export photos.brine photos.hdf5 --protocol hdf5+gzip:4
    brinery export photos.brine small.brine --shard-size 8MiB --workers 4
    brinery export photos.brine files/ --protocol npy --layout mirror
    """
    from ..engine.convert import export  # noqa: PLC0415 - start-up stays cheap

    return perform(export, dataset, dest, as_json=as_json, **options)
