"""Layout of a session log file, for the device that writes it and the host that reads it. Prose: docs/log_format.md.

A log is a series of records: head (mark u8, kind u8, sequence u16, length u16), payload, chain (SHA-256 of the
chain before it and of this record's head and payload), CRC-32 of all three. The arm record is on flash before the first
microampere, the self-test's included; the rest follows with the output off.
"""

from ionto.compat import const

MAGIC = b"IONTOLOG"  # first bytes of the file, then LOG_FORMAT_VERSION as u16; the chain begins with these ten
MAGIC_FORMAT = "<8sH"
RECORD_MARK = const(0xA9)  # first byte of every record
RECORD_HEAD_FORMAT = "<BBHH"
RECORD_HEAD_BYTES = const(6)
CHAIN_BYTES = const(32)
RECORD_OVERHEAD_BYTES = const(42)
LOG_NEEDS_FREE_BYTES = const(0x10000)  # of flash, or a dose is refused: a log twice over

ARM = const(1)  # JSON: firmware, board, dose, clock
SAMPLES = const(2)  # up to SAMPLES_PER_RECORD samples
EVENTS = const(3)  # up to EVENTS_PER_RECORD events
END = const(4)  # JSON: outcome, charges, extremes
TEST = const(5)  # JSON: zero offset and self-test results; the second record of a session that came so far
RECORD_NAMES = {ARM: "arm", SAMPLES: "samples", EVENTS: "events", END: "end", TEST: "test"}

# One sample: means and extremes over the `cycles` of 1 ms since the one before. (field, struct code)
SAMPLE_FIELDS = (
    ("t_ms", "I"),
    ("charge_uc", "I"),
    ("setpoint_ua", "H"),
    ("current_mean_ua", "H"),
    ("current_min_ua", "H"),
    ("current_max_ua", "H"),
    ("second_mean_ua", "H"),
    ("load_mv", "H"),
    ("load_max_mv", "H"),
    ("cycles", "H"),
    ("state", "B"),
    ("flags", "B"),
)
SAMPLE_FORMAT = "<" + "".join([code for _, code in SAMPLE_FIELDS])
SAMPLE_BYTES = const(26)
SAMPLES_PER_RECORD = const(80)
SAMPLE_LIMITED = const(1)  # flag: the contact, not the set-point, decided the current

# One event: when, what, and two numbers whose meaning the event names.
EVENT_FIELDS = (("t_ms", "I"), ("event", "H"), ("code", "H"), ("value_a", "i"), ("value_b", "i"))
EVENT_FORMAT = "<" + "".join([code for _, code in EVENT_FIELDS])
EVENT_BYTES = const(16)
EVENTS_PER_RECORD = const(100)

STATE_CHANGED = const(1)  # code: new state; a: old state, b: charge_uc
FAULT_LATCHED = const(2)  # code: fault; a: current_ua, b: set-point_ua
REQUESTED = const(3)  # code: protocol command; a: state
CONTACT_LIMITED = const(4)  # code: 1 begins, 0 ends; a: current_ua, b: load_mv
BUTTON = const(5)  # code: 1 START, 2 STOP; a: state
POLARITY = const(6)  # the relay was set; code: 1 pole +, 2 pole -; a: charge_uc, b: current_ua
SETTINGS = const(7)  # code: place in ionto.settings.FIELDS; a: old value, b: new value; before the session began
SECOND_FAULT = const(8)  # code: fault found after the first; a: current_ua, b: first fault
COMFORT = const(9)  # a person reports; code: protocol.TINGLING ...; a: current_ua, b: new target_ua, 0 for as before
GAP = const(
    10
)  # the loop was late with current flowing; code: how late, ms; a: most that can have flowed, uC, b: counted, uC
EVENT_NAMES = {
    STATE_CHANGED: "state",
    FAULT_LATCHED: "fault",
    REQUESTED: "request",
    CONTACT_LIMITED: "contact_limited",
    BUTTON: "button",
    POLARITY: "polarity",
    SETTINGS: "settings",
    SECOND_FAULT: "second_fault",
    COMFORT: "comfort",
    GAP: "gap",
}
