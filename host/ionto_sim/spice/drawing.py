"""The drawing as a circuit: parts with pins on nets, taken from the exported netlist, and the deck they make.

    drawing = Drawing.read("A")
    drawing.parts["R17"].pins             {"1": "PUMP", "2": "GND"}
    deck = drawing.deck(present=[mutations.open_pin("R17", "1")], armed=[mutations.leak("SNS", "GND", 800)])

What is `present` is in the circuit from the start. What is `armed` does nothing until `Engine.switch(mutation)`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from ionto_sim.spice import parts as table
from ionto_sim.spice import quantity
from ionto_sim.spice.errors import DrawingError
from ionto_sim.spice.mutations import Mutation
from ionto_sim.spice.netlist import Netlist, read
from ionto_sim.spice.places import MODELS

GROUND = "GND"
TEMP_C = 27.0
# Seen in `Engine.value` beside every node.
LOAD_CURRENT = "vload#branch"

_IN_SERIES = "pin "
_SUFFIXES = {"meg": 1e6, "k": 1e3, "m": 1e-3, "u": 1e-6}
_FIELD = re.compile(r"\{([\w.]+)\}")
_PIN_NET = re.compile(r"Net-\((.+)-([^-]+|-)\)")
_NO_NET = re.compile(r"unconnected-\((.+)\)")


def node(net: str) -> str:
    """Return the name that ngspice has for a net: in lower case, ground 0, without brackets and signs."""
    if net == GROUND:
        return "0"
    match = _PIN_NET.fullmatch(net)
    if match:
        net = match.group(1) + "_" + {"+": "p", "-": "m"}.get(match.group(2), match.group(2))
    match = _NO_NET.fullmatch(net)
    if match:
        net = "nc_" + match.group(1)
    return re.sub(r"\W+", "_", net).strip("_").lower()


@dataclass(frozen=True)
class Part:
    """A fitted part: its value as text, its pins as {number: net}, what it is in SPICE."""

    reference: str
    value: str
    pins: Mapping[str, str]
    pin_names: Mapping[str, str]
    model: table.Model | None

    @property
    def kind(self) -> str:
        """The letters of the reference: R, C, Q."""
        return self.reference.rstrip("0123456789")

    def number(self) -> float:
        """Return the value of a resistor in ohm or of a capacitor in farad; DrawingError for another part."""
        if self.kind not in ("R", "C"):
            raise DrawingError(f"{self.reference} has no value in ohm or farad")
        found = quantity.number(self.value)
        return max(found, 1e-3) if self.kind == "R" else found


@dataclass(frozen=True)
class Deck:
    """What ngspice is given: `lines`, and for each armed mutation the elements to change, {element: value}.

    `sound` has the values of those elements before.
    """

    lines: tuple[str, ...]
    switches: Mapping[Mutation, Mapping[str, float]]
    drawing: Drawing
    sound: Mapping[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """Return the netlist as one text, as `ngspice -b` would read it."""
        return "\n".join(self.lines) + "\n"


class Drawing:
    """The fitted parts of variant "A" or "B" and the nets between them."""

    def __init__(self, netlist: Netlist, variant: str) -> None:
        self.variant = variant
        self.nets: dict[str, frozenset[tuple[str, str]]] = {}
        values = {ref: part.value_in(variant) for ref, part in netlist.components.items()}
        fitted = {ref: value for ref, value in values.items() if value is not None}
        pins: dict[str, dict[str, str]] = {ref: {} for ref in fitted}
        for net, nodes in netlist.nets.items():
            self.nets[net] = frozenset(item for item in nodes if item[0] in fitted)
            for ref, pin in self.nets[net]:
                pins[ref][pin] = net
        self.parts: dict[str, Part] = {}
        for ref, value in fitted.items():
            names = {pin: netlist.pin_names.get((ref, pin), "") for pin in pins[ref]}
            self.parts[ref] = Part(ref, value, pins[ref], names, _model(ref, value, pins[ref], names, fitted))

    @classmethod
    def read(cls, variant: str = "A") -> Drawing:
        """Return the drawing of the committed netlist as variant "A" or "B"."""
        return cls(read(), variant)

    def part(self, reference: str) -> Part:
        """Return a part; DrawingError when it is not fitted."""
        if reference not in self.parts:
            raise DrawingError(f"variant {self.variant} has no part {reference}")
        return self.parts[reference]

    def net_of(self, reference: str, pin: str) -> str:
        """Return the net of a pin, named by number or by the pin's name; DrawingError when there is none."""
        part = self.part(reference)
        for number, net in part.pins.items():
            if pin in (number, part.pin_names[number]):
                return net
        raise DrawingError(f"{reference} has no pin {pin}")

    def pin_node(self, reference: str, pin: str) -> str:
        """Return the node of a pin in a deck that does not open it."""
        return node(self.net_of(reference, pin))

    def deck(
        self,
        present: Sequence[Mutation] = (),
        armed: Sequence[Mutation] = (),
        temp_c: float = TEMP_C,
        settings: Mapping[str, float] | None = None,
    ) -> Deck:
        """Return the deck with what is `present` from the start and what is `armed` for later.

        `settings` are element values such as {"VBT1": 3.6}. DrawingError for a mutation of what is not there.
        """
        builder = _Builder(self, [*present, *armed])
        first: dict[str, float] = dict(settings or {})
        for mutation in present:
            first.update(builder.changes(mutation))
        switches = {mutation: builder.changes(mutation) for mutation in armed}
        options = f".options temp={temp_c:g} tnom=27 gmin=1e-13 method=gear noacct"
        elements = builder.lines(first)
        sound = _values_of(elements, {name for changes in switches.values() for name in changes})
        lines = _with_inner_nodes((*_models_at(temp_c), *elements))
        return Deck(("* IontoPico " + self.variant, *lines, options), switches, self, sound)


def _model(
    ref: str, value: str, pins: Mapping[str, str], names: Mapping[str, str], fitted: Mapping[str, str]
) -> table.Model | None:
    """Return the model of a part, None when it is left out; DrawingError when the table does not know it."""
    kind = ref.rstrip("0123456789")
    if kind in table.LEFT_OUT or ref in table.LEFT_OUT:
        return None
    if ref == "A1":
        return table.pico(names, frozenset(pin for pin, net in pins.items() if not _NO_NET.fullmatch(net)))
    if kind == "L":
        return table.boost_choke(fitted["U6"])
    if value == "MT3608":
        return table.mt3608()
    found = table.VALUES.get(value) or table.KINDS.get(kind)
    if found is None:
        raise DrawingError(f"{ref} ({value}) has no model in parts.py, nor a reason to be left out")
    return found


_DIODE_MODEL = re.compile(r"^(\.model (\S+) D\(.*)\bRs=(\S+?)(?=[ )])(.*)$")


def _with_inner_nodes(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the deck with each diode's own resistance as a resistor beside it.

    ngspice makes a node between them in any case, but one that has no name, and so no voltage to begin from: a diode
    in which much current flows then starts with volts at its junction, and ngspice with it not at all.
    """
    ohms: dict[str, str] = {}
    found: list[str] = []
    for line in lines:
        words = line.split()
        if match := _DIODE_MODEL.match(line):
            ohms[match[2]] = match[3]
            found.append(f"{match[1]}{match[4]}")
        elif line.startswith("D") and len(words) == 4 and words[3] in ohms:
            name, anode, cathode, kind = words
            found += [f"{name} {name}_j {cathode} {kind}", f"R{name}_s {anode} {name}_j {ohms[kind]}"]
        else:
            found.append(line)
    return tuple(found)


@cache
def _models_at(temp_c: float) -> tuple[str, ...]:
    """Return the device models at a temperature: ngspice would work out `temper` at each `resume`, and falls over."""
    lines = MODELS.read_text(encoding="ascii").splitlines()
    return tuple(line.replace("temper", f"{temp_c:g}") for line in lines if line and not line.startswith("*"))


class _Builder:
    """Writes the elements of a drawing, with the joints and bridges that a list of mutations needs."""

    def __init__(self, drawing: Drawing, mutations: Iterable[Mutation]) -> None:
        self._drawing = drawing
        self._opened: set[tuple[str, str]] = set()
        self._shifted: set[tuple[str, str]] = set()
        self._extra: dict[str, str] = {}  # element: its two nodes
        self._extra_value: dict[str, float] = {}
        for mutation in mutations:
            self._opened.update(mutation.opened)
            self._shifted.update(self._shifts(mutation))
        for mutation in mutations:
            self._prepare(mutation)

    # Nodes.

    def pin_node(self, reference: str, pin: str, phase: str = "") -> str:
        """Return the node of a pin: its net's, or its own when a mutation can open it."""
        net = self._drawing.net_of(reference, pin)
        tail = "_low" if phase and net in table.PHASED_NETS else ""
        if (reference, pin) in self._opened | self._shifted:
            return f"{reference.lower()}_{pin}{tail}"
        return node(net) + tail

    def _place(self, where: str, phase: str) -> str:
        """Return the node of a net, or of a pin written R17:1."""
        if ":" in where:
            reference, pin = where.split(":", 1)
            return self.pin_node(reference, pin, phase)
        if where not in self._drawing.nets:
            raise DrawingError(f"the drawing has no net {where}")
        return node(where) + ("_low" if phase and where in table.PHASED_NETS else "")

    def _phased(self, *places: str) -> bool:
        nets = [self._drawing.net_of(*place.split(":", 1)) if ":" in place else place for place in places]
        return any(net in table.PHASED_NETS for net in nets)

    # Mutations.

    def _prepare(self, mutation: Mutation) -> None:
        """Add the joints and bridges of a mutation, closed and open as in a sound circuit."""
        for ref, pin in self._shifts(mutation):
            if (ref, pin) in self._opened:
                raise DrawingError(f"{mutation}: another mutation of this deck opens {ref}:{pin}")
            own = f"{self.pin_node(ref, pin)} {node(self._drawing.net_of(ref, pin))}"
            self._extra[f"Vshift_{ref}_{pin}"] = own + " dc"
            self._extra_value[f"Vshift_{ref}_{pin}"] = 0.0
        for ref, pin in mutation.opened:
            net = self._drawing.net_of(ref, pin)
            for phase in self._phases(net):
                tail = "_low" if phase else ""
                self._add(f"Ropen_{ref}_{pin}{tail}", self.pin_node(ref, pin, phase), node(net) + tail, 1e-3)
        for bridge in mutation.bridges:
            for phase in self._phases(bridge.one, bridge.other):
                one, other = self._place(bridge.one, phase), self._place(bridge.other, phase)
                if one == other:
                    raise DrawingError(f"{mutation}: {bridge.one} and {bridge.other} are the same node")
                self._add(bridge.element + ("_low" if phase else ""), one, other, 1e12)

    def _phases(self, *places: str) -> tuple[str, ...]:
        return ("", table.LOW_PHASE) if self._phased(*places) else ("",)

    def _add(self, name: str, one: str, other: str, ohm: float) -> None:
        self._extra[name] = f"{one} {other}"
        self._extra_value[name] = ohm

    def changes(self, mutation: Mutation) -> dict[str, float]:
        """Return the elements that a mutation changes, with their values then."""
        found: dict[str, float] = {}
        for ref, pin in mutation.opened:
            for phase in self._phases(self._drawing.net_of(ref, pin)):
                found[f"Ropen_{ref}_{pin}" + ("_low" if phase else "")] = 1e12
        for bridge in mutation.bridges:
            for phase in self._phases(bridge.one, bridge.other):
                found[bridge.element + ("_low" if phase else "")] = bridge.ohm
        for ref, factor in mutation.scaled:
            part = self._drawing.part(ref)
            for phase in self._phases(*part.pins.values()):
                found[ref + ("_low" if phase else "")] = part.number() * factor
        for ref, how in mutation.failed:
            found.update(self._failure(ref, how))
        return found

    def _failure(self, ref: str, how: str) -> dict[str, float]:
        known = self._known(ref)
        if how not in known:
            value, names = self._drawing.part(ref).value, ", ".join(known) or "none"
            raise DrawingError(f"{ref} ({value}) has no failure {how!r}; known: {names}")
        return {_element(ref, name): value for name, value in known[how].items()}

    def _shifts(self, mutation: Mutation) -> list[tuple[str, str]]:
        """Return the pins that get a source in series."""
        changed = [(ref, name) for ref, how in mutation.failed for name in self._known(ref).get(how, ())]
        return [(ref, name[len(_IN_SERIES) :]) for ref, name in changed if name.startswith(_IN_SERIES)]

    def _known(self, ref: str) -> Mapping[str, Mapping[str, float]]:
        part = self._drawing.part(ref)
        return (part.model.failures if part.model else None) or {}

    # Lines.

    def lines(self, first: Mapping[str, float]) -> list[str]:
        """Return every element, those named in `first` with that value; DrawingError for a name that is not there."""
        found: list[str] = []
        for part in self._drawing.parts.values():
            for phase in self._phases(*part.pins.values()) if part.kind == "R" else ("",):
                found += self._elements(part, phase)
        found += [f"{name} {nodes} {self._extra_value[name]:g}" for name, nodes in self._extra.items()]
        found += [
            f"Vload {self.pin_node('J2', '1')} load_a 0",
            "Rload load_a load_b 2000",
            f"Rskin load_b {self.pin_node('J3', '1')} 1m",
            f"Cskin load_b {self.pin_node('J3', '1')} 1f",
        ]
        return with_values(found, first)

    def _elements(self, part: Part, phase: str) -> list[str]:
        if part.model is None:
            return []
        tail = "_low" if phase else ""

        def filled(match: re.Match[str]) -> str:
            key = match.group(1)
            if key == "ref":
                return part.reference + tail
            if key == "value":
                return f"{part.number():.9g}"
            if key == "model":
                return part.value
            pin, low, _ = key.partition(table.LOW_PHASE)
            return self.pin_node(part.reference, pin, phase or low)

        return [line for text in part.model.lines for line in _FIELD.sub(filled, text).split("\n")]


def _value_at(words: Sequence[str]) -> int:
    """Return which word of an element is its value."""
    return 4 if words[3] == "dc" else 3


def _values_of(lines: Iterable[str], names: Collection[str]) -> dict[str, float]:
    """Return the values that the elements `names` have in `lines`."""
    split = (line.split() for line in lines)
    return {words[0]: _number(words[_value_at(words)]) for words in split if words[0] in names}


def _number(word: str) -> float:
    """Return a number as parts.py writes it: 1e12, 1m, 20meg, 15.6k."""
    for suffix, factor in _SUFFIXES.items():
        if word.endswith(suffix):
            return float(word[: -len(suffix)]) * factor
    return float(word)


def _element(ref: str, name: str) -> str:
    """Return the element that a failure of part `ref` names."""
    if name.startswith(_IN_SERIES):
        return f"Vshift_{ref}_{name[len(_IN_SERIES) :]}"
    return name.replace("{ref}", ref)


def with_values(lines: Sequence[str], first: Mapping[str, float]) -> list[str]:
    """Return `lines` with the last word, or what follows "dc", replaced for the elements in `first`."""
    left = {name.lower(): value for name, value in first.items()}
    found = []
    for line in lines:
        words = line.split()
        value = left.pop(words[0].lower(), None)
        if value is not None:
            words[_value_at(words)] = f"{value:.9g}"
        found.append(" ".join(words))
    if left:
        raise DrawingError(f"the deck has no element {', '.join(sorted(left))}")
    return found
