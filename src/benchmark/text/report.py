"""report.md: the tables, warnings with their remedies, method, environment, command. Measures nothing."""

import shlex
from collections import Counter

from ...engine.printable import printable
from ..analysis.warnings import REMEDIES
from ..result.result import BenchResult
from .table import markdown_line, markdown_list, markdown_table
from .tables import all_tables

__all__ = ["environment_lines", "method_lines", "report_markdown"]


def report_markdown(result: BenchResult) -> str:
    """Return report.md: the tables, every warning with its remedy, method, environment, the exact command."""
    parts = ["# brinery bench", _summary(result)]
    parts += [markdown_table(table) for table in all_tables(result)]
    parts.append(f"## Warnings\n\n{markdown_list(_warnings(result))}")
    evidence = _evidence(result)
    if evidence:
        parts.append(f"## Evidence of the limits\n\n{markdown_list(evidence)}")
    parts.append(f"## Method\n\n{markdown_list(method_lines(result))}")
    parts.append(f"## Environment\n\n{markdown_list(environment_lines(result))}")
    command = printable(shlex.join(result.run.argv))
    parts.append(f"## Command\n\n```\n{command}\n```\n\nSeed {result.run.seed}.")
    return "\n\n".join(parts) + "\n"


def _summary(result: BenchResult) -> str:
    valid = sum(cell.valid for cell in result.cells)
    warned = sum(bool(cell.warnings) for cell in result.cells)
    rounds = ", ".join(f"{name} {done}" for name, done in result.run.rounds_done.items())
    state = "" if result.run.finished else " **Not finished: these are the rounds that were done.**"
    quick = " Quick: for a first look only." if result.run.quick else ""
    told = (
        f"{result.run.started_at}, {result.run.seconds:.0f} s, brinery {result.run.brinery}. "
        f"{len(result.cells)} cells: {valid} valid, {len(result.cells) - valid} void, {warned} warned. "
        f"Rounds: {rounds}."
    )
    return f"{markdown_line(told)}{state}{quick}"


def _warnings(result: BenchResult) -> list[str]:
    counts = Counter(code for cell in result.cells for code in cell.warnings)
    lines = list(result.warnings)
    lines += [f"{code} ({counts[code]} cells): {text}." for code, text in REMEDIES.items() if counts[code]]
    lines += [
        f"void: {cell.op} {cell.protocol}, {cell.workers} workers: {cell.problem}."
        for cell in result.cells
        if not cell.valid
    ]
    return lines or ["None."]


def _evidence(result: BenchResult) -> list[str]:
    """Return why each protocol is limited as it is, with the most workers that the CPUs allow."""
    lines = []
    for one in result.scaling:
        within = [verdict for verdict in one.verdicts if verdict.workers <= max(1.0, result.host.usable_cpus)]
        if not within:
            continue
        verdict = max(within, key=lambda found: found.workers)
        marks = "".join(f", {mark}" for mark in (one.cache, one.durability) if mark in ("cold", "fsync"))
        marks += ", dispatched" if one.dispatch == "engine" and one.op != "convert" else ""
        text = f"{one.op}{marks} {one.protocol}, {verdict.workers} workers: {verdict.limit}"
        text += f" ({'; '.join(verdict.evidence)})"
        if verdict.runner_up is not None:
            text += f", then {verdict.runner_up}, which lacks: {'; '.join(verdict.lacking) or 'nothing'}"
        if verdict.missing:
            text += f"; not counted here: {', '.join(verdict.missing)}"
        lines.append(f"{text}.")
    return lines


def method_lines(result: BenchResult) -> list[str]:
    """Return how it was measured, in sentences."""
    settings, timer = result.settings, result.timer
    return [
        (
            f"Timed regions of about {settings.region_ns / 1e6:.0f} ms, looped over the images where one "
            f"pass is shorter; clock {timer.name}. Medians over rounds."
        ),
        (
            "Workers are started and all libraries imported before any region; they begin at one instant. "
            "Wall time is the last end less the first start."
        ),
        (
            f"Page cache {settings.cache}, dumps {settings.durability}, converts without fsync. "
            "Garbage is collected before each region and not during "
            "it (convert: as Python does by itself)."
        ),
        "Each round visits every cell once in random order, in blocks by number of workers.",
        (
            "Every array that was loaded or mapped was compared with its source; what dump and "
            "convert wrote, in the first round."
        ),
        f"Peak memory: {settings.memory_method}.",
    ]


def environment_lines(result: BenchResult) -> list[str]:
    """Return machine, storage, software, images and load, a line each."""
    host, storage, data, noise = result.host, result.storage, result.dataset, result.noise
    foreign = "unknown" if noise.foreign_cpu is None else f"{noise.foreign_cpu:.1%}"
    libraries = ", ".join(f"{name} {version}" for name, version in result.software.libraries.items())
    shapes = ", ".join(f"{count} of {shape}" for shape, count in data.shapes.items())
    return [
        (
            f"{host.cpu or host.architecture}, {host.usable_cpus:g} usable CPUs, "
            f"{host.memory_bytes / (1 << 30):.1f} GiB, {host.kernel}, governor {host.governor or 'unknown'}"
        ),
        f"Scratch files on {storage.filesystem or 'an unknown file system'} ({storage.device or 'unknown'})",
        f"{result.software.python}; {libraries}",
        (
            f"{data.images} images ({data.source}): {data.source_bytes / 1e6:.1f} MB encoded, "
            f"{data.pixel_bytes / 1e6:.1f} MB of pixels; {shapes}; xxh3 {data.xxh3}"
        ),
        (
            f"Load average {noise.load_average_before:.2f} before, {noise.load_average_after:.2f} after; "
            f"CPU taken by others {foreign}"
        ),
    ]
