"""Versions that the device and the host compare when they meet."""

from ionto.compat import const

FIRMWARE_VERSION = "0.1.0"
PROTOCOL_VERSION = const(8)  # docs/protocol.md; not 1 to 6: HELLO carries it, and a REPL acts on Ctrl-A to Ctrl-F
LOG_FORMAT_VERSION = const(3)  # docs/log_format.md
DOSE_SCHEMA_VERSION = const(1)  # ionto.dose
