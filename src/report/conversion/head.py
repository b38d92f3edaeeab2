"""What a convert says on the first screen, and the small tables that its page and its Markdown share."""

from ...benchmark.result.findings import LIMITS, Verdict
from ...benchmark.text.findings import limit_title
from ...benchmark.text.numbers import amount, counted, known, listed, percent, seconds, sentence, size
from ...benchmark.text.table import Column, Entry, Table, left, right, share
from .advice import advice, kept_from_cpus
from .read import Conversion, RunUse


def conclusion(found: Conversion) -> str:
    """Return what became of the archive in a sentence."""
    run = found.run
    runs = " in all runs" if len(found.runs) > 1 else ""
    failed = f"; {found.failed:,} failed{runs}" if found.failed else ", none failed"
    if run is None:
        return f"{counted(found.samples, 'image')} in {found.protocol}{failed}."
    how = f" with {counted(run.workers, 'worker')}"
    ended = "" if run.outcome == "finished" else f" The run was {run.outcome}."
    disturbed = found.verdict is not None and found.verdict.limit == "other-programs" and known(run.foreign)
    held = f", while other programs took {percent(run.foreign)} of the CPUs" if disturbed else ""
    images, time = counted(run.summary.samples, "image"), seconds(run.wall_s * 1e9)
    return f"{images} in {time}{how}{failed}{held}.{ended}"


def reason(found: Conversion, verdict: Verdict | None) -> str:
    """Return how fast it was and where the time went."""
    run = found.run
    if run is None or not run.wall_s:
        return "No run of this dataset left figures behind."
    top = sorted(run.phases_s.items(), key=lambda item: -item[1])[:2]
    parts = " and ".join(f"{percent(spent / run.worker_s)} went into {name}" for name, spent in top)
    images, traffic, kind = speeds(run)
    text = f"{images} images/s, {traffic} MB/s of {kind}. Of the workers' time {parts}."
    steps, kept = advice(run, found.protocol), kept_from_cpus(run)
    if verdict is not None and verdict.limit == "undetermined":
        text += " No single limit shows."
    elif verdict is not None:
        what = LIMITS[verdict.limit]
        why = kept.why if kept is not None else what.partition(": ")[2] or what
        text += f" The limit is {limit_title(verdict.limit)}: {why}."
    if steps and steps[0].saves:
        text += f" {steps[0].what}: that can save up to {percent(steps[0].saves)}."
    return text


def speeds(run: RunUse) -> tuple[str, str, str]:
    """Return images a second, and MB a second of what: pixels, or encoded images if none was decoded."""
    traffic, kind = run.summary.traffic
    return amount(run.summary.images_per_second), amount(traffic / 1e6), kind


def about(found: Conversion) -> str:
    """Return when, from where and to what, in a line."""
    run = found.run
    when = f"{run.started[:16].replace('T', ' ')}, {run.backend}, " if run is not None else ""
    sources = run.settings.get("sources") if run is not None else None
    given = [str(one) for one in sources] if isinstance(sources, list) else []
    return f"{when}{f'{listed(given, 3)} to ' if given else ''}{found.path}, {found.protocol}"


def status(found: Conversion) -> str:
    """Return what the dataset holds, in a line."""
    run = found.run
    undecoded = found.samples and not found.pixel_bytes
    pixels = "not decoded" if undecoded else f"{size(found.pixel_bytes)} of pixels"
    files = f"{size(found.file_bytes)} of files, {pixels}"
    parts = [f"{counted(found.samples, 'sample')} in {counted(len(found.shards), 'shard')}, {files}"]
    if run is not None and (earlier := found.samples - run.summary.samples) > 0:
        parts.append(f"{run.summary.samples:,} of this run and {earlier:,} of earlier ones")
    skipped = sum(count for _, count in found.skipped)
    parts += [f"{counted(skipped, 'entry', 'entries')} skipped, not an image"] if skipped else []
    if run is not None and run.summary.source_bytes:
        what = "arrays" if run.command == "export" else "encoded images"
        parts.append(f"{size(run.summary.source_bytes)} of {what} read")
    if len(found.runs) > 1:
        parts.append(f"the last of {counted(len(found.runs), 'run')} that wrote anything is shown")
    return ". ".join(map(sentence, parts)) + "."


def phases_table(run: RunUse) -> Table:
    """Return the workers' seconds by phase."""
    members = run.summary.members
    rows = [
        (name, spent, share(spent / run.worker_s, places=1), spent * 1000 / members if members else None)
        for name, spent in run.parts_s.items()
    ]
    columns = (*left("phase"), *right("seconds", "share"), Column("ms an image", page=True))
    return Table("Where the workers' time went", columns, rows)


def skipped_table(found: Conversion) -> Table:
    """Return why entries of the archive gave no sample, and how many."""
    rows = [(reason, Entry(f"{count:,}", count)) for reason, count in found.skipped]
    return Table("Skipped", (*left("skipped, no image"), *right("entries")), rows)


def traffic_rows(run: RunUse) -> list[tuple[str, str]]:
    """Return what storage saw, as the kernel counts it."""
    used = run.summary
    traffic = (("read from storage", used.read_bytes), ("written towards storage", used.write_bytes))
    return [(what, "not counted here" if value is None else size(value)) for what, value in traffic]
