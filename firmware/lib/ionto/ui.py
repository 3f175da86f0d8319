"""What the lights and the buzzer say: tables of patterns by state and by group of fault. Printed: docs/lights.md."""

from ionto import faults, protocol
from ionto.compat import const

STEPS = const(16)
_LIT = const(0x23)  # "#" in a pattern
STEP_MS = const(128)

# state: (ready LED, current LED, fault LED, buzzer); "#" on, "." off, a step lasting `STEP_MS`.
_OFF = "................"
_ON = "################"
_FAST = "#.#.#.#.#.#.#.#."
_RARE = "#.......#......."
PATTERNS = {
    protocol.IDLE: (_ON, _OFF, _OFF, _OFF),
    protocol.SELF_TESTING: (_FAST, _OFF, _OFF, _OFF),
    protocol.ARMED: (_FAST, _RARE, _OFF, _OFF),
    protocol.RAMP_UP: (_OFF, _FAST, _OFF, _OFF),
    protocol.HOLD: (_OFF, _ON, _OFF, _OFF),
    protocol.RAMP_DOWN: (_OFF, _FAST, _OFF, _OFF),
    protocol.DONE: ("##..##..##..##..", _OFF, _OFF, _RARE),
    protocol.PAUSED: (_OFF, _RARE, _OFF, _OFF),
    protocol.REVERSING: (_OFF, "##.##.##.##.##..", _OFF, _OFF),
    protocol.IN_MAINTENANCE: (_ON, _OFF, _ON, _OFF),
}
REFUSED = (_OFF, _OFF, "####....####....", "####............")  # START was pressed and is not obeyed; one round
LOWERED = ("#.#.............", _ON, _OFF, "#.#.............")  # stinging is heard, the current goes down; one round
WRITING = ("#.#.........#.#.", _OFF, _OFF, _OFF)  # the session is over, its log goes to flash: leave the power on

# Group of a fault: what it is about, and how often the fault LED flashes before it rests.
SENSOR, CURRENT_GROUP, LOAD, POWER, FIRMWARE, STORAGE = range(1, 7)
GROUPS = {
    SENSOR: "measurement of the current",
    CURRENT_GROUP: "current, its direction, charge, or the parts that cut it",
    LOAD: "electrodes, leads, STOP loop",
    POWER: "battery, 24 V rail, USB",
    FIRMWARE: "firmware, its files and limits",
    STORAGE: "log and flash memory",
}
_BANDS = (  # first code of a band, group: the last row that is not above a code is its group
    (faults.SENSOR_STALE, SENSOR),
    (faults.OVER_CURRENT, CURRENT_GROUP),
    (faults.OPEN_CIRCUIT, LOAD),
    (faults.RAIL_LOW, POWER),
    (faults.LATE_LOOP, FIRMWARE),
    (faults.LOG_WRITE_FAILED, STORAGE),
)
SELFTEST_GROUPS = {  # found by the self-test, before any dose: the ready LED is lit as well
    faults.SELFTEST_SENSOR: SENSOR,
    faults.SELFTEST_OFFSET: SENSOR,
    faults.SELFTEST_RAIL: POWER,
    faults.SELFTEST_LATENT_SWITCH: CURRENT_GROUP,
    faults.SELFTEST_LATENT_SETPOINT: CURRENT_GROUP,
    faults.SELFTEST_BATTERY: POWER,
    faults.SELFTEST_NO_CURRENT: CURRENT_GROUP,
    faults.SELFTEST_SENSE: SENSOR,
    faults.SELFTEST_LOAD: LOAD,
    faults.SELFTEST_STOP: LOAD,
    faults.SELFTEST_VOLTAGE: SENSOR,
    faults.SELFTEST_SECOND: SENSOR,
    faults.SELFTEST_LEAK: CURRENT_GROUP,
    faults.SELFTEST_DEADMAN_HIGH: CURRENT_GROUP,
    faults.SELFTEST_DEADMAN_LOW: CURRENT_GROUP,
    faults.SELFTEST_RELAY: CURRENT_GROUP,
    faults.SELFTEST_POLE: CURRENT_GROUP,
    faults.SELFTEST_INTERLOCK: POWER,
}
_ALARM = "#.#............."
_SELFTEST_BAND = faults.SELFTEST_SENSOR
QUIET_AFTER_S = const(10)
READY, CURRENT, FAULT, SOUND = 1, 2, 4, 8  # bits of what `Lights.at` returns


def group_of(code: int) -> int:
    """Return the group of the fault `code`, a key of `GROUPS`."""
    if code >= _SELFTEST_BAND:
        return SELFTEST_GROUPS.get(code, FIRMWARE)
    found = SENSOR
    for first, group in _BANDS:
        if code >= first:
            found = group
    return found


def fault_pattern(group: int, by_selftest: bool) -> tuple:
    """Return the pattern of the state FAULT for a fault of `group`."""
    flashes = "#." * group
    return _ON if by_selftest else _OFF, _OFF, flashes + _OFF[len(flashes) :], _ALARM


def _compile(pattern: tuple) -> bytes:
    """Return one byte a step of `pattern`, its bits READY to SOUND."""
    steps = bytearray(STEPS)
    bit = READY
    for row in pattern:
        cells = row.encode()
        for step in range(STEPS):
            if cells[step] == _LIT:
                steps[step] |= bit
        bit <<= 1
    return bytes(steps)


class Lights:
    """The patterns, made ready at boot so that showing them allocates nothing."""

    def __init__(self):
        self._steps = {state: _compile(pattern) for state, pattern in PATTERNS.items()}
        self._found = [_compile(fault_pattern(group, False)) for group in sorted(GROUPS)]
        self._tested = [_compile(fault_pattern(group, True)) for group in sorted(GROUPS)]
        self._refused = _compile(REFUSED)
        self._lowered = _compile(LOWERED)
        self._writing = _compile(WRITING)

    def at(self, state: int, fault: int, step: int, in_state_s: int) -> int:
        """Return the bits to show at `step` (0 to STEPS - 1); the buzzer is quiet after `QUIET_AFTER_S`."""
        if state == protocol.FAULT:
            table = self._tested if fault >= _SELFTEST_BAND else self._found
            bits = table[group_of(fault) - 1][step]
        else:
            bits = self._steps[state][step]
        return bits if in_state_s < QUIET_AFTER_S else bits & ~SOUND

    def refused(self, step: int) -> int:
        """Return the bits to show at `step` when START was pressed and is not obeyed."""
        return self._refused[step]

    def lowered(self, step: int) -> int:
        """Return the bits to show at `step` when a long press has lowered the current."""
        return self._lowered[step]

    def writing(self, step: int) -> int:
        """Return the bits to show at `step` while a log is being written."""
        return self._writing[step]
