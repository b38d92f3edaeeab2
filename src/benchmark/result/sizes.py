"""How large the files of a protocol are: plain data for result.json."""

from dataclasses import dataclass

from .cell import Layout


@dataclass(frozen=True, slots=True)
class StoredSize:
    """A protocol's files of one set of images, written once and outside any region.

    All protocols of a layout store the same images: the whole corpus, or a sample spread over its sizes.
    """

    protocol: str  # a label, or the name of a baseline
    layout: Layout  # "shards" as convert cuts them, or "single" for one file an image
    images: int  # how many were written
    of_images: int  # how many the corpus has
    pixel_bytes: int  # of the arrays written
    source_bytes: int  # of their encoded images
    file_bytes: int  # of the files

    def per_image(self, corpus_pixel_bytes: int) -> float:
        """Return bytes an image of the corpus; if not all were written, extrapolated by bytes of pixels."""
        if self.images < self.of_images and self.pixel_bytes:
            return self.file_bytes / self.pixel_bytes * corpus_pixel_bytes / self.of_images
        return self.file_bytes / self.images
