"""Where shapes are mixed, every npy file is one stack; the dataset keeps the order of the archive."""

import sqlite3

import numpy as np
import pytest

import brinery
from brinery.engine.converting import unit_files
from brinery.errors import CorruptError, DatasetError

from ...images import as_pillow, encoded, make_tar, pixels

SHAPES = [(10, 40), (40, 10), (10, 40), (7, 9)]
FILES = {f"{i:03}.png": encoded(pixels(i, SHAPES[i % 4]), "PNG") for i in range(40)}
FILES |= {f"all/{i:03}.png": encoded(pixels(i, (5 + i, 8)), "PNG") for i in range(30)}
ORDER = list(FILES)


def convert(root, name="out", files=FILES, **options):
    tar = make_tar(root / "photos.tar", files)
    options = {"backend": "threading", "workers": 1, "shard_size": "256KiB", "fsync": False} | options
    brinery.convert(tar, root / name, **options)
    return root / name


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return convert(tmp_path_factory.mktemp("mixed"))


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "shards").iterdir()}


def places(folder):
    with sqlite3.connect(folder / "manifest.sqlite") as db:
        return db.execute(
            "SELECT key, name, payload, dtype, shape, record, ordinal FROM samples"
            " JOIN shards ON shards.id = shard ORDER BY ordinal"
        ).fetchall()


def intact(folder, order=ORDER):
    with brinery.open(folder) as mapped, brinery.open(folder, via="protocol") as parsed:
        assert list(mapped.keys) == order
        for index, key in enumerate(order):
            for array in (mapped[index], mapped[key], parsed[index]):
                assert np.array_equal(array, as_pillow(FILES[key]))
        assert [mapped.keys.index(key) for key in order] == [*range(len(order))]
        assert all(np.array_equal(a, b) for a, b in zip(mapped, parsed, strict=True))
    assert brinery.verify(folder, workers=1, backend="threading").exit_code == 0
    return True


def test_numpy_alone_sees_every_image(mixed):
    seen = [array for path in (mixed / "shards").iterdir() for array in np.load(path, mmap_mode="r")]
    assert sorted(array.tobytes() for array in seen) == sorted(as_pillow(f).tobytes() for f in FILES.values())


def test_the_dataset_is_in_the_order_of_the_archive(mixed):
    assert intact(mixed)


def test_each_sample_lies_where_its_row_says(mixed):
    rows = places(mixed)
    for key, name, payload, dtype, shape, _, _ in rows:
        wanted = as_pillow(FILES[key])
        assert (wanted.dtype.str, str([*wanted.shape])) == (dtype, shape)
        data = (mixed / "shards" / name).read_bytes()[payload : payload + wanted.nbytes]
        assert data == wanted.tobytes()
    assert [row[-1] for row in rows] == [*range(len(ORDER))]


def test_few_files_are_open_at_a_time_and_the_bytes_are_the_same(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(unit_files, "_MOST_OPEN", 2)
    few = convert(tmp_path)
    assert contents(few) == contents(mixed)
    assert places(few) == places(mixed)


def test_workers_change_no_byte(mixed, tmp_path):
    assert contents(convert(tmp_path, workers=3)) == contents(mixed)


def test_a_lost_file_costs_its_unit_which_is_made_again(mixed, tmp_path):
    folder = convert(tmp_path)
    lost = sorted((folder / "shards").iterdir())[-3]
    lost.unlink()
    with pytest.raises(CorruptError, match=lost.name), brinery.open(folder) as dataset:
        list(dataset)
    convert(tmp_path)
    assert contents(folder) == contents(mixed)
    assert intact(folder)


def test_what_is_pruned_leaves_the_others_in_order(tmp_path):
    files = {key: FILES[key] for key in ORDER[:40]}
    folder = convert(tmp_path, files=files)
    kept = {key: data for key, data in files.items() if int(key[:3]) % 4 not in (0, 2) or key > "030"}
    convert(tmp_path, files=kept, prune=True)  # the first stack of most units is gone
    assert intact(folder, list(kept))


def test_one_shape_is_one_file_a_shard(tmp_path):
    folder = convert(tmp_path, files={key: FILES[key] for key in ORDER[:40:2]})
    with sqlite3.connect(folder / "manifest.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM shards WHERE beside IS NOT NULL").fetchone() == (0,)


def test_images_of_different_shapes_stay_together_where_the_format_shows_all(tmp_path):
    folder = convert(tmp_path, protocol="npy+gzip", shard_size="32MiB")
    with sqlite3.connect(folder / "manifest.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM shards WHERE beside IS NOT NULL").fetchone() == (0,)
    assert intact(folder)


@pytest.mark.parametrize(
    "change",
    [
        "beside = 1 << 62 WHERE beside IS NOT NULL",
        "beside = -1 WHERE beside IS NOT NULL",
        "beside = id WHERE beside IS NOT NULL",
        "beside = id - 1 WHERE beside IS NOT NULL",
        "beside = NULL WHERE id % 3 = 1",
        "beside = 'x'",
        "beside = 0.5",
        "beside = 0",
    ],
)
def test_a_manifest_from_a_stranger_mixes_nothing_up(mixed, tmp_path, change):
    folder = convert(tmp_path)
    with sqlite3.connect(folder / "manifest.sqlite") as db:
        db.execute(f"UPDATE shards SET {change}")
    try:
        with brinery.open(folder) as dataset:
            keys, arrays = list(dataset.keys), list(dataset)
    except DatasetError:
        return
    assert sorted(keys) == sorted(ORDER)  # in another order, at worst
    for key, array in zip(keys, arrays, strict=True):
        assert np.array_equal(array, as_pillow(FILES[key]))
