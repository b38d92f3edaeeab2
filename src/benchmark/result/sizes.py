"""How large the files of a protocol are: plain data for result.json."""

from dataclasses import dataclass

from .cell import Layout


@dataclass(frozen=True, slots=True)
class StoredSize:
    """A protocol's files of one set of images, written once and outside any region.

    All protocols of a layout store the same images: the whole corpus, or a sample spread over its sizes.

    Attributes:
        protocol: a label, or the name of a baseline.
        layout: "shards" as convert cuts them, or "single" for one file an image.
        images: how many were written.
        of_images: how many the corpus has.
        pixel_bytes: of the arrays written.
        source_bytes: of their encoded images.
        file_bytes: of the files.
    """

    protocol: str
    layout: Layout
    images: int
    of_images: int
    pixel_bytes: int
    source_bytes: int
    file_bytes: int

    def per_image(self, corpus_pixel_bytes: int) -> float:
        """Return bytes an image of the corpus; if not all were written, extrapolated by bytes of pixels."""
        if self.images < self.of_images and self.pixel_bytes:
            return self.file_bytes / self.pixel_bytes * corpus_pixel_bytes / self.of_images
        return self.file_bytes / self.images
