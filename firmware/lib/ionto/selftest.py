"""The self-test before every session: each part is tried with the output off, then with a harmless current.

A table of phases; one `step` a cycle. Latent faults of both cut-off paths are looked for by trying to pass
current with each one off.
"""

from ionto import faults, kernel
from ionto.compat import const, micropython
from ionto.ina219 import SHUNT_LSB_NV
from ionto.limits import Limits
from ionto.reading import Reading

PROBE_UA = const(40)  # under the guards' current-when-off threshold, so that this test names the part
_SETTLED = const(32)  # samples averaged at the end of a phase
_MAX_OFFSET_UA = const(20)  # INA219 A grade: 125 uV at PGA /2 is 12.5 uA
_MAX_LEAK_UA = const(15)
_PROBE_LOW_UA = const(25)
_PROBE_HIGH_UA = const(60)

# (result name, duration in ms, set-point in uA, heartbeat). The dead-man needs 12 ms to close, 110 to open.
PHASES = (
    ("sensor offset", 120, 0, False),
    ("heartbeat off gives no current", 60, PROBE_UA, False),
    ("set-point 0 gives no current", 80, 0, True),
    ("small set-point gives small current", 100, PROBE_UA, True),
    ("off again", 140, 0, False),
)
_OFFSET, _SWITCH, _SETPOINT, _PROBE, _OFF = range(5)


class SelfTest:
    """Runs `PHASES`; after `begin`, call `step` every cycle until `finished`.

    `setpoint_ua` and `heartbeat` say what to drive; `fault` holds the first failure; `results` rows of
    (name, passed, value, unit, low, high).
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._ua_per_lsb = SHUNT_LSB_NV // limits.shunt_mohm
        self.results = []
        self.finished = True
        self.fault = faults.NONE
        self.zero_ua = 0
        self._stop()

    def _stop(self) -> None:
        self.setpoint_ua = 0
        self.heartbeat = False
        self._phase = 0
        self._left_ms = 0
        self._sum_ua = 0
        self._samples = 0

    def begin(self) -> None:
        """Start again at the first phase; forgets the last results and the zero."""
        self.results = []
        self.finished = False
        self.fault = faults.NONE
        self.zero_ua = 0
        self._enter(0)

    def _enter(self, phase: int) -> None:
        self._phase = phase
        _, self._left_ms, self.setpoint_ua, self.heartbeat = PHASES[phase]
        self._sum_ua = 0
        self._samples = 0

    @micropython.native
    def step(self, reading: Reading) -> None:
        """Advance one cycle with `reading`; its raw register counts, since the test finds the zero."""
        if self.finished:
            return
        block = reading.block
        if not block[kernel.R_FRESH] or not block[kernel.R_SENSOR_OK]:
            self._judge("sensor", False, 0, "", None, None, faults.SELFTEST_SENSOR)
            return
        left_ms = self._left_ms
        if left_ms <= _SETTLED:
            self._sum_ua += ((block[kernel.R_RAW] ^ 0x8000) - 0x8000) * self._ua_per_lsb
            self._samples += 1
        self._left_ms = left_ms - 1
        if left_ms <= 1:
            self._conclude(self._sum_ua // self._samples - self.zero_ua, reading)

    def _conclude(self, mean_ua: int, reading: Reading) -> None:
        phase = self._phase
        name = PHASES[phase][0]
        if phase == _OFFSET:
            self._conclude_idle(name, mean_ua, reading)
        elif phase == _PROBE:
            inside = _PROBE_LOW_UA <= mean_ua <= _PROBE_HIGH_UA
            code = faults.SELFTEST_NO_CURRENT
            self._judge(name, inside, mean_ua, "uA", _PROBE_LOW_UA, _PROBE_HIGH_UA, code)
        else:
            low = mean_ua <= _MAX_LEAK_UA
            code = faults.SELFTEST_LATENT_SETPOINT if phase == _SETPOINT else faults.SELFTEST_LATENT_SWITCH
            self._judge(name, low, mean_ua, "uA", None, _MAX_LEAK_UA, code)
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
        low, high = limits.min_rail_mv, limits.max_rail_mv
        inside = -_MAX_OFFSET_UA <= mean_ua <= _MAX_OFFSET_UA
        self._judge(name, inside, mean_ua, "uA", -_MAX_OFFSET_UA, _MAX_OFFSET_UA, faults.SELFTEST_OFFSET)
        self._judge("rail", low <= rail <= high, rail, "mV", low, high, faults.SELFTEST_RAIL)
        passed = vsys >= limits.min_vsys_mv
        self._judge("battery", passed, vsys, "mV", limits.min_vsys_mv, None, faults.SELFTEST_BATTERY)
        self.zero_ua = mean_ua

    def _judge(
        self, name: str, passed: bool, value: int, unit: str, low: "int | None", high: "int | None", code: int
    ) -> None:
        if self.fault:
            return
        self.results.append((name, passed, value, unit, low, high))
        if not passed:
            self._stop()
            self.fault = code
            self.finished = True
