"""What can break, as data: a pin that opens, nets that touch, a value that strays, a leak, a part that fails.

Each is made by one of the functions below, can be compared and hashed, and says in `text` what it is. A mutation may be
given to a deck as present from the start, or armed and switched in later (`Engine.switch`).
"""

from __future__ import annotations

from dataclasses import dataclass

BRIDGE_OHM = 0.1
LEAK_OHM = 100e6
RAILS = ("3V3", "RAIL_24V")


@dataclass(frozen=True)
class Bridge:
    """`ohm` between two places, each a net ("SNS") or a pin ("Q3:1")."""

    one: str
    other: str
    ohm: float

    @property
    def element(self) -> str:
        """The resistor's name in the deck, of its own for each pair of places and value."""
        plain = "".join(sign if sign.isalnum() else "_" for sign in f"{self.one}__{self.other}__{self.ohm:g}")
        return f"Rbridge_{plain}"


@dataclass(frozen=True)
class Mutation:
    """One change of the circuit, or several that come together (`together`)."""

    text: str
    opened: tuple[tuple[str, str], ...] = ()  # (reference, pin number)
    bridges: tuple[Bridge, ...] = ()
    scaled: tuple[tuple[str, float], ...] = ()  # (reference of an R or C, factor)
    failed: tuple[tuple[str, str], ...] = ()  # (reference, name of a failure in parts.py)

    def __str__(self) -> str:
        return self.text


def open_pin(reference: str, pin: str, leak_to: str = "", leak_ohm: float = LEAK_OHM) -> Mutation:
    """Return a pin that has come off its net; with `leak_to` (a net) the pin that floats leaks there.

    A leak belongs to a pin that nothing else holds: a gate, an input, an end that goes nowhere else.
    """
    leaks = (Bridge(f"{reference}:{pin}", leak_to, leak_ohm),) if leak_to else ()
    tail = f", leaking to {leak_to}" if leak_to else ""
    return Mutation(f"{reference}:{pin} open{tail}", opened=((reference, pin),), bridges=leaks)


def bridge(one: str, other: str, ohm: float = BRIDGE_OHM) -> Mutation:
    """Return `ohm` between two nets, or pins written "Q3:1"."""
    return Mutation(f"{one} to {other} {ohm:g} ohm", bridges=(Bridge(one, other, ohm),))


def short(reference: str, one: str, other: str, ohm: float = BRIDGE_OHM) -> Mutation:
    """Return a short between two pins of a part."""
    pair = Bridge(f"{reference}:{one}", f"{reference}:{other}", ohm)
    return Mutation(f"{reference}:{one}-{other} short", bridges=(pair,))


def leak(net: str, to: str, ohm: float) -> Mutation:
    """Return a leak from a net to ground or to a rail ("GND", "3V3", "RAIL_24V")."""
    return Mutation(f"{net} leaks to {to} {ohm:g} ohm", bridges=(Bridge(net, to, ohm),))


def scale(reference: str, factor: float) -> Mutation:
    """Return a resistor or capacitor with `factor` times its value."""
    return Mutation(f"{reference} x{factor:g}", scaled=((reference, factor),))


def fail(reference: str, how: str) -> Mutation:
    """Return a failure that parts.py names for the part: `Drawing.part(reference).model.failures` has the names."""
    return Mutation(f"{reference} {how}", failed=((reference, how),))


def together(*mutations: Mutation) -> Mutation:
    """Return several mutations as one: a latent fault and what it hides."""
    return Mutation(
        " and ".join(item.text for item in mutations),
        tuple(pin for item in mutations for pin in item.opened),
        tuple(pair for item in mutations for pair in item.bridges),
        tuple(part for item in mutations for part in item.scaled),
        tuple(part for item in mutations for part in item.failed),
    )
