"""Texts from archives and manifests, made safe to print."""

__all__ = ["printable"]


def printable(text: str) -> str:
    """Return a text with what could steer a terminal or turn its direction escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
