"""INA219 at register level (TI SBOS448): what a driver can see of the chip over I2C.

The analogue side is a `source` with two methods: `shunt_nv(start_us, end_us, now_us)`, the mean shunt voltage over
a window that has ended by now, in nV (int), and `bus_mv()`. A conversion averages over its own window, is quantised
and clipped at the PGA's range.
"""

from .compat import NEVER_US, Noise, make_room, micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION = range(6)
RESET_CONFIG = 0x399F
SHUNT_LSB_UV = 10
_CNVR = 0x2
_OVF = 0x1
_AVERAGED_US = (532, 1060, 2130, 4260, 8510, 17020, 34050, 68100)
_SINGLE_US = (84, 148, 276, 532)
_READABLE = 6


def conversion_us(adc: int) -> int:
    """Return the typical conversion time of the 4-bit ADC setting `adc`, in us."""
    if adc & 0x8:
        return _AVERAGED_US[adc & 0x7]
    return _SINGLE_US[adc & 0x3]


def resolution_lsb(adc: int) -> int:
    """Return the step of a conversion in LSB: 1 at 12 bits, 8 at 9 bits."""
    return 1 if adc & 0x8 else 1 << (3 - (adc & 0x3))


class Ina219:
    """One chip. `gain` is the factor of the shunt reading, `offset_uv` its error, `noise_uv` its standard deviation."""

    def __init__(self, source: "Any", gain: float, offset_uv: float, noise_uv: float, seed: int) -> None:
        make_room(self, 60)
        self.source = source
        self._gain = round(gain * (1 << 20))
        self._offset_nv = round(offset_uv * 1e3)
        self._single_nv = noise_uv * 1e3
        self.noise = Noise(seed)
        self.stuck = False  # fault: the shunt register keeps its value
        self.pointer = 0
        self.registers = [0] * _READABLE
        self.power_on(0)

    def power_on(self, now_us: int) -> None:
        """Come up as after power-on, a brown-out or the reset bit."""
        self.pointer = CONFIG
        self.registers[:] = [RESET_CONFIG, 0, 0, 0, 0, 0]
        self._configure(RESET_CONFIG, now_us)

    def _configure(self, word: int, now_us: int) -> None:
        self.registers[CONFIG] = word
        mode = word & 0x7
        self._continuous = mode > 4
        self._shunt_on = bool(mode & 1)
        self._bus_on = bool(mode & 2)
        self._shunt_adc = word >> 3 & 0xF
        self._bus_adc = word >> 7 & 0xF
        self._shunt_us = conversion_us(self._shunt_adc) if self._shunt_on else 0
        self._bus_us = conversion_us(self._bus_adc) if self._bus_on else 0
        self._full_scale = 4000 << (word >> 11 & 0x3)
        adc = self._shunt_adc
        averaged = 1 << (adc & 0x7) if adc & 0x8 else 1
        self._noise_nv = round(self._single_nv / averaged**0.5)
        self._step = resolution_lsb(adc)
        self._step_nv = self._step * SHUNT_LSB_UV * 1000
        self._start(now_us)

    def _start(self, now_us: int) -> None:
        """Begin conversions now; the results so far stay in the registers, marked not ready."""
        self.registers[BUS] &= ~_CNVR
        self._period_us = self._shunt_us + self._bus_us
        self._start_us = now_us
        self._next_us = now_us + self._period_us if self._period_us else NEVER_US

    @micropython.native
    def advance(self, now_us: int) -> None:
        """Do the conversions due until `now_us`; only the last counts."""
        due = self._next_us
        if now_us < due:
            return
        period = self._period_us
        if self._continuous:
            end = now_us - (now_us - due) % period
            self._next_us = end + period
        else:
            end = due
            self._next_us = NEVER_US
        begin = end - period
        if self._shunt_on and not self.stuck:
            volt = self.source.shunt_nv(begin, begin + self._shunt_us, now_us) * self._gain >> 20
            volt += self._offset_nv + (self.noise.next() * self._noise_nv >> 10)
            step = self._step_nv
            raw = (volt + (step >> 1)) // step * self._step
            limit = self._full_scale
            if raw > limit:
                raw = limit
            elif raw < -limit:
                raw = -limit
            self.registers[1] = raw & 0xFFFF
        if self._bus_on:
            self._convert_bus()
        self.registers[2] |= 2  # CNVR

    def _convert_bus(self) -> None:
        registers = self.registers
        full_scale_mv = 32000 if registers[CONFIG] & 0x2000 else 16000
        lsb = int(max(0, min(self.source.bus_mv(), full_scale_mv))) // 4
        lsb -= lsb % resolution_lsb(self._bus_adc)
        registers[BUS] = lsb << 3 | (registers[BUS] & _CNVR)

    def _compute(self) -> None:
        """Fill the current and power registers and the overflow flag from the calibration."""
        registers = self.registers
        shunt = signed(registers[SHUNT])
        product = shunt * registers[CALIBRATION]
        current = product // 4096 if product >= 0 else -(-product // 4096)
        power = abs(current) * (registers[BUS] >> 3) // 5000
        registers[CURRENT] = current & 0xFFFF
        registers[POWER] = power & 0xFFFF
        if abs(current) > 0x7FFF or power > 0xFFFF:
            registers[BUS] |= _OVF
        else:
            registers[BUS] &= ~_OVF

    def write(self, data: bytes, now_us: int) -> None:
        """Take an I2C write at `now_us`: the pointer, then any 16-bit value."""
        if not data:
            return
        self.pointer = data[0] & 0x7
        if len(data) < 3:
            return
        self.advance(now_us)
        word = data[1] << 8 | data[2]
        if self.pointer == CONFIG:
            if word & 0x8000:
                self.power_on(now_us)
            else:
                self._configure(word & 0x3FFF, now_us)
        elif self.pointer == CALIBRATION:
            self.registers[CALIBRATION] = word & 0xFFFE

    @micropython.native
    def read_into(self, buffer: bytearray, now_us: int) -> None:
        """Fill `buffer` with the register under the pointer as of `now_us`, high byte first."""
        if now_us >= self._next_us:
            self.advance(now_us)
        pointer = self.pointer
        if pointer > 1:
            word = self._read_computed(pointer)
        else:
            word = self.registers[pointer]
        buffer[0] = word >> 8
        size = len(buffer)
        if size > 1:
            buffer[1] = word & 0xFF
        if size > 2:
            for index in range(2, size):
                buffer[index] = 0xFF

    def _read_computed(self, pointer: int) -> int:
        if pointer >= _READABLE:
            return 0
        registers = self.registers
        if self._continuous or self._next_us == NEVER_US:
            self._compute()
        word = registers[pointer]
        if pointer == POWER:
            registers[BUS] &= ~_CNVR
        return word

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        return {
            "registers": self.registers,
            "pointer": self.pointer,
            "start_us": self._start_us,
            "next_us": self._next_us,
            "noise": self.noise.state,
        }

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        registers = list(state["registers"])
        self._configure(registers[CONFIG], state["start_us"])
        self.registers[:] = registers
        self.pointer = state["pointer"]
        self._next_us = state["next_us"]
        self.noise.state = state["noise"]


def signed(word: int) -> int:
    """Return a 16-bit register as the signed number it holds."""
    return word - 0x10000 if word & 0x8000 else word
