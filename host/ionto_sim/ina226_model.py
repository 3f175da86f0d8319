"""INA226 at register level (TI SBOS547): what a driver can see of the chip over I2C.

The analogue side is a `source` with one method: `second_nv(start_us, end_us, now_us)`, the mean voltage across the
chip's own shunt over a window that has ended by now, in nV (int). Shunt and bus are converted in turn. The bus pin is
at GND, so that its register reads 0; so do the alert, the current and the power registers, which are not modelled.
"""

from .compat import NEVER_US, Noise, make_room, micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIG, SHUNT, MASK = 0, 1, 6
RESET_CONFIG = 0x4127
SHUNT_LSB_NV = 2_500
_READY = 0x8
_CONVERSION_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
_AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
_IDENTITIES = {0xFE: 0x5449, 0xFF: 0x2260}


class Ina226:
    """One chip. `gain` is the factor of the shunt reading, `offset_uv` its error, `noise_uv` its standard deviation."""

    def __init__(self, source: "Any", gain: float, offset_uv: float, noise_uv: float, seed: int) -> None:
        make_room(self, 40)
        self.source = source
        self.gain = gain
        self._offset_nv = round(offset_uv * 1e3)
        self._single_nv = noise_uv * 1e3
        self.noise = Noise(seed)
        self.stuck = False  # fault: no conversion ends any more
        self.factor = 1.0  # fault: of the shunt reading
        self.pointer = CONFIG
        self.registers = [0] * 8
        self.power_on(0)

    def power_on(self, now_us: int) -> None:
        """Come up as after power-on, a brown-out or the reset bit."""
        self.pointer = CONFIG
        self.registers[:] = [RESET_CONFIG, 0, 0, 0, 0, 0, 0, 0]
        self._configure(RESET_CONFIG, now_us)

    def _configure(self, word: int, now_us: int) -> None:
        self.registers[CONFIG] = word
        self._shunt_on = bool(word & 1)
        self._continuous = word & 0x7 > 4
        averaged = _AVERAGES[word >> 9 & 0x7]
        self._shunt_us = _CONVERSION_US[word >> 3 & 0x7] * averaged if self._shunt_on else 0
        bus_us = _CONVERSION_US[word >> 6 & 0x7] * averaged if word & 2 else 0
        self._noise_nv = round(self._single_nv / averaged**0.5)
        self._period_us = self._shunt_us + bus_us
        self.registers[MASK] &= ~_READY
        self._next_us = now_us + self._period_us if self._period_us else NEVER_US

    @micropython.native
    def advance(self, now_us: int) -> None:
        """Do the conversions due until `now_us`; only the last counts."""
        due = self._next_us
        if now_us < due:
            return
        end = due
        self._next_us = NEVER_US
        if self._continuous:
            period = self._period_us
            end = now_us - (now_us - due) % period
            self._next_us = end + period
        if not self.stuck:
            self._convert(end - self._period_us, now_us)

    def _convert(self, begin_us: int, now_us: int) -> None:
        registers = self.registers
        if self._shunt_on:
            mean = self.source.second_nv(begin_us, begin_us + self._shunt_us, now_us)
            volt = int(mean * self.gain * self.factor) + self._offset_nv + (self.noise.next() * self._noise_nv >> 10)
            raw = (volt + SHUNT_LSB_NV // 2) // SHUNT_LSB_NV
            registers[SHUNT] = max(-0x8000, min(raw, 0x7FFF)) & 0xFFFF
        registers[MASK] |= _READY

    def write(self, data: bytes, now_us: int) -> None:
        """Take an I2C write at `now_us`: the pointer, then any 16-bit value."""
        if not data:
            return
        self.pointer = data[0]
        if len(data) < 3 or self.pointer != CONFIG:
            return
        self.advance(now_us)
        word = data[1] << 8 | data[2]
        if word & 0x8000:
            self.power_on(now_us)
        else:
            self._configure(word & 0xFFF | 0x4000, now_us)

    @micropython.native
    def read_into(self, buffer: bytearray, now_us: int) -> None:
        """Fill `buffer` with the register under the pointer as of `now_us`, high byte first."""
        if now_us >= self._next_us:
            self.advance(now_us)
        pointer = self.pointer
        word = self.registers[pointer] if pointer < 8 else _IDENTITIES.get(pointer, 0)
        if pointer == 6:  # reading it clears the flag
            self.registers[6] = word & 0xFFF7
        buffer[0] = word >> 8
        if len(buffer) > 1:
            buffer[1] = word & 0xFF

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        return {
            "registers": self.registers,
            "pointer": self.pointer,
            "next_us": self._next_us,
            "noise": self.noise.state,
        }

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        registers = list(state["registers"])
        self._configure(registers[CONFIG], 0)
        self.registers[:] = registers
        self.pointer = state["pointer"]
        self._next_us = state["next_us"]
        self.noise.state = state["noise"]
