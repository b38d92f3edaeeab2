"""Convert archives, or a dataset, into a dataset: the calls that commands and Python programs make."""

from dataclasses import fields, replace

from ..errors import ArchiveError, NoProcessesError, UsageError
from ..parser.archives.links import identity_of
from ..parser.archives.listing import plan_sources
from .converting.dataset_sources import recognise_datasets
from .converting.destination import Destination, check_apart
from .converting.options import ConvertCall, ExportCall
from .converting.outcome import ConvertProgress, ConvertResult
from .converting.run import Run
from .converting.sources import recognise
from .datasets.member_records import DATASET
from .manifest.reader import Catalog
from .option_records import called_with
from .options import ExportOptions
from .paths import absolute
from .protocols.registry import get_serializer
from .workers import pool

__all__ = ["ConvertProgress", "ConvertResult", "convert", "export"]


@called_with(ConvertCall)
def convert(call: ConvertCall) -> ConvertResult:
    """Convert the images of one or several archives into a dataset, or bring a dataset up to date.

    Args:
        call: `src`, `dest`, `progress` and `warn`, and all that `ConvertOptions` names.

    Raises:
        UsageError: options, sources or the destination make no sense.
        DatasetError: a source is a dataset that cannot be read, or that another convert writes into.
        ArchiveError: a source cannot be listed, holds no image, has more than `max_members` entries or
            changes during the run.
        StorageError: the destination cannot be written; what was recorded stays.
        FailureLimitError: more members failed than `max_failures` allows.
        WorkerError: the worker processes broke down, or none can start and `timeout` needs them.

    Example:
        result = brinery.convert("photos.tar", "photos.brine", protocol="npy")
        print(result.samples, "arrays,", result.failures, "failures")
    """
    call.validate()
    keeps_source = get_serializer(call.protocol).abilities.keeps_source
    if not (call.check or keeps_source):
        raise UsageError(
            f"no-check copies images without decoding them, and {call.protocol} has nothing but decoded ones:"
            " only the protocol encoded takes it"
        )
    sources, folder = call.sources, absolute(call.dest)
    plan = plan_sources(sources, follow_links=call.follow_links, encoding=call.name_encoding)
    check_apart(sources, folder)
    plan, call = recognise_datasets(plan, call)
    call = _with_workers(call)
    destination = Destination(folder, call.identity(), overwrite=call.overwrite, fsync=call.fsync)
    withdrawn = False
    try:
        if call.nested or destination.manifest.nested:
            plan = [replace(source, nested=source.kind != DATASET) for source in plan]
            destination.manifest.put_settings({"nested": "yes"})
        if keeps_source:
            destination.put_decoding(call.decode_options())
        recorded, taken = destination.manifest.sources(), destination.manifest.begins_keys
        apart = identity_of(folder.stat())
        plan = [replace(source, apart=apart) for source in plan]
        named = recognise(plan, recorded, add=call.add, taken=taken, dataset=str(folder))
        run = Run(named, recorded, destination, call)
        result = run.perform()
        if run.refused:
            raise UsageError(f"{run.refused}; what was converted stays")
        if result.samples == 0 and result.failures == 0:
            withdrawn = result.skipped == 0
            found = f"; {result.skipped} other files were skipped" if result.skipped else ""
            if result.archives:
                found += f", {result.archives} of them archives: --nested reads them"
            raise ArchiveError(f"no image found in {', '.join(map(str, sources))}{found}")
        return result
    finally:
        if withdrawn:
            destination.withdraw()
        else:
            destination.close()


@called_with(ExportCall)
def export(call: ExportCall) -> ConvertResult:
    """Write the arrays of a dataset into another one, of another protocol, layout or shard size.

    No image is decoded: each array is read, compared with its checksum and written. Keys, frames, failures
    and what the dataset knows of each image go along. Calling it again does only what is missing, new or
    changed. `brinery.convert` does the same with a dataset for `src`.

    Args:
        call: `path`, `dest`, `progress` and `warn`, and all that `ExportOptions` names.

    Raises:
        UsageError: options or the destination make no sense.
        DatasetError: `path` is no dataset, its manifest is damaged, or a convert writes into it.
        ArchiveError: it holds no image, or changes during the run.
        StorageError: the destination cannot be written; what was recorded stays.
        FailureLimitError: more members failed than `max_failures` allows.
        WorkerError: the worker processes broke down, or none can start and `timeout` needs them.

    Example:
        result = brinery.export("photos.brine", "photos.hdf5", protocol="hdf5+gzip")
        print(result.samples, "arrays in", brinery.open("photos.hdf5").protocol)
    """
    Catalog(absolute(call.path)).close()
    options = {option.name: getattr(call, option.name) for option in fields(ExportOptions)}
    return convert(call.path, call.dest, progress=call.progress, warn=call.warn, **options)


def _with_workers(call: ConvertCall) -> ConvertCall:
    """Return the call with threads for its backend if no process can be started.

    Raises:
        NoProcessesError: a thread cannot do what is asked.
    """
    if call.backend != "loky":
        return call
    try:
        pool.check_processes()
    except NoProcessesError as error:
        if call.timeout is not None:
            raise NoProcessesError(f"{error.reason}; threads can work, but not keep a timeout") from error
        pool.say_threads(error, call.warn)
        return replace(call, backend="threading")
    return call
