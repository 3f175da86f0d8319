"""The serial protocol's frame layout, commands and status record, for both ends. Prose: docs/protocol.md.

Frame: sync (2 bytes), type, sequence, payload length (u16), header check (u16: the low half of the CRC-32 of
the six bytes before it), payload, CRC-32 of all that came before. Integers are little-endian.
"""

from ionto.compat import const

SYNC = b"\xa5\xc3"
HEADER_FORMAT = "<2sBBHH"
HEADER_BYTES = const(8)
CRC_BYTES = const(4)
OVERHEAD_BYTES = const(12)
MAX_REQUEST_BYTES = const(1024)
MAX_PAYLOAD_BYTES = const(2064)  # a log chunk with its offset

RESPONSE = const(0x80)  # set in the type of an answer
ERROR = const(0xFF)
ERROR_FORMAT = "<HBB"  # code (ionto.faults), type of the request, state of the device; then JSON detail, or nothing

HELLO = const(0x01)
STATUS = const(0x02)
DOSE_PUSH = const(0x03)
DOSE_READ = const(0x04)
START = const(0x05)
PAUSE = const(0x06)
RESUME = const(0x07)
ABORT = const(0x08)
CLEAR_FAULT = const(0x09)
SET_CLOCK = const(0x0A)
SELF_TEST = const(0x0B)
MAINTENANCE = const(0x0C)
SET_LIMITS = const(0x0D)  # JSON {"max_current_ua": ...} of what changes; answered with the limits that hold then
CALIBRATION = const(0x0E)  # JSON of ionto.calibration.FIELDS, {} for none, no payload to read; answered with what holds
HEALTH = const(0x0F)  # answered with JSON: what a doctor asks about beside identity and status
LOG_LIST = const(0x10)
LOG_READ = const(0x11)
LOG_DELETE = const(0x12)
LOG_VERIFIED = const(0x13)
COMFORT = const(0x14)

LOG_LIST_FORMAT = "<I"  # first id wanted; the answer is JSON {"logs": [[id, bytes, pulled], ...], "more": bool}
LOG_READ_FORMAT = "<III"  # id, offset, length; answered by frames of LOG_DATA_FORMAT + bytes, all of one sequence
LOG_DATA_FORMAT = "<I"  # offset; a frame with no bytes after the offset ends the answer
LOG_CHUNK_BYTES = const(2048)
LOG_DELETE_FORMAT = "<I"
LOG_VERIFIED_FORMAT = "<I32s"  # id, chain of its last record: a host has verified its copy, the device may drop its own
COMFORT_FORMAT = "<BH"  # what is felt, and the lower current wanted for the rest, uA; 0: only put it into the log
TINGLING = const(1)
STINGING = const(2)
PAIN = const(3)  # ends the session
SELF_TEST_LAST = b"\x01"  # payload that asks for the results of the last self-test, without a new one
CLOCK_FORMAT = "<I"  # Unix time, s
CLOCK_FROM_S = const(1_700_000_000)  # November 2023; a clock that shows less was never set
CLOCK_TO_S = const(4_102_444_800)  # the year 2100

IDLE = const(0)
SELF_TESTING = const(1)
ARMED = const(2)
RAMP_UP = const(3)
HOLD = const(4)
RAMP_DOWN = const(5)
DONE = const(6)
PAUSED = const(7)
FAULT = const(8)
IN_MAINTENANCE = const(9)
REVERSING = const(10)  # output off, the polarity relay settles
STATES = (
    "IDLE",
    "SELF_TEST",
    "ARMED",
    "RAMP_UP",
    "HOLD",
    "RAMP_DOWN",
    "DONE",
    "PAUSED",
    "FAULT",
    "MAINTENANCE",
    "REVERSING",
)

OUTCOME_NONE = const(0)
OUTCOMES = (
    "none",
    "complete",
    "aborted",
    "stopped",
    "fault",
    "battery_low",
    "time_limit",
    "interrupted",
    "log_full",
    "pain",
    "stinging",
)
COMPLETE = const(1)
ABORTED = const(2)
STOPPED = const(3)
FAULTED = const(4)
BATTERY_ENDED = const(5)
TIME_ENDED = const(6)
INTERRUPTED = const(7)
LOG_FULL = const(8)  # more events than a session's log holds
PAIN_ENDED = const(9)
STINGING_ENDED = const(10)  # reported by the button with the current at its least

FLAG_OUTPUT_ON = const(0x0001)
FLAG_VBUS = const(0x0002)
FLAG_BENCH_STRAP = const(0x0004)
FLAG_STOP_OPEN = const(0x0008)
FLAG_DOSE_LOADED = const(0x0010)
FLAG_CONTACT_LIMITED = const(0x0020)
FLAG_CLOCK_SET = const(0x0040)
FLAG_REVERSED = const(0x0080)  # polarity -: the drug terminal is negative
FLAG_LOG_OPEN = const(0x0100)  # the last session's log is not complete on flash yet
FLAG_DOSE_DAMAGED = const(0x0200)  # the dose kept on flash was found damaged at boot and dropped
FLAGS = (
    "output_on",
    "vbus",
    "bench_strap",
    "stop_open",
    "dose_loaded",
    "contact_limited",
    "clock_set",
    "reversed",
    "log_open",
    "dose_damaged",
)

# The status record, in order: (field, struct code).
STATUS_FIELDS = (
    ("state", "B"),
    ("outcome", "B"),
    ("fault", "H"),
    ("flags", "H"),
    ("setpoint_ua", "H"),
    ("current_ua", "h"),
    ("sense_ua", "h"),
    ("load_mv", "H"),
    ("rail_mv", "H"),
    ("vsys_mv", "H"),
    ("duty", "H"),
    ("load_ohm", "I"),
    ("charge_uc", "I"),
    ("dose_uc", "I"),
    ("elapsed_ms", "I"),
    ("remaining_ms", "I"),
    ("session_id", "I"),
    ("late_max_us", "H"),
    ("starts_left", "B"),
    ("second_fault", "H"),
    ("log_left", "B"),
    ("target_ua", "H"),
    ("comfort", "B"),
    ("comfort_count", "B"),
    ("least_ua", "H"),
    ("second_ua", "H"),
    ("second_charge_uc", "I"),
)
STATUS_FORMAT = "<" + "".join([code for _, code in STATUS_FIELDS])

BANNER = (
    "IontoPico, an iontophoresis current source. This port speaks a binary protocol, not text.\r\n"
    "Talk to it with the host tool: ionto status (its manual: ionto --help).\r\n"
)
