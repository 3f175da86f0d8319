"""What the tests of the application share: its commands by name, a long dose, answers in words."""

from __future__ import annotations

import json
import struct
from typing import Any

from ionto import protocol

COMMANDS = {
    name: value
    for name, value in vars(protocol).items()
    if name
    in "HELLO STATUS DOSE_PUSH DOSE_READ START PAUSE RESUME ABORT CLEAR_FAULT SET_CLOCK SELF_TEST MAINTENANCE "
    "SET_LIMITS CALIBRATION HEALTH LOG_LIST LOG_READ LOG_DELETE LOG_VERIFIED COMFORT".split()
}

LONG = {"current_ua": 2_000, "dose_uc": 60_000}


def detail(content: bytes) -> dict[str, Any]:
    """Return the JSON of an error frame."""
    return json.loads(content[struct.calcsize(protocol.ERROR_FORMAT) :])


def flag_names(flags: int) -> set[str]:
    """Return the names of the flags that are set."""
    return {name for index, name in enumerate(protocol.FLAGS) if flags >> index & 1}
