"""Work at rest that takes longer than a control cycle: one step a cycle, so that the loop has its turn in between."""

from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Generator


class Errand:
    """One piece of work at a time: a generator that yields after every step and returns a code of ionto.faults.

    `code` and `refusal` say how the last one ended. STOP, or an abort, ends one at once while it is `free`; later it is
    kept in `stopped` for the work to look at.
    """

    def __init__(self):
        self._steps = None
        self.code = faults.NONE
        self.refusal = None
        self.free = True
        self.stopped = faults.NONE

    def under_way(self) -> bool:
        """Return True while there is work left."""
        return self._steps is not None

    def begin(self, steps: "Generator[None, None, int]", free: bool) -> int:
        """Take the work `steps`; its first step is done in this cycle or the next. Return 0, for "accepted".

        STOP ends it while it is `free`: not so when no session comes of it.
        """
        self._steps = steps
        self.refusal = None
        self.free = free
        self.code = self.stopped = faults.NONE
        return faults.NONE

    def stop(self, code: int) -> None:
        """Somebody wants no work that leads to a current: `code` says why."""
        if self._steps is not None:
            self.stopped = self.stopped or code

    def step(self) -> None:
        """Do the next step, if there is work and nobody has stopped it."""
        steps = self._steps
        if steps is None:
            return
        if self.stopped and self.free:
            steps.close()
            self._end(self.stopped)
            return
        try:
            next(steps)
        except StopIteration as end:
            self._end(end.value or faults.NONE)
        except Refusal as refusal:
            self.refusal = refusal
            self._end(refusal.code)
        except OSError as error:
            self._end(faults.of_flash(error))

    def _end(self, code: int) -> None:
        self._steps = None
        self.code = code
