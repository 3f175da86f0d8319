"""What one control cycle knows of the world, and what the counts are worth that it reads."""

from array import array

from ionto import ina226, kernel
from ionto.calibration import UNITY_Q15
from ionto.compat import const
from ionto.ina219 import SHUNT_LSB_NV, full_scale_raw
from ionto.limits import Limits

POLE_LINE, RELAY_LINE = 1, 2  # the sense lines that a breadboard may be without
_VREF_MV = const(3_300)


def _number(index: int) -> property:
    def put(self: "Reading | Scale", value: int) -> None:
        self.block[index] = max(value, 0)

    return property(lambda self: self.block[index], put)


def _switch(index: int) -> property:
    def put(self: "Reading", value: bool) -> None:
        self.block[index] = 1 if value else 0

    return property(lambda self: self.block[index] != 0, put)


def _register(index: int) -> property:
    """A signed 16-bit register, kept as it came."""

    def put(self: "Reading", value: int) -> None:
        self.block[index] = value & 0xFFFF

    return property(lambda self: (self.block[index] ^ 0x8000) - 0x8000, put)


def _biased(index: int) -> property:
    """A number that may be negative, kept with `kernel.M_BIAS`."""

    def put(self: "Scale", value: int) -> None:
        self.block[index] = value + kernel.M_BIAS

    return property(lambda self: self.block[index] - kernel.M_BIAS, put)


class Reading:
    """One cycle's measurements, reused every cycle so that the control step allocates nothing.

    `current_ua` INA219, zero-corrected, never negative; `raw` its shunt register, signed; `fresh` False when this
    cycle has no new conversion (then `current_ua` keeps its last value); `full_scale` the register is at its end;
    `sense_ua` the independent measurement from V(SNS); `drain_mv`, `rail_mv`, `vsys_mv` voltages; `load_mv` voltage
    across the electrodes; `pole` True while current flows out of E+; switches as booleans; `sensor_ok` the last
    configuration read-back; `second_ua` and `second_raw` the load's current measured a second time, every 4 ms,
    `second_ok` that this sensor answers, converts and is configured.

    The numbers live in `block` (kernel.R_...), where the cycle's arithmetic finds them.
    """

    fresh = _switch(kernel.R_FRESH)
    full_scale = _switch(kernel.R_FULL_SCALE)
    raw = _register(kernel.R_RAW)
    current_ua = _number(kernel.R_CURRENT_UA)
    sense_ua = _number(kernel.R_SENSE_UA)
    drain_mv = _number(kernel.R_DRAIN_MV)
    rail_mv = _number(kernel.R_RAIL_MV)
    vsys_mv = _number(kernel.R_VSYS_MV)
    load_mv = _number(kernel.R_LOAD_MV)
    start_pressed = _switch(kernel.R_START)
    stop_open = _switch(kernel.R_STOP)
    vbus = _switch(kernel.R_VBUS)
    bench_strap = _switch(kernel.R_STRAP)
    sensor_ok = _switch(kernel.R_SENSOR_OK)
    second_ua = _number(kernel.R_SECOND_UA)
    second_raw = _register(kernel.R_SECOND_RAW)
    second_ok = _switch(kernel.R_SECOND_OK)
    pole = _switch(kernel.R_POLE)

    def __init__(self):
        self.block = array("i", [0] * kernel.R_SIZE)
        self.block[kernel.R_REST] = kernel.REST_BIAS + 8  # the first current is rounded
        self.sensor_ok = self.second_ok = True


class Scale:
    """What the counts of the board with `limits` are worth; `block` has the numbers (kernel.M_...).

    `zero_16ths` is taken off every current, in 1/16 uA, and may be negative; `gain_q15` is its gain, times 32,768;
    `second_zero` is taken off the second sensor's register, in its LSB, `load_zero_mv` off the load's voltage, in mV.
    """

    gain_q15 = _number(kernel.M_GAIN_Q15)
    zero_16ths = _biased(kernel.M_ZERO)
    second_zero = _biased(kernel.M_SECOND_ZERO)
    load_zero_mv = _biased(kernel.M_LOAD_ZERO)

    def __init__(self, limits: Limits):
        block = array("i", [0] * kernel.M_SIZE)
        block[kernel.M_UA_PER_LSB] = SHUNT_LSB_NV // limits.shunt_mohm
        block[kernel.M_FULL_SCALE_RAW] = full_scale_raw(limits.pga_range_mv)
        block[kernel.M_SENSE_GAIN] = _VREF_MV * 1_000_000 // (limits.sense_mohm << 4)
        block[kernel.M_SERIES_OHM] = limits.series_ohm
        block[kernel.M_SECOND_GAIN] = (ina226.SHUNT_LSB_NV << 14) // limits.second_mohm
        self.block = block
        self.zero_16ths = self.second_zero = self.load_zero_mv = 0
        self.gain_q15 = UNITY_Q15

    @property
    def zero_ua(self) -> int:
        """The zero to the nearest uA."""
        return (self.zero_16ths + 8) >> 4
