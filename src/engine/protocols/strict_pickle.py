"""The safe path's reader of pickles: a small machine that makes one array and can call nothing.

It knows only the opcodes (PEP 307, 3154, 574) that numpy 1.26 and 2 use for an array alone or for
`(key, array)`. Names in a pickle are looked up in a table of stand-ins, never imported; every length is
held against the bytes at hand before it is used; the payload is viewed, not copied, where it stands raw.
"""

import pickle
from collections.abc import Callable
from typing import Any

from ...errors import CorruptError
from .base import Array
from .stand_ins import NAMES, ArrayBox, DTypeBox, Name, call, refuse, set_order, set_pixels

__all__ = ["unpickle"]

_MAX_OPCODES = 1024  # an array of 64 dimensions takes about 250
_MAX_CALLS = 8  # numpy takes four; a text encoded again and again would fill the memory
_MAX_NUMBER = 24  # characters of the longest decimal number that fits 64 bits, and then some


class _Mark:
    """Marks where a tuple begins on the stack."""


_MARK = _Mark()


def unpickle(data: bytes) -> tuple[str | None, Array]:
    """Read one whole pickle of `(key, array)` or of an array alone.

    Args:
        data: the pickle and nothing after it, of any protocol from 0 to 5.

    Returns:
        The key, None for an array alone, and the array: kind b, u, i, f or c, any byte order, read-only
        where it views `data`.

    Raises:
        CorruptError: anything else, damaged or hostile.
    """
    try:
        value = _Machine(data).run()
    except CorruptError:
        raise
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise CorruptError(f"the pickle is damaged: {error}") from error
    key = None
    if type(value) is tuple:
        if len(value) != 2 or type(value[0]) is not str:
            refuse("not a pair of key and array")
        key, value = value
    if type(value) is not ArrayBox or value.array is None:
        refuse("no array in it")
    return key, value.array


class _Machine:
    """Stack, memo and position of one run."""

    __slots__ = ("_calls", "_data", "_memo", "_position", "_stack", "_view")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._position = 0
        self._calls = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        data, handlers = self._data, _HANDLERS
        for _ in range(_MAX_OPCODES):
            opcode = data[self._position]
            self._position += 1
            if opcode == _STOP:
                if self._position != len(data) or len(self._stack) != 1:
                    refuse("more than one value")
                return self._stack[0]
            handler = handlers.get(opcode)
            if handler is None:
                refuse(f"opcode {opcode:#04x}")
            handler(self)
        return refuse("too many opcodes")

    # Reading arguments: nothing is taken that does not stand in the data.

    def _take(self, length: int) -> memoryview:
        start = self._position
        end = start + length
        if end > len(self._data):
            refuse("a length leads past its end")
        self._position = end
        return self._view[start:end]

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _line(self) -> bytes:
        start = self._position
        end = self._data.find(b"\n", start)
        if end < 0:
            refuse("a line has no end")
        self._position = end + 1
        return self._data[start:end]

    def _decimal(self, line: bytes) -> int:
        if len(line) > _MAX_NUMBER:
            refuse("a number too long")
        return int(line)

    # Opcodes with an argument in the data.

    def proto(self) -> None:
        if self._number(1) > pickle.HIGHEST_PROTOCOL:
            refuse("unknown protocol")

    def frame(self) -> None:
        if self._number(8) > len(self._data) - self._position:
            refuse("a frame leads past its end")

    def int_line(self) -> None:
        line = self._line()
        if line in (b"00", b"01"):
            self._stack.append(line == b"01")
        else:
            self._stack.append(self._decimal(line))

    def long_line(self) -> None:
        line = self._line()
        self._stack.append(self._decimal(line.removesuffix(b"L")))

    def long1(self) -> None:
        length = self._number(1)
        if length > 9:
            refuse("a number too long")
        self._stack.append(int.from_bytes(self._take(length), "little", signed=True))

    def binint(self) -> None:
        self._stack.append(int.from_bytes(self._take(4), "little", signed=True))

    def binint1(self) -> None:
        self._stack.append(self._number(1))

    def binint2(self) -> None:
        self._stack.append(self._number(2))

    def text_line(self) -> None:
        self._stack.append(str(self._line(), "raw-unicode-escape"))

    def text1(self) -> None:
        self._stack.append(str(self._take(self._number(1)), "utf-8"))

    def text4(self) -> None:
        self._stack.append(str(self._take(self._number(4)), "utf-8"))

    def text8(self) -> None:
        self._stack.append(str(self._take(self._number(8)), "utf-8"))

    def bytes1(self) -> None:
        self._stack.append(self._take(self._number(1)))

    def bytes4(self) -> None:
        self._stack.append(self._take(self._number(4)))

    def bytes8(self) -> None:
        self._stack.append(self._take(self._number(8)))

    def global_lines(self) -> None:
        module, name = str(self._line(), "ascii"), str(self._line(), "ascii")
        self._push_name(module, name)

    def put_line(self) -> None:
        self._memo[self._decimal(self._line())] = self._stack[-1]

    def put1(self) -> None:
        self._memo[self._number(1)] = self._stack[-1]

    def put4(self) -> None:
        self._memo[self._number(4)] = self._stack[-1]

    def get_line(self) -> None:
        self._stack.append(self._memo[self._decimal(self._line())])

    def get1(self) -> None:
        self._stack.append(self._memo[self._number(1)])

    def get4(self) -> None:
        self._stack.append(self._memo[self._number(4)])

    # Opcodes that work on the stack.

    def none(self) -> None:
        self._stack.append(None)

    def true(self) -> None:
        self._stack.append(True)

    def false(self) -> None:
        self._stack.append(False)

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def mark(self) -> None:
        self._stack.append(_MARK)

    def empty_tuple(self) -> None:
        self._stack.append(())

    def tuple_marked(self) -> None:
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                refuse("a tuple without a mark")
        stack[at:] = [tuple(stack[at + 1 :])]

    def tuple1(self) -> None:
        self._tuple(1)

    def tuple2(self) -> None:
        self._tuple(2)

    def tuple3(self) -> None:
        self._tuple(3)

    def _tuple(self, length: int) -> None:
        if len(self._stack) < length:
            refuse("a tuple of too few values")
        self._stack[-length:] = [tuple(self._stack[-length:])]

    def stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push_name(module, name)

    def _push_name(self, module: Any, name: Any) -> None:
        known = NAMES.get((module, name)) if type(module) is type(name) is str else None
        if known is None:
            refuse(f"the name {str(module)[:80]}.{str(name)[:80]}")
        self._stack.append(known)

    def reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple or type(function) is not Name:
            refuse("a call of something else")
        self._calls += 1
        if self._calls > _MAX_CALLS:
            refuse("too many calls")
        self._stack.append(call(function, arguments))

    def build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if type(state) is not tuple:
            refuse("a state of another kind")
        if type(target) is DTypeBox:
            set_order(target, state)
        elif type(target) is ArrayBox:
            set_pixels(target, state)
        else:
            refuse("a state for something else")


_STOP = pickle.STOP[0]
_HANDLERS: dict[int, Callable[[_Machine], None]] = {
    opcode[0]: handler
    for opcode, handler in (
        (pickle.PROTO, _Machine.proto),
        (pickle.FRAME, _Machine.frame),
        (pickle.INT, _Machine.int_line),
        (pickle.LONG, _Machine.long_line),
        (pickle.LONG1, _Machine.long1),
        (pickle.BININT, _Machine.binint),
        (pickle.BININT1, _Machine.binint1),
        (pickle.BININT2, _Machine.binint2),
        (pickle.UNICODE, _Machine.text_line),
        (pickle.SHORT_BINUNICODE, _Machine.text1),
        (pickle.BINUNICODE, _Machine.text4),
        (pickle.BINUNICODE8, _Machine.text8),
        (pickle.SHORT_BINBYTES, _Machine.bytes1),
        (pickle.BINBYTES, _Machine.bytes4),
        (pickle.BINBYTES8, _Machine.bytes8),
        (pickle.BYTEARRAY8, _Machine.bytes8),
        (pickle.GLOBAL, _Machine.global_lines),
        (pickle.STACK_GLOBAL, _Machine.stack_global),
        (pickle.PUT, _Machine.put_line),
        (pickle.BINPUT, _Machine.put1),
        (pickle.LONG_BINPUT, _Machine.put4),
        (pickle.MEMOIZE, _Machine.memoize),
        (pickle.GET, _Machine.get_line),
        (pickle.BINGET, _Machine.get1),
        (pickle.LONG_BINGET, _Machine.get4),
        (pickle.NONE, _Machine.none),
        (pickle.NEWTRUE, _Machine.true),
        (pickle.NEWFALSE, _Machine.false),
        (pickle.MARK, _Machine.mark),
        (pickle.EMPTY_TUPLE, _Machine.empty_tuple),
        (pickle.TUPLE, _Machine.tuple_marked),
        (pickle.TUPLE1, _Machine.tuple1),
        (pickle.TUPLE2, _Machine.tuple2),
        (pickle.TUPLE3, _Machine.tuple3),
        (pickle.REDUCE, _Machine.reduce),
        (pickle.BUILD, _Machine.build),
    )
}
