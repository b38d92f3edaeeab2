"""A function called with the fields of a record, which a user cannot tell from one that spells them."""

import inspect
from dataclasses import asdict, dataclass, field, fields

import pytest

import brinery
from brinery.engine.option_records import called_with, meanings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be chosen.

    Attributes:
        size: how large,
            in bytes.
        fast: hurry.
    """

    size: int = 3
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Call(Options):
    """A call.

    Attributes:
        place: where.
        told: who hears of it.
    """

    place: str
    told: str = field(default="nobody", kw_only=True)


@called_with(Call)
def store(call: Call) -> int:
    """Store something.

    Args:
        call: all of it.

    Raises:
        ValueError: never.
    """
    return call.size


def test_each_field_is_an_argument():
    assert store("here") == store(place="here") == 3
    assert store("here", size=5, told="all") == 5
    assert str(inspect.signature(store)) == (
        "(place: str, *, size: int = 3, fast: bool = False, told: str = 'nobody') -> int"
    )


def test_the_docstring_explains_each_argument():
    assert inspect.getdoc(store) == (
        "Store something.\n\nArgs:\n    place: where.\n    size: how large,\n        in bytes.\n"
        "    fast: hurry.\n    told: who hears of it.\n\nRaises:\n    ValueError: never."
    )


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        (("here",), {"sizes": 3}, "store() got an unexpected keyword argument 'sizes'"),
        ((), {}, "store() missing 1 required positional argument: 'place'"),
        (("here", 3), {}, "store() takes 1 positional arguments but 2 were given"),
        (("here",), {"place": "there"}, "store() got multiple values for argument 'place'"),
    ],
)
def test_a_wrong_call_is_told_as_python_does(values, named, message):
    with pytest.raises(TypeError) as error:
        store(*values, **named)
    assert str(error.value).startswith(message)


def test_every_option_of_a_convert_is_explained_and_is_an_argument():
    names = [option.name for option in fields(brinery.ConvertOptions)]
    assert list(meanings(brinery.ConvertOptions)) == names
    assert list(inspect.signature(brinery.convert).parameters) == ["src", "dest", *names, "progress", "warn"]
    with pytest.raises(TypeError, match=r"^convert\(\) got an unexpected keyword argument 'protocl'"):
        brinery.convert("photos.tar", "photos.brine", protocl="npy")


def test_options_can_be_kept_for_several_calls(tmp_path):
    options = brinery.ConvertOptions(mode="blue")
    with pytest.raises(brinery.errors.UsageError, match="mode is one of"):
        brinery.convert(tmp_path, tmp_path / "out", **asdict(options))
