"""brinery sample: a corpus of images that anybody can make again."""

import json

import pytest
from PIL import Image

from .test_commands import brinery_command  # noqa: F401 - the fixture

FAST = ("--workers", 1, "--backend", "threading")


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_options_make_the_same_images(brinery_command, tmp_path):  # noqa: F811
    wanted = ("--count", 5, "--size", " 48 X 32 ", "--seed", 3)
    code, text, _ = brinery_command("sample", tmp_path / "a", *wanted, *FAST)
    made = files(tmp_path / "a")
    size = sum(map(len, made.values()))
    assert code == 0
    assert text.startswith(f"{tmp_path / 'a'}: 5 images of 48 x 32, ")
    code, text, _ = brinery_command("sample", tmp_path / "b", *wanted, "--workers", 2, "--json", *FAST[2:])
    assert json.loads(text) == {
        "path": str(tmp_path / "b"), "images": 5, "bytes": size, "size": [48, 32], "seed": 3,
    }  # fmt: skip
    assert files(tmp_path / "b") == made
    assert len(set(made.values())) == 5
    for path in made:
        with Image.open(tmp_path / "a" / path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 32))
    brinery_command("sample", tmp_path / "c", *wanted[:-1], 4, *FAST)
    assert not set(files(tmp_path / "c").values()) & set(made.values())


@pytest.mark.parametrize("size", ["320", "0x240", "320x65501", "-1x2", "3.5x2", "axb"])
def test_a_size_that_is_none_is_one_line(brinery_command, tmp_path, size):  # noqa: F811
    code, text, err = brinery_command("sample", tmp_path / "a", "--size", size)
    assert (code, text) == (2, "")
    assert f"--size is WIDTHxHEIGHT such as 320x240, each 1 to 65500, not '{size}'" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "a").exists()
