"""An INA226 on an I2C bus, for the tests of the driver and of the board layer."""

from __future__ import annotations

RESET = 0x4127  # of the configuration register
READY = 0x0008  # of the mask register


class Chip:
    """An I2C bus with one INA226 on it, as far as the driver can see. `fail` lists the transfers that raise."""

    def __init__(self, address: int = 0x41):
        self.address = address
        self.registers = {0: RESET, 1: 0, 2: 0, 6: 0}
        self.pointer = 0
        self.log: list[str] = []
        self.fail: set[int] = set()
        self.deaf = False  # takes writes to the configuration, keeps the old value
        self.converts = True

    def _transfer(self, what: str, address: int) -> None:
        self.log.append(what)
        if len(self.log) in self.fail or address != self.address:
            raise OSError(5)

    def writeto(self, address: int, data: bytes) -> None:
        """As machine.I2C.writeto."""
        self._transfer("write", address)
        self.pointer = data[0]
        if len(data) == 3 and not self.deaf:
            self.registers[self.pointer] = data[1] << 8 | data[2]

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        """As machine.I2C.readfrom_into."""
        self._transfer("read", address)
        if self.pointer == 6:
            self.registers[6] = READY if self.converts else 0
        word = self.registers[self.pointer] & 0xFFFF
        buffer[0], buffer[1] = word >> 8, word & 0xFF
