"""What an image takes in each protocol: the one number that tables, charts and recommendations show."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ..result.cell import BASELINES, Layout
from ..result.measured import CellResult
from ..result.result import BenchResult
from ..result.stats import over

DIFFERENT_IMAGES = "sizes are of different images"
_OPS: dict[Layout, tuple[str, ...]] = {"single": ("load", "dump"), "shards": ("dump", "load", "convert")}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Stored bytes an image, by protocol and of the source files."""

    layout: Layout  # of the files
    values: Mapping[str, float]  # bytes an image
    images: int | None  # how many each number is of; None where that differs, so that they do not compare
    of_images: int | None  # how many the corpus has; None where cells told the sizes, each of its own images

    @property
    def comparable(self) -> bool:
        """Whether the numbers are of the same images, as far as one can tell."""
        return self.images is not None or len(self.values.keys() - {BASELINES[2]}) < 2

    @property
    def mark(self) -> str:
        """What stands before a number that is extrapolated to the corpus."""
        return "" if self.of_images in (None, self.images) else "~"

    @property
    def source(self) -> float | None:
        """Bytes an image of the source files."""
        return self.values.get(BASELINES[2])

    def over_source(self, protocol: str) -> float | None:
        """Return how many times the source files a protocol takes; None where that is not known."""
        return over(self.values.get(protocol), self.source) if self.comparable else None

    def only(self, protocols: Collection[str]) -> "Sizes":
        """Return the sizes of some protocols."""
        return replace(self, values={name: one for name, one in self.values.items() if name in protocols})


def sizes_of(result: BenchResult, layout: Layout, cells: Iterable[CellResult] | None = None) -> Sizes:
    """Return the sizes of a layout; of results without them (0.1.0) those of the cells' files.

    `cells` are those that may tell sizes, by default all of the result.
    """
    corpus = result.dataset
    if result.sizes:
        own = [one for one in result.sizes if one.layout == layout and one.protocol != BASELINES[2]]
        counts = {one.images for one in own}
        values = {one.protocol: one.per_image(corpus.pixel_bytes) for one in own}
    else:
        told: dict[str, CellResult] = {}
        for op in _OPS[layout]:
            for cell in result.cells if cells is None else cells:
                if (cell.op, cell.layout) == (op, layout) and cell.size.file_bytes_per_image is not None:
                    told.setdefault(cell.protocol, cell)
        told.pop(BASELINES[2], None)
        counts = {cell.size.images for cell in told.values()}
        values = {name: cell.size.file_bytes_per_image or 0.0 for name, cell in told.items()}
    values = {name: size for name, size in values.items() if size > 0}
    if corpus.images and corpus.source_bytes:
        values[BASELINES[2]] = corpus.source_bytes / corpus.images
    images = counts.pop() if len(counts) == 1 else None
    return Sizes(layout, values, images, corpus.images if result.sizes else None)


def shown_layout(result: BenchResult) -> Layout:
    """Return the layout whose sizes are recommended and drawn: shards where there are any."""
    told = result.sizes or [cell for cell in result.cells if cell.op in _OPS[cell.layout]]
    return "shards" if any(one.layout == "shards" for one in told) else "single"
