"""The self-test before every session: each part is tried with the output off, then with a harmless current.

What can be told without current comes first, then a table of phases; one `step` a cycle. Latent faults of both cut-off
paths are looked for by trying to pass current with each one off, and by the time in which dead-man and interlock end a
small current; relay, its hold and the pole by their sense lines. The first failure ends the test and names the part.
"""

from ionto import faults, ina226, kernel
from ionto.compat import const
from ionto.findings import BEAT, HEART_HIGH, INTERLOCK, OTHER_POLE, Findings
from ionto.ina219 import SHUNT_LSB_NV
from ionto.limits import DEAD_MAN_MS, RELAY_MS, Limits, broken_relations
from ionto.reading import POLE_LINE, RELAY_LINE, Reading

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from array import array

SWITCH_PROBE_UA = const(40)  # under the guards' current-when-off threshold, so that this test names the part
MOST_OFF_MS = const(110)  # the dead-man has cut by then, at its slowest
LEAST_OFF_MS = const(12)  # and holds for 20 at its fastest: what ends a current sooner is something else
_INTERLOCK_MS = const(8)  # Q5 takes 0.3; the dead-man, whose heartbeat rests meanwhile, cannot have cut yet
_SETTLED = const(32)  # samples averaged at the end of a phase
_ZERO_SAMPLES = const(96)  # and of the zero: 0.6 uA of noise leave 0.06
_MAX_OFFSET_UA = const(20)  # INA219 A grade: 125 uV at PGA /2 is 12.5 uA
_MAX_LEAK_UA = const(15)
_OPEN_DRAIN_MV = const(400)  # sink fully on and nothing comes: its drain is at its source
_SENSE_LSB = const(5)  # of the ADC, whose zero is taken off; noise and non-linearity are under 3
_ADC_LSB_NV = const(805_664)  # 3.3 V / 4096
_MAX_OHM = const(1_000_000)
_MAX_SECOND_OFFSET_UA = const(16)  # of the INA226: 10 uA of bias, 10 uV, and what the divider and U4 draw meanwhile
_MAX_APART_UA = const(24)  # as the guards: ionto.guards says what of
_MAX_LOAD_ZERO_MV = const(600)  # two dividers of 1 % at 24 V, and the ADC's wide codes

NOT_FITTED = "not fitted"
TAKEN_OUT = "bench strap"

# (result, longest duration in ms, set-point: 0, _SWITCH_UA or _PROBE_UA, what is driven). The dead-man needs 12 ms to
# close. A set-point begins with the output closed: the amplifier strives for one that cannot flow.
_NO_UA, _SWITCH_UA, _PROBE_UA = range(3)
PHASES = (
    ("relay at rest", RELAY_MS, _NO_UA, 0),
    ("zero offset", 120, _NO_UA, 0),
    ("heartbeat off gives no current", 60, _SWITCH_UA, 0),
    ("set-point 0 gives no current", 80, _NO_UA, BEAT),
    ("small set-point gives small current", 100, _PROBE_UA, BEAT),
    ("heartbeat stopped high: off in", MOST_OFF_MS, _PROBE_UA, HEART_HIGH),
    ("", 30, _NO_UA, 0),
    ("", 20, _NO_UA, BEAT),
    ("small current again", 50, _PROBE_UA, BEAT),
    ("heartbeat stopped low: off in", MOST_OFF_MS, _PROBE_UA, 0),
    ("relay coil driven", 200, _NO_UA, OTHER_POLE),
    ("", 20, _NO_UA, BEAT | OTHER_POLE),
    ("small current, relay moved", 60, _PROBE_UA, BEAT | OTHER_POLE),
    ("interlock cuts in", _INTERLOCK_MS, _PROBE_UA, OTHER_POLE | INTERLOCK),
    ("off again", 140, _NO_UA, OTHER_POLE),
    ("relay held for", RELAY_MS, _NO_UA, 0),
)
_REST, _OFFSET, _SWITCH, _SETPOINT, _PROBE, _HIGH, _AMPLIFIER, _CLOSED, _AGAIN, _LOW, _MOVES = range(11)
_MOVED, _CUTS, _OFF, _HELD = range(12, 16)
_OF_DEADMAN = (_HIGH, _LOW)
_OF_CURRENT = (_HIGH, _LOW, _CUTS)  # which has to end in them
_OF_TIME = (_REST, _HIGH, _LOW, _MOVES, _CUTS, _HELD)  # end when what they wait for is there


class Prover:
    """Runs `PHASES` for `test`, which holds what they find; judges what needs no current when it is made."""

    def __init__(self, test: Findings, limits: Limits, reading: Reading):
        self._test = test
        self._limits = limits
        self._ua_per_lsb = SHUNT_LSB_NV // limits.shunt_mohm
        self._second_gain_q14 = (ina226.SHUNT_LSB_NV << 14) // limits.second_mohm
        self._setpoints_ua = (0, SWITCH_PROBE_UA, limits.probe_ua)
        self._sense_zero_ua = 0
        self._since_us = 0
        self._idle_ua = self._idle_mv = 0
        self._enter(0)
        self._judge_at_rest(reading)

    def _forget(self) -> None:
        self._sum_ua = 0
        self._sum_sense_ua = 0
        self._sum_second = 0
        self._sum_load_mv = 0
        self._sum_drain_mv = 0
        self._sum_rail_mv = 0
        self._samples = 0

    def _enter(self, phase: int) -> None:
        """Begin `phase`: its first cycle switches on what it drives, because judging the last one takes long."""
        self._phase = phase
        self._left_ms = PHASES[phase][1]
        self._forget()

    def _begin_phase(self) -> None:
        phase = self._phase
        _, _, probe, self._test.drive = PHASES[phase]
        self._test.setpoint_ua = self._setpoints_ua[probe]
        if phase != _LOW:  # whose time began with the last edge
            self._since_us = 0

    def _judge_at_rest(self, reading: Reading) -> None:
        broken = len(broken_relations(self._limits)) + (not self._test.settings_sound)
        self._judge("limits sound", not broken, broken, "", None, 0, faults.LIMITS_BROKEN)
        right, damaged = self._test.files
        found, unit = (damaged, "") if damaged else (right, "files")
        self._judge("firmware files intact", not damaged, found, unit, None, None, faults.FILES_DAMAGED)
        self._judge("STOP loop closed", not reading.stop_open, "", "", None, None, faults.SELFTEST_STOP)

    def step(self, dt_us: int, reading: Reading) -> None:
        """Advance one cycle, `dt_us` after the last, with `reading`; its raw counts, since the test finds the zero."""
        if self._test.finished:
            return
        block = reading.block
        if not block[kernel.R_FRESH] or not block[kernel.R_SENSOR_OK]:
            self._judge_sensor(False)
            return
        if not block[kernel.R_SECOND_OK]:
            self._judge_second(False)
            return
        phase = self._phase
        left_ms = self._left_ms
        self._left_ms = left_ms - 1
        self._since_us += dt_us
        if left_ms == PHASES[phase][1]:
            self._begin_phase()
            return
        current_ua = ((block[kernel.R_RAW] ^ 0x8000) - 0x8000) * self._ua_per_lsb
        if phase in _OF_TIME:
            if left_ms == 0 or self._arrived(current_ua - self._test.zero_ua, block):
                self._conclude_time(left_ms > 0, reading)
            return
        if left_ms == 0:
            samples = self._samples  # to the nearest: a mean rounded down would move the zero between two sessions
            self._conclude((self._sum_ua + (samples >> 1)) // samples - self._test.zero_ua, reading)
            return
        if left_ms <= _SETTLED or (phase == _OFFSET and left_ms <= _ZERO_SAMPLES):
            self._sum_ua += current_ua
            self._sum_sense_ua += block[kernel.R_SENSE_UA]
            self._sum_second += (block[kernel.R_SECOND_RAW] ^ 0x8000) - 0x8000
            self._sum_load_mv += block[kernel.R_LOAD_MV]
            self._sum_drain_mv += block[kernel.R_DRAIN_MV]
            self._sum_rail_mv += block[kernel.R_RAIL_MV]
            self._samples += 1
        if left_ms == 1 and self._test.drive & BEAT:  # judged in the next cycle, with the output off
            self._test.drive &= ~BEAT
            self._since_us = 0

    def _arrived(self, current_ua: int, block: "array") -> bool:
        """Return True when what the phase waits for is there."""
        phase = self._phase
        if phase in _OF_CURRENT:
            return current_ua <= _MAX_LEAK_UA
        if not block[kernel.R_MOVED]:
            return False
        return not self._test.lines & RELAY_LINE or block[kernel.R_RELAY] == (phase == _MOVES)

    def _next(self, reading: Reading) -> None:
        """Enter the phase after this one; without an interlock to try, the one after that."""
        phase = self._phase + 1
        if self._test.finished:
            return
        if phase == len(PHASES):
            self._test.end()
            return
        if phase == _CUTS and reading.bench_strap:
            self._skip(PHASES[_CUTS][0], TAKEN_OUT)
            phase += 1
        self._enter(phase)

    def _conclude_time(self, arrived: bool, reading: Reading) -> None:
        """What the phase waits for is there, or has not come in the longest time that it may take."""
        phase = self._phase
        name, most_ms, _, _ = PHASES[phase]
        ms = self._since_us // 1_000 if arrived else most_ms + 1
        self._test.setpoint_ua = 0
        if phase in _OF_DEADMAN:
            code = faults.SELFTEST_DEADMAN_HIGH if phase == _HIGH else faults.SELFTEST_DEADMAN_LOW
            if not arrived and reading.sense_ua - self._sense_zero_ua < self._limits.probe_ua // 2:
                code = faults.SELFTEST_SENSE  # the other measurement has seen it end
            self._judge_range(name, ms, "ms", LEAST_OFF_MS, MOST_OFF_MS, code)
        elif phase == _CUTS:
            self._judge(name, arrived, ms, "ms", None, _INTERLOCK_MS, faults.SELFTEST_INTERLOCK)
        elif not self._test.lines & RELAY_LINE:
            if phase == _MOVES:
                self._skip(name, NOT_FITTED)
        elif phase == _HELD:
            self._judge_range(name, ms, "ms", DEAD_MAN_MS, RELAY_MS, faults.SELFTEST_RELAY)
        else:  # the board moves no relay while it finds a current
            code = faults.SELFTEST_RELAY if reading.block[kernel.R_MOVED] else faults.SELFTEST_LATENT_SWITCH
            self._judge(name, arrived, "", "", None, None, code)
        self._next(reading)

    def _conclude(self, mean_ua: int, reading: Reading) -> None:
        phase = self._phase
        name = PHASES[phase][0]
        if phase == _OFFSET:
            self._conclude_idle(name, mean_ua, reading)
        elif phase == _PROBE:
            self._conclude_probe(name, mean_ua, reading)
        elif phase == _AGAIN:
            self._judge_small(name, mean_ua)
        elif phase == _MOVED:
            self._judge_small(name, mean_ua)
            self._judge_pole("pole, relay moved", 0, reading)
        elif name:
            code = faults.SELFTEST_LATENT_SETPOINT if phase == _SETPOINT else faults.SELFTEST_LATENT_SWITCH
            self._judge(name, mean_ua <= _MAX_LEAK_UA, mean_ua, "uA", None, _MAX_LEAK_UA, code)
            if phase == _SETPOINT:
                self._find_second_zero(mean_ua)
                self._idle_ua, self._idle_mv = mean_ua, self._across_mv()
        self._next(reading)

    def _conclude_idle(self, name: str, mean_ua: int, reading: Reading) -> None:
        limits = self._limits
        rail, vsys = reading.rail_mv, reading.vsys_mv
        self._test.zero_ua = mean_ua
        self._test.zero_16ths = ((self._sum_ua << 4) + (self._samples >> 1)) // self._samples
        self._sense_zero_ua = self._sum_sense_ua // self._samples
        self._judge_sensor(True)
        self._judge_second(True)
        self._judge_range(name, mean_ua, "uA", -_MAX_OFFSET_UA, _MAX_OFFSET_UA, faults.SELFTEST_OFFSET)
        self._judge_range("rail", rail, "mV", limits.min_rail_mv, limits.max_rail_mv, faults.SELFTEST_RAIL)
        passed = vsys >= limits.min_vsys_mv
        self._judge("battery", passed, vsys, "mV", limits.min_vsys_mv, None, faults.SELFTEST_BATTERY)
        self._judge_lines(reading)

    def _judge_lines(self, reading: Reading) -> None:
        """The sense lines, with the output off. Only on a bench may one be left out: the strap says that it is one."""
        bench, block = reading.bench_strap, reading.block
        for line, name, code in (
            (POLE_LINE, "pole line", faults.SELFTEST_POLE),
            (RELAY_LINE, "relay line", faults.SELFTEST_RELAY),
        ):
            if not self._test.lines & line:
                self._judge(name, bench, NOT_FITTED, "", None, None, code)
        if not bench:
            gate = block[kernel.R_INTERLOCK]
            self._judge("interlock at rest", not gate, gate, "", None, 0, faults.SELFTEST_INTERLOCK)
        self._judge_pole("pole, no current", 0, reading)

    def _judge_pole(self, name: str, expected: int, reading: Reading) -> None:
        """The pole's line is `expected`: 1 for a current out of E+."""
        if self._test.lines & POLE_LINE:
            pole = reading.block[kernel.R_POLE]
            self._judge(name, pole == expected, pole, "", expected, expected, faults.SELFTEST_POLE)

    def _judge_small(self, name: str, mean_ua: int) -> None:
        """A small current flows: is it the one that was asked for, at which the pole can be told?"""
        low_ua, high_ua = self._limits.probe_ua * 3 // 4, self._limits.probe_ua * 3 // 2
        code = faults.SELFTEST_LOAD if self._open(mean_ua) else faults.SELFTEST_NO_CURRENT
        self._judge_range(name, mean_ua, "uA", low_ua, high_ua, code)

    def _open(self, mean_ua: int) -> bool:
        """Return True when the sink takes all it can and next to nothing comes."""
        return mean_ua < self._limits.probe_ua * 3 // 4 and self._sum_drain_mv // self._samples < _OPEN_DRAIN_MV

    def _conclude_probe(self, name: str, mean_ua: int, reading: Reading) -> None:
        """The small current flows for the first time: through a load, and do both measurements say so?"""
        limits, samples = self._limits, self._samples
        apart_ua = self._sum_sense_ua // samples - self._sense_zero_ua - mean_ua
        most_ohm = limits.min_rail_mv * 1_000 // limits.min_current_ua  # through more, not even the smallest dose flows
        if self._open(mean_ua):
            self._judge("load present", False, _MAX_OHM, "ohm", None, most_ohm, faults.SELFTEST_LOAD)
            return
        load_ohm = min(self._sum_load_mv // samples * 1_000 // max(mean_ua, 1), _MAX_OHM)
        self._judge_small(name, mean_ua)
        self._judge("load present", load_ohm <= most_ohm, load_ohm, "ohm", None, most_ohm, faults.SELFTEST_LOAD)
        most_ua = _SENSE_LSB * _ADC_LSB_NV // limits.sense_mohm
        self._judge_range("V(SNS) agrees with the sensor", apart_ua, "uA", -most_ua, most_ua, faults.SELFTEST_SENSE)
        self._judge_leak("second sensor agrees with the sensor", mean_ua, _MAX_APART_UA)
        self._judge_pole("pole", 1, reading)
        if not self._test.fault:
            self._find_load_zero(mean_ua)

    def _across_mv(self) -> int:
        """Return the mean of rail less drain, in mV."""
        return (self._sum_rail_mv - self._sum_drain_mv) // (self._samples or 1)

    def _find_load_zero(self, mean_ua: int) -> None:
        """Find what rail less drain shows without current: the few uA that flowed at set-point 0 are taken off."""
        rise_ua = max(mean_ua - self._idle_ua, 1)
        zero_mv = self._idle_mv - (self._across_mv() - self._idle_mv) * self._idle_ua // rise_ua
        name, most_mv = "load's voltage without current", _MAX_LOAD_ZERO_MV
        self._judge_range(name, zero_mv, "mV", -most_mv, most_mv, faults.SELFTEST_VOLTAGE)
        self._test.load_zero_mv = zero_mv

    # The load's current, measured a second time. Its zero is taken with its inputs at the rail, as in a session.

    def _find_second_zero(self, mean_ua: int) -> None:
        """The output is on at set-point 0, where the sensor finds `mean_ua`: what the second one finds besides."""
        zero = self._second_mean() - (mean_ua << 14) // self._second_gain_q14
        self._judge_leak("second sensor's zero", mean_ua, _MAX_SECOND_OFFSET_UA)
        self._test.second_zero = zero

    def _second_mean(self) -> int:
        samples = self._samples or 1
        return (self._sum_second + (samples >> 1)) // samples

    def _judge_leak(self, name: str, mean_ua: int, most_ua: int) -> None:
        second_ua = (self._second_mean() - self._test.second_zero) * self._second_gain_q14 >> 14
        self._judge_range(name, second_ua - mean_ua, "uA", -most_ua, most_ua, faults.SELFTEST_LEAK)

    def _judge_second(self, passed: bool) -> None:
        self._judge("second sensor present and configured", passed, "", "", None, None, faults.SELFTEST_SECOND)

    def _skip(self, name: str, why: str) -> None:
        """Say in a row that passed `why` nothing was tried."""
        self._judge(name, True, why, "", None, None, faults.NONE)

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
        if self._test.fault:
            return
        self._test.results.append((name, passed, value, unit, low, high))
        if not passed:
            self._test.fault = code
            self._test.end()
