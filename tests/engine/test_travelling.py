"""Small records as pickles: the same again, and short."""

import pickle
from dataclasses import asdict, dataclass

from brinery.engine.travelling import Travelling


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    size: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Fast(Travelling):
    name: str
    size: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lone(Travelling):
    """Of one field the values are no tuple by themselves."""

    names: tuple[str, ...]
    size: int = 0


def test_a_record_comes_back_equal():
    for record in (Fast("a", 3, (1, 2)), Fast("b", 4), Lone(("x", "y"))):
        again = pickle.loads(pickle.dumps(record))
        assert again == record
        assert type(again) is type(record)


def test_its_pickle_is_shorter_than_a_plain_dataclass_gives():
    plain, fast = Plain("a", 3, (1, 2)), Fast("a", 3, (1, 2))
    assert asdict(plain) == asdict(fast)
    assert len(pickle.dumps(fast)) < len(pickle.dumps(plain))
