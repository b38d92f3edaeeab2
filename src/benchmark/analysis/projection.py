"""What each protocol would take for all of the user's images: space, and time to write and to read them."""

from dataclasses import dataclass, replace

from ..result.estimates import Estimate
from ..result.result import BenchResult
from .candidates import SOURCE, Candidate, Field


@dataclass(frozen=True, slots=True)
class Projected:
    """What one protocol takes, or keeping the source files."""

    protocol: str
    file_bytes: float  # on disk
    over_source: float  # these over the source's
    write: Estimate | None  # ns; None where nothing is written
    read: Estimate  # ns, of every image once
    workers: tuple[int, int]  # that write and that read


@dataclass(frozen=True, slots=True)
class Projection:
    """A measured sample carried over to all of the source."""

    source_bytes: int
    images: float
    write_op: str  # "convert" or "dump"
    cache: str | None  # of the reads
    sure: bool  # the ends are those of intervals; with fewer than five rounds of the fastest and the slowest
    protocols: tuple[Projected, ...]  # the source files, then as they were measured


def project(result: BenchResult, otherwise: int = 0) -> Projection | None:
    """Return what all of the source takes: of the size asked for, else its own where a sample was taken.

    None where no size is known, or writing and reading were not both measured.

    Args:
        result: of a bench.
        otherwise: bytes of the source where nothing else says it; 0 if that is not known.
    """
    corpus, sizes = result.dataset, Field(result).sizes()
    total = result.settings.total_bytes or corpus.archive_bytes or otherwise
    weights = replace(result.settings.weights, reads_per_write=1.0)
    condition, found = Field(result, memory_bytes=weights.memory_bytes).costs(weights)
    if not total or not sizes.source or not found:
        return None
    images, rows, sure = total / sizes.source, [], True
    write_op = next(one.terms[0].op for one in found if one.protocol != SOURCE)
    for one in sorted(found, key=lambda one: one.protocol != SOURCE):
        ratio = 1.0 if one.protocol == SOURCE else sizes.over_source(one.protocol)
        if ratio is None:
            continue
        *writes, read = one.terms
        each_ns = one.link_ns / (2 if writes else 1)
        parts = [Candidate(one.protocol, tuple(terms), each_ns) for terms in (writes, [read]) if terms]
        sure = sure and all(part.span[2] for part in parts)
        spans = [Estimate(*(images * ns for ns in (part.value, *part.span[:2]))) for part in parts]
        workers = (writes[0].workers if writes else read.workers, read.workers)
        write = spans[0] if writes else None
        rows.append(Projected(one.protocol, ratio * total, ratio, write, spans[-1], workers))
    return Projection(total, images, write_op, condition.cache, sure, tuple(rows))
