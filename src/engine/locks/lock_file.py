"""A file that says who writes into a folder, for file systems that cannot lock.

It is made whole by link(2), at which one of several processes succeeds on every file system that has links.
The holder renews its time of change. A process that finds the file of its own machine checks whether the
holder still runs; one that finds the file of another machine waits to see whether it is renewed.
"""

import errno
import json
import os
import socket
import threading
import time
import uuid
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import BrineryWarning, StorageError

__all__ = ["LOCK_NAME", "Holder", "LockFile", "holder_of"]

LOCK_NAME = ".brinery.lock"
_TAKING = ".taking"
_RENEW_SECONDS = 5.0
_SILENT_SECONDS = 30.0  # after which nobody renews it
_LOOK_SECONDS = 1.0
_TAKE_OVER_SECONDS = 10.0
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as its file says.

    Attributes:
        host: name of the machine.
        system: what tells its processes from those of others: the boot, and the namespace of process ids.
        pid: the process.
        started: when it was started, in ticks since the boot; None if that is not known.
        since: when it took the lock, for people.
        token: tells this taking of the lock from others.
    """

    host: str
    system: str
    pid: int
    started: int | None
    since: str
    token: str

    @classmethod
    def this_process(cls) -> "Holder":
        """Describe this process."""
        pid = os.getpid()
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), _system(), pid, _started(pid), since, uuid.uuid4().hex)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    @property
    def is_here(self) -> bool:
        """Whether it is among the processes that can be seen from here."""
        return self.system == _system() != ""

    @property
    def runs(self) -> bool:
        """Whether the process still runs, as far as can be told; only where it `is_here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # of another user
            pass
        now = _started(self.pid)
        return now is None or self.started is None or now == self.started


def holder_of(folder: Path) -> Holder | None:
    """Return who holds the lock file of a folder; None if there is no holder, or the file does not say.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return _parse(_read(folder / LOCK_NAME))
    except FileNotFoundError:
        return None


class LockFile:
    """A folder's lock file.

    Args:
        folder: that one process at a time writes in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOCK_NAME
        self._holder = Holder.this_process()
        self._text = json.dumps(asdict(self._holder)).encode()
        self._held = False
        self._lost = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name="lock-file", daemon=True)

    def take(self) -> None:
        """Make the file, replacing one whose holder is gone.

        Raises:
            StorageError: another process holds it.
            OSError: the folder cannot be written.
        """
        until = time.monotonic() + _SILENT_SECONDS + _TAKE_OVER_SECONDS
        while not self._make():
            self._remove_if_left()
            if time.monotonic() > until:
                raise StorageError(f"others keep taking the lock of {self._folder}: try again later")
        self._held = True
        with suppress(RuntimeError):  # no thread can be started: it is renewed with every commit
            self._thread.start()

    def check(self) -> None:
        """Renew the file.

        Raises:
            StorageError: another process has taken it over: this one was taken for dead.
        """
        self._renew()
        if self._lost:
            raise StorageError(
                f"another process took over {self._folder}, since this one gave no sign of life for"
                f" {_SILENT_SECONDS:.0f} s; what was committed stays"
            )

    def release(self) -> None:
        """Remove the file, and the leftovers of attempts to take it that were cut short."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._held and not self._lost:
            with suppress(OSError):
                for name in os.listdir(self._folder):  # noqa: PTH208 - names are looked at
                    if name.startswith(LOCK_NAME):
                        (self._folder / name).unlink(missing_ok=True)

    def _make(self) -> bool:
        """Make the file; return False if it was there already."""
        own = self._folder / f"{LOCK_NAME}-{self._holder.token}"
        try:
            _write_new(own, self._text)
            self._path.hardlink_to(own)
        except FileExistsError:
            return own.stat().st_nlink > 1  # sent twice over a network, it was made by the first
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._make_without_links()
        finally:
            own.unlink(missing_ok=True)
        return True

    def _make_without_links(self) -> bool:
        try:
            _write_new(self._path, self._text)
        except FileExistsError:
            return False
        return True

    def _remove_if_left(self) -> None:
        """Remove the file if its holder is gone.

        Raises:
            StorageError: its holder still runs.
        """
        try:
            text = _read(self._path)
            holder = _parse(text)
            if holder is not None and holder.is_here:
                at_work = holder.runs
            else:
                at_work = _is_renewed(self._path, text, str(holder or "an unknown process"))
        except FileNotFoundError:
            return
        if at_work:
            who = holder or "its lock file does not say where"
            raise StorageError(
                f"another convert is writing into {self._folder} ({who}): wait for it, or choose another"
                " destination"
            )
        self._remove(text)

    def _remove(self, text: bytes) -> None:
        """Remove the file with this content; of several processes that try, one succeeds."""
        taking = self._path.with_name(LOCK_NAME + _TAKING)
        until = time.monotonic() + _TAKE_OVER_SECONDS
        while True:
            try:
                _write_new(taking, b"")
                break
            except FileExistsError:
                if time.monotonic() > until:  # who made it was killed within moments
                    taking.unlink(missing_ok=True)
                time.sleep(_LOOK_SECONDS / 10)
        try:
            with suppress(FileNotFoundError):
                if _read(self._path) == text:
                    self._path.unlink()
        finally:
            taking.unlink(missing_ok=True)

    def _renew(self) -> None:
        try:
            if _read(self._path) == self._text:  # its inode's number may be another file's by now
                os.utime(self._path)
            else:
                self._lost = True
        except FileNotFoundError:
            self._lost = True
        except OSError:
            pass  # a network that is away for a while; writing will tell

    def _keep_renewing(self) -> None:
        while not self._end.wait(_RENEW_SECONDS) and not self._lost:
            self._renew()


def _is_renewed(path: Path, text: bytes, holder: str) -> bool:
    """Watch a lock file for as long as its holder may be silent; return whether it changed."""
    warnings.warn(
        f"{path} says that {holder}, writes here: waiting {_SILENT_SECONDS:.0f} s to see whether it lives",
        BrineryWarning,
        stacklevel=2,
    )
    begin = path.stat().st_mtime_ns
    until = time.monotonic() + _SILENT_SECONDS
    while time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        if _read(path) != text or path.stat().st_mtime_ns != begin:
            return True
    return False


def _write_new(path: Path, data: bytes) -> None:
    """Write a new file.

    Raises:
        FileExistsError: it is there already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    """Read a file, opened anew each time: a network file system then asks for its latest state."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)


def _parse(text: bytes) -> Holder | None:
    try:
        holder = Holder(**json.loads(text))
    except (TypeError, ValueError):
        return None
    texts = (holder.host, holder.system, holder.since, holder.token)
    sound = all(type(one) is str and one.isprintable() for one in texts) and type(holder.pid) is int
    return holder if sound and holder.pid > 0 else None


def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks since the boot, by proc_pid_stat(5); -1 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
