"""The folder of a dataset as a convert finds it, makes it, locks it and leaves it."""

import os
import re
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import DestinationError, StorageError, UsageError
from ...parser.options import DecodeOptions
from ..layout import FILES_FOLDER, SHARDS_FOLDER
from ..locks.folder_lock import FolderLock
from ..locks.lock_file import LOCK_NAME
from ..machine.inside import Folder
from ..machine.new_file import PARTIAL_FOLDER
from ..manifest.files import JOURNAL_NAME, LOG_NAMES
from ..manifest.schema import MANIFEST_NAME
from ..protocols.registry import get_serializer
from .claims import claimants
from .manifest_writer import Manifest
from .readme import put_readme, readme_text, remove_readme

__all__ = ["Destination"]

_ORPHAN_SECONDS = 10.0
_ORPHAN_CHECK_SECONDS = 0.05
_SHARD_NAME = re.compile(r"[0-9]{6,}(-[0-9]+)?\.[^/\0]+")
# In the order of deletion: while there is anything else, the manifest says whose it is.
_OWN_NAMES = (SHARDS_FOLDER, FILES_FOLDER, PARTIAL_FOLDER, MANIFEST_NAME, JOURNAL_NAME, *LOG_NAMES)
# A link in their place could have other files written or deleted.
_OWN_KINDS = {
    SHARDS_FOLDER: stat.S_ISDIR,
    FILES_FOLDER: stat.S_ISDIR,
    MANIFEST_NAME: stat.S_ISREG,
    JOURNAL_NAME: stat.S_ISREG,
}


class Destination:
    """A dataset's folder, locked for one convert.

    Args:
        folder: made where it does not exist.
        settings: what a dataset keeps for life; another run must bring the same.
        overwrite: delete the dataset that is there and start afresh.
        fsync: make the manifest's commits durable.

    Raises:
        DestinationError: the folder holds something else, or a dataset made with other settings.
        StorageError: it cannot be made or written, or another convert writes into it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], *, overwrite: bool, fsync: bool) -> None:
        self.folder = folder
        try:
            _check_contents(folder, overwrite)
            self.created = not folder.exists()
            if folder.is_symlink() and self.created:
                raise DestinationError(
                    f"{folder} is a link to nothing: create its target, or remove the link"
                )
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(folder)
        except OSError as error:
            raise StorageError(f"cannot make {folder}: {error.strerror}") from error
        try:
            self._lock.take()
            self._wait_for_orphans()
            if overwrite:
                self._clear()
            self._refuse_links()
            self._delete(PARTIAL_FOLDER)
            self.place = Folder(folder)
            self.manifest = Manifest(folder, settings, fsync=fsync)
            if not self.manifest.locks:
                self._lock.show()
        except OSError as error:
            self._lock.release()
            raise StorageError(f"cannot write into {folder}: {error.strerror}") from error
        except BaseException:
            self._lock.release()
            raise
        try:
            self._check_settings(settings)
            self._make_folders(settings["layout"])
            self._put_readme(settings, fsync=fsync)
        except BaseException:
            self.close()
            raise

    @property
    def partial(self) -> Path:
        """The folder of unfinished files, deleted when the destination is closed."""
        return self.folder.absolute() / PARTIAL_FOLDER

    @property
    def claims(self) -> Path:
        """The folder where workers say which member they are at."""
        return self.partial / "claims"

    def check(self) -> None:
        """Raise StorageError if another convert took this one for dead and now writes here."""
        self._lock.check()

    def close(self) -> None:
        """Close the manifest, delete unfinished files and release the lock."""
        self.manifest.close()
        self.place.close()
        shutil.rmtree(self.folder / PARTIAL_FOLDER, ignore_errors=True)
        self._lock.release()

    def put_decoding(self, options: DecodeOptions) -> None:
        """Record what decoding the images again needs: of all runs the highest limits, and any salvage."""
        stored = self.manifest.settings()
        new: dict[str, object] = {"salvage": "yes"} if options.salvage else {}
        for name in ("max_pixels", "max_frames"):
            before, now = stored.get(name, ""), int(getattr(options, name))
            if not before.isdecimal() or int(before) < now:
                new[name] = now
        if new:
            self.manifest.put_settings(new)

    def withdraw(self) -> None:
        """Close, and leave the folder as it was found, since nothing was written."""
        self.close()
        self._clear()
        if self.created:
            self.folder.rmdir()

    def shard_sizes(self) -> dict[str, int]:
        """Return the size in bytes of each shard file by its name."""
        folder = self.folder / SHARDS_FOLDER
        if not folder.is_dir():
            return {}
        with os.scandir(folder) as entries:
            return {
                entry.name: entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            }

    def sweep(self) -> None:
        """Delete shard files that the manifest does not know: leftovers of a run that was killed."""
        known = self.manifest.shard_names()
        self.remove_shards([n for n in self.shard_sizes() if n not in known and _SHARD_NAME.fullmatch(n)])

    def remove_shards(self, names: Sequence[str]) -> None:
        """Delete shard files by name; names that no convert gives to a shard are ignored."""
        for name in names:
            if _SHARD_NAME.fullmatch(name):
                (self.folder / SHARDS_FOLDER / name).unlink(missing_ok=True)

    def _wait_for_orphans(self) -> None:
        """Wait until no worker of a killed run could still write here; they leave within a second or so."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while pids := claimants(self.claims):
            if time.monotonic() > deadline:
                raise StorageError(
                    f"workers of a run that was killed still write into {self.folder}: end them first"
                    f" (processes {', '.join(pids)})"
                )
            time.sleep(_ORPHAN_CHECK_SECONDS)

    def _make_folders(self, layout: str) -> None:
        try:
            for name in (FILES_FOLDER if layout == "mirror" else SHARDS_FOLDER, PARTIAL_FOLDER):
                (self.folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write into {self.folder}: {error.strerror}") from error

    def _put_readme(self, settings: Mapping[str, str], *, fsync: bool) -> None:
        text = readme_text(get_serializer(settings["protocol"]), settings["layout"])
        try:
            put_readme(self.place, self.folder, text, fsync=fsync)
        except OSError as error:
            raise StorageError(f"cannot write into {self.folder}: {error.strerror}") from error

    def _refuse_links(self) -> None:
        """Raise DestinationError if writing to this name would write elsewhere."""
        for name, is_own in _OWN_KINDS.items():
            with suppress(FileNotFoundError):
                if not is_own(os.lstat(self.folder / name).st_mode):
                    raise DestinationError(
                        f"{self.folder / name} is a link or something else that no convert makes, and could"
                        " lead out of the dataset: choose another destination, or --overwrite"
                    )

    def _clear(self) -> None:
        remove_readme(self.folder)
        for name in _OWN_NAMES:
            self._delete(name)

    def _delete(self, name: str) -> None:
        """Delete a file, a folder with its contents, or a link but not its target."""
        path = self.folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def _check_settings(self, settings: Mapping[str, str]) -> None:
        stored = self.manifest.settings()
        for name, value in settings.items():
            if name in stored and stored[name] != value:
                raise DestinationError(
                    f"{self.folder} was made with {name.replace('_', '-')} {stored[name]}, not {value}:"
                    " give the same, another destination, or --overwrite"
                )
        if not settings.keys() <= stored.keys():
            self.manifest.put_settings(settings)


def _check_contents(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DestinationError(f"{folder} is a file: give a folder that is new, empty or a brinery dataset")
    if (folder / MANIFEST_NAME).is_file():
        return
    try:
        others = [path for path in folder.iterdir() if not _is_left(path.name)]
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}") from error
    if others:
        hint = "; --overwrite replaces brinery datasets only" if overwrite else ""
        raise DestinationError(
            f"{folder} is not empty and no brinery dataset: give a folder that is new or empty{hint}"
        )


def _is_left(name: str) -> bool:
    """Return whether a name is one that a convert leaves behind if it is killed before it has a manifest."""
    return name in (PARTIAL_FOLDER, JOURNAL_NAME) or name.startswith(LOCK_NAME)


def check_apart(sources: Sequence[Path], folder: Path) -> None:
    """Raise UsageError if the destination lies inside a source folder, or is one."""
    try:
        target = folder.resolve()
    except (OSError, RuntimeError) as error:  # too long, or links that go round in circles
        raise StorageError(f"cannot make {folder}: {getattr(error, 'strerror', None) or error}") from error
    for source in sources:
        if source.is_dir() and target.is_relative_to(source.resolve()):
            raise UsageError(f"the destination {folder} lies inside the source {source}: choose one outside")
