"""INA219 current sensor (TI SBOS448): integer units, one 2-byte read a sample, nothing allocated.

The register pointer stays on the shunt register, so a sample is a bare read. The chip converts continuously,
shunt only, 12 bits: a new conversion every 532 us (586 us at most), so reads at least 600 us apart never see
one conversion twice. The current is computed from the shunt voltage; the chip's own maths is not used.
"""

from ionto.compat import const, micropython

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CONFIG = const(0x00)
_SHUNT = const(0x01)
SHUNT_LSB_NV = const(10_000)
_BUS_RANGE_32V = const(0x2000)
_PGA_SHIFT = const(11)
_ADC_12BIT = const(0x3)
_SHUNT_ADC_SHIFT = const(3)
_BUS_ADC_SHIFT = const(7)
_MODE_SHUNT_CONTINUOUS = const(0x5)
PGA_RANGES_MV = (40, 80, 160, 320)
CONVERSION_MAX_US = const(586)


def configuration(pga_range_mv: int) -> int:
    """Return the configuration word for a PGA range of 40, 80, 160 or 320 mV; ValueError for any other."""
    pga = PGA_RANGES_MV.index(pga_range_mv)
    adc = _ADC_12BIT << _SHUNT_ADC_SHIFT | _ADC_12BIT << _BUS_ADC_SHIFT
    return _BUS_RANGE_32V | pga << _PGA_SHIFT | adc | _MODE_SHUNT_CONTINUOUS


def full_scale_raw(pga_range_mv: int) -> int:
    """Return the end of a PGA range of `pga_range_mv`, in LSB of the shunt register."""
    return pga_range_mv * 1_000_000 // SHUNT_LSB_NV - 1


class Ina219:
    """The sensor on `bus` (machine.I2C methods `writeto`, `readfrom_into`); errors come out as False, never raised.

    `shunt` holds the last shunt register as it came, high byte first, `raw` is its number in LSB of 10 uV, `ua_per_lsb`
    what one is worth, `full_scale_raw` the PGA's end.
    """

    def __init__(self, bus: "Any", address: int, shunt_mohm: int, pga_range_mv: int):
        ua_per_lsb, rest = divmod(SHUNT_LSB_NV, shunt_mohm)  # nV / mohm = uA
        if rest or ua_per_lsb < 1:
            raise ValueError("shunt_mohm must give whole uA per LSB, got %d" % shunt_mohm)
        self._bus = bus
        self._read_into = bus.readfrom_into  # bound once: a sample looks up as little as possible
        self._address = address
        self.shunt = bytearray(2)
        self._buffer = bytearray(2)
        self._configuration = configuration(pga_range_mv)
        self._select_config = bytes([_CONFIG])
        self._select_shunt = bytes([_SHUNT])
        self.full_scale_raw = full_scale_raw(pga_range_mv)
        self.ua_per_lsb = ua_per_lsb

    @property
    def raw(self) -> int:
        """The last shunt reading, signed, in LSB of 10 uV."""
        raw = self.shunt[0] << 8 | self.shunt[1]
        return raw - 0x10000 if raw & 0x8000 else raw

    def configure(self) -> bool:
        """Write the configuration, read it back, leave the pointer on the shunt register. True when it took."""
        word = self._configuration
        try:
            self._bus.writeto(self._address, bytes([_CONFIG, word >> 8, word & 0xFF]))
        except OSError:
            return False
        return self.check()

    @micropython.native
    def check(self) -> bool:
        """Return True when the chip still holds our configuration (a brown-out resets it to 399Fh)."""
        try:
            self._bus.writeto(self._address, self._select_config)
            self._bus.readfrom_into(self._address, self._buffer)
            self._bus.writeto(self._address, self._select_shunt)
        except OSError:
            return False
        return self._buffer[0] << 8 | self._buffer[1] == self._configuration

    @micropython.native
    def sample(self) -> bool:
        """Read the newest conversion into `shunt`; False when the bus did not answer."""
        try:
            self._read_into(self._address, self.shunt)
        except OSError:
            return False
        return True


def recover_bus(scl: "Any", sda: "Any", pause: "Callable[[], None]") -> bool:
    """Clock a stuck slave free: nine pulses on `scl`, then a stop. True when `sda` is high afterwards.

    `scl`, `sda` are open-drain pins, `pause` waits half a clock (I2C specification UM10204, 3.1.16).
    """
    sda.value(1)
    for _ in range(9):
        scl.value(0)
        pause()
        scl.value(1)
        pause()
    sda.value(0)
    pause()
    sda.value(1)
    pause()
    return sda.value() == 1
