"""A dataset is a sequence of arrays, whichever way its bytes come out."""

import multiprocessing
import os
import pickle
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import brinery
from brinery.errors import CorruptError, DatasetError, UsageError

from ...images import as_pillow, encoded, images, make_tar, pixels

FILES = images(30) | {f"wide/{i}.png": encoded(pixels(i, (10, 40)), "PNG") for i in range(8)}
ORDER = list(FILES)
PROTOCOLS = [
    "npy",
    "pickle-0",
    "pickle-5",
    "pypickle-2",
    "json",
    "npz",
    "hdf5",
    "hickle",
    "arrow",
    "parquet+snappy",
    "safetensors",
    "msgpack+zstd",
    "tfrecord",
    "zarr+zstd",
    "npy+lz4",
    "hickle+gzip",
]


@pytest.fixture(scope="module", params=["shards", "mirror"])
def layout(request):
    return request.param


@pytest.fixture(scope="module", params=PROTOCOLS)
def stored(request, layout, tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    tar = make_tar(root / "photos.tar", FILES)
    options = {"backend": "threading", "workers": 1, "shard_size": "64KiB", "fsync": False}
    brinery.convert(tar, root / "out", protocol=request.param, layout=layout, **options)
    return root / "out"


@pytest.fixture(params=[None, "protocol"])
def dataset(request, stored):
    with brinery.open(stored, via=request.param) as opened:
        yield opened


def expected(index):
    return as_pillow(FILES[ORDER[index]])


def same(array, other):
    return array.dtype == other.dtype and array.shape == other.shape and bool((array == other).all())


def test_every_way_to_ask_gives_the_same_arrays(dataset):
    assert len(dataset) == len(ORDER)
    assert list(dataset.keys) == ORDER
    assert dataset.keys[-1] == ORDER[-1]
    assert dataset.keys[3:5] == ORDER[3:5]
    assert dataset.keys.index(ORDER[17]) == 17
    for index, array in enumerate(dataset):
        assert same(array, expected(index))
        assert same(array, expected(index))
        assert same(dataset[index - len(ORDER)], expected(index))
        assert same(dataset[ORDER[index]], expected(index))
    assert all(same(a, expected(i)) for a, i in zip(dataset[5:20:3], range(5, 20, 3), strict=True))
    assert all(same(a, expected(i)) for a, i in zip(dataset.__getitems__([7, 0, 7]), [7, 0, 7], strict=True))
    assert dataset[np.int64(3)].shape == expected(3).shape
    assert ORDER[0] in dataset
    assert "nobody" not in dataset


def test_arrays_are_read_only(dataset):
    with pytest.raises(ValueError, match="read-only"):
        dataset[0][0, 0] = 1


def test_what_is_not_there_is_an_ordinary_error(dataset):
    for index in (len(ORDER), -len(ORDER) - 1):
        with pytest.raises(IndexError, match="out of range"):
            dataset[index]
    with pytest.raises(KeyError):
        dataset["nobody"]
    with pytest.raises(TypeError):
        dataset[1.5]


@pytest.fixture(scope="module")
def npy(tmp_path_factory):
    root = tmp_path_factory.mktemp("npy")
    tar = make_tar(root / "photos.tar", FILES)
    options = {"backend": "threading", "workers": 1, "shard_size": "64KiB", "fsync": False}
    brinery.convert(tar, root / "out", protocol="npy", **options)
    return root / "out"


@pytest.fixture
def copy(npy, tmp_path):
    return shutil.copytree(npy, tmp_path / "copy")


def test_after_close_every_use_says_so_and_arrays_stay(npy):
    dataset = brinery.open(npy)
    array = dataset[0]
    dataset.close()
    dataset.close()
    for use in (lambda: dataset[0], lambda: len(dataset), lambda: dataset.keys, lambda: next(iter(dataset))):
        with pytest.raises(DatasetError, match="closed"):
            use()
    assert same(array, expected(0))
    assert "closed" in repr(dataset)


def test_it_pickles(npy):
    with brinery.open(npy, verify=True) as dataset:
        other = pickle.loads(pickle.dumps(dataset))
    assert same(other[4], expected(4))


def read_in_child(dataset, index, queue):
    queue.put(dataset[index].tobytes())


@pytest.mark.parametrize("via", [None, "protocol"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_share_it(npy, method, via):
    context = multiprocessing.get_context(method)
    with brinery.open(npy, via=via) as dataset:
        assert dataset[20].size
        queue = context.SimpleQueue()
        child = context.Process(target=read_in_child, args=(dataset, 20, queue))
        child.start()
        assert queue.get() == expected(20).tobytes()
        child.join(20)
        assert same(dataset[21], expected(21))


def test_a_fork_takes_no_lock_along(npy):
    with brinery.open(npy) as dataset, ThreadPoolExecutor(1) as pool:
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        pool.submit(dataset._files.lock.acquire).result()
        child = context.Process(target=read_in_child, args=(dataset, 20, queue))
        child.start()
        child.join(20)
        pool.submit(dataset._files.lock.release).result()
        assert child.exitcode == 0
        assert queue.get() == expected(20).tobytes()


@pytest.mark.parametrize("via", [None, "protocol"])
def test_threads_share_it(npy, via):
    with brinery.open(npy, via=via) as dataset, ThreadPoolExecutor(8) as pool:
        for index, array in enumerate(pool.map(lambda i: dataset[i % len(ORDER)], range(400))):
            assert same(array, expected(index % len(ORDER)))


def test_only_raw_bytes_can_be_mapped(tmp_path):
    tar = make_tar(tmp_path / "photos.tar", images(2))
    brinery.convert(tar, tmp_path / "out", protocol="json", workers=1, backend="threading")
    with pytest.raises(UsageError, match="no raw bytes"):
        brinery.open(tmp_path / "out", via="payload")


def test_what_is_no_dataset_is_said_in_a_line(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        brinery.open(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds no manifest"):
        brinery.open(tmp_path)
    (tmp_path / "manifest.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DatasetError, match="cannot be read"):
        brinery.open(tmp_path)


def edit(dataset, statement):
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE samples SET payload = 1 << 50",
        "UPDATE samples SET payload = -1",
        "UPDATE samples SET payload = NULL",
        "UPDATE samples SET shape = '[1048576, 1048576, 3]'",
        "UPDATE samples SET shape = '[-1, 5]'",
        "UPDATE samples SET shape = '{}'",
        "UPDATE samples SET dtype = '|O'",
        "UPDATE samples SET dtype = 'u1,u1'",
        "UPDATE samples SET record = 'x' WHERE record = 0",
        "UPDATE shards SET name = '../../manifest.sqlite'",
        "UPDATE shards SET name = '/etc/passwd'",
        "UPDATE shards SET name = '..'",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON runs BEGIN DELETE FROM samples; END",
        "UPDATE dataset SET value = 'brinery.dataset/99' WHERE name = 'format'",
    ],
)
def test_a_manifest_from_a_stranger_harms_nothing(copy, statement):
    edit(copy, statement)
    with pytest.raises(DatasetError), brinery.open(copy) as dataset:
        dataset[0]


def test_a_shard_that_is_a_link_or_a_pipe_is_refused(copy):
    shard = copy / "shards" / "000000.npy"
    shard.rename(copy / "elsewhere")
    shard.symlink_to(copy / "elsewhere")
    with brinery.open(copy) as dataset, pytest.raises(CorruptError, match="cannot open"):
        dataset[0]
    shard.unlink()
    os.mkfifo(shard)
    with brinery.open(copy) as dataset, pytest.raises(CorruptError, match="no regular file"):
        dataset[0]


def test_verify_names_every_damaged_sample(copy):
    with sqlite3.connect(copy / "manifest.sqlite") as db:
        of_key = "SELECT name, payload FROM samples JOIN shards ON shards.id = shard WHERE key = ?"
        ((name, offset),) = db.execute(of_key, (ORDER[3],)).fetchall()
    with (copy / "shards" / name).open("r+b") as file:
        file.seek(offset + 5)
        byte = file.read(1)[0]
        file.seek(offset + 5)
        file.write(bytes([byte ^ 1]))
    result = brinery.verify(copy, workers=1)
    assert [bad.key for bad in result.bad] == [ORDER[3]]
    assert (result.samples, result.exit_code) == (len(ORDER), 3)
    with brinery.open(copy, verify=True) as dataset:
        assert same(dataset[2], expected(2))
        with pytest.raises(CorruptError, match="checksum"):
            dataset[3]


def test_a_missing_shard_costs_its_own_samples_only(copy):
    with sqlite3.connect(copy / "manifest.sqlite") as db:
        ((name, samples),) = db.execute("SELECT name, samples FROM shards ORDER BY id LIMIT 1").fetchall()
    (copy / "shards" / name).unlink()
    assert len(brinery.verify(copy, workers=1).bad) == samples


@pytest.mark.parametrize("limit", ["shard_files._MAX_OPEN_SHARDS", "dataset._MAX_PLACES"])
def test_more_shards_than_are_remembered(npy, monkeypatch, limit):
    monkeypatch.setattr(f"brinery.engine.datasets.{limit}", 1)
    with brinery.open(npy) as dataset:
        arrays = list(dataset)
        assert all(same(array, expected(index)) for index, array in enumerate(arrays))
        for index in [*range(len(ORDER))] * 3:
            assert same(dataset[index], expected(index))


def test_what_was_dropped_leaves_the_rest_in_order(copy):
    dropped = [0, 3, 7, len(ORDER) - 1]
    with sqlite3.connect(copy / "manifest.sqlite") as db:
        db.executemany("DELETE FROM samples WHERE key = ?", [(ORDER[i],) for i in dropped])
        db.execute("UPDATE shards SET samples = (SELECT COUNT(*) FROM samples WHERE shard = shards.id)")
    left = [index for index in range(len(ORDER)) if index not in dropped]
    with brinery.open(copy) as dataset:
        assert list(dataset.keys) == [ORDER[index] for index in left]
        for _ in range(2):
            for place, index in enumerate(left):
                assert same(dataset[place], expected(index))
                assert dataset.keys[place] == ORDER[index]
                assert dataset.keys.index(ORDER[index]) == place
        assert all(same(a, expected(i)) for a, i in zip(dataset, left, strict=True))
        with pytest.raises(ValueError, match="no key"):
            dataset.keys.index(ORDER[3])


@pytest.fixture(params=["shards", "mirror"])
def nested(request, tmp_path):
    """A dataset of one shard file, or of one file in folders, and the folder next to that file."""
    tar = make_tar(tmp_path / "photos.tar", {"a/b/c.png": FILES[ORDER[0]]})
    options = {"backend": "threading", "workers": 1, "layout": request.param, "fsync": False}
    brinery.convert(tar, tmp_path / "out", **options)
    (file,) = (tmp_path / "out").rglob("*.npy")
    return tmp_path / "out", file


def turn_into_link(path, elsewhere):
    """Move a file or folder away, and leave a link to it."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("via", [None, "protocol"])
def test_no_link_inside_a_dataset_is_followed(nested, tmp_path, via):
    path, file = nested
    for number, place in enumerate((file, *file.parents)):
        if place == path:
            break
        turn_into_link(place, tmp_path / f"elsewhere{number}")
        with brinery.open(path, via=via) as dataset, pytest.raises(CorruptError, match="is a link"):
            dataset[0]
        (bad,) = brinery.verify(path, workers=1).bad
        assert f"{place.name} is a link" in bad.reason
        (failure,) = brinery.restore(path, tmp_path / f"restored{number}", workers=1).failures
        assert f"{place.name} is a link" in failure.reason
        place.unlink()
        (tmp_path / f"elsewhere{number}").rename(place)
    with brinery.open(path, via=via) as dataset:
        assert same(dataset[0], expected(0))


def test_a_dataset_may_itself_be_reached_through_links(nested, tmp_path):
    path, _ = nested
    (tmp_path / "link").symlink_to(path)
    with brinery.open(tmp_path / "link") as dataset:
        assert same(dataset[0], expected(0))
    assert brinery.verify(tmp_path / "link", workers=1).exit_code == 0


@pytest.mark.parametrize("via", [None, "protocol"])
def test_an_open_dataset_may_be_renamed(nested, tmp_path, via):
    path, _ = nested
    with brinery.open(path, via=via) as dataset:
        path.rename(tmp_path / "renamed")
        path.mkdir()  # what is there now is another dataset's
        assert same(dataset[0], expected(0))


def test_a_closed_dataset_keeps_no_file_open(nested):
    before = len(os.listdir("/proc/self/fd"))
    for verify in (False, True):
        dataset = brinery.open(nested[0], verify=verify)
        assert same(dataset[0], expected(0))
        dataset.close()
        assert len(os.listdir("/proc/self/fd")) == before


def test_with_checksums_every_array_is_a_copy(npy):
    # A mapped one would end the process where its file is cut short.
    with brinery.open(npy, verify=True) as dataset, brinery.open(npy) as mapped:
        for index in range(len(ORDER)):
            assert same(dataset[index], mapped[index])
            assert not dataset[index].flags.writeable
            assert dataset[index].base is None
