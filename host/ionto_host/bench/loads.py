"""The load of a bench: a fixed resistor, a decade box that a person sets, or resistors behind relays."""

from __future__ import annotations

from collections.abc import Callable

from ionto_host.bench.benchfile import DECADE, FIXED, LoadSpec
from ionto_host.bench.switching import Act, Switch
from ionto_host.errors import LackingError


class Load:
    """The load now: `ohm` as the file names it, within `tolerance_ppm`; `switch` connects another.

    `apply(ohm)` does what has to be done for that; None for a load that does not change.
    """

    def __init__(self, spec: LoadSpec, apply: Callable[[float], None] | None) -> None:
        self.spec = spec
        self.tolerance_ppm = spec.tolerance_ppm
        self._apply = apply
        self.ohm = spec.choices_ohm[0]

    @property
    def adjustable(self) -> bool:
        """True when there is more than one resistor and somebody or something to change it."""
        return self._apply is not None and self.spec.kind != FIXED

    def offers(self, ohm: float) -> bool:
        """Return True when the load can be `ohm` here."""
        return self.spec.offers(ohm) if self.adjustable else ohm == self.ohm

    def set_ohm(self, ohm: float) -> None:
        """Connect `ohm`; `LackingError` when the bench cannot."""
        if not self.offers(ohm):
            raise LackingError(f"a load of {ohm:g} ohm")
        if ohm != self.ohm or self.spec.kind != FIXED:
            self.connect(ohm)

    def connect(self, ohm: float) -> None:
        """Connect `ohm`, and remember it."""
        if self._apply is not None:
            self._apply(ohm)
        self.ohm = ohm

    def nearest(self, ohm: float) -> float:
        """Return what the bench has nearest to `ohm`, on a scale of ratios."""
        if self.spec.kind == DECADE and self.adjustable:
            return min(max(ohm, self.spec.low_ohm), self.spec.high_ohm)
        choices = self.spec.choices_ohm if self.adjustable else (self.ohm,)
        return min(choices, key=lambda choice: max(choice / ohm, ohm / choice))


def by_person(act: Act) -> Callable[[float], None]:
    """Return what sets a decade box through a person."""
    return lambda ohm: act(f"Set the decade box to {ohm:g} ohm")


def by_relays(relays: dict[float, Switch]) -> Callable[[float], None]:
    """Return what sets relay-switched resistors: the wanted one is connected before the others leave."""

    def apply(ohm: float) -> None:
        relays[ohm].set(True)
        for choice, relay in relays.items():
            if choice != ohm:
                relay.set(False)

    return apply
