"""How much longer the host waits than a real board needs: for an emulated one, which is slower than real time."""

from __future__ import annotations

import math
import os

from ionto_host.errors import UsageError

VARIABLE = "IONTO_PATIENCE"


def patient(seconds: float) -> float:
    """Return how many seconds to wait where a real board needs at most `seconds`: times IONTO_PATIENCE if set."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return seconds
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1.0 <= factor <= 1000.0:
        raise UsageError(f"{VARIABLE} is {text!r}: a factor from 1 to 1000 is expected", f"Unset {VARIABLE}.")
    return seconds * factor
