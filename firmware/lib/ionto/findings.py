"""What a self-test drives and what it has found: all that others than the test itself know of it."""

from ionto import faults
from ionto.compat import const
from ionto.reading import POLE_LINE, RELAY_LINE

# What a phase drives beside the set-point: edges, the heartbeat's pin at rest high, the relay, the pin at Q5's gate.
BEAT = const(1)
HEART_HIGH = const(2)
OTHER_POLE = const(4)
INTERLOCK = const(8)


class Findings:
    """`setpoint_ua` and `drive` (BEAT ...) say what to drive; `fault` holds the first failure; `results` rows of
    (name, passed, value, unit, low, high). `files` and `settings_sound` are what the application found before, `lines`
    the sense lines that are connected (POLE_LINE ...).
    """

    def __init__(self):
        self.files: tuple[int, str] = (0, "not looked at")  # how many are right, and the path of one that is not
        self.settings_sound = True
        self.lines = POLE_LINE | RELAY_LINE
        self.forget()

    def forget(self) -> None:
        """Forget results and zeros; nothing is driven, no test is under way."""
        self.results = []
        self.fault = faults.NONE
        self.zero_ua = self.zero_16ths = 0
        self.second_zero = 0  # of the second sensor, in its LSB
        self.load_zero_mv = 0  # of rail less drain
        self.end()

    def end(self) -> None:
        """Nothing is driven any more."""
        self.setpoint_ua = 0
        self.drive = 0
        self.finished = True
