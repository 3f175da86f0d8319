"""What the lights and the buzzer say: one table of patterns by state."""

from ionto import protocol
from ionto.compat import const

STEPS = const(8)

# state: (ready LED, current LED, fault LED, buzzer); "#" on, "." off, a step lasting 128 ms.
PATTERNS = {
    protocol.IDLE: ("########", "........", "........", "........"),
    protocol.SELF_TESTING: ("#.#.#.#.", "........", "........", "........"),
    protocol.ARMED: ("#.#.#.#.", "#.......", "........", "........"),
    protocol.RAMP_UP: ("........", "#.#.#.#.", "........", "........"),
    protocol.HOLD: ("........", "########", "........", "........"),
    protocol.RAMP_DOWN: ("........", "#.#.#.#.", "........", "........"),
    protocol.DONE: ("##..##..", "........", "........", "#......."),
    protocol.PAUSED: ("........", "#.......", "........", "........"),
    protocol.FAULT: ("........", "........", "#.#.#.#.", "#.#....."),
    protocol.REVERSING: ("........", "##.##.##", "........", "........"),
    protocol.IN_MAINTENANCE: ("#...#...", "........", "#...#...", "........"),
}
QUIET_AFTER_S = const(10)
READY, CURRENT, FAULT, SOUND = 1, 2, 4, 8  # bits of what `Lights.at` returns


def _compile(pattern: tuple) -> bytes:
    """Return one byte a step of `pattern`, its bits READY to SOUND."""
    steps = bytearray(STEPS)
    for index, row in enumerate(pattern):
        for step in range(STEPS):
            if row[step] == "#":
                steps[step] |= 1 << index
    return bytes(steps)


class Lights:
    """The patterns, made ready at boot so that showing them allocates nothing."""

    def __init__(self):
        self._steps = {state: _compile(pattern) for state, pattern in PATTERNS.items()}

    def at(self, state: int, step: int, in_state_s: int) -> int:
        """Return the bits to show at `step` (0 to STEPS - 1); the buzzer is quiet after `QUIET_AFTER_S`."""
        bits = self._steps[state][step]
        return bits if in_state_s < QUIET_AFTER_S else bits & ~SOUND
