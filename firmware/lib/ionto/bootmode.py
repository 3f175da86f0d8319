"""What a boot means: told from a marker in a watchdog scratch register, which survives every reset but power.

The chip's own reset cause does not tell a requested reset from a watchdog's (micropython #19409), so the
application leaves word of what it was doing.
"""

from ionto.compat import const

SCRATCH_MARK = const(0)
SCRATCH_LOG_ID = const(1)
SCRATCH_CHARGE_UC = const(2)
SCRATCH_T_MS = const(3)

_MAGIC = const(0x10AF0000)
_MAGIC_MASK = const(0x3FFF0000)
BOOTED = const(1)
RUNNING = const(2)
TO_MAINTENANCE = const(3)

POWER_ON = "power_on"
REQUESTED = "requested"
WATCHDOG = "watchdog"
MAX_UNPLANNED = const(3)


def mark(state: int, unplanned: int, fault: int = 0) -> int:
    """Return the scratch word for `state`, the unplanned resets in a row (up to 15) and a latched fault (0: none)."""
    return _MAGIC | min(unplanned, 15) << 12 | state << 8 | fault


class Boot:
    """What this boot is: `cause`, `unplanned` resets in a row, `maintenance`, `fault` still latched."""

    def __init__(self, word: int, strap: bool):
        known = word & _MAGIC_MASK == _MAGIC
        state = word >> 8 & 0xF if known else 0
        self.unplanned = word >> 12 & 0xF if known else 0
        self.fault = word & 0xFF if known else 0
        self.cause = REQUESTED if known else POWER_ON
        if state == RUNNING:
            self.cause = WATCHDOG
            self.unplanned += 1
        self.maintenance = strap or state == TO_MAINTENANCE or self.unplanned >= MAX_UNPLANNED

    def word(self) -> int:
        """Return the scratch word to leave behind; a maintenance boot forgives the resets before it."""
        return mark(BOOTED, 0 if self.maintenance else self.unplanned, self.fault)
