"""What the device does only with a hand on the board: say what to press, and try again until it has been pressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ionto import faults
from ionto_host.errors import RefusedError
from ionto_host.patience import patient

WAIT_S = 10.0
_PERIOD_S = 0.2
PRESS = (
    "This needs a hand on the board: press START briefly, within 10 s (or fit the bench strap). "
    "On a simulator: `ionto sim press start --ms 300`."
)

_Result = TypeVar("_Result")


def with_hand(act: Callable[[], _Result], tell: Callable[[str], None]) -> _Result:
    """Return what `act()` does. Refused for want of a hand, `tell` what to press and try again for 10 s."""
    deadline: float | None = None
    while True:
        try:
            return act()
        except RefusedError as error:
            if error.details.get("code") != faults.NEEDS_HAND:
                raise
            if deadline is None:
                deadline = time.monotonic() + patient(WAIT_S)
                tell(PRESS)
            elif time.monotonic() >= deadline:
                raise
        time.sleep(_PERIOD_S)
