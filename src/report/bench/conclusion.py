"""The figures of a bench's first screen, and how far they can be trusted."""

from operator import attrgetter

from ...benchmark.analysis.candidates import SOURCE
from ...benchmark.analysis.warnings import disturbances, trouble_of
from ...benchmark.result.recommendations import OBJECTIVES, Objective
from ...benchmark.result.result import BenchResult
from ...benchmark.text.conclusion import chosen, value_of
from ...benchmark.text.numbers import amount, counted, sentence
from ..html.page import Fact
from .groups import groups_of, within

_FASTEST: tuple[Objective, ...] = ("fastest-read", "fastest-read-cold", "fastest-load", "fastest-dump")


def facts_of(result: BenchResult) -> tuple[Fact, ...]:
    """Return the figures of the first screen; none of times that decide nothing."""
    facts = []
    for found in result.recommendations:
        if found.winner is not None and found.objective in _FASTEST and found.choices:
            title = f"{sentence(OBJECTIVES[found.objective])}, images"
            facts.append(Fact(title, f"{amount(1e9 / found.choices[0].value)} /s", chosen(found)))
        if found.objective == "smallest" and found.winner is not None:
            own = next((one for one in found.choices if one.protocol != SOURCE), found.choices[0])
            value, *over = value_of(result, found, own).split(", ")
            facts.append(Fact("Smallest, an image", value, ", ".join([own.protocol, *over])))
    if trouble_of(result):
        return tuple(facts)
    converts = [cell for group in groups_of(result) if group.variant.op == "convert" for cell in group.every]
    best = max(within(converts, result.host.usable_cpus), key=attrgetter("rate"), default=None)
    if best is not None and best.rate:
        note = f"{best.protocol} with {counted(best.workers, 'worker')}"
        facts.append(Fact("Fastest convert, images", f"{amount(best.rate)} /s", note))
    return tuple(facts)


def alarms(result: BenchResult) -> tuple[str, ...]:
    """Return what makes the numbers doubtful."""
    found = [] if result.run.finished else ["The run was not finished: these are the rounds that were done."]
    void = sum(not cell.valid for cell in result.cells)
    if void:
        told = f"{counted(void, 'cell')} of {len(result.cells)} {'is' if void == 1 else 'are'} void"
        found.append(f"{told}; the section on method says why.")
    return (*found, *(f"{sentence(text)}." for text in disturbances(result.noise)))
