"""Guards: every cycle, is there a reason to cut the output? One verdict a step; thresholds in one table."""

from array import array

from ionto import faults, kernel
from ionto.compat import const
from ionto.limits import DEAD_MAN_MS, Limits
from ionto.reading import Reading

# (cell of the guards' block, threshold, why)
THRESHOLDS = (
    (kernel.G_STALE_SAMPLES, 2, "two samples: 2 ms, the detection time of the invariants"),
    (kernel.G_LATE_US, 2_500, "an edge every 2 ms, plus half a tick"),
    (kernel.G_LIFT_SAMPLES, 2, "two samples"),
    (kernel.G_LIFT_UA, 30, "twice the worst zero offset"),
    (kernel.G_LIFT_DRAIN_MV, 400, "sink fully on: its drain is at its source"),
    (kernel.G_LIFT_MIN_UA, 60, "set-point; below, a lift cannot be told from a ramp's start"),
    (kernel.G_OVER_UA, 60, "ramp lag (filter 9 ms at 4 uA/ms) and noise"),
    (kernel.G_OVER_SHIFT, 4, "plus 1/16 of the set-point"),
    (kernel.G_OVER_SAMPLES, 2, "two samples"),
    (kernel.G_UNDER_SAMPLES, 300, "slower than any settling"),
    (kernel.G_UNDER_DRAIN_MV, 1_500, "compliance is left, so the contact is not the reason"),
    (kernel.G_STUCK_SAMPLES, 200, "the set-point's dither changes the reading every 64 ms"),
    (kernel.G_SENSE_UA, 60, "ADC offset and noise of V(SNS)"),
    (kernel.G_SENSE_SHIFT, 4, "plus 1/16: ADC gain and resistor tolerance"),
    (kernel.G_SENSE_SAMPLES, 4, "two conversions of V(SNS), which is read every other cycle"),
    (kernel.G_RAIL_SAMPLES, 20, "longer than the boost converter's start"),
    (kernel.G_SHORT_OHM, 150, "under any load a bench or skin presents: 500 ohm are the dermis alone, with electrodes"),
    (
        kernel.G_SHORT_MIN_UA,
        450,
        "68 mV, zeroed: what the ADC leaves is 50 to 140 mV, 500 ohm have 225; not seen below",
    ),
    (kernel.G_SHORT_SAMPLES, 8, "averages the dividers' noise"),
    (kernel.G_ENVELOPE_SHIFT, 3, "1/8 a sample: on an edge 7 ms behind, more than filter 2.3, sensor and loop 2"),
    (kernel.G_MOVING_SHIFT, 2, "1/4 of what the envelope lags: the two measurements are up to 1.5 ms apart"),
    (
        kernel.G_LOAD_SHIFT,
        3,
        "1/8 of what is wanted: an electrode that hardly touches, so that a small area bears it all",
    ),
    (kernel.G_LOAD_SAMPLES, 1_000, "1 s: longer than a person's movement and the ramp's lag"),
    (kernel.G_APART_UA, 24, "up to 0.8 mA: errors of 8 to 14, and 50 less these are to be told"),
    (kernel.G_APART_SHIFT, 5, "or 1/32 from 0.8 mA on: errors of 0.9 % and 7 uA, and 5 % less these"),
    (kernel.G_APART_SAMPLES, 8, "32 ms in a row and to one side: longer than an edge of 20 ms and a contact's bounce"),
    (kernel.G_SECOND_SAMPLES, 20, "80 ms: the dither changes the second sensor's reading, 8 LSB, every 64 ms"),
    (kernel.G_POLE_SAMPLES, 64, "8 readings of the pole's line, one each 8 ms; and pulses have 60 ms between edges"),
    (kernel.G_ADC_SAMPLES, 1_000, "500 conversions of V(SNS) with one result: noise alone moves a live ADC by 1 LSB"),
    (kernel.G_WIDE_SAMPLES, 250, "and in a wide code of the RP2040's ADC, drain and rail with one result each besides"),
)
# What the two measurements of the current may be apart on a sound board, the zero taken off (hardware/README.md):
# INA219 0.5 % and its shunt 0.1 %, INA226 0.1 % and its shunt 0.1 %, both shunts over 30 C 0.1 %: 0.9 %; bias of the
# INA226 that falls with its inputs' voltage 6 uA, the step of the INA219's zero 1 uA: 8 uA at 0.1 mA, 16 at 1 mA, 43 at
# 4 mA. A leak of 50 uA or 5 % less these errors is more than the threshold at every current.
# The fault of each verdict of `kernel.judge`, by its number.
VERDICTS = (
    faults.NONE,
    faults.SENSOR_STALE,
    faults.LATE_LOOP,
    faults.OVER_CURRENT_ABSOLUTE,
    faults.OVER_CURRENT,
    faults.UNDER_CURRENT,
    faults.SENSOR_CONFIG,
    faults.SENSOR_STUCK,
    faults.SENSE_DISAGREE,
    faults.OPEN_CIRCUIT,
    faults.SHORT_CIRCUIT,
    faults.USB_APPEARED,
    faults.RAIL_LOW,
    faults.RAIL_HIGH,
    faults.CHARGE_EXCEEDED,
    faults.TIME_EXCEEDED,
    faults.LOAD_OUT_OF_RANGE,
    faults.ADC_STUCK,
    faults.SECOND_SENSOR,
    faults.LOAD_DISAGREE,
    faults.WRONG_POLE,
)
_OFF_UA = const(60)  # over the self-test's probe and the worst zero offset
_OFF_SAMPLES = const(2)
_OFF_COUNT_MS = const(1_000)
_CHARGE_SHIFT = const(8)  # dose + 0.39 %, of 0.5 in all; the budget is in docs/adr/0012
_SENSE_CHARGE_SHIFT = const(4)  # dose + 6 %: what the independent measurement can promise
_LONGEST_FLOW_MS = const(125)  # the dead-man, 110 ms at its worst, and the set-point's filter
_NO_RAW = const(0x7FFF)


class Guards:
    """Judges each cycle; `step` returns a fault code or 0. Knows the limits and the dose, not the controller."""

    def __init__(self, limits: Limits):
        block = array("i", [0] * kernel.G_SIZE)
        block[kernel.G_TRIP_UA] = limits.trip_current_ua
        block[kernel.G_MIN_RAIL_MV] = limits.min_rail_mv
        block[kernel.G_MAX_RAIL_MV] = limits.max_rail_mv
        block[kernel.G_DITHER_MIN_UA] = limits.dither_min_ua
        block[kernel.G_POLE_UA] = limits.pole_ua
        block[kernel.G_POLE] = kernel.POLE_UNSEEN
        for cell, threshold, _ in THRESHOLDS:
            block[cell] = threshold
        self.block = block
        self.begin(0, 0)

    @property
    def charge_uc(self) -> int:
        """Charge since `begin` by the INA219, in uC, counted independently of the session."""
        return self.block[kernel.G_COUNT + kernel.C_CHARGE_UC]

    @property
    def sense_charge_uc(self) -> int:
        """Charge since `begin` by V(SNS), in uC."""
        return self.block[kernel.G_SENSE + kernel.C_CHARGE_UC]

    @property
    def second_charge_uc(self) -> int:
        """Charge since `begin` by the second sensor, at the load's other side, in uC."""
        return self.block[kernel.G_SECOND + kernel.C_CHARGE_UC]

    @property
    def late_max_us(self) -> int:
        """The longest cycle with current, in us, since `forget_lateness`."""
        return self.block[kernel.G_LATE_MAX_US]

    def most_uc(self, setpoint_ua: int, dt_us: int) -> int:
        """Return the most charge (uC) that `dt_us` without a sample can have passed: what the guards had let through.

        Longer than the dead-man and the filter take at their worst, none flows.
        """
        block = self.block
        most_ua = setpoint_ua + (setpoint_ua >> block[kernel.G_OVER_SHIFT]) + block[kernel.G_OVER_UA]
        return most_ua * min(dt_us // 1_000 + 1, _LONGEST_FLOW_MS) // 1_000 + 1

    def expect_pole(self, pole: int) -> None:
        """From now on the current has to come out of E+ (`pole` 1) or E- (-1); 0: the board cannot tell."""
        block = self.block
        block[kernel.G_POLE] = (kernel.POLE_UNSEEN, 1, 0)[pole]
        block[kernel.G_WRONG_POLE] = 0

    def forget_lateness(self) -> None:
        """Begin to look for the longest cycle: a session starts."""
        self.block[kernel.G_LATE_MAX_US] = 0

    def compare(self) -> None:
        """Both measurements of the current have their zero: from now on, until `begin`, they are held to each other."""
        self.block[kernel.G_TWICE] = 1

    def begin(self, dose_uc: int, time_limit_ms: int) -> None:
        """Start counting for a session of `dose_uc` (uC) that may last `time_limit_ms` of current."""
        block = self.block
        for cell in range(kernel.G_COUNT, kernel.G_CHARGE_LIMIT_UC):
            block[cell] = 0
        block[kernel.G_CHARGE_LIMIT_UC] = dose_uc + (dose_uc >> _CHARGE_SHIFT)
        block[kernel.G_SENSE_LIMIT_UC] = dose_uc + (dose_uc >> _SENSE_CHARGE_SHIFT) + 500
        block[kernel.G_TIME_LIMIT_MS] = time_limit_ms
        block[kernel.G_OFF_MS] = 1
        block[kernel.G_FULL_UA] = 0
        block[kernel.G_TWICE] = 0
        self._clear_counters()

    def expect(self, full_ua: int) -> None:
        """The session wants `full_ua` to flow between its ramps; its set-point goes below with a poor contact."""
        self.block[kernel.G_FULL_UA] = full_ua

    def _clear_counters(self) -> None:
        block = self.block
        for cell in range(kernel.G_STALE, kernel.G_TRIP_UA):
            block[cell] = 0
        for cell in range(kernel.G_LOAD, kernel.G_LOAD_SHIFT):
            block[cell] = 0
        for cell in range(kernel.G_APART, kernel.G_APART_UA):
            block[cell] = 0
        block[kernel.G_LAST_RAW] = _NO_RAW
        block[kernel.G_WRONG_POLE] = 0

    def step(self, dt_us: int, reading: Reading, setpoint_ua: int, output_on: bool) -> int:
        """Return the code of the first reason to cut the output, or `faults.NONE`. `dt_us` since the last step."""
        if output_on:
            return VERDICTS[kernel.judge(self.block, reading.block, setpoint_ua, dt_us)]
        return self._step_off(dt_us, reading)

    def _step_off(self, dt_us: int, reading: Reading) -> int:
        block = self.block
        off_ms = block[kernel.G_OFF_MS]
        if off_ms == 0:
            self._clear_counters()
            off_ms = 1
        if off_ms < _OFF_COUNT_MS:
            off_ms += (dt_us + 500) // 1_000
        block[kernel.G_OFF_MS] = off_ms
        found = reading.block
        if off_ms <= DEAD_MAN_MS:  # what the dead-man lets through counts
            if found[kernel.R_FRESH]:
                kernel.count_charge(block, kernel.G_COUNT, found[kernel.R_CURRENT_UA], dt_us)
            kernel.count_charge(block, kernel.G_SENSE, found[kernel.R_SENSE_UA], dt_us)
            kernel.count_charge(block, kernel.G_SECOND, found[kernel.R_SECOND_UA], dt_us)
        if off_ms <= DEAD_MAN_MS or not found[kernel.R_FRESH] or found[kernel.R_CURRENT_UA] < _OFF_UA:
            block[kernel.G_OVER] = 0
            return faults.NONE
        block[kernel.G_OVER] += 1
        return faults.CURRENT_WHEN_OFF if block[kernel.G_OVER] >= _OFF_SAMPLES else faults.NONE
