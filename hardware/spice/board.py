"""The board as the schematic's exported netlist has it: values and tolerances by designator, for variant A or B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hardware.spice.deck import ONLY_B, WHOLE, Deck, DeckError
from ionto_sim.spice import quantity
from ionto_sim.spice.netlist import Netlist

_USUAL_TOLERANCE = {"R": 0.01, "C": 0.10}
_MODEL_OF = {
    "Q1": "sink_fet", "Q11": "sink_fet", "Q2": "high_fet", "Q12": "high_fet", "Q3": "enable_fet", "Q6": "hold_bjt",
    "Q8": "relay_fet", "U4": "opamp",
}  # fmt: skip


@dataclass(frozen=True)
class Board:
    """The fitted parts of one variant: their values as text ("4.7k", "BSS138") and their tolerances ("1%")."""

    variant: str
    texts: Mapping[str, str]
    tolerances: Mapping[str, str]

    def ohm_or_farad(self, designator: str) -> float:
        """Return the value of a resistor in ohm or of a capacitor in farad; DeckError when the part is not fitted."""
        if designator not in self.texts:
            raise DeckError(f"variant {self.variant}: {designator} is not in the schematic's netlist, or not fitted")
        try:
            return quantity.number(self.texts[designator])
        except ValueError as error:
            raise DeckError(f"{designator}: {error}") from error

    def tolerance(self, designator: str) -> float:
        """Return the tolerance of a part as a fraction: the schematic's, else 1 % (resistor) or 10 % (capacitor)."""
        return quantity.fraction(self.tolerances.get(designator, ""), _USUAL_TOLERANCE[designator[0]])

    def source_ohm(self) -> float:
        """Return Rs and the shunt, in ohm: what V(SNS) and the set-point stand across."""
        sense = self.ohm_or_farad("R9")
        if self.variant == "B":
            sense = 1 / (1 / sense + 1 / self.ohm_or_farad("R10"))
        return sense + self.ohm_or_farad("R11")

    def deck(self, blocks: tuple[str, ...] = WHOLE) -> Deck:
        """Return a deck of `blocks` with this board's values, and in B the parts that only B has."""
        more = tuple(ONLY_B[name] for name in blocks if name in ONLY_B) if self.variant == "B" else ()
        values: dict[str, float | str] = {}
        for designator in self.texts:
            if designator[0] in "RC" and designator[1:].isdigit():
                values[designator] = self.ohm_or_farad(designator)
        values.update({key: self.texts[part] for part, key in _MODEL_OF.items() if part in self.texts})
        return Deck(values, blocks + more)


def board(netlist: Netlist, variant: str) -> Board:
    """Return what variant "A" or "B" fits of the schematic's `netlist`."""
    texts: dict[str, str] = {}
    for reference, component in netlist.components.items():
        value = component.value_in(variant)
        if value is not None:
            texts[reference] = value
    tolerances = {name: netlist.components[name].fields.get("Tolerance", "") for name in texts}
    return Board(variant, texts, tolerances)
