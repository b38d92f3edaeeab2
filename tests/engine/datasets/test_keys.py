"""The keys of a dataset: a sequence that is looked up piece by piece."""

import pytest

import brinery
from brinery.errors import DatasetError

from ...images import images, make_folder

KEYS = sorted(images(40))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    root = tmp_path_factory.mktemp("keys")
    folder = make_folder(root / "photos", images(40))
    options = {"shard_size": "4KiB", "workers": 1, "backend": "threading", "fsync": False}
    assert brinery.convert(folder, root / "out", **options).shards > 5
    return root / "out"


@pytest.fixture
def keys(path):
    with brinery.open(path) as dataset:
        yield dataset.keys


@pytest.mark.parametrize(
    "part",
    [
        slice(None),
        slice(3, 9),
        slice(-5, None),
        slice(None, None, -1),
        slice(1, 30, 7),
        slice(30, 2),
        slice(39, 99),
    ],
)
def test_slices_are_those_of_a_list(keys, part):
    assert keys[part] == KEYS[part]


def test_every_position_and_no_other(keys):
    assert [keys[index] for index in range(-40, 40)] == KEYS + KEYS
    for index in (40, -41):
        with pytest.raises(IndexError):
            keys[index]


def test_it_is_iterated_counted_and_searched(keys):
    assert list(keys) == KEYS
    assert len(keys) == 40
    assert KEYS[7] in keys
    assert "nowhere.jpg" not in keys
    assert 7 not in keys


def test_the_position_of_a_key(keys):
    assert [keys.index(key) for key in KEYS] == list(range(40))
    assert keys.index(KEYS[7], 7, 8) == 7
    for key, start, stop in (
        ("nowhere.jpg", 0, None),
        (KEYS[7], 8, None),
        (KEYS[7], 0, 7),
        (KEYS[7], 0, -35),
    ):
        with pytest.raises(ValueError, match=r"no key of this dataset|outside the range"):
            keys.index(key, start, stop)


@pytest.mark.parametrize(
    "use", [len, list, lambda keys: keys[0], lambda keys: "a" in keys, lambda keys: keys.index("a")]
)
def test_nothing_is_looked_up_in_a_closed_dataset(path, use):
    with brinery.open(path) as dataset:
        keys = dataset.keys
    with pytest.raises(DatasetError, match="is closed"):
        use(keys)
