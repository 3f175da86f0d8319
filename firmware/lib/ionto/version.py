"""Versions that the device and the host compare when they meet."""

from ionto.compat import const

FIRMWARE_VERSION = "0.1.0"
PROTOCOL_VERSION = const(6)  # docs/protocol.md; 3 to 5 are control characters at a MicroPython prompt
LOG_FORMAT_VERSION = const(1)  # docs/log_format.md
DOSE_SCHEMA_VERSION = const(1)  # ionto.dose
