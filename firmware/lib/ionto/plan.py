"""A dose that was validated, with what follows from it: what a session goes by. Its parsing: ionto.dose."""

import binascii
import hashlib

from ionto.compat import const
from ionto.limits import RAMP_SETTLE_MS, TURN_MS, Limits

POLE_POSITIVE = const(1)
POLE_NEGATIVE = const(-1)
DC = "dc"
PULSED = "pulsed"
WAVEFORMS = (DC, PULSED)
NO_REVERSAL = "none"
HALF = "half"
INTERVAL = "interval"
REVERSALS = (NO_REVERSAL, HALF, INTERVAL)

_TOLERANCE_SHIFT = const(6)  # of the time limit: 1/64 for the tolerance of the current
_TOLERANCE_MS = const(2_000)  # and this for the self-test and the last pulse


class Dose:
    """A validated dose. Attributes are the fields of `ionto.dose.FIELDS`; `ionto.dose.parse` builds one.

    A pulse rises for `pulse_edge_ms`, stays, and falls for as long: `pulse_on_ms` is from the begin of the rise to
    the begin of the fall, `pulse_off_ms` the rest of the period, so the mean current is that of square pulses.
    """

    schema: int
    name: str
    drug: str
    site: str
    current_ua: int
    dose_uc: int
    area_mm2: int
    polarity: int
    ramp_up_ms: int
    ramp_down_ms: int
    waveform: str
    pulse_on_ms: int
    pulse_off_ms: int
    pulse_edge_ms: int
    reversal: str
    reversal_interval_ms: int
    max_extension_pct: int
    starts: int
    max_density_ua_cm2: int
    screening: str

    def __init__(self, fields: dict, raw: bytes):
        self.screening = ""
        for name, value in fields.items():
            setattr(self, name, value)
        self.raw = raw

    def digest(self) -> str:
        """Return the SHA-256 of the canonical bytes as 64 hex digits."""
        return binascii.hexlify(hashlib.sha256(self.raw).digest()).decode()

    def density_ua_cm2(self) -> int:
        """Return the current density at full current, rounded up, in uA/cm2."""
        return -(-self.current_ua * 100 // self.area_mm2)

    def mean_ua(self) -> int:
        """Return the mean current between the ramps, in uA: full current, or its share in pulses."""
        if self.waveform != PULSED:
            return self.current_ua
        return self.current_ua * self.pulse_on_ms // (self.pulse_on_ms + self.pulse_off_ms)

    def ramps_uc(self) -> int:
        """Return the charge of one ramp up and one ramp down, in uC."""
        return self.current_ua * (self.ramp_up_ms + self.ramp_down_ms) // 2_000

    def turns(self) -> int:
        """Return how often the polarity is reversed with good contact.

        A stretch that could not hold its own two ramps is not begun: the one before it delivers its charge.
        """
        if self.reversal == HALF:
            return 1
        if self.reversal == NO_REVERSAL:
            return 0
        ramps_ms = self.ramp_up_ms + self.ramp_down_ms
        stretch_uc = self.ramps_uc() + self.mean_ua() * (self.reversal_interval_ms - ramps_ms) // 1_000
        return max(0, self.dose_uc - self.ramps_uc()) // stretch_uc

    def hold_ms(self) -> int:
        """Return the time between the ramps, in ms, pulses included; of all stretches together."""
        hold_uc = self.dose_uc - (self.turns() + 1) * self.ramps_uc()
        if self.waveform != PULSED:
            return hold_uc * 1_000 // self.current_ua
        hold_nc, pulse_nc = hold_uc * 1_000, self.current_ua * self.pulse_on_ms
        whole_ms = hold_nc // pulse_nc * (self.pulse_on_ms + self.pulse_off_ms)
        return whole_ms + hold_nc % pulse_nc // self.current_ua

    def on_ms(self) -> int:
        """Return the expected time with current and good contact, in ms."""
        return (self.turns() + 1) * (self.ramp_up_ms + self.ramp_down_ms) + self.hold_ms()

    def duration_ms(self) -> int:
        """Return the expected time from first to last current with good contact, in ms."""
        return self.on_ms() + self.turns() * TURN_MS

    def max_on_ms(self, limits: Limits) -> int:
        """Return the time with current (ms) after which the session ends, its dose complete or not."""
        on_ms = self.on_ms()
        extended_ms = on_ms + on_ms * self.max_extension_pct // 100
        return min(limits.max_session_ms, extended_ms + (on_ms >> _TOLERANCE_SHIFT) + _TOLERANCE_MS)

    def pause_ms(self) -> int:
        """Return by how much a pause, or a reversal, makes the time with current longer at most, in ms."""
        return (self.ramp_up_ms + self.ramp_down_ms) // 2 + RAMP_SETTLE_MS
