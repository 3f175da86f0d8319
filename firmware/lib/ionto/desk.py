"""The desk for requests, of a host or of the START button: what needs more than the session to be answered.

Each returns a code of ionto.faults, 0 for accepted; some raise `faults.Refusal`. How they travel: ionto.commands.
"""

from ionto import faults, files, kernel, protocol
from ionto.compat import const
from ionto.keeper import NOTHING
from ionto.protocol import SELF_TESTING
from ionto.sessionlog_format import REQUESTED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from array import array

    from ionto.dose import Dose
    from ionto.keeper import Keeper
    from ionto.parts import Parts

_WORD = const(0xFFFF)


class Desk:
    """Decides about requests. `leaving` is True from the moment that the device has to leave for maintenance.

    `sending_log` says that a log is open to be sent: no session begins, which might delete it to have room.
    """

    def __init__(self, parts: "Parts", keeper: "Keeper"):
        self._parts = parts
        self._log = parts.log
        self._reading = parts.reading
        self._session = parts.session
        self._keeper = keeper
        self.leaving = False
        self.sending_log = False

    # While current may flow.

    def note_request(self, command: int) -> int:
        """Put a host request into the session's log; refuse it when there is room for the session's end only."""
        if self._log.crowded():
            return faults.EVENTS_FULL if self._session.running else faults.NONE
        self._parts.note(REQUESTED, command, self._session.state, 0)
        return faults.NONE

    def abort(self) -> int:
        """End the session at once; the log tells it of a session under way, which ends once."""
        if self._session.running:
            self._parts.note(REQUESTED, protocol.ABORT, self._session.state, 0)
        return self._session.abort()

    def comfort(self, kind: int, to_ua: int) -> int:
        """A person reports `kind`, and may want the lower current `to_ua`; pain is always obeyed."""
        session = self._session
        if self._log.crowded() and session.running and (kind != protocol.PAIN or session.ending):
            return faults.EVENTS_FULL
        return session.comfort(kind, to_ua, self._reading)

    def fill_status(self, values: "array") -> None:
        """Fill the status block `values` (kernel.T_...); allocates nothing."""
        session, parts = self._session, self._parts
        kernel.fill_status(values, session.block, self._reading.block, parts.controller.block)
        values[kernel.T_STATE] = session.state
        values[kernel.T_OUTCOME] = session.outcome
        values[kernel.T_FAULT] = session.fault
        values[kernel.T_FLAGS] = self._flags()
        values[kernel.T_DOSE_UC] = session.dose.dose_uc if session.dose else 0
        values[kernel.T_REMAINING_MS] = session.remaining_ms()
        values[kernel.T_SESSION_ID] = self._log.log_id
        values[kernel.T_STARTS_LEFT] = parts.kept.starts_left
        late_us = parts.guards.late_max_us
        values[kernel.T_LATE_MAX_US] = late_us if late_us < _WORD else _WORD
        values[kernel.T_SECOND_FAULT] = session.second_fault
        values[kernel.T_SECOND_CHARGE_UC] = parts.guards.second_charge_uc
        values[kernel.T_LOG_LEFT] = self._keeper.records_left()

    def _flags(self) -> int:
        """Return the status flags (protocol.FLAG_...)."""
        session, parts = self._session, self._parts
        block = self._reading.block
        flags = protocol.FLAG_VBUS * block[kernel.R_VBUS]
        flags += protocol.FLAG_BENCH_STRAP * block[kernel.R_STRAP]
        flags += protocol.FLAG_STOP_OPEN * block[kernel.R_STOP]
        flags += protocol.FLAG_CONTACT_LIMITED * session.block[kernel.S_LIMITED]
        if session.output_on:
            flags += protocol.FLAG_OUTPUT_ON
        if session.dose is not None:
            flags += protocol.FLAG_DOSE_LOADED
        if parts.clock_set:
            flags += protocol.FLAG_CLOCK_SET
        if parts.hal.reversed():
            flags += protocol.FLAG_REVERSED
        if self._keeper.log_open:
            flags += protocol.FLAG_LOG_OPEN
        if parts.kept.dropped:
            flags += protocol.FLAG_DOSE_DAMAGED
        return flags

    # At rest.

    def may_write(self) -> int:
        """Return why flash may not have its turn now, or 0."""
        return faults.CURRENT_REMAINS if self._parts.quiet.current_remains() else faults.NONE

    def take_dose(self, plan: "Dose") -> int:
        """Keep `plan` (validated) on flash and take it for the next start."""
        code = self._session.may_load() or self.may_write()
        if code:
            return code
        if not self._keeper.make_room():  # told while a computer is there
            return faults.FILESYSTEM_FULL
        try:
            self._parts.kept.keep(plan)
        except OSError as error:
            return faults.of_flash(error)
        return self._session.load(plan)

    def start(self) -> int:
        """Begin a session if everything allows it; may raise `faults.Refusal`."""
        session, parts = self._session, self._parts
        if self._keeper.busy() or self.sending_log:
            return faults.WRONG_STATE
        code = session.may_start(self._reading) or self.may_write()
        dose = session.dose
        if code or dose is None:
            return code or faults.NO_DOSE
        if not parts.kept.starts_left:
            return faults.NO_STARTS_LEFT
        if not self._keeper.make_room():
            return faults.FILESYSTEM_FULL
        parts.settings.admit(dose)
        self._look_at_files()
        self._log.reset()
        parts.guards.forget_lateness()
        return self._use_start(dose) or self._keeper.arm(dose) or session.start(self._reading)

    def _use_start(self, dose: "Dose") -> int:
        try:
            self._parts.kept.use_start(dose)
        except OSError as error:
            return faults.of_flash(error)
        return faults.NONE

    def _look_at_files(self) -> None:
        """Tell the self-test whether firmware and settable limits are sound on flash."""
        parts = self._parts
        parts.selftest.files = files.check(parts.hal.feed)
        parts.selftest.settings_sound = not parts.settings.damaged

    def self_test(self) -> int:
        """Begin a self-test alone."""
        if self._keeper.todo != NOTHING:
            return faults.WRONG_STATE
        self._look_at_files()
        return self._session.test(self._reading)

    def set_limits(self, wanted: dict) -> int:
        """Set the settable limits in `wanted` {field: value}; may raise Refusal."""
        code = self._may_change()
        if code:
            return code
        hand = self._parts.hand
        self._parts.settings.change(wanted, hand.there(self._reading.block))
        hand.used()
        return faults.NONE

    def set_calibration(self, wanted: dict) -> int:
        """Keep the calibration `wanted` ({} for none); may raise Refusal."""
        code = self._may_change()
        if code:
            return code
        hand = self._parts.hand
        self._parts.calibration.change(wanted, hand.there(self._reading.block))
        hand.used()
        self._parts.calibrate()
        return faults.NONE

    def _may_change(self) -> int:
        """Return why the numbers have to stay, or 0: for a session, its log or a self-test; or flash has to wait."""
        if self._keeper.busy() or self._session.state == SELF_TESTING:
            return faults.WRONG_STATE
        return self.may_write()

    def clear_fault(self) -> int:
        """Clear a latched fault whose cause is gone. Without one there is nothing to do, and nothing is done."""
        if self._session.state != protocol.FAULT:
            return faults.NONE
        if self._keeper.todo != NOTHING:
            return faults.WRONG_STATE
        code = self._session.clear(self._reading)
        if not code:
            self._keeper.flush_again()
        return code

    def leave_for_maintenance(self) -> int:
        """Leave the application after the answer is out."""
        if self._keeper.todo != NOTHING:
            return faults.WRONG_STATE
        code = self._session.leave()
        if not code:
            self.leaving = True
        return code

    def set_clock(self, unix_s: int) -> None:
        """Set the real-time clock, s since 1970 UTC."""
        self._parts.board.set_clock(unix_s)
        self._parts.clock_set = True
