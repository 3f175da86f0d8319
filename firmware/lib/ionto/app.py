"""The application: its parts put together, begun, stepped one control cycle at a time, and ended.

`begin(); while tick(): pass; end()` is the board's whole run. A test or a simulation calls the same three as it likes.
"""

import gc

from ionto import bootmode, faults, shelf
from ionto.commands import Commands
from ionto.compat import const, micropython
from ionto.desk import Desk
from ionto.keeper import Keeper
from ionto.loop import Loop
from ionto.panel import Panel
from ionto.parts import Parts

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ionto.bootmode import Boot
    from ionto.hal_rp2 import Hal
    from ionto.limits import Limits
    from ionto.serialport import SerialPort
    from ionto.settings import Settings

_LEAVE_WITHIN_MS = const(200)
_CTRL_C = const(3)


class App(Parts):
    """One device: its parts, which take all but `port`, the byte stream, and who works with them."""

    def __init__(
        self,
        hal: "Hal",
        board: "Any",
        port: "SerialPort",
        boot: "Boot",
        limits: "Limits",
        settings: "Settings",
    ):
        super().__init__(hal, board, boot, limits, settings)
        self.keeper = Keeper(self)
        self.desk = Desk(self, self.keeper)
        self.commands = Commands(self, self.keeper, self.desk, port)
        self.link = self.commands.link
        self.loop = Loop(self, self.keeper, self.desk, Panel(self, self.keeper, self.desk), self.commands)
        self._leaving_ms = 0

    def begin(self) -> None:
        """Take up what the last run left, tell why this boot is, and arm the watchdog. Ctrl-C is data until `end`."""
        micropython.kbd_intr(-1)
        gc.threshold(-1)  # from here on a collection comes when it is asked for
        session, boot = self.session, self.boot
        self._keep_settings()
        self.keeper.old_logs.open()
        self._take_kept_dose()
        self.board.write_scratch(bootmode.SCRATCH_MARK, bootmode.mark(bootmode.RUNNING, boot.unplanned))
        if boot.cause == bootmode.WATCHDOG:
            session.fail(faults.UNPLANNED_RESET, self.reading)
        if boot.fault:
            session.fail(boot.fault, self.reading)
        self.commands.remember_identity()
        self.hal.start_watchdog()

    def _take_kept_dose(self) -> None:
        """Load the dose that is kept on flash, if the code that looks at it is sound."""
        if not self.kept.there():
            return
        try:
            shelf.fetch(shelf.REST)
        except faults.Refusal as refusal:
            self.session.fail(refusal.code, self.reading)
            return
        kept = self.kept.restore(self.limits)
        if kept is not None:
            self.session.load(kept)

    def _keep_settings(self) -> None:
        """The first boot of a blank board: from now on it is of the variant that its strap says."""
        try:
            if not self.settings.kept:
                self.settings.store()
        except OSError as error:
            self.session.fail(faults.of_log(error), self.reading)

    @micropython.native
    def tick(self) -> bool:
        """Run one control cycle, which waits for its millisecond; False when the device has left for maintenance."""
        self.loop.tick()
        return not self.desk.leaving or self._answering()

    def _answering(self) -> bool:
        """Return True while the answer to the request to leave is going out; not for ever."""
        self._leaving_ms += 1
        return self.link.busy() and self._leaving_ms < _LEAVE_WITHIN_MS

    def end(self) -> None:
        """Take the current away and give Ctrl-C back, whatever has ended the run; the next boot learns of an exit."""
        self.hal.cut_off()
        if self.desk.leaving:
            mark = bootmode.mark(bootmode.TO_MAINTENANCE, 0, self.session.fault)
            self.board.write_scratch(bootmode.SCRATCH_MARK, mark)
        micropython.kbd_intr(_CTRL_C)
