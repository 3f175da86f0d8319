"""Is a hand on the board? What a computer alone may not do needs the bench strap, or START pressed just before."""

from ionto import kernel
from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from array import array

PRESS_US = const(50_000)  # longer than any bounce or touch
WINDOW_US = const(10_000_000)  # after a press


class Hand:
    """Watches START. One press counts once: a button that is stuck, at boot or later, is no hand.

    `served` says that the press, which may still be under way, has had its act. The session's current uses a press up,
    so that time has to be counted at rest only.
    """

    def __init__(self):
        self.served = False
        self._left_us = 0
        self._held_us = PRESS_US  # as if pressed at boot, so that only a press after a release counts

    def step(self, dt_us: int, reading: "array") -> None:
        """Let `dt_us` pass with the present `reading` (its block)."""
        left_us = self._left_us - dt_us
        self._left_us = left_us if left_us > 0 else 0
        if not reading[kernel.R_START]:
            self._held_us = 0
        elif self._held_us < PRESS_US:
            self._held_us += dt_us
            if self._held_us >= PRESS_US:
                self._left_us = WINDOW_US
                self.served = False

    def there(self, reading: "array") -> bool:
        """Return True when a person is at the board now."""
        return self._left_us > 0 or reading[kernel.R_STRAP] != 0

    def used(self) -> None:
        """The press has had its effect: the next act needs another."""
        self._left_us = 0
        self.served = True
