"""brinery protocols."""

from typing import TYPE_CHECKING

import click

from .output import emit_json, json_option, put, terminal_width

if TYPE_CHECKING:
    from ..benchmark.text.table import Table
    from ..engine.protocols.registry import ProtocolInfo

__all__ = ["command"]


@click.command("protocols", short_help="list the protocols and what they can do")
@json_option
def command(as_json: bool) -> int:
    r"""List every protocol, what it can do, and for one not installed what brings it.

    A compression follows a plus sign, its level a colon: hdf5+gzip:4, npy+lz4, pickle-5+zstd:3.

    \b
    brinery protocols
    brinery protocols --json
    """
    from ..engine.protocols.registry import known_protocols  # noqa: PLC0415 - start-up stays cheap

    known = known_protocols()
    if as_json:
        emit_json([_as_document(info) for info in known])
        return 0
    from ..benchmark.text.terminal import text_table  # noqa: PLC0415

    put(*text_table(_table(known), terminal_width()).split("\n"))
    return 0


def _table(known: "list[ProtocolInfo]") -> "Table":
    from ..benchmark.text.table import Table, left  # noqa: PLC0415

    rows = [
        (
            info.name,
            *("yes" if able else "-" for able in _able(info)),
            ", ".join(f"{one} (lossy)" if one in able.lossy else one for one in able.compressions) or "-",
            "yes" if info.available else info.problem or f"not installed: {info.extra}",
        )
        for info in known
        for able in (info.abilities,)
    ]
    kept = [info.name for info in known if info.abilities.keeps_source]
    notes = (
        "mapped: opened without a copy; safe: the format's own library runs no code from a file.",
        f"{' and '.join(kept)}: the images as they are in the source, decoded whenever they are read.",
        "portable: readable outside Python. brinery itself opens every protocol without running code.",
        "lossy: arrays come back with other values.",
    )
    columns = left("protocol", "mapped", "safe", "portable", "compressions", "available")
    return Table("Protocols", columns, rows, notes)


def _able(info: "ProtocolInfo") -> tuple[bool, bool, bool]:
    able = info.abilities
    return able.raw_payload, able.safe_load, able.portable


def _as_document(info: "ProtocolInfo") -> dict[str, object]:
    able = info.abilities
    return {
        "name": info.name,
        "suffix": info.suffix,
        "raw_payload": able.raw_payload,
        "safe_load": able.safe_load,
        "portable": able.portable,
        "ragged": able.ragged,
        "keeps_source": able.keeps_source,
        "compressions": list(able.compressions),
        "lossy": list(able.lossy),
        "available": info.available,
        "install": info.extra,
        "problem": info.problem,
        "origin": info.origin,
    }
