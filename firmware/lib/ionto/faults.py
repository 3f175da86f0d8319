"""Every code the device can answer or latch, defined once. Words and next actions: ionto_host.device.messages.

Bands: 1-19 protocol, 20-59 refusals of a request, 100-119 sensor, 120-139 current, 140-159 contact and load,
160-179 power, 180-199 firmware, 200-219 storage, 220-239 self-test. A code of 100 or more is a fault: it
latches, cuts the output and is cleared only by a person.
"""

from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

NONE = const(0)

BAD_FRAME = const(1)
UNKNOWN_COMMAND = const(2)
BAD_PAYLOAD = const(3)
WRONG_PROTOCOL = const(4)

OUT_OF_RANGE = const(20)
MISSING_FIELD = const(21)
UNKNOWN_FIELD = const(22)
WRONG_TYPE = const(23)
DENSITY_TOO_HIGH = const(24)
RAMPS_EXCEED_DOSE = const(25)
SESSION_TOO_LONG = const(26)
NO_DOSE = const(30)
WRONG_STATE = const(31)
OUTPUT_ON = const(32)
USB_PRESENT = const(33)
FAULT_LATCHED = const(34)
CAUSE_REMAINS = const(35)
NO_SUCH_LOG = const(36)
FLASH_FAILED = const(37)
STOP_OPEN = const(38)
NEEDS_HAND = const(39)
NO_STARTS_LEFT = const(40)
LIMITS_EXCEEDED = const(41)
OTHER_LOG = const(42)
EVENTS_FULL = const(43)
CURRENT_REMAINS = const(44)

FAULT_BAND = const(100)
SENSOR_STALE = const(100)
SENSOR_STUCK = const(101)
SENSOR_CONFIG = const(102)
SENSOR_MISSING = const(103)
SENSE_DISAGREE = const(104)
ADC_STUCK = const(105)
SECOND_SENSOR = const(106)
LOAD_DISAGREE = const(107)

OVER_CURRENT = const(120)
OVER_CURRENT_ABSOLUTE = const(121)
CURRENT_WHEN_OFF = const(122)
UNDER_CURRENT = const(123)
CHARGE_EXCEEDED = const(124)
TIME_EXCEEDED = const(125)
WRONG_POLE = const(126)

OPEN_CIRCUIT = const(140)
SHORT_CIRCUIT = const(141)
LOAD_OUT_OF_RANGE = const(142)

RAIL_LOW = const(160)
RAIL_HIGH = const(161)
BATTERY_LOW = const(162)
USB_APPEARED = const(163)
INTERLOCK_BLIND = const(164)

LATE_LOOP = const(180)
UNPLANNED_RESET = const(182)
VARIANT_MISMATCH = const(183)
LIMITS_BROKEN = const(184)
FILES_DAMAGED = const(185)

LOG_WRITE_FAILED = const(200)
FILESYSTEM_FULL = const(201)

SELFTEST_SENSOR = const(220)
SELFTEST_OFFSET = const(221)
SELFTEST_RAIL = const(222)
SELFTEST_LATENT_SWITCH = const(223)
SELFTEST_LATENT_SETPOINT = const(224)
SELFTEST_BATTERY = const(225)
SELFTEST_NO_CURRENT = const(226)
SELFTEST_SENSE = const(227)
SELFTEST_LOAD = const(228)
SELFTEST_STOP = const(229)
SELFTEST_VOLTAGE = const(237)
SELFTEST_SECOND = const(238)
SELFTEST_LEAK = const(239)
SELFTEST_DEADMAN_HIGH = const(230)
SELFTEST_DEADMAN_LOW = const(231)
SELFTEST_RELAY = const(232)
SELFTEST_POLE = const(233)
SELFTEST_INTERLOCK = const(234)


def is_fault(code: int) -> bool:
    """Return True when `code` latches the device, False for refusals and protocol errors."""
    return code >= FAULT_BAND


def of_flash(error: OSError) -> int:
    """Return the code for a write that `error` refused: a full flash is told from one that fails."""
    return FILESYSTEM_FULL if error.args[0] == 28 else FLASH_FAILED  # ENOSPC


def of_log(error: OSError) -> int:
    """Return the fault for a log that `error` kept from flash."""
    return FILESYSTEM_FULL if of_flash(error) == FILESYSTEM_FULL else LOG_WRITE_FAILED


class Refusal(Exception):
    """A request was refused: what, why and what would be accepted.

    Attributes: `code` (this module), `field`, `value`, `low` and `high` (inclusive, or None where no range
    applies).
    """

    def __init__(self, code: int, field: str = "", value: "Any" = None, low: "Any" = None, high: "int | None" = None):
        super().__init__(code)
        self.code = code
        self.field = field
        self.value = value
        self.low = low
        self.high = high

    def as_dict(self) -> dict:
        """Return the refusal as it is sent to the host."""
        return {
            "code": self.code,
            "field": self.field,
            "value": self.value,
            "low": self.low,
            "high": self.high,
        }
