"""What would make a convert faster, each with what it can save at most. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...benchmark.text.numbers import counted, known, percent, plain
from .read import RunUse, verdict_of

_LARGE = 0.25
_WORTH = 0.05
_COMPUTING = 0.5  # of the time in phases: less on a CPU is waiting
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
    """Return what is worth trying, the largest saving first.

    Where the workers were kept from the CPUs, the phases hold that wait, so nothing else is told from them.
    """
    if run.worker_s <= 0:
        return []
    if kept := kept_from_cpus(run):
        return [kept]
    idle = run.idle_s / run.worker_s
    found = [*_by_phase(run, protocol), *([_idle(run, idle)] if idle >= 0.2 else [])]
    return sorted(found, key=lambda one: -(one.saves or 0.0))


def kept_from_cpus(run: RunUse) -> Advice | None:
    """Return what to do about workers that were ready to run and got no CPU; None where they got one."""
    limit = verdict.limit if (verdict := verdict_of(run)) is not None else None
    waited = run.share(run.summary.run_wait_ns) or 0.0
    waiting = f"workers waited for a CPU {percent(waited)} of their time"
    if limit == "other-programs":
        took = f" took {percent(run.foreign)} of the CPUs" if known(run.foreign) else ""
        why = f"other programs{took}, and {waiting}"
        return Advice("Stop other programs, or convert when they are done", why, waited)
    if limit == "oversubscribed":
        return Advice("Use fewer workers", f"{waiting}: more was ready to run than there are CPUs", None)
    if limit == "throttled":
        stolen, throttled = run.stolen or 0.0, run.throttled or 0.0
        if stolen > throttled:
            why = f"the hypervisor took {percent(stolen)} of the CPU time"
            return Advice("Use a machine whose CPUs are not shared", why, stolen)
        why = f"a quota held threads back for {percent(throttled)} of the time"
        return Advice("Raise the quota of CPU time, or use fewer workers", why, min(1.0, throttled))
    return None


def _by_phase(run: RunUse, protocol: str) -> Iterator[Advice]:
    """Yield what shortens the phases that took long."""
    share = {name: spent / run.worker_s for name, spent in run.phases_s.items()}
    shown = {name: percent(part) for name, part in share.items()}
    computing = run.on_cpu >= _COMPUTING * sum(share.values())
    if run.settings.get("fsync") and share["fsync"] >= _WORTH:
        why = (
            f"waiting until storage had taken files took {shown['fsync']} of the workers' time; without "
            "flushing a power cut may cost shards that were already recorded"
        )
        yield Advice("Leave out flushing with --no-fsync", why, share["fsync"])
    if share["write"] >= _LARGE:
        why = (
            f"writing took {shown['write']}; a compressed form of {protocol.partition('+')[0]} (brinery "
            "protocols lists them) writes fewer bytes and costs CPU time instead: brinery bench on these "
            "images tells which is faster"
        )
        yield Advice("Write less, or to faster storage", why, share["write"])
    if share["dump"] >= _LARGE and computing:
        why = f"encoding in {protocol} took {shown['dump']}: brinery bench on these images compares them"
        yield Advice("Choose another protocol", why, share["dump"])
    if share["read"] >= _LARGE and run.waiting is not None and run.waiting < _WORTH:
        why = f"reading took {shown['read']} of the workers' time, on a CPU rather than waiting for storage"
        yield Advice("Read from one archive that is not compressed", why, share["read"])
    elif share["read"] >= _LARGE:
        why = f"reading took {shown['read']} of the workers' time"
        yield Advice("Put the archive on faster storage", why, share["read"])
    if share["decode"] >= _LARGE and computing:
        busy = ": the workers were on a CPU nearly all the time" if run.on_cpu >= 0.85 else ""
        why = f"decoding took {shown['decode']}, which no setting shortens{busy}"
        yield Advice("Use more or faster CPUs", why, None)
    work = share["decode"] + share["dump"]
    if work >= _LARGE and not computing:
        why = (
            f"decoding and encoding took {percent(work)} of the workers' time, but they were on a CPU for "
            f"{percent(run.on_cpu)} only: other programs, a quota or slow storage"
        )
        yield Advice("Find what keeps the workers waiting", why, None)


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
        why = f"{text}; in a run of {plain(run.wall_s)} s starting the workers shows"
        return Advice("Convert more at once", why, idle)
    return Advice("Use fewer workers", f"{text}, waiting for work or for a CPU", None)
