"""Read a KiCad netlist (`kicadsexpr`): components with their fields, nets with their pins.

KiCad prefixes the name of a net inside a sheet with the sheet's path; here a net has the last part only, which is
unique (`hardware.wiring.checks` proves it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ionto_sim.spice.places import netlist_path

Tree: TypeAlias = "str | list[Tree]"
Node = tuple[str, str]
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([()])|([^\s()"]+)')
_ESCAPE = re.compile(r"\\(.)")


class NetlistError(ValueError):
    """The text is no netlist of the form this module reads."""


@dataclass(frozen=True)
class Component:
    """A part as drawn: `value` is variant A's, `fields` everything else, `dnp` True when A leaves the part out."""

    reference: str
    value: str
    fields: dict[str, str] = field(default_factory=dict)
    dnp: bool = False

    def value_in(self, variant: str) -> str | None:
        """Return the value that variant "A" or "B" fits, None when it leaves the part out."""
        if variant == "A":
            return None if self.dnp else self.value
        other = self.fields.get("Value_B", self.value)
        if other == "omit":
            return None
        return self.value if other == "fit" else other


@dataclass(frozen=True)
class Netlist:
    """`components` by reference; `nets` by short name, each the set of its (reference, pin number).

    `pin_names` gives the name of a pin by (reference, number); `full_names` the nets' names as KiCad wrote them.
    """

    components: dict[str, Component]
    nets: dict[str, frozenset[Node]]
    pin_names: dict[Node, str]
    full_names: tuple[str, ...] = ()

    def net_of(self, reference: str, pin: str) -> str:
        """Return the net of a pin, given by number or name; KeyError when the part has no such pin."""
        for name, nodes in self.nets.items():
            for node in nodes:
                if node[0] == reference and pin in (node[1], self.pin_names.get(node)):
                    return name
        raise KeyError(f"{reference} has no pin {pin}")

    def parts_on(self, net: str) -> set[str]:
        """Return the references of the parts on `net`; none for a net that does not exist."""
        return {reference for reference, _ in self.nets.get(net, ())}

    def between(self, first: str, second: str) -> set[str]:
        """Return the references of the parts with a pin on each of two nets."""
        return self.parts_on(first) & self.parts_on(second)


def parse(text: str) -> Tree:
    """Return an s-expression as nested lists of strings; NetlistError when the brackets do not match."""
    stack: list[list[Tree]] = [[]]
    for match in _TOKEN.finditer(text):
        quoted, bracket, word = match.groups()
        if bracket == "(":
            stack.append([])
        elif bracket == ")":
            done = stack.pop()
            if not stack:
                raise NetlistError("a bracket closes that was never opened")
            stack[-1].append(done)
        else:
            stack[-1].append(word if quoted is None else _ESCAPE.sub(r"\1", quoted))
    if len(stack) != 1 or len(stack[0]) != 1:
        raise NetlistError("expected one complete s-expression")
    return stack[0][0]


def natural(reference: str) -> tuple[str, int]:
    """Return a key that sorts R2 before R10."""
    match = re.fullmatch(r"(\D+)(\d+)", reference)
    return (match[1], int(match[2])) if match else (reference, 0)


def read(path: Path | None = None) -> Netlist:
    """Return the netlist in a file, the drawing's own when none is named; NetlistError when it is none."""
    return from_text((path or netlist_path()).read_text(encoding="utf-8"))


def from_text(text: str) -> Netlist:
    """Return the netlist that `text` holds; NetlistError when it is none."""
    tree = parse(text)
    components = {part.reference: part for part in map(_component, _under(_only(tree, "components"), "comp"))}
    nets: dict[str, frozenset[Node]] = {}
    pin_names: dict[Node, str] = {}
    full_names = []
    for item in _under(_only(tree, "nets"), "net"):
        full = _word(item, "name")
        full_names.append(full)
        nodes = {(_word(node, "ref"), _word(node, "pin")): _word(node, "pinfunction") for node in _under(item, "node")}
        short = short_name(full)
        nets[short] = nets.get(short, frozenset()) | frozenset(nodes)
        pin_names.update({node: name for node, name in nodes.items() if name})
    return Netlist(components, nets, pin_names, tuple(full_names))


def short_name(full: str) -> str:
    """Return a net's name without the path of its sheet."""
    return full if full.startswith(("Net-(", "unconnected-(")) else full.rsplit("/", 1)[-1]


def _component(item: Tree) -> Component:
    fields = {_word(entry, "name"): _word(entry, "value") for entry in _under(item, "property")}
    dnp = "dnp" in fields
    fields = {key: value for key, value in fields.items() if value}
    fields["Description"] = _word(item, "description")
    return Component(_word(item, "ref"), _word(item, "value"), fields, dnp)


def _under(tree: Tree, head: str) -> Iterator[Tree]:
    if not isinstance(tree, list):
        raise NetlistError(f"expected a list with ({head} ...), found {tree!r}")
    return (item for item in tree if isinstance(item, list) and item and item[0] == head)


def _only(tree: Tree, head: str) -> Tree:
    for item in _under(tree, head):
        return item
    raise NetlistError(f"no ({head} ...) in the netlist")


def _word(tree: Tree, head: str) -> str:
    for item in _under(tree, head):
        return str(item[1]) if len(item) > 1 else ""
    return ""
