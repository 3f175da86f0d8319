"""A change of this folder as one of the circuit's model, of what a converter shows, or of what a pin does."""

from __future__ import annotations

from ionto_sim.spice import mutations as spice
from verification.fmea import typical
from verification.fmea.changes import DOWN, LEAK_OHM, UP, Bridged, Change, Failed, Opened, Scaled
from verification.fmea.chip import Chip

NOTHING = spice.Mutation("nothing of the circuit")
_LEAK_TO = {UP: "RAIL_24V", DOWN: "GND"}


def of_circuit(change: Change) -> spice.Mutation:
    """Return what `change` does to the circuit; `NOTHING` when it is a converter's or a pin's own failure."""
    if isinstance(change, Opened):
        return _opened(change)
    if isinstance(change, Bridged):
        return spice.bridge(*change.nets, change.ohm)
    if isinstance(change, Scaled):
        return spice.scale(change.part, change.factor)
    return NOTHING if change.how in typical.outside(change.part) else spice.fail(change.part, change.how)


def _opened(change: Opened) -> spice.Mutation:
    """One pin of a part with two is enough: no current flows through the other."""
    reference, pin = min(change.pins)
    if not change.leak:
        return spice.open_pin(reference, pin)
    if not change.floating:
        return spice.open_pin(reference, pin, _LEAK_TO[change.leak], LEAK_OHM)
    leak = spice.bridge(change.floating, _LEAK_TO[change.leak], LEAK_OHM)
    return spice.together(spice.open_pin(reference, pin), leak)


def apply(change: Change, chip: Chip) -> spice.Mutation:
    """Do to `chip` what is not of the circuit; return what is."""
    if isinstance(change, Failed) and change.how in typical.outside(change.part):
        typical.outside(change.part)[change.how].apply(chip)
    return of_circuit(change)
