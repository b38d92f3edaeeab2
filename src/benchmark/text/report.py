"""report.md: the tables, warnings with their remedies, method, environment, command. Measures nothing."""

import shlex
from collections import Counter
from dataclasses import replace

from ...engine.printable import printable
from ..analysis.sizes import shown_layout
from ..analysis.warnings import REMEDIES
from ..result.cell import Variant
from ..result.result import BenchResult
from .conclusion import conclusion_of, recommendation_table
from .findings import ceiling_table, growth_table, noise_table, startup_table, verdict_lines
from .markdown import markdown_line, markdown_list, markdown_text
from .numbers import counted, known, percent, seconds, sentence
from .prices import cost_table
from .projection import projection_table
from .table import Table, markdown_table
from .tables import seed_table, size_note, workers_table

_PARTS = {"seed": "of a single process", "scaling": "over workers"}


def all_tables(result: BenchResult) -> list[Table]:
    """Return every table: one process, over workers with its growth, ceilings, noise, recommendations."""
    tables: list[Table | None] = [seed_table(result)]
    growths = 0
    for variant in result.variants:
        growth = growth_table(result, variant)
        if growth is not None and growths:  # what its notes say was said
            growth = replace(growth, notes=())
        growths += growth is not None
        tables += [workers_table(result, variant), growth]
    tables += [ceiling_table(result) if result.ceilings else None, noise_table(result)]
    tables += [startup_table(result), projection_table(result), cost_table(result)]
    tables.append(recommendation_table(result))
    return [table for table in tables if table is not None]


def report_markdown(result: BenchResult) -> str:
    """Return report.md: the tables, every warning with its remedy, method, environment, the exact command."""
    concluded = conclusion_of(result)
    head = [f"**{markdown_line(concluded.sentence)}** {markdown_text(concluded.reason)}".strip()]
    head.append(markdown_line(f"{result.run.started_at}, brinery {result.run.brinery}. {status_of(result)}"))
    parts = ["# brinery bench", *head, *map(markdown_table, all_tables(result))]
    warnings = [f"{what}: {text}" if what else text for what, text in warning_lines(result)]
    command = f"```\n{printable(shlex.join(result.run.argv))}\n```\n\nSeed {result.run.seed}."
    sections = {
        "Warnings": markdown_list(warnings or ["None."]),
        "Evidence of the limits": markdown_list(_evidence(result)),
        "Method": markdown_list(method_lines(result)),
        "Environment": markdown_list(environment_lines(result)),
        "Command": command,
    }
    parts += [f"## {title}\n\n{body}" for title, body in sections.items() if body]
    return "\n\n".join(parts) + "\n"


def status_of(result: BenchResult) -> str:
    """Return what was measured: cells and their warnings, rounds, time, the noise floor."""
    floor = result.noise.floor
    done = result.run.rounds_done.items()
    rounds = ", ".join(f"{counted(count, 'round')} {_PARTS.get(name, name)}" for name, count in done)
    least = f"noise floor {percent(floor, places=1)}: smaller differences mean nothing"
    parts = [
        "" if result.run.finished else "not finished: these are the rounds that were done",
        _counts(result),
        rounds or "no round done",
        f"{seconds(result.run.seconds * 1e9)} in all",
        least if known(floor) else "noise floor not known: fewer than five rounds",
        "quick: a first look only" if result.run.quick else "",
    ]
    return ". ".join(map(sentence, filter(None, parts))) + "."


def _counts(result: BenchResult) -> str:
    """Return how many cells are void and how many have which warnings."""
    cells, codes = result.cells, Counter(code for cell in result.cells for code in cell.warnings)
    void, warned = sum(not cell.valid for cell in cells), sum(bool(cell.warnings) for cell in cells)
    told = f"{counted(len(cells), 'cell')}, {f'{void} of them void' if void else 'all valid'}"
    if not warned:
        return told
    which = ", ".join(f"{code} ({count})" for code, count in codes.most_common(3))
    which += f" and {len(codes) - 3} more" if len(codes) > 3 else ""
    all_warned = warned == len(cells) > 1
    who = "every cell has a warning" if all_warned else f"{counted(warned, 'cell')} with a warning"
    return f"{told}; {who}: {which}"


def warning_lines(result: BenchResult) -> list[tuple[str, str]]:
    """Return what speaks against the run and its cells: which, and the remedy or the reason."""
    counts = Counter(code for cell in result.cells for code in cell.warnings)
    codes = [code for code in dict.fromkeys((*REMEDIES, *counts)) if counts[code]]
    void = [cell for cell in result.cells if not cell.valid]
    return [
        *(("", text) for text in result.warnings),
        *((f"{code} ({counted(counts[code], 'cell')})", f"{REMEDIES.get(code, '')}.") for code in codes),
        *((f"void: {cell.name}", f"{cell.problem or 'no valid sample'}.") for cell in void),
    ]


def _evidence(result: BenchResult) -> list[str]:
    """Return why each protocol is limited as it is, with the most workers that the CPUs allow."""
    lines = []
    for one in result.scaling:
        within = [verdict for verdict in one.verdicts if verdict.workers <= max(1.0, result.host.usable_cpus)]
        if within:
            verdict = max(within, key=lambda found: found.workers)
            what = f"{Variant.of(one).title}, {one.protocol}, {counted(verdict.workers, 'worker')}"
            lines.append(f"{what}: {' '.join(verdict_lines(verdict))}")
    return lines


def method_lines(result: BenchResult) -> list[str]:
    """Return how it was measured, in sentences."""
    settings = result.settings
    region = f"{settings.region_ns / 1e6:.0f} ms"
    sizes = ""
    if result.sizes:
        how = "one file an image in the table of a single process"
        how += ", otherwise shards as convert cuts them" if shown_layout(result) == "shards" else ""
        sizes = f"\nSizes ({how}): {size_note(result)}."
    return (
        f"Timed regions of about {region}, looped over the images where one pass is shorter; clock "
        f"{result.timer.name}. Medians over rounds.\nWorkers are started and all libraries imported before "
        "any region; they begin at one instant. Wall time is the last end less the first start.\nPage cache "
        f"{settings.cache}, dumps {settings.durability}, converts without fsync. Garbage is collected before "
        "each region and not during it (convert: as Python does by itself).\nEach round visits every cell "
        "once in random order, in blocks by number of workers.\nEvery array that was loaded or mapped was "
        "compared with its source; what dump and convert wrote, in the first round.\nPeak memory: "
        f"{settings.memory_method}.{sizes}"
    ).split("\n")


def environment_lines(result: BenchResult) -> list[str]:
    """Return machine, storage, software, images and load, a line each."""
    host, storage, data, noise = result.host, result.storage, result.dataset, result.noise
    foreign = "unknown" if noise.foreign_cpu is None else f"{noise.foreign_cpu:.1%}"
    libraries = ", ".join(f"{name} {version}" for name, version in result.software.libraries.items())
    shapes = ", ".join(f"{count} of {shape}" for shape, count in data.shapes.items())
    machine = (
        f"{host.cpu or host.architecture}, {host.usable_cpus:g} usable CPUs, "
        f"{host.memory_bytes / (1 << 30):.1f} GiB, {host.kernel}, governor {host.governor or 'unknown'}"
    )
    images = (
        f"{data.images} images ({data.source}): {data.source_bytes / 1e6:.1f} MB encoded, "
        f"{data.pixel_bytes / 1e6:.1f} MB of pixels; {shapes}; xxh3 {data.xxh3}"
    )
    load = f"{noise.load_average_before:.2f} before, {noise.load_average_after:.2f} after"
    return [
        machine,
        f"Scratch files on {storage.filesystem or 'an unknown file system'} ({storage.device or 'unknown'})",
        f"{result.software.python}; {libraries}",
        images,
        f"Load average {load}; CPU taken by others {foreign}",
    ]
