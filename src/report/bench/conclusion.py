"""What a bench says in a sentence, and how far it can be trusted."""

from dataclasses import dataclass

from ...benchmark.analysis.warnings import disturbances
from ...benchmark.result.recommendations import OBJECTIVES, Recommendation
from ...benchmark.result.result import BenchResult, CellResult
from ..html.numbers import (
    amount,
    counted,
    cpus,
    duration,
    known,
    listed,
    percent,
    plain,
    seconds,
    sentence,
    times,
)
from ..html.page import Fact
from .variants import variants, within

__all__ = ["Conclusion", "alarms", "conclusion_of", "facts_of", "status_of", "why"]

_OVERALL = ("cost", "fastest-load", "fastest-dump", "smallest")
_LIMITS = {
    "cpu": "the CPUs are the limit",
    "memory-bandwidth": "the speed of memory is the limit",
    "disk": "storage is the limit",
    "file-creation": "making files is the limit",
    "lock": "waiting for one another is the limit",
    "dispatch": "the parent process is the limit",
    "throttled": "a quota or the hypervisor takes CPU time away",
    "oversubscribed": "workers wait for a CPU that others hold",
    "undetermined": "no single limit shows",
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What to choose, and why."""

    sentence: str
    reason: str


def conclusion_of(result: BenchResult) -> Conclusion:
    """Return what to choose: by the cost over the data's life, or by the best objective that was measured."""
    chosen = {one.objective: one for one in result.recommendations if one.winner is not None}
    found = next((chosen[name] for name in _OVERALL if name in chosen), None)
    if found is None:
        return _without(result)
    assert found.winner is not None
    parts = [_leading(result, found), _converting(result, found.winner)]
    return Conclusion(_sentence(found), " ".join(part for part in parts if part))


def _sentence(found: Recommendation) -> str:
    what = f"{found.winner}{_with(found)}"
    if found.decided:
        return f"Choose {what}."
    if "fewer than" in (found.reason or ""):
        return f"{what} looks best, on too few rounds to be sure."
    if found.ties:
        return f"Choose {what}; {listed(found.ties, 3)} {'does' if len(found.ties) == 1 else 'do'} as well."
    return f"{what} leads, undecided: {found.reason}."


def _with(found: Recommendation) -> str:
    if found.workers is None or found.layout == "single":
        return ""
    return f" with {counted(found.workers, 'worker')}"


def _leading(result: BenchResult, found: Recommendation) -> str:
    first = found.choices[0]
    reads = result.settings.weights.reads_per_write
    what = {
        "cost": f"Written once and read {_often(reads)}, an image costs",
        "fastest-load": "Loading an image takes",
        "fastest-dump": "Dumping an image takes",
    }.get(found.objective)
    if what is None:
        return f"An image takes {plain(first.value / 1000)} kB."
    text = f"{what} {duration(first.value)}"
    if len(found.choices) > 1:
        second, last = found.choices[1], found.choices[-1]
        text += f"; with {second.protocol} {times(second.ratio)} as much"
        text += f", with {last.protocol} {times(last.ratio)}" if last is not second else ""
    if found.ties:
        text += f". {listed(found.ties, 3)} cannot be told from it by these measurements"
    return f"{text}."


def _often(count: float) -> str:
    return {1.0: "once", 2.0: "twice", 10.0: "ten times"}.get(count, f"{count:g} times")


def _converting(result: BenchResult, winner: str) -> str:
    """Return how many workers pay, by the convert of the winner or whatever else was measured of it."""
    groups = [group for group in variants(result) if winner in group.cells]
    group = next((one for one in groups if one.op == "convert"), groups[0] if groups else None)
    if group is None:
        return ""
    usable = result.host.usable_cpus
    cells = [
        cell for cell in within(group.cells[winner], usable) if cell.stats and known(cell.stats.images_per_s)
    ]
    if not cells:
        return ""
    best = max(cells, key=_rate)
    name = "Converting" if group.op == "convert" else sentence(group.title)
    text = f"{name} runs at {amount(_rate(best))} images/s with {counted(best.workers, 'worker')}"
    one = next((cell for cell in cells if cell.workers == 1), None)
    if one is not None and best is not one:
        text += f", {times(_rate(best) / _rate(one))} one worker"
    limit = _limit(result, group.op, winner, best.workers)
    if limit:
        text += f"; {limit}"
    more = [cell for cell in group.cells[winner] if cell.workers > usable and cell.stats]
    if more and max(map(_rate, more)) < 1.03 * _rate(best):
        text += f". More workers than the {cpus(usable)} add nothing"
    return f"{text}."


def _limit(result: BenchResult, op: str, protocol: str, workers: int) -> str:
    found = next(
        (
            verdict.limit
            for one in result.scaling
            if (one.op, one.protocol) == (op, protocol)
            for verdict in one.verdicts
            if verdict.workers == workers
        ),
        None,
    )
    if found is None:
        return ""
    return _LIMITS.get(found, f"it is limited by {found}")


def _rate(cell: CellResult) -> float:
    return cell.stats.images_per_s if cell.stats is not None else 0.0


def _without(result: BenchResult) -> Conclusion:
    """Return what can be said without recommendations."""
    loads = [
        cell
        for cell in within(result.cells, result.host.usable_cpus)
        if cell.op == "load" and cell.valid and cell.stats and known(cell.stats.images_per_s)
    ]
    if not loads:
        reason = next(
            (one.reason for one in result.recommendations if one.reason), "no valid load was measured"
        )
        return Conclusion("No protocol can be named.", f"The measurement does not allow it: {reason}.")
    best = max(loads, key=_rate)
    how = "" if best.pool == "none" else f" with {counted(best.workers, 'worker')}"
    return Conclusion(
        f"{best.protocol} loads fastest{how}.",
        (
            f"It loads {amount(_rate(best))} images/s. Recommendations with their odds need scipy: pip "
            "install 'brinery[bench]'."
        ),
    )


def why(found: Recommendation) -> str:
    """Return what speaks for a winner, and how surely."""
    parts = []
    if found.margin is not None and found.margin >= 0.0005:
        parts.append(f"{percent(found.margin, places=1)} ahead of {found.choices[1].protocol}")
    if found.probability is not None:
        share = ">99%" if 0.995 <= found.probability < 1 else percent(found.probability)
        parts.append(f"the best in {share} of resamples")
    if found.reason:
        parts.append(found.reason)
    text = "; ".join(parts) or "the only candidate"
    return f"{sentence(text)}."


def facts_of(result: BenchResult) -> tuple[Fact, ...]:
    """Return the figures of the first screen."""
    facts = []
    for found in result.recommendations:
        if found.winner is None or found.objective not in ("fastest-load", "fastest-dump", "smallest"):
            continue
        first = found.choices[0]
        value = (
            f"{amount(1e9 / first.value)} /s"
            if found.unit == "ns_per_image"
            else f"{plain(first.value / 1000)} kB"
        )
        title = sentence(OBJECTIVES[found.objective])
        facts.append(
            Fact(
                f"{title}, images" if "fast" in title.lower() else f"{title}, an image",
                value,
                f"{found.winner}{_with(found)}",
            )
        )
    converts = [
        cell
        for group in variants(result)
        if group.op == "convert"
        for own in group.cells.values()
        for cell in within(own, result.host.usable_cpus)
        if cell.valid and cell.stats and known(cell.stats.images_per_s)
    ]
    if converts:
        best = max(converts, key=_rate)
        facts.append(
            Fact(
                "Fastest convert, images",
                f"{amount(_rate(best))} /s",
                f"{best.protocol} with {counted(best.workers, 'worker')}",
            )
        )
    return tuple(facts)


def status_of(result: BenchResult) -> str:
    """Return how many cells count, and how much of a difference means something."""
    cells = result.cells
    valid, warned = sum(cell.valid for cell in cells), sum(bool(cell.warnings) for cell in cells)
    rounds = ", ".join(f"{counted(done, 'round')} of {name}" for name, done in result.run.rounds_done.items())
    parts = [
        f"{counted(len(cells), 'cell')}: {valid} valid, {len(cells) - valid} void, {warned} with warnings",
        rounds or "no round done",
        f"{seconds(result.run.seconds * 1e9)} in all",
    ]
    floor = result.noise.floor
    parts.append(
        "noise floor not known: fewer than five rounds"
        if not known(floor)
        else f"noise floor {percent(floor, places=1)}: smaller differences mean nothing"
    )
    if result.run.quick:
        parts.append("quick: a first look only")
    return ". ".join(map(sentence, parts)) + "."


def alarms(result: BenchResult) -> tuple[str, ...]:
    """Return what makes the numbers doubtful."""
    found = []
    if not result.run.finished:
        found.append("The run was not finished: these are the rounds that were done.")
    void = sum(not cell.valid for cell in result.cells)
    if void:
        found.append(
            f"{counted(void, 'cell')} of {len(result.cells)} {'is' if void == 1 else 'are'} void; the "
            "section on method says why."
        )
    return (*found, *(f"{sentence(text)}." for text in disturbances(result.noise)))
