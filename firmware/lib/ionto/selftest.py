"""The self-test before every session: each part is tried with the output off, then with a harmless current.

What can be told without current comes first, then a table of phases; one `step` a cycle. Latent faults of both cut-off
paths are looked for by trying to pass current with each one off. The first failure ends the test and names the part.
"""

from ionto import faults, ina226, kernel
from ionto.compat import const, micropython
from ionto.ina219 import SHUNT_LSB_NV
from ionto.limits import Limits, broken_relations
from ionto.reading import Reading

SWITCH_PROBE_UA = const(40)  # under the guards' current-when-off threshold, so that this test names the part
_SETTLED = const(32)  # samples averaged at the end of a phase
_MAX_OFFSET_UA = const(20)  # INA219 A grade: 125 uV at PGA /2 is 12.5 uA
_MAX_LEAK_UA = const(15)
_OPEN_DRAIN_MV = const(400)  # sink fully on and nothing comes: its drain is at its source
_SENSE_LSB = const(5)  # of the ADC, whose zero is taken off; noise and non-linearity are under 3
_ADC_LSB_NV = const(805_664)  # 3.3 V / 4096
_MAX_OHM = const(1_000_000)
_MAX_SECOND_OFFSET_UA = const(16)  # of the INA226: 10 uA of bias, 10 uV, and what the divider and U4 draw meanwhile
_MAX_APART_UA = const(24)  # as the guards: ionto.guards says what of

# (result name, duration in ms, set-point: 0, _SWITCH_UA or _PROBE_UA, heartbeat).
# The dead-man needs 12 ms to close, 110 to open.
_NO_UA, _SWITCH_UA, _PROBE_UA = range(3)
PHASES = (
    ("zero offset", 120, _NO_UA, False),
    ("heartbeat off gives no current", 60, _SWITCH_UA, False),
    ("set-point 0 gives no current", 80, _NO_UA, True),
    ("small set-point gives small current", 100, _PROBE_UA, True),
    ("off again", 140, _NO_UA, False),
)
_OFFSET, _SWITCH, _SETPOINT, _PROBE, _OFF = range(5)


class SelfTest:
    """Runs `PHASES`; after `begin`, call `step` every cycle until `finished`.

    `setpoint_ua` and `heartbeat` say what to drive; `fault` holds the first failure; `results` rows of
    (name, passed, value, unit, low, high). `files` and `settings_sound` are what the application found before.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._ua_per_lsb = SHUNT_LSB_NV // limits.shunt_mohm
        self._second_gain_q14 = (ina226.SHUNT_LSB_NV << 14) // limits.second_mohm
        self._setpoints_ua = (0, SWITCH_PROBE_UA, limits.probe_ua)
        self.files = (0, "not looked at")  # how many are right, and the path of one that is not
        self.settings_sound = True
        self.results = []
        self.finished = True
        self.fault = faults.NONE
        self.zero_ua = 0
        self.second_zero = 0  # of the second sensor, in its LSB
        self._sense_zero_ua = 0
        self._stop()

    def _stop(self) -> None:
        self.setpoint_ua = 0
        self.heartbeat = False
        self._phase = 0
        self._left_ms = 0
        self._forget()

    def _forget(self) -> None:
        self._sum_ua = 0
        self._sum_sense_ua = 0
        self._sum_second = 0
        self._sum_load_mv = 0
        self._sum_drain_mv = 0
        self._samples = 0

    def begin(self, reading: Reading) -> None:
        """Start again: forget the last results and the zero, judge what needs no current, enter the first phase."""
        self.results = []
        self.finished = False
        self.fault = faults.NONE
        self.zero_ua = self.second_zero = 0
        self._enter(0)
        self._judge_at_rest(reading)

    def interrupt(self, name: str, value: "int | str") -> None:
        """End a test that is under way without a result of its own: row `name` says why, with `value`."""
        if not self.finished:
            self.results.append((name, False, value, "", None, None))
            self._stop()
            self.finished = True

    def _enter(self, phase: int) -> None:
        """Begin `phase`: its first cycle switches on what it drives, because judging the last one takes long."""
        self._phase = phase
        self._left_ms = PHASES[phase][1]
        self._forget()

    @micropython.native
    def _drive(self) -> None:
        _, _, probe, self.heartbeat = PHASES[self._phase]
        self.setpoint_ua = self._setpoints_ua[probe]

    def _judge_at_rest(self, reading: Reading) -> None:
        broken = len(broken_relations(self._limits)) + (not self.settings_sound)
        self._judge("limits sound", not broken, broken, "", None, 0, faults.LIMITS_BROKEN)
        right, damaged = self.files
        found, unit = (damaged, "") if damaged else (right, "files")
        self._judge("firmware files intact", not damaged, found, unit, None, None, faults.FILES_DAMAGED)
        self._judge("STOP loop closed", not reading.stop_open, "", "", None, None, faults.SELFTEST_STOP)

    @micropython.native
    def step(self, reading: Reading) -> None:
        """Advance one cycle with `reading`; its raw register counts, since the test finds the zero."""
        if self.finished:
            return
        block = reading.block
        if not block[kernel.R_FRESH] or not block[kernel.R_SENSOR_OK]:
            self._judge_sensor(False)
            return
        if not block[kernel.R_SECOND_OK]:
            self._judge_second(False)
            return
        left_ms = self._left_ms
        self._left_ms = left_ms - 1
        if left_ms == 0:
            samples = self._samples  # to the nearest: a mean rounded down would move the zero between two sessions
            self._conclude((self._sum_ua + (samples >> 1)) // samples - self.zero_ua, reading)
            return
        if left_ms == PHASES[self._phase][1]:
            self._drive()
        if left_ms <= _SETTLED:
            self._sum_ua += ((block[kernel.R_RAW] ^ 0x8000) - 0x8000) * self._ua_per_lsb
            self._sum_sense_ua += block[kernel.R_SENSE_UA]
            self._sum_second += (block[kernel.R_SECOND_RAW] ^ 0x8000) - 0x8000
            self._sum_load_mv += block[kernel.R_LOAD_MV]
            self._sum_drain_mv += block[kernel.R_DRAIN_MV]
            self._samples += 1
        if left_ms == 1:  # judged in the next cycle, with the output off
            self.setpoint_ua = 0
            self.heartbeat = False

    def _conclude(self, mean_ua: int, reading: Reading) -> None:
        phase = self._phase
        name = PHASES[phase][0]
        if phase == _OFFSET:
            self._conclude_idle(name, mean_ua, reading)
        elif phase == _PROBE:
            self._conclude_probe(name, mean_ua)
        else:
            low = mean_ua <= _MAX_LEAK_UA
            code = faults.SELFTEST_LATENT_SETPOINT if phase == _SETPOINT else faults.SELFTEST_LATENT_SWITCH
            self._judge(name, low, mean_ua, "uA", None, _MAX_LEAK_UA, code)
            if phase == _SETPOINT:
                self._find_second_zero(mean_ua)
        if self.finished:
            return
        if phase == _OFF:
            self._stop()
            self.finished = True
        else:
            self._enter(phase + 1)

    def _conclude_idle(self, name: str, mean_ua: int, reading: Reading) -> None:
        limits = self._limits
        rail, vsys = reading.rail_mv, reading.vsys_mv
        self.zero_ua = mean_ua
        self._sense_zero_ua = self._sum_sense_ua // self._samples
        self._judge_sensor(True)
        self._judge_second(True)
        self._judge_range(name, mean_ua, "uA", -_MAX_OFFSET_UA, _MAX_OFFSET_UA, faults.SELFTEST_OFFSET)
        self._judge_range("rail", rail, "mV", limits.min_rail_mv, limits.max_rail_mv, faults.SELFTEST_RAIL)
        passed = vsys >= limits.min_vsys_mv
        self._judge("battery", passed, vsys, "mV", limits.min_vsys_mv, None, faults.SELFTEST_BATTERY)

    def _conclude_probe(self, name: str, mean_ua: int) -> None:
        """A small current flows: is it the one that was asked for, through a load, and do both measurements say so?"""
        limits, samples = self._limits, self._samples
        apart_ua = self._sum_sense_ua // samples - self._sense_zero_ua - mean_ua
        low_ua, high_ua = limits.probe_ua * 5 // 8, limits.probe_ua * 3 // 2
        load_ohm = _MAX_OHM
        if mean_ua >= low_ua:
            load_ohm = min(self._sum_load_mv // samples * 1_000 // mean_ua, _MAX_OHM)
        most_ohm = limits.min_rail_mv * 1_000 // limits.min_current_ua  # through more, not even the smallest dose flows
        if mean_ua >= low_ua or self._sum_drain_mv // samples < _OPEN_DRAIN_MV:  # else the sink does not take it
            self._judge("load present", load_ohm <= most_ohm, load_ohm, "ohm", None, most_ohm, faults.SELFTEST_LOAD)
        self._judge_range(name, mean_ua, "uA", low_ua, high_ua, faults.SELFTEST_NO_CURRENT)
        most_ua = _SENSE_LSB * _ADC_LSB_NV // limits.sense_mohm
        self._judge_range("V(SNS) agrees with the sensor", apart_ua, "uA", -most_ua, most_ua, faults.SELFTEST_SENSE)
        self._judge_leak("second sensor agrees with the sensor", mean_ua, _MAX_APART_UA)

    # The load's current, measured a second time. Its zero is taken with its inputs at the rail, as in a session.

    def _find_second_zero(self, mean_ua: int) -> None:
        """The output is on at set-point 0, where the sensor finds `mean_ua`: what the second one finds besides."""
        zero = self._second_mean() - (mean_ua << 14) // self._second_gain_q14
        self._judge_leak("second sensor's zero", mean_ua, _MAX_SECOND_OFFSET_UA)
        self.second_zero = zero

    def _second_mean(self) -> int:
        samples = self._samples or 1
        return (self._sum_second + (samples >> 1)) // samples

    def _judge_leak(self, name: str, mean_ua: int, most_ua: int) -> None:
        second_ua = (self._second_mean() - self.second_zero) * self._second_gain_q14 >> 14
        self._judge_range(name, second_ua - mean_ua, "uA", -most_ua, most_ua, faults.SELFTEST_LEAK)

    def _judge_second(self, passed: bool) -> None:
        self._judge("second sensor present and configured", passed, "", "", None, None, faults.SELFTEST_SECOND)

    def _judge_sensor(self, passed: bool) -> None:
        self._judge("sensor present and configured", passed, "", "", None, None, faults.SELFTEST_SENSOR)

    def _judge_range(self, name: str, value: int, unit: str, low: int, high: int, code: int) -> None:
        self._judge(name, low <= value <= high, value, unit, low, high, code)

    def _judge(
        self,
        name: str,
        passed: bool,
        value: "int | str",
        unit: str,
        low: "int | None",
        high: "int | None",
        code: int,
    ) -> None:
        if self.fault:
            return
        self.results.append((name, passed, value, unit, low, high))
        if not passed:
            self._stop()
            self.fault = code
            self.finished = True
