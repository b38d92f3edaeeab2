"""What the words of a report mean."""

import re
from collections.abc import Iterable

from markupsafe import Markup

from .markup import tag


def _words(text: str) -> dict[str, str]:
    """Return words with their meanings, given one below the other; a line that is indented goes on."""
    lines = re.sub(r"\n +", " ", text.strip()).split("\n")
    return dict(line.split(": ", 1) for line in lines)


_COMMON = _words("""
protocol: A serialization format and its version, such as pickle-5 or hickle; a compression follows a plus
    sign.
worker: A process that reads, decodes and writes. Speed-up is against one worker, not against no pool at
    all.
cores busy: CPU time over wall time: 1.9 means that nearly two CPUs worked all the time.
PSS: Proportional set size: a process's memory with every shared page divided among those who share it.
    These add up; resident sizes (RSS) count shared pages many times.
phase: A part of a worker's work: read, decode, hash, dump, write, fsync (waiting for storage) when
    converting; encode and write when dumping; parse and materialise when loading.
""")

BENCH_WORDS = _COMMON | _words("""
cell: One protocol, operation, number of workers, layout, cache and durability. The unit of measurement.
round: One visit to every cell, in random order. Numbers are medians of the rounds' medians.
void: A cell that does not count: what came back was wrong, or it was not measured as it should be.
interval: Of a median: two of its rounds, which hold the true median with a probability that the number of
    rounds alone decides (five 93.8 %, six 96.9 %, seven 98.4 %); below five rounds the fastest and the
    slowest. Of a ratio or a curve: at 95 %, from the spread between rounds.
noise floor: The most that the same work changed: under two names, from round to round, over the run.
    Smaller differences mean nothing.
drift: How the same work changed from the first round to the last. It is reported, and nothing is corrected
    for it.
efficiency: Speed-up over the number of workers.
ceiling: What the machine did at most in the same run with as many workers: decoding alone, writing raw
    bytes, reading, copying in memory.
oversubscribed: More workers than usable CPUs. Shown, and never fitted.
Pareto line: The protocols that no other betters in both size and time.
extrapolated (~): Measured on fewer images, as many as fill the region, and multiplied.
""")

COMPARE_WORDS = {"cell": BENCH_WORDS["cell"]} | _words("""
regressed: B takes longer than A: the interval excludes 1, the ratio lies beyond the band, and q is below
    .05; in pairs below .02.
faster: B takes less time than A, by the same rule.
same: The interval lies within the band; in pairs, within 3 %.
inconclusive: The interval is too wide to say, or there were fewer than five rounds.
band: The larger of 3 % and the noise floor, to either side of 1.
noise floor: The relative change that the same code seems to show. In pairs, half of the cells' intervals
    reach farther.
pair: Two processes, one of each version, that took turns. It counts once, whatever its rounds.
detectable: The least slowdown that nine of ten such comparisons would call, by the noise seen here.
q: The odds of a ratio like this by chance, corrected for the number of cells (Benjamini and Hochberg).
""")

CONVERT_WORDS = _COMMON | _words("""
sample: One decoded image: its key and its array.
shard: One file of the dataset that holds many samples.
unit: A batch of consecutive images that one worker handles.
failure: An image that gave no sample. It is recorded with its stage and reason; the others are not touched.
skipped: A file that is no image.
manifest: The dataset's index, manifest.sqlite: what is done, where each sample lies, what failed and why.
""")


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return a list of terms, each with what is said of it."""
    return tag("dl", [(tag("dt", term), tag("dd", text)) for term, text in pairs], class_="words")
