"""Functions whose arguments are the fields of a record, which names, types and explains each of them once."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["called_with", "meanings"]

Fields = ParamSpec("Fields")
Record = TypeVar("Record")
Result = TypeVar("Result")

_ENTRY = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_ARGUMENTS = re.compile(r"(?<=\nArgs:\n)(?:    .*\n?)+")


def meanings(record: Any) -> dict[str, str]:
    """Return what the docstrings of a record and its bases say of each attribute, line by line."""
    found: dict[str, str] = {}
    for part in reversed(record.__mro__[:-1]):
        _, _, attributes = inspect.cleandoc(part.__doc__ or "").partition("\nAttributes:\n")
        found |= dict(_ENTRY.findall(attributes))
    return found


def called_with(
    record: Callable[Fields, Record],
) -> Callable[[Callable[[Record], Result]], Callable[Fields, Result]]:
    """Return a decorator for a function of one record: callers give the record's fields as arguments.

    They are its arguments for type checkers, in its signature and in its docstring's section "Args".
    """

    def decorate(function: Callable[[Record], Result]) -> Callable[Fields, Result]:
        fields = inspect.signature(record).parameters
        most = sum(field.kind is field.POSITIONAL_OR_KEYWORD for field in fields.values())

        @functools.wraps(function)
        def call(*values: Fields.args, **named: Fields.kwargs) -> Result:
            if len(values) > most:  # Python would count the record's self too
                raise TypeError(
                    f"{function.__name__}() takes {most} positional arguments but {len(values)} were given"
                )
            return function(record(*values, **named))

        types = {name: field.annotation for name, field in fields.items()}
        result = inspect.signature(function).return_annotation
        call.__annotations__ = types | {"return": result}
        vars(call)["__signature__"] = inspect.Signature([*fields.values()], return_annotation=result)
        vars(record)["__init__"].__qualname__ = function.__qualname__  # named where an argument is wrong
        if function.__doc__ is not None:
            explained = meanings(record)
            entries = "".join(f"    {name}: {explained.get(name, '')}\n" for name in fields)
            call.__doc__ = _ARGUMENTS.sub(lambda _: entries, inspect.cleandoc(function.__doc__))
        return call

    return decorate
