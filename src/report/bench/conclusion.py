"""What a bench says in a sentence, and how far it can be trusted."""

from dataclasses import dataclass

from ...benchmark.analysis.sizes import sizes_of
from ...benchmark.analysis.warnings import disturbances
from ...benchmark.result.cell import Variant
from ...benchmark.result.findings import Limit
from ...benchmark.result.measured import CellResult
from ...benchmark.result.recommendations import OBJECTIVES, Recommendation
from ...benchmark.result.result import BenchResult
from ...benchmark.text.findings import chosen
from ...benchmark.text.numbers import (
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
from .groups import Group, groups_of, rate, within

_OVERALL = ("cost", "fastest-load", "fastest-dump", "smallest")
_LIMITS: dict[Limit, str] = {
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
    won = {one.objective: one for one in result.recommendations if one.winner is not None}
    found = next((won[name] for name in _OVERALL if name in won), None)
    if found is None or found.winner is None:
        return _without(result)
    parts = [_leading(result, found), _converting(result, found.winner)]
    return Conclusion(_sentence(found), " ".join(part for part in parts if part))


def _sentence(found: Recommendation) -> str:
    what = chosen(found)
    if found.decided:
        return f"Choose {what}."
    if any(words in (found.reason or "") for words in ("too few rounds", "fewer than")):  # as 0.1.0 said it
        return f"{what} looks best, on too few rounds to be sure."
    if found.ties:
        return f"Choose {what}; {listed(found.ties, 3)} {'does' if len(found.ties) == 1 else 'do'} as well."
    return f"{what} leads, undecided: {found.reason}."


def _leading(result: BenchResult, found: Recommendation) -> str:
    first, *others = found.choices
    reads = result.settings.weights.reads_per_write
    often = {1.0: "once", 2.0: "twice", 10.0: "ten times"}.get(reads, f"{reads:g} times")
    what = {
        "cost": f"Written once and read {often}, an image costs",
        "fastest-load": "Loading an image takes",
        "fastest-dump": "Dumping an image takes",
    }.get(found.objective)
    if what is None:
        return f"An image takes {stored_kilobytes(result, found.layout, first.value)}."
    text = f"{what} {duration(first.value)}"
    if others:
        text += f"; with {others[0].protocol} {times(others[0].ratio)} as much"
        text += f", with {others[-1].protocol} {times(others[-1].ratio)}" if len(others) > 1 else ""
    if found.ties:
        text += f". {listed(found.ties, 3)} cannot be told from it by these measurements"
    return f"{text}."


def stored_kilobytes(result: BenchResult, layout: str, size: float) -> str:
    """Return a stored size as people read it, marked where it is extrapolated."""
    return f"{sizes_of(result, 'shards' if layout == 'shards' else 'single').mark}{plain(size / 1000)} kB"


def _converting(result: BenchResult, winner: str) -> str:
    """Return how many workers pay, by the convert of the winner or whatever else was measured of it."""
    groups = [group for group in groups_of(result) if winner in group.cells]
    group = next((one for one in groups if one.variant.op == "convert"), groups[0] if groups else None)
    if group is None or not (best := _fastest(within(group.cells[winner], group.usable))):
        return ""
    name = "Converting" if group.variant.op == "convert" else sentence(group.variant.title)
    most = rate(best) or 0.0
    text = f"{name} runs at {amount(most)} images/s with {counted(best.workers, 'worker')}"
    one = next((value for cell in group.cells[winner] if cell.workers == 1 and (value := rate(cell))), None)
    if one and best.workers != 1:
        text += f", {times(most / one)} one worker"
    limit = _limit(result, group, winner, best.workers)
    if limit:
        text += f"; {_LIMITS[limit]}"
    more = [value for cell in group.cells[winner] if cell.workers > group.usable and (value := rate(cell))]
    if more and max(more) < 1.03 * most:
        text += f". More workers than the {cpus(group.usable)} add nothing"
    return f"{text}."


def _limit(result: BenchResult, group: Group, protocol: str, workers: int) -> Limit | None:
    own = [one for one in result.scaling if one.protocol == protocol and Variant.of(one) == group.variant]
    verdicts = [verdict for one in own for verdict in one.verdicts if verdict.workers == workers]
    return verdicts[0].limit if verdicts else None


def _fastest(cells: list[CellResult]) -> CellResult | None:
    return max((cell for cell in cells if rate(cell)), key=lambda cell: rate(cell) or 0.0, default=None)


def _without(result: BenchResult) -> Conclusion:
    """Return what can be said without recommendations."""
    usable = result.host.usable_cpus
    best = _fastest(within([cell for cell in result.cells if cell.op == "load"], usable))
    if best is None:
        reason = next(
            (one.reason for one in result.recommendations if one.reason), "no valid load was measured"
        )
        return Conclusion("No protocol can be named.", f"The measurement does not allow it: {reason}.")
    how = "" if best.pool == "none" else f" with {counted(best.workers, 'worker')}"
    reason = (
        f"It loads {amount(rate(best))} images/s. Recommendations with their odds need scipy: pip install "
        "'brinery[bench]'."
    )
    return Conclusion(f"{best.protocol} loads fastest{how}.", reason)


def facts_of(result: BenchResult) -> tuple[Fact, ...]:
    """Return the figures of the first screen."""
    facts = []
    for found in result.recommendations:
        if found.winner is not None and found.objective in ("fastest-load", "fastest-dump", "smallest"):
            first, fast = found.choices[0], found.unit == "ns_per_image"
            value = f"{amount(1e9 / first.value)} /s"
            if not fast:
                value = stored_kilobytes(result, found.layout, first.value)
            title = f"{sentence(OBJECTIVES[found.objective])}, {'images' if fast else 'an image'}"
            facts.append(Fact(title, value, chosen(found)))
    converts = [group.every for group in groups_of(result) if group.variant.op == "convert"]
    best = _fastest([cell for own in converts for cell in within(own, result.host.usable_cpus)])
    if best is not None:
        note = f"{best.protocol} with {counted(best.workers, 'worker')}"
        facts.append(Fact("Fastest convert, images", f"{amount(rate(best))} /s", note))
    return tuple(facts)


def status_of(result: BenchResult) -> str:
    """Return how many cells count, and how much of a difference means something."""
    cells, floor = result.cells, result.noise.floor
    valid, warned = sum(cell.valid for cell in cells), sum(bool(cell.warnings) for cell in cells)
    rounds = ", ".join(f"{counted(done, 'round')} of {name}" for name, done in result.run.rounds_done.items())
    parts = [
        f"{counted(len(cells), 'cell')}: {valid} valid, {len(cells) - valid} void, {warned} with warnings",
        rounds or "no round done",
        f"{seconds(result.run.seconds * 1e9)} in all",
        f"noise floor {percent(floor, places=1)}: smaller differences mean nothing"
        if known(floor)
        else "noise floor not known: fewer than five rounds",
        *(["quick: a first look only"] if result.run.quick else []),
    ]
    return ". ".join(map(sentence, parts)) + "."


def alarms(result: BenchResult) -> tuple[str, ...]:
    """Return what makes the numbers doubtful."""
    found = [] if result.run.finished else ["The run was not finished: these are the rounds that were done."]
    void = sum(not cell.valid for cell in result.cells)
    if void:
        are = "is" if void == 1 else "are"
        found.append(
            f"{counted(void, 'cell')} of {len(result.cells)} {are} void; the section on method says why."
        )
    return (*found, *(f"{sentence(text)}." for text in disturbances(result.noise)))
