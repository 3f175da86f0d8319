"""The self-test before every session, as the session sees it. What it does (ionto.proving) is there only meanwhile."""

from ionto.findings import Findings
from ionto.limits import Limits
from ionto.reading import Reading

TYPE_CHECKING = 0
if TYPE_CHECKING:
    from ionto.proving import Prover


class SelfTest(Findings):
    """After `begin`, call `step` every cycle until `finished`. `begin` needs the part PROOF (ionto.shelf)."""

    _prover: "Prover | None"

    def __init__(self, limits: Limits):
        super().__init__()
        self._limits = limits

    def begin(self, reading: Reading) -> None:
        """Start again: forget the last results and the zero, judge what needs no current, enter the first phase."""
        from ionto.proving import Prover

        self.forget()
        self.finished = False
        self._prover = Prover(self, self._limits, reading)

    def end(self) -> None:
        """The test is over: nothing is driven any more, and what it was done with is let go."""
        super().end()
        self._prover = None

    def interrupt(self, name: str, value: "int | str") -> None:
        """End a test that is under way without a result of its own: row `name` says why, with `value`."""
        if not self.finished:
            self.results.append((name, False, value, "", None, None))
            self.end()

    def step(self, dt_us: int, reading: Reading) -> None:
        """Advance one cycle, `dt_us` after the last, with `reading`; its raw counts, since the test finds the zero."""
        prover = self._prover
        if prover is not None:
            prover.step(dt_us, reading)
