"""The desk for requests, of a host or of the START button: what needs more than the session to be answered.

Each returns a code of ionto.faults, 0 for accepted; some raise `faults.Refusal`. How they travel: ionto.commands.
What takes longer than a cycle becomes an errand, which the loop goes on with: 0 says that it has begun.
"""

from ionto import faults, kernel, protocol
from ionto.compat import const
from ionto.errand import Errand
from ionto.keeper import NOTHING
from ionto.protocol import SELF_TESTING
from ionto.sessionlog_format import REQUESTED
from ionto.shelf import PROOF

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from array import array
    from collections.abc import Generator

    from ionto.keeper import Keeper
    from ionto.parts import Parts
    from ionto.plan import Dose

_WORD = const(0xFFFF)


class Desk:
    """Decides about requests. `leaving` is True from the moment that the device has to leave for maintenance.

    `errand` is the work that has been begun. `sending_log` says that a log is open to be sent: no session begins, which
    might delete it to have room.
    """

    def __init__(self, parts: "Parts", keeper: "Keeper"):
        self._parts = parts
        self._log = parts.log
        self._reading = parts.reading
        self._session = parts.session
        self._keeper = keeper
        self.errand = Errand()
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
        """End the session at once; the log tells it of a session under way, which ends once. A START is given up."""
        self.errand.stop(faults.WRONG_STATE)
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
        """Fill the status block `values` (kernel.T_...) but for its flags; allocates nothing."""
        session, parts = self._session, self._parts
        kernel.fill_status(values, session.block, self._reading.block, parts.controller.block)
        values[kernel.T_STATE] = session.state
        values[kernel.T_OUTCOME] = session.outcome
        values[kernel.T_FAULT] = session.fault
        values[kernel.T_DOSE_UC] = session.dose.dose_uc if session.dose else 0
        values[kernel.T_REMAINING_MS] = session.remaining_ms()
        values[kernel.T_SESSION_ID] = self._log.log_id
        values[kernel.T_STARTS_LEFT] = parts.kept.starts_left
        late_us = parts.guards.late_max_us
        values[kernel.T_LATE_MAX_US] = late_us if late_us < _WORD else _WORD
        values[kernel.T_SECOND_FAULT] = session.second_fault
        values[kernel.T_SECOND_CHARGE_UC] = parts.guards.second_charge_uc
        values[kernel.T_LOG_LEFT] = self._keeper.records_left()

    def fill_flags(self, values: "array") -> None:
        """Fill in the status flags (protocol.FLAG_...): work for a cycle of its own."""
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
        values[kernel.T_FLAGS] = flags

    # At rest.

    def may_write(self) -> int:
        """Return why flash may not have its turn now, or 0."""
        return faults.CURRENT_REMAINS if self._parts.quiet.current_remains() else faults.NONE

    def busy(self) -> bool:
        """Return True while a session or an errand is under way: flash and files are for it alone."""
        return self._session.running or self.errand.under_way()

    def go_on(self) -> None:
        """Do the errand's next step; STOP, as it was since the last one, ends it. Called every cycle at rest."""
        if self._reading.block[kernel.R_STOP]:
            self.errand.stop(faults.STOP_OPEN)
        self.errand.step()

    def take_dose(self, plan: "Dose") -> int:
        """Keep `plan` (validated) on flash and take it for the next start: an errand."""
        return self._session.may_load() or self.may_write() or self.errand.begin(self._take_dose(plan), False)

    def _take_dose(self, plan: "Dose") -> "Generator[None, None, int]":
        if not (yield from self._keeper.make_room()):  # told while a computer is there
            return faults.FILESYSTEM_FULL
        self._parts.kept.keep(plan)
        return self._session.load(plan)

    def start(self) -> int:
        """Begin a session if everything allows it: an errand; may raise `faults.Refusal`."""
        session, parts = self._session, self._parts
        if self._keeper.busy() or self.sending_log or self.errand.under_way():
            return faults.WRONG_STATE
        code = session.may_start(self._reading) or self.may_write()
        dose = session.dose
        if code or dose is None:
            return code or faults.NO_DOSE
        if not parts.kept.starts_left:
            return faults.NO_STARTS_LEFT
        parts.settings.admit(dose)
        return self.errand.begin(self._start(dose), True)

    def _start(self, dose: "Dose") -> "Generator[None, None, int]":
        """What a session needs of flash before anything is switched on."""
        session, parts = self._session, self._parts
        if not (yield from self._keeper.make_room()):
            return faults.FILESYSTEM_FULL
        yield from self._look_at_files()
        code = session.may_start(self._reading)
        if code:
            return code
        self.errand.free = False  # the start is counted: from here on there is a session, and a log that tells of it
        parts.kept.use_start(dose)
        yield
        yield from self._keeper.arm(dose)
        parts.guards.forget_lateness()
        session.start(self._reading, counted=True)
        if self.errand.stopped:
            session.abort(protocol.STOPPED if self.errand.stopped == faults.STOP_OPEN else protocol.ABORTED)
        self._keeper.changed(session.state)  # it may have come and gone before the loop looks
        return faults.NONE

    def _look_at_files(self) -> "Generator[None, None, None]":
        """Tell the self-test whether firmware and settable limits are sound on flash. May raise `Refusal`."""
        while not self._parts.quiet.over():
            yield
        self._parts.shelf.take(PROOF)
        yield
        from ionto.filecheck import check

        selftest = self._parts.selftest
        selftest.files = yield from check()
        selftest.settings_sound = not self._parts.settings.damaged

    def self_test(self) -> int:
        """Begin a self-test alone: an errand. The test judges STOP itself."""
        if self._keeper.todo != NOTHING or self.errand.under_way():
            return faults.WRONG_STATE
        return self._session.may_test(self._reading) or self.errand.begin(self._self_test(), False)

    def _self_test(self) -> "Generator[None, None, int]":
        yield from self._look_at_files()
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
        if self._keeper.busy() or self.errand.under_way() or self._session.state == SELF_TESTING:
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
        if self._keeper.todo != NOTHING or self.errand.under_way():
            return faults.WRONG_STATE
        code = self._session.leave()
        if not code:
            self.leaving = True
        return code

    def set_clock(self, unix_s: int) -> None:
        """Set the real-time clock, s since 1970 UTC."""
        self._parts.board.set_clock(unix_s)
        self._parts.clock_set = True
