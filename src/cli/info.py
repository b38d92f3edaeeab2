"""brinery info."""

import shlex
from typing import Any

import click

from ..engine.sizes import format_size, format_type
from .output import counted, emit_json, json_option, put

__all__ = ["command"]

_MOST_KINDS = 10
_MOST_SHAPES = 10
_MUCH = 0.1  # of the workers' time
_PHASES = ("read", "decode", "hash", "dump", "write", "fsync")


@click.command("info", short_help="show what a dataset holds and what its runs used")
@click.argument("dest")
@json_option
def command(dest: str, as_json: bool) -> int:
    r"""Show what the dataset DEST holds, what failed and why, and what its last run used.

    \b
    brinery info photos.brine
    brinery info photos.brine --json | jq '.runs[-1].summary.phases'
    """
    from ..engine.datasets.info import describe  # noqa: PLC0415 - start-up stays cheap

    found = describe(dest)
    if as_json:
        from ..engine.datasets.failures import read_failures  # noqa: PLC0415 - as above

        failures = read_failures(dest).failures
        rows = [{"key": f.key, "stage": f.stage, "error": f.error, "message": f.message} for f in failures]
        emit_json(found | {"failures": rows})
        return 0
    put(*_contents(found), *_failures(found), *_last_run(found["runs"]))
    return 0


def _contents(found: dict[str, Any]) -> list[str]:
    settings = found["settings"]
    state = "" if found["complete"] else " (a run is unfinished: run the same convert again)"
    files = f"{format_size(found['file_bytes'])} in {found['shards']} shards"
    undecoded = found["samples"] and found["not_decoded"] == found["samples"]
    pixels = "not decoded" if undecoded else format_size(found["pixel_bytes"])
    lines = [
        f"{found['path']}: {found['samples']} samples in {found['protocol']}{state}",
        f"  files     {files}, layout {settings['layout']}",
        f"  pixels    {pixels}, mode {settings['mode']}, frames {settings['frames']}",
    ]
    for source in found["sources"]:
        prefix = f", keys {source['prefix']}..." if source["prefix"] else ""
        lines.append(f"  from      {source['path']}{prefix}")
    for shape in found["shapes"][:_MOST_SHAPES]:
        size = " x ".join(map(str, shape["shape"])) or "scalar"
        lines.append(f"  shape     {size}, {format_type(shape['dtype'])}: {shape['samples']}")
    if found["not_decoded"]:
        lines.append(f"  shape     not decoded: {found['not_decoded']} (--no-check)")
    hidden = len(found["shapes"]) - _MOST_SHAPES
    if hidden > 0:
        lines.append(f"  shape     and {hidden} others: brinery info {shlex.quote(found['path'])} --json")
    return lines


def _failures(found: dict[str, Any]) -> list[str]:
    skipped, reasons = found["skipped_reasons"], found["failure_reasons"]
    more = f"brinery failures {shlex.quote(found['path'])}"
    lines = [f"  skipped   {count}: {reason}" for reason, count in list(skipped.items())[:_MOST_KINDS]]
    if len(skipped) > _MOST_KINDS:
        lines.append(f"  skipped   and {len(skipped) - _MOST_KINDS} more kinds: {more}")
    for one in reasons[:_MOST_KINDS]:
        told = f"{one['stage']}, {one['error']}: {one['message']}"
        lines.append(f"  failed    {one['members']}: {told} (as {one['example']})")
    if len(reasons) > _MOST_KINDS:
        lines.append(f"  failed    and {len(reasons) - _MOST_KINDS} more kinds: {more}")
    elif reasons:
        lines.append(f"  failed    each one: {more}")
    return lines


def _last_run(runs: list[dict[str, Any]]) -> list[str]:
    used = [run for run in runs if run["summary"] and run["summary"]["samples"]] or runs
    if not used:
        return []
    run = used[-1]
    lines = [f"  run       {run['started']}, {run['outcome']}, {run['workers']} workers ({run['backend']})"]
    summary = run["summary"]
    if not summary:
        return lines
    if summary["workers_died"]:
        died = counted(summary["workers_died"], "worker process", "worker processes")
        lines.append(
            f"  died      {died} in the middle of work: an image that ends one is among the failures"
        )
    peak = summary["peak_pss_bytes"] or summary["peak_rss_bytes"]
    traffic, what = summary["pixel_bytes_per_second"], "pixels"
    if not summary["pixel_bytes"] and summary["samples"]:
        traffic, what = summary["source_bytes"] / (summary["wall_ns"] / 1e9), "encoded images"
    speed = f"{summary['images_per_second']:.0f} images/s, {traffic / 1e6:.0f} MB/s of {what}"
    read, written = format_size(summary["source_bytes"]), format_size(summary["file_bytes"])
    lines.append(f"  speed     {speed}, {summary['wall_ns'] / 1e9:.2f} s")
    lines.append(f"  CPU       {summary['cores_busy']:.2f} cores busy{_kept(summary, run['workers'])}")
    kind = "PSS" if summary["peak_pss_bytes"] else "RSS"
    lines.append(f"  memory    {format_size(peak)} at the peak ({kind} of all processes)")
    what = "arrays" if run["command"] == "export" else "images"
    lines.append(f"  read      {read} of {what}, {_from_storage(summary['read_bytes'], 'from')} storage")
    lines.append(f"  written   {written} of files, {_from_storage(summary['write_bytes'], 'to')} storage")
    lines.append(f"  time      {_phases(summary, run['workers'])}")
    return lines


def _kept(summary: dict[str, Any], workers: int) -> str:
    """Return how long workers waited for a CPU and what others took, where that is much."""
    waited, around = summary["run_wait_ns"], summary["around"]
    there = summary["wall_ns"] * workers
    if waited is None or not there or waited < _MUCH * there:
        return ""
    others, cpus = around["others_cpu_ns"], around["cpu_ns"]
    taken = f"; other programs took {others / cpus:.0%} of the CPUs" if others is not None and cpus else ""
    return f"; workers waited for a CPU {waited / there:.0%} of their time{taken}"


def _from_storage(size: int | None, direction: str) -> str:
    return f"not counted {direction}" if size is None else f"{format_size(size)} {direction}"


def _phases(summary: dict[str, Any], workers: int) -> str:
    """Return the shares of the time that all workers had, as a convert's page tells them."""
    total = summary["wall_ns"] * workers or 1
    parts = [(name, summary["phases"].get(f"{name}_ns", 0)) for name in _PHASES]
    parts.append(("no phase", max(0, total - sum(spent for _, spent in parts))))
    return (
        ", ".join(f"{name} {spent / total:.0%}" for name, spent in parts) + f" of {total / 1e9:.2f} worker s"
    )
