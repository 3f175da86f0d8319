"""The clock of a device that has none: set from this computer whenever one speaks to it, so that its logs are dated."""

from __future__ import annotations

import time
from collections.abc import Callable

from ionto_host.device.client import Device
from ionto_host.errors import RefusedError


def set_if_unset(device: Device, tell: Callable[[str], None]) -> bool:
    """Set the clock of `device` when its HELLO says that it is not set; `tell` it, and return True when it was set.

    While current flows the device refuses, and the clock stays as it is: `tell` that too, since the log has no date.
    """
    known = device.known
    if known is None or known.clock_set:
        return False
    try:
        unix_s = device.set_clock()
    except RefusedError as error:
        tell(f"Note: the board's clock is not set, and it takes none now: {error.message}. Its log has no date.")
        return False
    device.hello()  # which says now that it is set
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_s))
    tell(f"Note: the board's clock was not set; it is now: {written} UTC, by this computer. `--leave-clock` leaves it.")
    return True
