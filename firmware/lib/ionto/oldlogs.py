"""The logs of earlier sessions: at boot, and later at rest, those that a reset or a power cut left open are closed."""

import os

from ionto import bootmode, faults, protocol, sessionlog
from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.parts import Parts


class OldLogs:
    """Looks at the newest log at boot, at the others one by one. An error of flash latches a fault, unmended."""

    def __init__(self, parts: "Parts"):
        self._board = parts.board
        self._boot = parts.boot
        self._log = parts.log
        self._reading = parts.reading
        self._session = parts.session
        self._unexamined = []  # ids of the logs that nobody has looked at since boot, the newest last

    def open(self) -> None:
        """Close what the last session left open. A file system that cannot be read latches a fault, unmended."""
        log = self._log
        try:
            if log.folder[1:] not in os.listdir("/"):
                os.mkdir(log.folder)
            log.book.open()
            ids = self._unexamined = log.ids()
            log.log_id = log.last_id()
            if ids:
                self._close_lost(ids[-1])
                ids.pop()
        except OSError as error:
            log.book.state = sessionlog.UNREADABLE
            self._session.fail(faults.of_log(error), self._reading)

    def waiting(self) -> bool:
        """Return True when there is a log that nobody has looked at since boot."""
        return bool(self._unexamined)

    def examine(self) -> None:
        """Look at the newest log that nobody has looked at; close its session if it is one that was cut short."""
        log_id = self._unexamined[-1]
        try:
            if self._log.has(log_id):
                self._close_lost(log_id)
            self._unexamined.pop()
        except OSError as error:
            self._session.fail(faults.of_log(error), self._reading)

    def _close_lost(self, log_id: int) -> None:
        """Close the log of a session that a reset or a power cut ended, with what is known of it. Raises OSError."""
        log = self._log
        sequence, chain, ended, sound = sessionlog.scan(log.path(log_id))
        if not sequence:
            log.delete(log_id)  # its arm record never was on flash, so nothing has flowed
            return
        if not sound:
            log.book.state = sessionlog.DAMAGED
        if not ended:
            log.close_interrupted(log_id, sequence, chain, self._lost_summary(log_id))

    def _lost_summary(self, log_id: int) -> dict:
        summary = {"outcome": protocol.INTERRUPTED, "cause": self._boot.cause, "closed_at_boot": True}
        board = self._board
        if board.read_scratch(bootmode.SCRATCH_LOG_ID) == log_id:
            summary["charge_uc"] = board.read_scratch(bootmode.SCRATCH_CHARGE_UC)
            summary["t_ms"] = board.read_scratch(bootmode.SCRATCH_T_MS)
        return summary
