"""What would make a convert faster, each with what it can save at most. Pure."""

from dataclasses import dataclass

from ..html.numbers import counted, percent, plain
from .read import RunUse

__all__ = ["Advice", "advice"]

_LARGE = 0.25
_WORTH = 0.05
_UNITS = 3  # a worker should have several units, so that the last one does not decide


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do: what, why, and the share of the wall time that it can save; None is not known."""

    what: str
    why: str
    saves: float | None


def advice(run: RunUse, protocol: str) -> list[Advice]:
    """Return what is worth trying, the largest saving first."""
    there = run.workers * run.wall_s
    if there <= 0:
        return []
    share = {name: spent / there for name, spent in run.phases_s.items()}
    idle = run.idle_s / there
    busy = run.worker_cpu_s / there
    found = []
    if run.settings.get("fsync") and share.get("fsync", 0) >= _WORTH:
        found.append(
            Advice(
                "Leave out flushing with --no-fsync",
                (
                    f"waiting until storage had taken files took {percent(share['fsync'])} of the workers' "
                    "time; without flushing a power cut may cost shards that were already recorded"
                ),
                share["fsync"],
            )
        )
    if share.get("write", 0) >= _LARGE:
        found.append(
            Advice(
                "Write less, or to faster storage",
                (
                    f"writing took {percent(share['write'])}; a compressed form of "
                    f"{protocol.partition('+')[0]} (brinery protocols lists them) writes fewer bytes and "
                    "costs CPU time instead: brinery bench on these images tells which is faster"
                ),
                share["write"],
            )
        )
    if share.get("dump", 0) >= _LARGE:
        found.append(
            Advice(
                "Choose another protocol",
                (
                    f"encoding in {protocol} took {percent(share['dump'])}: brinery bench on these images "
                    "compares them"
                ),
                share["dump"],
            )
        )
    if share.get("read", 0) >= _LARGE:
        found.append(
            Advice(
                "Put the archive on faster storage",
                f"reading took {percent(share['read'])} of the workers' time",
                share["read"],
            )
        )
    if idle >= 0.2:
        found.append(_idle(run, idle))
    if share.get("decode", 0) >= _LARGE:
        found.append(
            Advice(
                "Use more or faster CPUs",
                (
                    f"decoding took {percent(share['decode'])}, which no setting "
                    f"shortens{': the workers were on a CPU nearly all the time' if busy >= 0.85 else ''}"
                ),
                None,
            )
        )
    return sorted(found, key=lambda one: -(one.saves or 0.0))


def _idle(run: RunUse, idle: float) -> Advice:
    units = sum(run.units)
    text = f"workers were in no phase for {percent(idle)} of the time"
    if run.workers > 1 and units < _UNITS * run.workers:
        return Advice(
            "Cut smaller units with a smaller --shard-size",
            (
                f"{text}: {counted(units, 'unit')} for {counted(run.workers, 'worker')} leave some with "
                "nothing to do"
            ),
            idle,
        )
    parent = run.parent_cpu_s / run.wall_s
    if parent >= 0.7:
        return Advice(
            "Cut larger units with a larger --shard-size",
            f"{text}, and the parent, which hands out work, was on a CPU for {percent(parent)}",
            idle,
        )
    if run.wall_s < 10:
        return Advice(
            "Convert more at once",
            f"{text}; in a run of {plain(run.wall_s)} s starting the workers shows",
            idle,
        )
    return Advice("Use fewer workers", f"{text}, waiting for work or for a CPU", None)
