"""The README's two tables of a bench, as Markdown, from its result.json.

python bench/readme_tables.py bench/results/DATE-2-cores.result.json
"""

import sys
from collections.abc import Iterator

from brinery.benchmark.result.file import read_result
from brinery.benchmark.result.result import BenchResult
from brinery.benchmark.text.numbers import amount
from brinery.benchmark.text.table import entry_of
from brinery.benchmark.text.tables import seed_table

_CONVERTS = (1, 2, 4, 8)
_OTHERS = ("dump", "load", "map")
_WORKERS = 2


def one_process(result: BenchResult) -> Iterator[tuple[str, ...]]:
    """Yield head and rows of dump and load seconds, kB a file and its ratio to the source."""
    table = seed_table(result)
    assert table is not None
    yield tuple(column.head for column in table.columns[:5])
    for row in table.rows:
        yield str(row[0]), *(entry_of(value).text or "-" for value in row[1:5])


def over_workers(result: BenchResult) -> Iterator[tuple[str, ...]]:
    """Yield head and rows of images/s over workers; a star marks more workers than CPUs."""
    usable = result.host.usable_cpus
    cells = [("convert", workers) for workers in _CONVERTS] + [(op, _WORKERS) for op in _OTHERS]
    yield "protocol", *(f"{op}, {workers}" + ("\\*" if workers > usable else "") for op, workers in cells)
    rates = {
        (cell.protocol, cell.op, cell.workers): amount(cell.rate)
        for cell in result.cells
        if cell.pool == "loky" and cell.valid and cell.rate
    }
    for protocol in dict.fromkeys(name for name, *_ in rates):
        yield protocol, *(rates.get((protocol, *cell), "-") for cell in cells)


def main(path: str) -> None:
    """Print both tables."""
    result = read_result(path)
    for table in (one_process(result), over_workers(result)):
        for number, row in enumerate(table):
            print(f"| {' | '.join(row)} |")
            if not number:
                print(f"|---|{'---:|' * (len(row) - 1)}")
        print()


if __name__ == "__main__":
    main(*sys.argv[1:])
