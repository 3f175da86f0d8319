"""What can go wrong with the circuit in SPICE."""

from __future__ import annotations

from ionto_sim.errors import SimError

INSTALL = "apt-get install libngspice0 (Debian, Ubuntu), or `make hardware` in a checkout"


class SpiceError(SimError):
    """Base of all errors of the circuit in SPICE."""


class SpiceMissingError(SpiceError):
    """Raised when libngspice is not installed; says what to type."""


class SpiceFailedError(SpiceError):
    """Raised when ngspice refuses a circuit or gives up in the middle; carries ngspice's own message."""


class DrawingError(SpiceError):
    """Raised when the netlist and the table of models do not fit, or a mutation names what is not there."""
