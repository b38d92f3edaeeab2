"""What would make a convert faster, each with what it can save at most. Pure."""

from dataclasses import dataclass

from ...benchmark.text.numbers import counted, percent, plain
from .read import RunUse

_LARGE = 0.25
_WORTH = 0.05
_UNITS = 3  # a worker should have several units, so that the last one does not decide


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do: what, why, and the share of the wall time that it can save; None if unknown."""

    what: str
    why: str
    saves: float | None

    @property
    def bound(self) -> str:
        """What it can save, in a sentence; empty where that is not known."""
        return f" At most {percent(self.saves)} of the time." if self.saves else ""


def advice(run: RunUse, protocol: str) -> list[Advice]:
    """Return what is worth trying, the largest saving first."""
    if run.worker_s <= 0:
        return []
    share = {name: spent / run.worker_s for name, spent in run.phases_s.items()}
    shown = {name: percent(part) for name, part in share.items()}
    idle = run.idle_s / run.worker_s
    on_cpu = ": the workers were on a CPU nearly all the time" if run.on_cpu >= 0.85 else ""
    found = []
    if run.settings.get("fsync") and share["fsync"] >= _WORTH:
        why = (
            f"waiting until storage had taken files took {shown['fsync']} of the workers' time; without "
            "flushing a power cut may cost shards that were already recorded"
        )
        found.append(Advice("Leave out flushing with --no-fsync", why, share["fsync"]))
    if share["write"] >= _LARGE:
        why = (
            f"writing took {shown['write']}; a compressed form of {protocol.partition('+')[0]} (brinery "
            "protocols lists them) writes fewer bytes and costs CPU time instead: brinery bench on these "
            "images tells which is faster"
        )
        found.append(Advice("Write less, or to faster storage", why, share["write"]))
    if share["dump"] >= _LARGE:
        why = f"encoding in {protocol} took {shown['dump']}: brinery bench on these images compares them"
        found.append(Advice("Choose another protocol", why, share["dump"]))
    if share["read"] >= _LARGE:
        why = f"reading took {shown['read']} of the workers' time"
        found.append(Advice("Put the archive on faster storage", why, share["read"]))
    if idle >= 0.2:
        found.append(_idle(run, idle))
    if share["decode"] >= _LARGE:
        why = f"decoding took {shown['decode']}, which no setting shortens{on_cpu}"
        found.append(Advice("Use more or faster CPUs", why, None))
    return sorted(found, key=lambda one: -(one.saves or 0.0))


def _idle(run: RunUse, idle: float) -> Advice:
    units, parent = sum(run.summary.units_by_worker.values()), run.parent_busy
    text = f"workers were in no phase for {percent(idle)} of the time"
    if run.workers > 1 and units < _UNITS * run.workers:
        few = f"{counted(units, 'unit')} for {counted(run.workers, 'worker')} leave some with nothing to do"
        return Advice("Cut smaller units with a smaller --shard-size", f"{text}: {few}", idle)
    if parent >= 0.7:
        why = f"{text}, and the parent, which hands out work, was on a CPU for {percent(parent)}"
        return Advice("Cut larger units with a larger --shard-size", why, idle)
    if run.wall_s < 10:
        return Advice(
            "Convert more at once",
            f"{text}; in a run of {plain(run.wall_s)} s starting the workers shows",
            idle,
        )
    return Advice("Use fewer workers", f"{text}, waiting for work or for a CPU", None)
