"""Takes the results of workers into a dataset: publishes their files, and then records them."""

import threading
from collections.abc import Sequence
from contextlib import suppress

from ...errors import MemberError, StorageError
from ..layout import FILES_FOLDER, single_path
from ..protocols.registry import get_serializer
from ..records import UnitResult
from .destination import Destination
from .options import ConvertCall
from .planner import Note
from .unit_files import publish_shards

__all__ = ["Recorder", "cannot_go_on"]

_NOTES_HELD = 4096


def cannot_go_on(reason: str) -> StorageError:
    """Return the error that ends a run because nothing more can be written."""
    return StorageError(
        f"{reason}; what was committed stays: free space or fix the cause, then run the same command again"
    )


class Recorder:
    """Publishes and records what workers made and what the listing noted, in few transactions.

    Attributes:
        suffix: of files of one image each.
        keeps_source: the protocol keeps images as they are, so that all frames of one share a file.

    Args:
        destination: the dataset, open.
        call: the options.
    """

    def __init__(self, destination: Destination, call: ConvertCall) -> None:
        self._destination = destination
        self._fsync = call.fsync
        self._own_files = call.layout == "mirror"
        serializer = get_serializer(call.protocol)
        self.suffix = serializer.single_suffix
        self.keeps_source = serializer.abilities.keeps_source
        self._notes: list[Note] = []
        self._noting = threading.Lock()

    def note(self, note: Note) -> None:
        """Keep a note of the listing until the next results are recorded, unless there are many."""
        with self._noting:
            self._notes.append(note)
            many = len(self._notes) >= _NOTES_HELD
        if many:
            self.commit()

    def publish(self, done: Sequence[UnitResult]) -> None:
        """Give shards their names, and record them.

        Raises:
            StorageError: they cannot be written.
        """
        names = [name for result in done for name in result.shard_names]
        folder = self._destination.folder
        self._destination.check()
        try:
            publish_shards(folder, names, fsync=self._fsync)
        except OSError as error:
            where = error.filename2 or f"into {folder}"
            raise cannot_go_on(f"cannot write {where}: {error.strerror or error}") from error
        self.commit(done)

    def commit(self, results: Sequence[UnitResult] = ()) -> None:
        """Record results whose files are in place, and the notes so far."""
        self._destination.check()
        with self._noting:
            notes, self._notes = self._notes, []
        if results or notes:
            self.remove_files(self._destination.manifest.commit(results, notes))

    def remove_files(self, keys: Sequence[str]) -> None:
        """Remove the files of samples that are gone, if each has its own."""
        if self._own_files:
            for key in keys:
                if self.keeps_source and self._destination.manifest.has_frames(key):
                    continue
                with suppress(MemberError):  # a key that is no path has no file
                    self._destination.place.remove(*self._file_of(key))

    def file_is_there(self, key: str) -> bool:
        """Return whether a sample's own file is there; the files of shards are looked at as a whole."""
        if not self._own_files:
            return True
        with suppress(MemberError):
            return self._destination.place.holds(*self._file_of(key))
        return False

    def _file_of(self, key: str) -> tuple[tuple[str, ...], str]:
        """Return the folders that lead to a key's own file, and the file's name."""
        *folders, name = single_path(key, self.suffix).parts
        return (FILES_FOLDER, *folders), name
