"""brinery protocols."""

from typing import TYPE_CHECKING

import click

from .output import emit_json, json_option, put

if TYPE_CHECKING:
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
    width = max(len(info.name) for info in known)
    put(f"{'protocol':{width}}  mapped  safe  portable  compressions")
    for info in known:
        able = info.abilities
        marks = "  ".join(
            f"{'yes' if able_to else '-':{size}}"
            for able_to, size in ((able.raw_payload, 6), (able.safe_load, 4), (able.portable, 8))
        )
        line = f"{info.name:{width}}  {marks}  {', '.join(able.compressions)}"
        if not info.available:
            line += f"  ({info.problem or f'not installed: {info.extra}'})"
        put(line)
    put("mapped: opened without a copy; safe: the format's own library runs no code from a file;")
    put("portable: readable outside Python. brinery itself opens every protocol without running code.")
    return 0


def _as_document(info: "ProtocolInfo") -> dict[str, object]:
    able = info.abilities
    return {
        "name": info.name,
        "suffix": info.suffix,
        "raw_payload": able.raw_payload,
        "safe_load": able.safe_load,
        "portable": able.portable,
        "ragged": able.ragged,
        "compressions": list(able.compressions),
        "available": info.available,
        "install": info.extra,
        "problem": info.problem,
        "origin": info.origin,
    }
