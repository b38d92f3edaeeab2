"""The corpus: the same images for the same seed, as large as photographs."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from brinery.engine.photos import photo, write_photos
from brinery.errors import StorageError


def sizes(folder):
    return {entry.name: entry.stat().st_size for entry in os.scandir(folder)}


def test_files_are_as_large_as_photographs_and_vary(tmp_path):
    total = write_photos(tmp_path, range(60))
    written = sizes(tmp_path)
    assert sorted(written) == [f"{index:06}.jpg" for index in range(60)]
    assert sum(written.values()) == total
    assert 22_000 < total / 60 < 27_000
    assert np.std(list(written.values())) > 2_000
    assert all(12_000 < size < 40_000 for size in written.values())


def test_the_same_seed_gives_the_same_bytes_in_whatever_pieces(tmp_path):
    for name in ("one", "two", "other"):
        (tmp_path / name).mkdir()
    write_photos(tmp_path / "one", range(5), 64, 48, seed=3)
    for index in (4, 2, 0, 1, 3):
        write_photos(tmp_path / "two", range(index, index + 1), 64, 48, seed=3)
    write_photos(tmp_path / "other", range(5), 64, 48, seed=4)
    for name in sizes(tmp_path / "one"):
        one, two, other = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two", "other"))
        assert one == two != other


@pytest.mark.parametrize(("width", "height"), [(320, 240), (2000, 1500), (1, 1), (7, 2), (101, 103)])
def test_any_size(width, height):
    pixels = photo(0, width, height)
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8


def test_luma_falls_with_the_frequency_as_in_natural_images():
    spectra = []
    for index in range(12):
        luma = photo(index, 256, 256) @ np.array([0.299, 0.587, 0.114])
        spectra.append(np.abs(np.fft.fft2(luma - luma.mean())))
    spectrum = np.mean(spectra, axis=0)
    slope = np.polyfit(
        np.log(range(2, 40)), np.log([spectrum[0, f] + spectrum[f, 0] for f in range(2, 40)]), 1
    )[0]
    assert -1.7 < slope < -1.3


def test_files_are_ordinary_jpegs(tmp_path):
    write_photos(tmp_path, range(1))
    with Image.open(io.BytesIO((tmp_path / "000000.jpg").read_bytes())) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 240))


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(StorageError, match="cannot write into"):
        write_photos(tmp_path / "gone", range(1), 16, 16)
