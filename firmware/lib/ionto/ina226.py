"""INA226 current sensor (TI SBOS547): the load's current, measured a second time; 2-byte reads, nothing allocated.

It converts the shunt continuously, 588 us (646 at most), and the register pointer stays there, so that a sample is a
bare read. A conversion is 0.3 to 1.0 ms old when it is read, an INA219's 0.3 to 0.9 ms.
"""

from ionto.compat import const, micropython

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

SHUNT_LSB_NV = const(2_500)
CONFIGURATION = const(0x409D)  # no average, shunt 588 us, continuously; the bus, in 332 us, is not converted
_CONFIG = const(0x00)
_SHUNT = const(0x01)
_MASK = const(0x06)
_READY = const(0x08)  # of the mask register: a conversion has ended since it was read last


class Ina226:
    """The sensor on `bus` (machine.I2C methods `writeto`, `readfrom_into`); errors come out as False, never raised.

    `shunt` holds the last shunt register as it came, high byte first, in LSB of 2.5 uV.
    """

    def __init__(self, bus: "Any", address: int):
        self._bus = bus
        self._read_into = bus.readfrom_into
        self._address = address
        self.shunt = bytearray(2)
        self._buffer = bytearray(2)
        self._select_config = bytes([_CONFIG])
        self._select_shunt = bytes([_SHUNT])
        self._select_mask = bytes([_MASK])

    def configure(self) -> bool:
        """Write the configuration, read it back, leave the pointer on the shunt register. True when it took."""
        try:
            self._bus.writeto(self._address, bytes([_CONFIG, CONFIGURATION >> 8, CONFIGURATION & 0xFF]))
        except OSError:
            return False
        return self.check()

    @micropython.native
    def check(self) -> bool:
        """Return True when the chip still holds our configuration (a brown-out resets it to 4127h)."""
        bus, buffer = self._bus, self._buffer
        try:
            bus.writeto(self._address, self._select_config)
            bus.readfrom_into(self._address, buffer)
            bus.writeto(self._address, self._select_shunt)
        except OSError:
            return False
        return buffer[0] << 8 | buffer[1] == CONFIGURATION

    @micropython.native
    def look(self) -> bool:
        """Return True when a conversion has ended since the last look."""
        bus, buffer = self._bus, self._buffer
        try:
            bus.writeto(self._address, self._select_mask)
            bus.readfrom_into(self._address, buffer)
            bus.writeto(self._address, self._select_shunt)
        except OSError:
            return False
        return buffer[1] & _READY != 0

    @micropython.native
    def sample(self) -> bool:
        """Read the newest conversion into `shunt`; False when the bus did not answer."""
        try:
            self._read_into(self._address, self.shunt)
        except OSError:
            return False
        return True
