"""Is the circuit quiet? A flash operation stops the control cycle for longer than the dead-man holds, so none begins
before both measurements show that no current flows: that the output is off says only what the firmware wants."""

from ionto import kernel
from ionto.compat import const
from ionto.limits import DEAD_MAN_MS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from array import array

ZERO_UA = const(20)  # of the INA219, its zero taken off: the bound of the relay and of clearing a fault
ZERO_SENSE_UA = const(60)  # of V(SNS), whose ADC has an offset: the tolerance of the guards
ZERO_SAMPLES = const(8)  # in a row; each of V(SNS) counts twice
GIVE_UP_MS = const(250)  # twice the dead-man's worst time and the filter's: a part is broken, and a fault says so
_FOUND_UA = const(60)  # the guards' threshold for a current with the output off


class Quiet:
    """Watches the current at rest. `zero`: both measurements have shown none, `ZERO_SAMPLES` times in a row."""

    def __init__(self):
        self.zero = False
        self._samples = 0
        self._off_ms = 0
        self._found = False

    def step(self, output_on: bool, reading: "array") -> None:
        """One cycle without a session's current; `output_on` in a self-test, `reading` is the reading's block."""
        if output_on:
            self.disturbed()
            return
        off_ms = self._off_ms
        if off_ms < GIVE_UP_MS:
            off_ms += 1
            self._off_ms = off_ms
        fresh = reading[kernel.R_FRESH]
        current_ua = reading[kernel.R_CURRENT_UA]
        self._found = fresh and current_ua >= _FOUND_UA
        # A sensor that does not answer says nothing: then V(SNS) decides, once the dead-man has had its time.
        still = current_ua <= ZERO_UA if fresh else off_ms > DEAD_MAN_MS
        if not still or reading[kernel.R_SENSE_UA] > ZERO_SENSE_UA:
            self._samples = 0
            self.zero = False
        elif self._samples < ZERO_SAMPLES:
            self._samples += 1
        else:
            self.zero = True

    def disturbed(self) -> None:
        """The output is on."""
        self._samples = self._off_ms = 0
        self.zero = False

    def over(self) -> bool:
        """Return True when waiting is over: no current flows, or `GIVE_UP_MS` have passed and it will not end."""
        return self.zero or self._off_ms >= GIVE_UP_MS

    def current_remains(self) -> bool:
        """Return True when the sensor finds a current although waiting is over, or it is not."""
        return not self.zero and (self._found or self._off_ms < GIVE_UP_MS)
