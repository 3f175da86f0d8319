"""Write KiCad's s-expressions: a list is `(head item ...)`, a `str` is quoted, an `Atom` bare, a bool yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Node: TypeAlias = "str | int | float | bool | Sequence[Node]"


class Atom(str):
    """A bare word such as `left` or `passive`."""


def text(node: Node, indent: int = 0) -> str:
    """Return `node` as KiCad lays it out: one tab a level, lists of plain items on one line."""
    if isinstance(node, str) or not isinstance(node, Sequence):
        return _plain(node)
    head, rest = str(node[0]), node[1:]
    words = [head] + [_plain(item) for item in rest if isinstance(item, str) or not isinstance(item, Sequence)]
    lists = [item for item in rest if not isinstance(item, str) and isinstance(item, Sequence)]
    if not lists:
        return f"({' '.join(words)})"
    tabs = "\t" * (indent + 1)
    inner = "\n".join(tabs + text(item, indent + 1) for item in lists)
    return f"({' '.join(words)}\n{inner}\n{tabs[:-1]})"


def _plain(item: Node) -> str:
    if isinstance(item, Atom):
        return item
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, float):
        return f"{item:.4f}".rstrip("0").rstrip(".")
    escaped = str(item).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
