"""What a session needs of flash and relay, done at rest: one job a cycle, from the arm record to the end record."""

import gc
import os

from ionto import bootmode, faults, kernel, protocol
from ionto.compat import const
from ionto.identity import identity
from ionto.limits import RELAY_MS
from ionto.oldlogs import OldLogs
from ionto.plan import POLE_NEGATIVE
from ionto.session import UNSEEN_MV
from ionto.sessionlog_format import LOG_NEEDS_FREE_BYTES, POLARITY, SETTINGS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Generator

    from ionto.parts import Parts
    from ionto.plan import Dose

# What the keeper has to do next.
NOTHING = const(0)
SET_POLE = const(1)
BEGIN = const(2)
TAIL = const(3)
FLUSH = const(4)

_PARTS = ("shunt_mohm", "sense_mohm", "second_mohm", "series_ohm")  # what the numbers of the log rest on
_POLE_CODES = (2, 1)  # of the log's event, by "the pole is +"
_ENDED = (protocol.DONE, protocol.FAULT)
_TAIL_MS = const(125)  # what the filter and the dead-man, 110 ms at its worst, let flow; then a guard looks for current
_RECOVER_MS = const(1_000)
_STABLE_MS = const(60_000)  # after which unplanned resets are no longer "in a row"


class Keeper:
    """Keeps the log of the session under way, and moves the relay. `todo` is the next job, `log_open` says that the
    arm record is on flash and the end record is not."""

    def __init__(self, parts: "Parts"):
        self._parts = parts
        self._hal = parts.hal
        self._board = parts.board
        self._log = parts.log
        self._quiet = parts.quiet
        self._reading = parts.reading
        self._session = parts.session
        self.old_logs = OldLogs(parts)
        self.todo = NOTHING
        self.log_open = False
        self._relay_ms = 0
        self._tail_ms = 0
        self._test = None  # the record of a self-test that was passed, until it is on flash

    # The session changes; what it leaves to be done.

    def changed(self, state: int) -> None:
        """The session is in a new `state`: what is to be done at rest."""
        if state == protocol.ARMED:
            self.todo = SET_POLE
            self._test = {"zero_ua": self._hal.scale.zero_ua, "selftest": self._parts.selftest.results}
        if self.log_open and state in _ENDED and not self.closing():
            self.todo = TAIL
            self._tail_ms = 0

    def closing(self) -> bool:
        """Return True while the log of a session that is over is completed and written."""
        return self.todo >= TAIL

    def count_tail(self, dt_us: int) -> None:
        """What still flows after the cut belongs to the session: count and log it, then write the log."""
        session, reading = self._session, self._reading
        kernel.count_tail(session.block, reading.block, dt_us)
        self._log.sample(session.block, reading.block, session.state)
        self._tail_ms += 1
        if self._tail_ms >= _TAIL_MS:
            self._log.close_window(session.block, session.state)
            self.todo = FLUSH

    def step(self, cycle: int) -> None:
        """Do what is due in the cycle with the number `cycle`; called where no current flows."""
        if self._session.may_turn:
            self._turn_relay()
        todo = self.todo
        if todo == BEGIN:
            self._begin()
        elif todo == NOTHING or not self._quiet.over():
            pass  # flash and relay have their turn when no current flows
        elif todo == SET_POLE:
            self._arm_relay()
        elif todo == FLUSH:
            self._flush()
        if not cycle % _RECOVER_MS:
            self._look_after(cycle)

    def _look_after(self, cycle: int) -> None:
        """Once a second: try dead sensors again, look at an old log, forgive resets that lie back."""
        reading, boot = self._reading, self._parts.boot
        if not (reading.fresh and reading.sensor_ok):
            reading.sensor_ok = self._hal.recover_sensor()
        if not reading.second_ok:
            reading.second_ok = self._hal.open_second()
        if self.old_logs.waiting() and self._quiet.zero and not self.busy() and not self._session.may_load():
            self.old_logs.examine()
        if boot.unplanned and cycle >= _STABLE_MS:
            boot.unplanned = 0
            self._board.write_scratch(bootmode.SCRATCH_MARK, bootmode.mark(bootmode.RUNNING, 0))

    # The log of a session, from its room to its end record.

    def busy(self) -> bool:
        """Return True while a job waits or the log of a session is open."""
        return self.todo != NOTHING or self.log_open

    def make_room(self) -> "Generator[None, None, bool]":
        """Have room for a whole log on flash, and delete logs with verified copies for it; False when there is none.

        In steps. Raises OSError.
        """
        return self._log.make_room(_room_for_log)

    def arm(self, dose: "Dose") -> "Generator[None, None, None]":
        """Put the arm record on flash, before any current, in steps. Raises OSError.

        Nothing else is written before the session is over: no flash operation keeps the loop from seeing STOP in it.
        """
        from ionto.filecheck import manifest_digest

        manifest = yield from manifest_digest()
        yield
        log = self._log
        log.reset()
        self._test = None
        log.arm(self._arm_record(dose, manifest))
        self.log_open = True
        self._log_settings()
        board = self._board
        board.write_scratch(bootmode.SCRATCH_CHARGE_UC, 0)
        board.write_scratch(bootmode.SCRATCH_T_MS, 0)
        board.write_scratch(bootmode.SCRATCH_LOG_ID, log.log_id)
        yield
        gc.collect()  # so that the self-test, whose small current flows, needs none; 20 ms
        yield

    def _arm_record(self, dose: "Dose", manifest: str) -> dict:
        header = identity(self._parts)
        header["log"] = self._log.last_id() + 1
        header["time_unix_s"] = self._board.unix_time_s()
        header["files"] = manifest
        header["parts"] = {name: getattr(self._parts.limits, name) for name in _PARTS}
        header["dose"] = dose.raw.decode()
        header["digest"] = dose.digest()
        return header

    def _log_settings(self) -> None:
        """Let the session's log show every change of a settable limit since the last session."""
        settings = self._parts.settings
        for place, old, new in settings.unlogged:
            self._parts.note(SETTINGS, place, old, new)
        settings.unlogged = []

    def _arm_relay(self) -> None:
        """The self-test is passed, and its last phase has shown that no current flows: only now may the relay move."""
        self.todo = NOTHING
        if self._session.state == protocol.ARMED and self._set_pole():
            self._relay_ms = 0
            self.todo = BEGIN

    def _begin(self) -> None:
        """Let the current begin once the relay has settled."""
        self._relay_ms += 1
        if self._relay_ms == 1:
            self._make_room_on_heap()
        elif self._relay_ms >= RELAY_MS:
            self.todo = NOTHING
            self._session.armed()

    def _make_room_on_heap(self) -> None:
        """Drop what the session needs no more, its self-test too: 20 ms, in which the relay settles without current."""
        self._parts.shelf.put_back()
        gc.collect()  # the last one before the session is over

    def _flush(self) -> None:
        """Write one record of what RAM holds, the end record last."""
        try:
            if self._test is not None:
                self._log.add_test(self._test)
                self._test = None
            elif self._log.flush_step():
                self._log.close(self._summary())
                self.todo = NOTHING
                self.log_open = False
                self._board.write_scratch(bootmode.SCRATCH_LOG_ID, 0)
        except OSError as error:
            self.todo = NOTHING  # what RAM holds is kept: CLEAR_FAULT tries again
            self._session.fail(faults.of_log(error), self._reading)

    def flush_again(self) -> None:
        """The fault that kept the log from being written is cleared: go on, if a log is open."""
        if self.log_open:
            self.todo = FLUSH

    def records_left(self) -> int:
        """Return how many records of the log are still to be written, 0 before their writing has begun."""
        return self._log.records_left() + (self._test is not None) if self.todo == FLUSH else 0

    def _summary(self) -> dict:
        session, guards, log, selftest = self._session, self._parts.guards, self._log, self._parts.selftest
        summary = {
            "outcome": session.outcome,
            "fault": session.fault,
            "second_fault": session.second_fault,
            "charge_uc": session.charge_uc,
            "shortfall_uc": session.shortfall_uc,
            "guard_charge_uc": guards.charge_uc,
            "sense_charge_uc": guards.sense_charge_uc,
            "second_charge_uc": guards.second_charge_uc,
            "t_ms": session.t_ms,
            "on_ms": session.on_ms,
            "planned_on_ms": session.planned_on_ms,
            "max_current_ua": session.max_current_ua,
            "max_load_mv": log.max_load_mv,
            "min_rail_mv": _seen(session.block[kernel.S_LEAST_RAIL_MV]),
            "min_vsys_mv": _seen(session.block[kernel.S_LEAST_VSYS_MV]),
            "period_ms": log.window[kernel.W_PERIOD_MS],
            "late_max_us": guards.late_max_us,
            "samples": log.sample_count,
            "events": log.event_count,
            "samples_lost": log.samples_lost,
            "events_lost": log.events_lost,
            "heap_free_bytes": gc.mem_free(),
        }
        if selftest.fault:
            summary["selftest"] = selftest.results
        return summary

    def delete(self, log_id: int) -> None:
        """Delete log `log_id`; the open one is refused, and every one while current flows."""
        if self.log_open and log_id == self._log.log_id:
            raise faults.Refusal(faults.WRONG_STATE, "log", log_id)
        if self._quiet.current_remains():
            raise faults.Refusal(faults.CURRENT_REMAINS, "log", log_id)
        self._log.delete(log_id)

    # The relay.

    def _set_pole(self) -> bool:
        """Give the relay the session's pole; a fault, and False, when the board does not show that no current flows."""
        session = self._session
        if not self._hal.set_reversed(session.pole == POLE_NEGATIVE):
            seen = self._reading.block[kernel.R_FRESH]
            session.fail(faults.CURRENT_WHEN_OFF if seen else faults.SENSOR_STALE, self._reading)
            return False
        code = _POLE_CODES[session.pole != POLE_NEGATIVE]
        self._parts.note(POLARITY, code, session.charge_uc, self._reading.block[kernel.R_CURRENT_UA])
        return True

    def _turn_relay(self) -> None:
        """The session has seen that no current flows: let the relay move, unless something has ended it since."""
        if self._session.state == protocol.REVERSING and self._set_pole():
            self._session.turned()


def _room_for_log() -> bool:
    status = os.statvfs("/")
    return status[0] * status[3] >= LOG_NEEDS_FREE_BYTES


def _seen(least_mv: int) -> "int | None":
    """Return a least voltage, None when the session never came to its full current."""
    return None if least_mv == UNSEEN_MV else least_mv
