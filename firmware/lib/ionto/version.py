"""Versions that the device and the host compare when they meet."""

from ionto.compat import const

FIRMWARE_VERSION = "0.1.0"
PROTOCOL_VERSION = const(6)  # docs/protocol.md; not 3 to 5: HELLO carries it, and a REPL takes them for Ctrl-C, D, E
LOG_FORMAT_VERSION = const(2)  # docs/log_format.md
DOSE_SCHEMA_VERSION = const(1)  # ionto.dose
