"""Every broken image ends as exactly one of sample, failure or skipped, and costs no other."""

import io
import os
import random
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from PIL import Image, features

import brinery

from ..images import make_tar, pixels
from .test_mutations import MUTATIONS

COUNT = 8000 if os.environ.get("BRINERY_SOAK") else 400
KINDS = {
    "JPEG": ({"quality": 80}, "jpg"),
    "PNG": ({}, "png"),
    "GIF": ({}, "gif"),
    "TIFF": ({"compression": "tiff_lzw"}, "tif"),
    "BMP": ({}, "bmp"),
    "PPM": ({}, "ppm"),
    "ICO": ({}, "ico"),
    "WEBP": ({"lossless": True}, "webp"),
    "JPEG2000": ({}, "jp2"),
    "PCX": ({}, "pcx"),
    "SGI": ({}, "sgi"),
    "DDS": ({}, "dds"),
    "AVIF": ({}, "avif"),
}
NEEDS = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}


def broken_images():
    """Mutated images of every format, some of them animated, and whole ones between them."""
    sound = {}
    for kind, (options, suffix) in KINDS.items():
        if kind in NEEDS and not features.check(NEEDS[kind]):
            continue
        for name, more in (("still", {}), ("moving", {"save_all": True})):
            if more and kind not in {"GIF", "PNG", "TIFF", "WEBP"}:
                continue
            stream = io.BytesIO()
            frames = [Image.fromarray(pixels(index, (24, 32, 3))) for index in range(3)]
            extra = {"append_images": frames[1:]} if more else {}
            frames[0].save(stream, kind, **options, **more, **extra)
            sound[f"{name}.{suffix}"] = stream.getvalue()
    files = {}
    for number in range(COUNT):
        chance = random.Random(number)
        name, data = chance.choice(sorted(sound.items()))
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 1, 3])):
            if damaged:
                chance.choice(MUTATIONS)(damaged, chance)
        files[f"{number:05}-{name}"] = bytes(damaged)
    return files | {f"whole/{name}": data for name, data in sound.items()}


@pytest.mark.parametrize("salvage", [False, True])
def test_every_broken_image_ends_once(tmp_path, salvage):
    files = broken_images()
    tar = make_tar(tmp_path / "in.tar", files)
    options = {"workers": 2, "frames": "all", "salvage": salvage, "fsync": False, "timeout": 20}
    result = brinery.convert(tar, tmp_path / "out", shard_size="1MiB", max_pixels=1_000_000, **options)
    with closing(sqlite3.connect(tmp_path / "out" / "manifest.sqlite")) as db:
        samples = db.execute("SELECT COALESCE(member, key), MIN(frame) FROM samples GROUP BY 1").fetchall()
        failures = db.execute("SELECT key, error, message FROM failures").fetchall()
        skipped = db.execute("SELECT key FROM skipped").fetchall()
    sound = {key for key, _ in samples}
    lost = [key for key, *_ in failures if key not in sound and key.rpartition("#")[0] not in sound]
    ends = Counter([*sound, *lost, *(key for (key,) in skipped)])
    assert ends.keys() == files.keys()
    assert set(ends.values()) == {1}
    assert all("\n" not in message and 0 < len(message) <= 500 for *_, message in failures)
    assert not [error for _, error, _ in failures if error in {"WorkerDied", "Timeout"}]
    assert {name for name in files if name.startswith("whole/")} <= {key for key, _ in samples}
    assert len(failures) > COUNT // 10
    assert brinery.verify(result.path, workers=2).bad == ()
