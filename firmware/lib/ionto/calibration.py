"""The calibration of the current measurement: a trim of zero and gain, found against a reference meter, on flash.

The driver's current is what the sensor says less the zero that every self-test finds; the calibration takes `zero_ua`
off besides and multiplies the rest with the gain. The file is JSON and its CRC-32. Without a
file, and with a damaged one, nothing is trimmed. What no sound board needs is refused.
"""

from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal
from ionto.files import read_checked, write_checked
from ionto.protocol import CLOCK_FROM_S, CLOCK_TO_S

PATH = "/calibration.json"
UNITY_Q15 = const(32_768)
MAX_ZERO_UA = const(10)  # beside the zero of the self-test; half of what that accepts
MAX_GAIN_PPM = const(20_000)  # INA219 A grade 0.5 %, a 1 % shunt, and some more
MAX_RESIDUAL_PPM = const(5_000)  # what is left at the checked points, of the current there
MAX_METER_CHARS = const(40)
# (field, lowest, highest): integers, all needed; beside them the text `meter`.
FIELDS = (
    ("gain_ppm", -MAX_GAIN_PPM, MAX_GAIN_PPM),
    ("residual_before_ppm", 0, 1_000_000),
    ("residual_ppm", 0, MAX_RESIDUAL_PPM),
    ("time_unix_s", CLOCK_FROM_S, CLOCK_TO_S),
    ("zero_ua", -MAX_ZERO_UA, MAX_ZERO_UA),
)
NOTHING, KEPT, DAMAGED = "none", "kept", "damaged"


class Calibration:
    """What `PATH` holds: `state` (one of the words above), `values` {field: value}, {} without one, and `gain_q15`."""

    def __init__(self):
        self._take({}, NOTHING)
        try:
            kept = read_checked(PATH)
        except OSError:
            return
        try:
            if kept != {}:
                _check(kept)
                self._take(kept, KEPT)
        except (Refusal, TypeError):
            self.state = DAMAGED

    def _take(self, values: dict, state: str) -> None:
        self.values = values
        self.state = state
        self.zero_ua = values.get("zero_ua", 0)
        self.gain_q15 = UNITY_Q15 + (values.get("gain_ppm", 0) * 512 + 7_812) // 15_625  # 2**15 / 10**6, rounded

    def public(self) -> dict:
        """Return what HELLO and the log's header say: the state and, where there is a calibration, its values."""
        told = dict(self.values)
        told["state"] = self.state
        return told

    def change(self, wanted: dict, hand: bool) -> None:
        """Keep the calibration `wanted`, {} for none; `hand`: a person is at the board, without whom nothing changes.

        Raises `Refusal` naming the field, OSError when flash refuses; then nothing has changed.
        """
        if wanted:
            _check(wanted)
        if not hand:
            raise Refusal(faults.NEEDS_HAND)
        write_checked(PATH, wanted)
        self._take(wanted, KEPT if wanted else NOTHING)


def _check(wanted: dict) -> None:
    """Raise `Refusal` unless `wanted` has every field, none besides, and all are plausible."""
    for name in wanted:
        if name != "meter" and name not in [row[0] for row in FIELDS]:
            raise Refusal(faults.UNKNOWN_FIELD, str(name)[:40])
    for name, low, high in FIELDS:
        value = wanted.get(name)
        if value is None:
            raise Refusal(faults.MISSING_FIELD, name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refusal(faults.WRONG_TYPE, name, str(value)[:40])
        if not low <= value <= high:
            raise Refusal(faults.OUT_OF_RANGE, name, value, low, high)
    meter = wanted.get("meter")
    if not isinstance(meter, str) or len(meter) > MAX_METER_CHARS:
        raise Refusal(faults.WRONG_TYPE, "meter", str(meter)[:40])
