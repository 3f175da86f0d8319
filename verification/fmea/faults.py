"""Every fault of the drawn circuit, generated from its netlist: nothing here is a list of what somebody thought of.

A fault has a stable id: `R17:open:1`, `R17:open:1:up`, `Q5:1-2:short`, `C4:x0.5`, `R12:+1%`, `SNS:GND:800`,
`FEEDBACK~OA_OUT:bridge`, `U4:A:high`, `D3:A-K:leak`. Faults that change the circuit in the same way are one `Row` with
many names. A fault that changes nothing is kept with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from hardware.breadboard import layout as breadboard_layout
from ionto_sim.spice import quantity
from ionto_sim.spice.drawing import Drawing
from ionto_sim.spice.netlist import Netlist, natural
from verification.fmea import typical
from verification.fmea.changes import DOWN, UP, Change, Failed, Node, Opened, Scaled, bridged

GND, RAIL = "GND", "RAIL_24V"
LEAKS_OHM = (100_000.0, 4_000.0, 800.0, 200.0)
_USUAL_TOLERANCE = {"R": 0.01, "C": 0.10}
# Pins that neither give nor take a current worth naming: off their net they float.
_INPUTS = {
    "Q": ("G", "B"),
    "U4": ("+", "-"),
    "U6": ("FB", "EN"),
    "U3": ("S",),
    "A1": ("GP2", "GP6", "GP7", "GP8", "GP9", "GP10", "GP11", "GP12", "GP22", "GP26", "GP27", "GP28"),
}
# What holds a net: supplies, and pins that drive one. A part of these kinds carries that over to its other nets; what
# holds in one direction only, or only sometimes (transistor, diode, capacitor, open contact), does not.
_SUPPLIES = ("GND", "3V3", "RAIL_24V", "VBAT", "VSYS", "VBUS")
_DRIVERS = {
    "U4": ("",),
    "U3": ("A",),
    "U2": ("K",),
    "A1": ("GP2", "GP6", "GP7", "GP13", "GP14", "GP15", "GP16", "GP22"),
}
_CARRIERS = ("R", "L", "F", "BZ", "K")
_CLOSED = ("SW1", "SW3")
_LOAD = ("E_PLUS", "E_MINUS")


@dataclass(frozen=True)
class Fault:
    """One fault: `key` is its id, `change` what it does (None: nothing, and `why` says why), `part` where to look."""

    key: str
    change: Change | None
    part: str
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One change to the circuit and the ids of all faults that make it; the first is the row's own."""

    names: tuple[str, ...]
    change: Change

    @property
    def key(self) -> str:
        """The id of the row."""
        return self.names[0]


class Circuit:
    """The netlist as variant `variant` fits it, the way the generator asks for it."""

    def __init__(self, netlist: Netlist, variant: str = "A"):
        self.netlist = netlist
        self._drawing = Drawing(netlist, variant)
        self.values = {
            reference: value
            for reference, component in netlist.components.items()
            if (value := component.value_in(variant)) is not None
        }
        self.net_of = {node: net for net, nodes in netlist.nets.items() for node in nodes if node[0] in self.values}
        self.pins: dict[str, list[str]] = {}
        for reference, pin in sorted(self.net_of, key=lambda node: (natural(node[0]), natural(node[1]))):
            self.pins.setdefault(reference, []).append(pin)
        self.nodes: dict[str, list[Node]] = {}
        for node, net in self.net_of.items():
            self.nodes.setdefault(net, []).append(node)

    def failures(self, reference: str) -> tuple[str, ...]:
        """Return the names of the failures that the circuit's model knows of a part."""
        model = self._drawing.part(reference).model
        return tuple(model.failures or ()) if model else ()

    @property
    def parts(self) -> list[str]:
        """References of the fitted parts, in the order of the parts list."""
        return sorted(self.values, key=natural)

    @property
    def nets(self) -> list[str]:
        """Names of the nets that join pins."""
        return sorted(net for net in self.nodes if not net.startswith("unconnected-"))

    def name(self, node: Node) -> str:
        """Return the name of a pin, its number when it has none."""
        return self.netlist.pin_names.get(node, "") or node[1]

    def lonely(self, node: Node) -> bool:
        """Return True when nothing else is on the net of `node`."""
        return len(self.nodes[self.net_of[node]]) < 2

    def floats(self, node: Node) -> bool:
        """Return True when `node` itself, once it is off its net, is held by nothing."""
        return self.name(node) in _INPUTS.get(node[0], _INPUTS.get(_kind(node[0]), ()))

    def left_floating(self, off: Iterable[Node]) -> set[str]:
        """Return the nets that something holds now, and nothing once the pins `off` are off."""
        return self._held(frozenset()) - self._held(frozenset(off))

    def _held(self, off: frozenset[Node]) -> set[str]:
        held = {*_SUPPLIES}
        links: list[tuple[str, str]] = [_LOAD]
        for reference, pins in self.pins.items():
            on = [(reference, pin) for pin in pins if (reference, pin) not in off]
            held |= {self.net_of[node] for node in on if self._named(node) in _DRIVERS.get(reference, ())}
            if _kind(reference) in _CARRIERS or reference in _CLOSED:
                links += combinations((self.net_of[node] for node in on), 2)
        grown = True
        while grown:
            new = {end for link in links if held & {*link} for end in link} - held
            held |= new
            grown = bool(new)
        return held

    def _named(self, node: Node) -> str:
        return self.netlist.pin_names.get(node, "")


def _kind(reference: str) -> str:
    return reference.rstrip("0123456789")


def generate(circuit: Circuit) -> list[Fault]:
    """Return every fault, in a fixed order: parts, then nets."""
    faults: list[Fault] = []
    for reference in circuit.parts:
        faults += _opens(circuit, reference)
        faults += _shorts(circuit, reference)
        faults += _values(circuit, reference)
        faults += _leaky(circuit, reference)
        faults += _typical(circuit, reference)
    faults += _leaks(circuit)
    faults += _neighbours(circuit)
    return faults


def rows(faults: Iterable[Fault]) -> list[Row]:
    """Return the changes, each once, with the names of all its faults."""
    names: dict[Change, list[str]] = {}
    for fault in faults:
        if fault.change is not None:
            known = names.setdefault(fault.change, [])
            if fault.key not in known:
                known.append(fault.key)
    return [Row(tuple(keys), change) for change, keys in names.items()]


def _opens(circuit: Circuit, reference: str) -> Iterator[Fault]:
    pins = circuit.pins[reference]
    for pin in pins:
        node = (reference, pin)
        key = f"{reference}:open:{pin}"
        if circuit.lonely(node) or reference.startswith("TP"):
            yield Fault(key, None, reference, "the pin carries nothing")
            continue
        # A part with two pins is gone when either is off; which one matters only to what floats.
        off = frozenset((reference, other) for other in pins) if len(pins) == 2 else frozenset({node})
        yield Fault(key, Opened(off), reference)
        left = circuit.left_floating(off)
        floating = circuit.net_of[node] if circuit.net_of[node] in left else ""
        if floating or circuit.floats(node):
            for leak in (UP, DOWN):
                yield Fault(f"{key}:{leak}", Opened(off, leak, floating), reference)


def _shorts(circuit: Circuit, reference: str) -> Iterator[Fault]:
    for first, second in combinations(circuit.pins[reference], 2):
        one, other = circuit.net_of[reference, first], circuit.net_of[reference, second]
        key = f"{reference}:{first}-{second}:short"
        if one == other:
            yield Fault(key, None, reference, "both pins are on one net")
        else:
            yield Fault(key, bridged(one, other), reference)


def _values(circuit: Circuit, reference: str) -> Iterator[Fault]:
    kind = _kind(reference)
    if kind not in _USUAL_TOLERANCE:
        return
    component = circuit.netlist.components[reference]
    tolerance = quantity.fraction(component.fields.get("Tolerance", ""), _USUAL_TOLERANCE[kind])
    percent = f"{tolerance * 100:g}%"
    for word, factor in (("x0.5", 0.5), ("x2", 2.0), (f"-{percent}", 1 - tolerance), (f"+{percent}", 1 + tolerance)):
        yield Fault(f"{reference}:{word}", Scaled(reference, factor), reference)


def _leaky(circuit: Circuit, reference: str) -> Iterator[Fault]:
    by_name = {circuit.name((reference, pin)): pin for pin in circuit.pins[reference]}
    for first, second in typical.LEAKY.get(_kind(reference), ()):
        if first in by_name and second in by_name:
            nets = circuit.net_of[reference, by_name[first]], circuit.net_of[reference, by_name[second]]
            yield Fault(f"{reference}:{first}-{second}:leak", bridged(*nets, typical.LEAKY_OHM), reference)


def _typical(circuit: Circuit, reference: str) -> Iterator[Fault]:
    for how in (*circuit.failures(reference), *typical.outside(reference)):
        yield Fault(f"{reference}:{how.replace(' ', '_')}", Failed(reference, how), reference)


def _leaks(circuit: Circuit) -> Iterator[Fault]:
    for net in circuit.nets:
        for target in (GND, RAIL):
            if net not in (GND, target):
                for ohm in LEAKS_OHM:
                    yield Fault(f"{net}:{target}:{_ohm(ohm)}", bridged(net, target, ohm), net)


def _ohm(ohm: float) -> str:
    return f"{ohm / 1000:g}k" if ohm >= 1000 else f"{ohm:g}"


def _neighbours(circuit: Circuit) -> Iterator[Fault]:
    for first, second in adjacent_nets(circuit):
        yield Fault(f"{first}~{second}:bridge", bridged(first, second), first)


def adjacent_nets(circuit: Circuit) -> list[tuple[str, str]]:
    """Return the pairs of nets that lie side by side on the breadboard, where there is no printed board yet.

    Neighbouring pins of a package are pairs of its pins, which `generate` has anyway.
    """
    groups = breadboard_layout.groups()
    nets: dict[str, str] = {groups.get(rail, rail): net for rail, net in breadboard_layout.RAILS.items()}
    for part in breadboard_layout.PARTS:
        for pin, hole in part.legs:
            net = _net_of_leg(circuit, part.reference, pin)
            if net:
                nets.setdefault(groups[breadboard_layout.node(hole)], net)
    for number, hole in breadboard_layout.PICO.items():
        nets.setdefault(groups[breadboard_layout.node(hole)], circuit.net_of["A1", str(number)])
    pairs = set()
    for half in "TB":
        strips = [nets.get(groups.get(f"{half}{column}", "")) for column in range(1, breadboard_layout.COLUMNS + 1)]
        for one, other in pairwise(strips):
            if one and other and one != other and not f"{one}{other}".count("unconnected-"):
                pairs.add((min(one, other), max(one, other)))
    return sorted(pairs)


def _net_of_leg(circuit: Circuit, reference: str, pin: str) -> str:
    for number in circuit.pins.get(reference, ()):
        if pin in (number, circuit.name((reference, number))):
            return circuit.net_of[reference, number]
    return ""
