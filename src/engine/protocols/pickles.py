"""pickle-0 to pickle-5 and pypickle-0 to pypickle-5: consecutive pickles of `(key, array)`.

Formats: the opcodes of `pickletools`; protocol 3 came with Python 3.0, 4 with PEP 3154, 5 with PEP 574.
Every record is a pickle of its own, so a file is read with `pickle.load` until it ends. From protocol 3 on
the array's bytes stand in the pickle as they are: those of 64 KiB and more reach the file in one write of
their own. Pickles of arrays of one kind, with keys of one length, differ in these bytes and in the key alone:
the C pickler runs once for each kind, and what it wrote is written again around the others.
"""

import io
import pickle
import struct
from collections.abc import Callable, Iterator
from os import PathLike
from types import FunctionType
from typing import Any, BinaryIO, ClassVar, NamedTuple

from ...errors import CorruptError, MemberError
from .base import Abilities, Array, OutputFile, Placement, ShardReader, ShardWriter, Spec
from .checks import RecordReader, pixels
from .frames import FRAME_COMPRESSIONS, Codec, FramedSerializer
from .strict_pickle import unpickle

__all__ = ["PickleSerializer", "PyPickleSerializer"]

_LONE_WRITE = 64 * 1024  # both picklers hand payloads of this size to the file by themselves
_SLACK = 1 << 20  # room for the key and the opcodes around an array
_SHORT = 256  # bytes: the pickler spells longer keys in other ways
_MAX_KINDS = 1000

_Pickler = Callable[[Any, Any, int], None]


_Python = pickle._Pickler  # noqa: SLF001 - the library has no other name for it
_OWN = vars(_Python)


class _PythonPickler(_Python):
    """Pickles as the standard library does, whatever others (dill) have put into its pickler's table."""

    dispatch: ClassVar = {
        kind: save for kind, save in _Python.dispatch.items() if save.__module__ == "pickle"
    } | {
        dict: _OWN["save_dict"],
        type: _OWN["save_type"],
        FunctionType: _OWN["save_global"],
    }


def _dump_python(value: Any, file: Any, protocol: int) -> None:
    _PythonPickler(file, protocol).dump(value)


def _dump_c(value: Any, file: Any, protocol: int) -> None:
    pickle.Pickler(file, protocol).dump(value)


class _Sink:
    """Passes a pickler's writes on and notes where the array's payload went."""

    __slots__ = ("_file", "_size", "payload", "position")

    def __init__(self, file: OutputFile, position: int, size: int) -> None:
        self._file = file
        self._size = size
        self.position = position
        self.payload: int | None = None

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        if length == self._size:
            # A key may be as long as the pixels, but it comes before them: the last such write counts.
            self.payload = self.position
        self._file.write(data)
        self.position += length
        return length


class _Around(NamedTuple):
    """What a pickler writes around a key and an array's bytes."""

    before: bytes
    between: bytes
    after: bytes


class _Pieces:
    """Keeps what a pickler writes, without the array's bytes, which may be many, and come in one write."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.kept = [bytearray()]

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if view.nbytes == self._size:
            self.kept.append(bytearray())
        else:
            self.kept[-1] += view
        return view.nbytes


def _learn_around(array: Array, key_bytes: int, protocol: int) -> _Around | None:
    """Pickle an array with a key of that length and take the result apart; None where it is not as known."""
    pieces = _Pieces(array.nbytes)
    _dump_c(("\0" * key_bytes, array), pieces, protocol)
    opcode = pickle.BINUNICODE + struct.pack("<I", key_bytes)
    if protocol >= 4:
        opcode = pickle.SHORT_BINUNICODE + bytes([key_bytes])
    begin = (2 if protocol < 4 else 11) + len(opcode)  # behind PROTO, and FRAME from 4 on
    key = opcode + bytes(key_bytes)
    head, *tails = map(bytes, pieces.kept)
    if len(tails) != 1 or head[begin - len(opcode) : begin + key_bytes] != key:
        return None
    return _Around(head[:begin], head[begin + key_bytes :], tails[0])


def _find_payload(record: bytes, array: Array, protocol: int) -> int | None:
    """Return where an array's bytes stand in its pickle: behind the opcode that gives their length."""
    size = array.nbytes
    if protocol < 3:
        return None
    if not size:
        return 0
    if protocol == 5:
        prefix = pickle.BYTEARRAY8 + struct.pack("<Q", size)
    elif size < 256:
        prefix = pickle.SHORT_BINBYTES + bytes([size])
    else:
        prefix = pickle.BINBYTES + struct.pack("<I", size)
    # Should a key hold the same bytes, they are the payload's value there as well.
    at = record.find(prefix + pixels(array).tobytes())
    return None if at < 0 else at + len(prefix)


class _PickleWriter(ShardWriter):
    """Writes one pickle a sample."""

    def __init__(
        self, file: OutputFile, protocol: int, dump: _Pickler, codec: Codec | None, *, splices: bool
    ) -> None:
        self._file = file
        self._protocol = protocol
        self._dump = dump
        self._codec = codec
        self._position = 0
        self._placements: list[Placement] = []
        self._splices = splices and protocol >= 3 and codec is None
        self._around: dict[tuple[Any, ...], _Around | None] = {}

    def add(self, key: str, array: Array) -> None:
        if self._splices and array.nbytes >= _LONE_WRITE:
            name = key.encode("utf-8")
            around = self._known_around(array, len(name)) if len(name) < _SHORT else None
            if around is not None:
                self._splice(name, array, around)
                return
        self.put((key, array), array)

    def _known_around(self, array: Array, key_bytes: int) -> _Around | None:
        # Protocol 5 spells a writable buffer in another way than one that is not.
        kind = (array.dtype, array.shape, array.flags.writeable, key_bytes)
        if kind not in self._around:
            if len(self._around) >= _MAX_KINDS:
                self._around.clear()
            self._around[kind] = _learn_around(array, key_bytes, self._protocol)
        return self._around[kind]

    def _splice(self, name: bytes, array: Array, around: _Around) -> None:
        head = b"".join((around.before, name, around.between))
        self._file.write(head)
        self._file.write(pixels(array))
        self._file.write(around.after)
        start, length = self._position, len(head) + array.nbytes + len(around.after)
        self._position += length
        self._placements.append(Placement(start, length, start + len(head)))

    def put(self, value: object, array: Array) -> Placement:
        """Write a value that holds the array, and say where."""
        start = self._position
        try:
            if self._codec is None and array.nbytes >= _LONE_WRITE:
                sink = _Sink(self._file, start, array.nbytes)
                self._dump(value, sink, self._protocol)
                payload = sink.payload if self._protocol >= 3 else None
                self._position = sink.position
            else:
                memory = io.BytesIO()
                self._dump(value, memory, self._protocol)
                record = memory.getvalue()
                payload = None
                if self._codec is not None:
                    record = self._codec.compress(record)
                else:
                    offset = _find_payload(record, array, self._protocol)
                    payload = None if offset is None else start + offset
                self._file.write(record)
                self._position += len(record)
        except OverflowError as error:
            raise MemberError(f"pickle protocol {self._protocol} takes no such array: {error}") from error
        placement = Placement(start, self._position - start, payload)
        self._placements.append(placement)
        return placement

    def finish(self) -> list[Placement]:
        return self._placements


def _limit(spec: Spec) -> int:
    # Protocol 0 spells each NUL, newline and backslash in six characters; 1 and 2 half of all bytes in two.
    return 6 * spec.nbytes + _SLACK


def _decode_keyed(data: bytes, _spec: Spec) -> Array:
    key, array = unpickle(data)
    if key is None:
        raise CorruptError("the record is an array without its key")
    return array


def _decode_alone(data: bytes, _spec: Spec) -> Array:
    key, array = unpickle(data)
    if key is not None:
        raise CorruptError("the file is a record with a key, not an array alone")
    return array


_SAMPLES = """\
samples = {}
while file.peek(1):
    key, array = pickle.load(file)
    samples[key] = array"""


class PickleSerializer(FramedSerializer):
    """Pickles by Python's C pickler; subclasses set the protocol version."""

    suffix = ".pkl"
    version: ClassVar[int]
    _splices: ClassVar[bool] = True

    def _dump(self, value: Any, file: Any, protocol: int) -> None:
        _dump_c(value, file, protocol)

    def _load(self, stream: BinaryIO) -> Any:
        return pickle.load(stream)

    def _writer(self, file: OutputFile) -> _PickleWriter:
        return _PickleWriter(file, self.version, self._dump, self.codec, splices=self._splices)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard of one pickle a sample."""
        return self._writer(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write what `pickle.dump(array, file, protocol)` does."""
        return self._writer(file).put(array, array)

    def load(self, path: str | PathLike[str]) -> Array:
        """Unpickle the array, which can run code: only files of one's own."""
        with self.stream(path) as stream:
            array: Array = self._load(stream)
        return array

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Unpickle record by record, which can run code: only files of one's own."""
        with self.stream(path) as stream:
            while stream.peek(1):
                yield self._load(stream)

    def lines(self, file: str, *, single: bool) -> str:
        """Call `pickle.load`, once for each sample."""
        return self.lines_around(file, "pickle", "array = pickle.load(file)" if single else _SAMPLES)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read records with the strict machine, which can call nothing."""
        return RecordReader(file, _decode_keyed, _limit, self.codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the pickle with the strict machine, which can call nothing."""
        return RecordReader(file, _decode_alone, _limit, self.codec)


class PyPickleSerializer(PickleSerializer):
    """The same files by the pickler and unpickler in pure Python that the standard library holds."""

    _splices = False  # each record costs what that pickler takes

    def _dump(self, value: Any, file: Any, protocol: int) -> None:
        _dump_python(value, file, protocol)

    def _load(self, stream: BinaryIO) -> Any:
        return pickle._Unpickler(stream).load()  # noqa: SLF001 - the library has no other name for it


def _abilities(version: int) -> Abilities:
    return Abilities(
        raw_payload=version >= 3, safe_load=False, portable=False, compressions=FRAME_COMPRESSIONS
    )


class Pickle0(PickleSerializer):
    """Protocol 0: printable opcodes."""

    name, version, abilities = "pickle-0", 0, _abilities(0)


class Pickle1(PickleSerializer):
    """Protocol 1: binary opcodes."""

    name, version, abilities = "pickle-1", 1, _abilities(1)


class Pickle2(PickleSerializer):
    """Protocol 2: Python 2.3 and later; bytes still travel as latin-1 text."""

    name, version, abilities = "pickle-2", 2, _abilities(2)


class Pickle3(PickleSerializer):
    """Protocol 3: bytes as they are."""

    name, version, abilities = "pickle-3", 3, _abilities(3)


class Pickle4(PickleSerializer):
    """Protocol 4: framing, and objects above 4 GiB."""

    name, version, abilities = "pickle-4", 4, _abilities(4)


class Pickle5(PickleSerializer):
    """Protocol 5: the array's own buffer, without a copy."""

    name, version, abilities = "pickle-5", 5, _abilities(5)


class PyPickle0(PyPickleSerializer):
    """Protocol 0 by the pure-Python pickler."""

    name, version, abilities = "pypickle-0", 0, _abilities(0)


class PyPickle1(PyPickleSerializer):
    """Protocol 1 by the pure-Python pickler."""

    name, version, abilities = "pypickle-1", 1, _abilities(1)


class PyPickle2(PyPickleSerializer):
    """Protocol 2 by the pure-Python pickler."""

    name, version, abilities = "pypickle-2", 2, _abilities(2)


class PyPickle3(PyPickleSerializer):
    """Protocol 3 by the pure-Python pickler."""

    name, version, abilities = "pypickle-3", 3, _abilities(3)


class PyPickle4(PyPickleSerializer):
    """Protocol 4 by the pure-Python pickler."""

    name, version, abilities = "pypickle-4", 4, _abilities(4)


class PyPickle5(PyPickleSerializer):
    """Protocol 5 by the pure-Python pickler."""

    name, version, abilities = "pypickle-5", 5, _abilities(5)
