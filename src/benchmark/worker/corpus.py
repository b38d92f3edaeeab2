"""The images of a bench: generated or the user's, as encoded files and as raw pixels in scratch files."""

import os
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from ...engine.machine.cpus import default_workers
from ...engine.photos import write_photos
from ...engine.protocols.base import Array, Serializer
from ...engine.workers import pool
from ...errors import ArchiveError, MemberError
from ...parser.archives.listing import list_archives
from ...parser.archives.members import Member
from ...parser.archives.reading import MemberReader
from ...parser.decode import decode_first
from ...parser.images.signature import NotAnImage
from ..result.result import CorpusInfo

MOST_PIXEL_BYTES = 256 << 20
_BATCH = 16
_MOST_COUNTING_S = 2.0
_EMPTY = xxh3_64_intdigest(b"")


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the corpus."""

    key: str  # its file's name in the corpus folder
    source_bytes: int  # size of the encoded image
    dtype: str  # numpy's short name
    shape: tuple[int, ...]  # in elements
    xxh3: int  # of the array's raw C-order bytes
    pixels: str  # the file that holds them
    offset: int  # where in that file, in bytes

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def array(self) -> Array:
        """Read the array into memory of its own, shape and dtype as decoded."""
        raw = np.fromfile(self.pixels, np.uint8, self.nbytes, offset=self.offset)
        return raw.view(self.dtype).reshape(self.shape)

    def content(self, serializer: Serializer, folder: str) -> Array:
        """Return what a protocol writes of it: its array, or its encoded bytes as uint8 (N,).

        Args:
            serializer: of the protocol.
            folder: the corpus's.
        """
        if serializer.abilities.keeps_source:
            return np.fromfile(Path(folder) / self.key, np.uint8)
        return self.array()


@dataclass(frozen=True, slots=True)
class Corpus:
    """All images, and where their files are."""

    folder: str  # one encoded image a file, named by key
    images: tuple[Image, ...]  # in the order of their keys
    index: str  # file from which `load_corpus` reads this
    info: CorpusInfo  # what the result says about it

    @property
    def pixel_bytes(self) -> float:
        """Mean size of an array in bytes."""
        return self.info.pixel_bytes / len(self.images)


def digest(array: Array) -> int:
    """Return xxh3-64 of an array's raw C-order bytes: reads every one of them."""
    return xxh3_64_intdigest(np.ascontiguousarray(array).data) if array.nbytes else _EMPTY


def make_corpus(
    source: Path | None, scratch: Path, *, limit: int, seed: int, size: tuple[int, int] = (320, 240)
) -> Corpus:
    """Make or copy the images and decode them, on all CPUs; at most `limit` and 256 MiB of pixels.

    Without a source, JPEG files of this seed and size (width and height) are generated.

    Raises:
        ArchiveError: the source cannot be listed, or holds no image.
        UsageError: it does not exist.
        StorageError: the scratch folder cannot be written.
    """
    folder, raw = scratch / "images", scratch / "pixels"
    folder.mkdir()
    raw.mkdir()
    workers, generated = default_workers(), scratch / "generated"
    if source is None:
        ranges = [range(start, min(start + _BATCH, limit)) for start in range(0, limit, _BATCH)]
        generated.mkdir()
        write = partial(write_photos, generated, width=size[0], height=size[1], seed=seed)
        list(pool.run(write, ranges, workers=workers))
    feed = _Feed(source or generated, limit)
    for batch in pool.run(partial(_take, str(folder), str(raw)), feed, workers=workers):
        feed.done[batch.number] = batch
    images: list[Image] = []
    pixels = unusable = 0
    cut = False
    for _, batch in sorted(feed.done.items()):
        unusable += batch.unusable
        for image in batch.images:
            cut = cut or len(images) >= limit or (bool(images) and pixels + image.nbytes > MOST_PIXEL_BYTES)
            if cut:
                (folder / image.key).unlink()
            else:
                images.append(image)
                pixels += image.nbytes
    if not images:
        raise ArchiveError(f"no image found in {source}")
    info = _info(source, images, unusable=unusable, cut=len(images) < limit and (cut or feed.stopped))
    if source is not None and (cut or not feed.ended):
        info = replace(info, archive_bytes=_bytes_of(source))
    images = _mixed(folder, images)
    corpus = Corpus(str(folder), tuple(images), str(scratch / "corpus.pickle"), info)
    Path(corpus.index).write_bytes(pickle.dumps(corpus))
    return corpus


@lru_cache(maxsize=1)
def load_corpus(index: str) -> Corpus:
    """Return the corpus that this run made; worker processes keep the last one."""
    corpus: Corpus = pickle.loads(Path(index).read_bytes())
    return corpus


@dataclass(frozen=True, slots=True)
class _Batch:
    """What became of some consecutive members."""

    number: int
    images: tuple[Image, ...]
    unusable: int


class _Feed:
    """Batches of members, until there are enough images or pixels."""

    def __init__(self, source: Path, limit: int) -> None:
        self._source, self._limit = source, limit
        self.done: dict[int, _Batch] = {}  # by number
        self.stopped = self.ended = False

    def __iter__(self) -> Iterator[tuple[int, tuple[Member, ...]]]:
        members = (entry for entry in list_archives([self._source]) if isinstance(entry, Member))
        number = 0
        while batch := tuple(islice(members, _BATCH)):
            yield number, batch
            number += 1
            images = [image for one in list(self.done.values()) for image in one.images]
            self.stopped = sum(image.nbytes for image in images) >= MOST_PIXEL_BYTES
            if self.stopped or len(images) >= self._limit:
                return
        self.ended = True


def _take(folder: str, raw: str, numbered: tuple[int, tuple[Member, ...]]) -> _Batch:
    """Copy and decode a batch in a worker."""
    number, members = numbered
    images: list[Image] = []
    pixels = Path(raw) / f"{number:06}.raw"
    unusable = 0
    with MemberReader() as reader, pixels.open("wb") as file:
        for place, member in enumerate(members, number * _BATCH):
            try:
                data = reader.read(member)
                array = decode_first(data).array
            except (MemberError, NotAnImage):
                unusable += 1
                continue
            key = f"{place:06}.img"
            (Path(folder) / key).write_bytes(data)
            held = array.dtype.str, array.shape, digest(array)
            images.append(Image(key, len(data), *held, str(pixels), file.tell()))
            file.write(array.data if array.nbytes else b"")
    return _Batch(number, tuple(images), unusable)


def _mixed(folder: Path, images: list[Image]) -> list[Image]:
    """Return images of several sizes in an order of which every stretch has about the same mix of sizes.

    So regions that handle few images and those that handle many are comparable. It is the order by size, read
    at places whose binary digits are reversed (van der Corput's sequence). Files are renamed, since a convert
    lists them by name; images of one size stay as they are.
    """
    if len({image.nbytes for image in images}) < 2:
        return images
    by_size = sorted(images, key=lambda image: (image.nbytes, image.source_bytes, image.xxh3))
    digits = len(images).bit_length()
    places = sorted(range(len(images)), key=lambda place: f"{place:0{digits}b}"[::-1])
    mixed = [(by_size[place], folder / f"mixed-{number:06}.img") for number, place in enumerate(places)]
    return [replace(image, key=(folder / image.key).rename(path).name) for image, path in mixed]


def _bytes_of(source: Path) -> int | None:
    """Return the bytes of an archive, or of a folder's files; None where counting them takes seconds."""
    if source.is_file():
        return source.stat().st_size
    found, end = 0, time.monotonic() + _MOST_COUNTING_S
    for folder, _, names in os.walk(source):
        found += sum(Path(folder, name).lstat().st_size for name in names)
        if time.monotonic() > end:
            return None
    return found


def _info(source: Path | None, images: list[Image], *, unusable: int, cut: bool) -> CorpusInfo:
    total = xxh3_64()
    for image in images:
        total.update(f"{image.dtype} {image.shape} {image.xxh3:016x}\n".encode())
    shapes = Counter(f"{'x'.join(map(str, one.shape))} {np.dtype(one.dtype).name}" for one in images)
    return CorpusInfo(
        source="generated" if source is None else str(source),
        xxh3=total.hexdigest(),
        images=len(images),
        unusable=unusable,
        cut=cut,
        source_bytes=sum(image.source_bytes for image in images),
        pixel_bytes=sum(image.nbytes for image in images),
        shapes=dict(shapes.most_common(20)),
    )
