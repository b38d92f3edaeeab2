"""What a convert says on the first screen."""

from ...benchmark.result.findings import LIMITS, Verdict
from ..html.numbers import amount, counted, listed, percent, plain, seconds, sentence, size
from ..html.page import Fact
from .advice import advice
from .read import Conversion

__all__ = ["about", "conclusion", "facts", "reason", "status"]


def conclusion(found: Conversion) -> str:
    """Return what became of the archive in a sentence."""
    failed = f"; {found.failed:,} failed" if found.failed else ", none failed"
    run = found.run
    if run is None:
        return f"{counted(found.samples, 'image')} in {found.protocol}{failed}."
    how = f" with {counted(run.workers, 'worker')}"
    ended = "" if run.outcome == "finished" else f" The run was {run.outcome}."
    return f"{counted(run.samples, 'image')} in {seconds(run.wall_s * 1e9)}{how}{failed}.{ended}"


def reason(found: Conversion, verdict: Verdict | None) -> str:
    """Return how fast it was and where the time went."""
    run = found.run
    if run is None or not run.wall_s:
        return "No run of this dataset left figures behind."
    text = (
        f"{amount(run.samples / run.wall_s)} images/s, {amount(run.pixel_bytes / run.wall_s / 1e6)} MB/s of "
        "pixels."
    )
    there = run.workers * run.wall_s
    top = sorted(run.phases_s.items(), key=lambda item: -item[1])[:2]
    text += (
        " Of the workers' time "
        f"{' and '.join(f'{percent(spent / there)} went into {name}' for name, spent in top)}."
    )
    if verdict is not None:
        text += (
            " No single limit shows."
            if verdict.limit == "undetermined"
            else (
                f" The limit is {verdict.limit.replace('-', ' ')}: "
                f"{LIMITS[verdict.limit].partition(': ')[2] or LIMITS[verdict.limit]}."
            )
        )
    steps = advice(run, found.protocol)
    if steps and steps[0].saves:
        text += f" {steps[0].what}: that can save up to {percent(steps[0].saves)}."
    return text


def about(found: Conversion) -> str:
    """Return when, from where and to what, in a line."""
    run = found.run
    when = f"{run.started[:16].replace('T', ' ')}, {run.backend}, " if run is not None else ""
    sources = run.settings.get("sources") if run is not None else None
    made = (
        f"{listed([str(one) for one in sources], 3)} to {found.path}"
        if isinstance(sources, list) and sources
        else found.path
    )
    return f"{when}{made}, {found.protocol}"


def facts(found: Conversion) -> tuple[Fact, ...]:
    """Return the figures of the first screen."""
    run = found.run
    shown = []
    if run is not None and run.wall_s:
        shown += [
            Fact(
                "Speed",
                f"{amount(run.samples / run.wall_s)} /s",
                f"images; {amount(run.pixel_bytes / run.wall_s / 1e6)} MB/s of pixels",
            ),
            Fact("Cores busy", plain(run.cores_busy), f"of {counted(run.workers, 'worker')} and the parent"),
            Fact("Peak memory", size(run.peak_bytes), f"{run.peak_kind} of all processes"),
        ]
    shown.append(
        Fact(
            "Failed",
            f"{found.failed:,}",
            "none" if not found.failed else counted(len(found.failures), "reason"),
        )
    )
    return tuple(shown)


def status(found: Conversion) -> str:
    """Return what the dataset holds, in a line."""
    run = found.run
    parts = [
        (
            f"{counted(found.samples, 'sample')} in {counted(len(found.shards), 'shard')}, "
            f"{size(found.file_bytes)} of files, {size(found.pixel_bytes)} of pixels"
        )
    ]
    skipped = sum(count for _, count in found.skipped)
    if skipped:
        parts.append(f"{counted(skipped, 'entry', 'entries')} skipped, not an image")
    if run is not None and run.source_bytes:
        parts.append(f"{size(run.source_bytes)} of encoded images read")
    if len(found.runs) > 1:
        parts.append(f"the last of {counted(len(found.runs), 'run')} that wrote anything is shown")
    return ". ".join(map(sentence, parts)) + "."
