"""The application: wires session, guards, controller, log and link to the board, and runs the 1 kHz loop."""

import gc
import os
import sys
from array import array

from ionto import bootmode, faults, files, kernel, protocol, sessionlog, ui
from ionto.calibration import Calibration
from ionto.commands import Commands
from ionto.compat import const, micropython
from ionto.controller import Controller
from ionto.dose import POLE_NEGATIVE, Dose
from ionto.guards import VERDICTS, Guards
from ionto.hand import Hand
from ionto.keptdose import KeptDose
from ionto.kernel import K_DUTY, R_FRESH, cycle
from ionto.limits import RELAY_MS, Limits
from ionto.pins import PWM_TOP
from ionto.protocol import SELF_TESTING
from ionto.reading import Reading
from ionto.selftest import SelfTest
from ionto.session import UNSEEN_MV, Session
from ionto.sessionlog_format import BUTTON, LOG_NEEDS_FREE_BYTES, POLARITY, REQUESTED, SETTINGS
from ionto.settings import Settings
from ionto.usblink import UsbLink
from ionto.version import FIRMWARE_VERSION, LOG_FORMAT_VERSION, PROTOCOL_VERSION

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ionto.hal_rp2 import Hal
    from ionto.serialport import SerialPort

LOG_FOLDER = "/logs"
DOSE_FILE = "/dose.json"
_REST_PIECES = const(32)  # of the link's work, a cycle
_WORD = const(0xFFFF)
_START_PRESS_MS = const(2_000)
_LONGEST_PRESS_MS = const(10_000)
_RECOVER_MS = const(1_000)
_STABLE_MS = const(60_000)  # after which unplanned resets are no longer "in a row"
_POLE_CODES = (2, 1)  # of the log's event, by "the pole is +"
_BUTTON_START = const(1)

_PARTS = ("shunt_mohm", "sense_mohm", "series_ohm")  # what the numbers of the log rest on
_LEAVE_WITHIN_MS = const(200)
_TURNS = const(0x7F)  # what can wait has its turn in a round of 128 cycles: one job a cycle while current flows
_SHOW_TURN = const(0)
_CHECK_TURN = const(64)
_WORD_TURNS = const(0x3F)  # twice a round
_WORD_TURN = const(32)
_PRESS_TURN = const(16)
_SHOW_CYCLES = const(128)
_CYCLE_MASK = const(0x3FFFFFFF)  # keeps the count a small integer
_POWERED_UP = (protocol.SELF_TESTING, protocol.RAMP_UP)
_STILL_POWERED = (protocol.HOLD, protocol.RAMP_DOWN, protocol.ARMED)
_ENDED = (protocol.DONE, protocol.FAULT)
_NOTHING, _WRITE_TEST, _BEGIN, _TAIL, _FLUSH = range(5)
_CLOSING = (_TAIL, _FLUSH)
_TAIL_MS = const(125)  # what the filter and the dead-man, 110 ms at its worst, let flow; then a guard looks for current


class App:
    """One device. `hal` is the board (ionto.hal_rp2.Hal), `port` the byte stream, `boot` what this boot is.

    `limits` are compiled, `settings` what lies inside them, `samples` memory that the log may have for its samples.
    """

    def __init__(
        self,
        hal: "Hal",
        board: "Any",
        port: "SerialPort",
        boot: bootmode.Boot,
        limits: Limits,
        settings: Settings,
        samples: "bytearray | None" = None,
    ):
        self.hal = hal
        self.board = board
        self.limits = limits
        self.boot = boot
        self.settings = settings
        self.calibration = Calibration()
        self._calibrate()
        self.hand = Hand()
        self.reading = Reading()
        self.reading.start_pressed = True  # until it is seen released: a stuck button starts nothing
        self.guards = Guards(limits)
        self.selftest = SelfTest(limits)
        self.log = sessionlog.SessionLog(LOG_FOLDER, samples)
        self.kept = KeptDose(DOSE_FILE)
        self.session = Session(limits, self.selftest, self.guards, self._note)
        self.controller = Controller(limits.full_scale_ua, PWM_TOP)
        self.commands = Commands(self)
        self.link = UsbLink(port, self.commands.handle, self.commands.reject)
        self._blocks = (
            self.guards.block,
            self.session.block,
            self.reading.block,
            self.controller.block,
            self.log.window,
        )
        self._lights = ui.Lights()
        self.late_max_us = 0
        self._cycle = 0
        self._state = self.session.state
        self._state_ms = 0
        self._todo = _NOTHING
        self._log_open = False
        self._press_ms = _LONGEST_PRESS_MS  # a button that is closed at boot is no press
        self._refused = 0
        self._lowered = 0
        self._unexamined = []  # ids of the logs that nobody has looked at since boot, the newest last
        self._leaving_ms = 0
        self._relay_ms = 0
        self._tail_ms = 0

    # The control cycle.

    def run(self) -> None:
        """Run for ever; returns only when the device leaves for maintenance."""
        gc.threshold(-1)  # from here on a collection comes when it is asked for
        self._open_logs()
        kept = self.kept.restore(self.limits)
        if kept is not None:
            self.session.load(kept)
        self.board.write_scratch(bootmode.SCRATCH_MARK, bootmode.mark(bootmode.RUNNING, self.boot.unplanned))
        if self.boot.cause == bootmode.WATCHDOG:
            self.session.fail(faults.UNPLANNED_RESET, self.reading)
        if self.boot.fault:
            self.session.fail(self.boot.fault, self.reading)
        self.commands.remember_identity()
        self.hal.start_watchdog()
        while not self._leaving_ms or (self.link.busy() and self._leaving_ms < _LEAVE_WITHIN_MS):
            self.tick()
        self.hal.cut_off()
        self.board.write_scratch(bootmode.SCRATCH_MARK, bootmode.mark(bootmode.TO_MAINTENANCE, 0, self.session.fault))

    @micropython.native
    def tick(self) -> None:
        """One control cycle of 1 ms: sample, guards, session, controller, evidence; then what can wait."""
        hal = self.hal
        session = self.session
        dt_us = hal.wait_tick()
        timing = hal.timing
        timing(1)
        hal.read(self.reading)
        found = 0
        state = session.state
        if session.output_on and state == self._state and state != SELF_TESTING:
            guards, plan, read, control, window = self._blocks
            found = cycle(guards, plan, read, control, window, dt_us, session.mode)
            if dt_us > self.late_max_us:
                self.late_max_us = dt_us
            if found & kernel.FOUND_VERDICT:
                self._act(found, dt_us)
            hal.set_duty(control[K_DUTY])
        else:
            self._step_at_rest(dt_us)
        self._show_alive(session.output_on)
        timing(0)
        if not found:
            self._background(session.output_on)
        elif found == kernel.FOUND_WINDOW:
            self.log.store(session.block, state)
        elif not found & kernel.FOUND_VERDICT:
            self._act(found, dt_us)

    @micropython.native
    def _act(self, found: int, dt_us: int) -> None:
        """Act on what `kernel.cycle` found: on a verdict at once, on an event when the control step is done."""
        session, reading = self.session, self.reading
        self.log.sample(session.block, reading.block, session.state)
        verdict = found & kernel.FOUND_VERDICT
        if verdict:
            kernel.count_tail(session.block, reading.block, dt_us)
            session.fail(self._cause(VERDICTS[verdict]), reading)
        else:
            session.happened(found >> kernel.FOUND_EVENT_SHIFT, reading)
            self._keep_room()
        self._follow()

    def _keep_room(self) -> None:
        """End a session whose log has room left for its end only: no event is ever dropped."""
        if self.log.crowded():
            self.session.end(protocol.LOG_FULL)

    def _cause(self, code: int) -> int:
        """Return what is behind the verdict `code`: a current that ends may have been ended by the interlock."""
        if code == faults.OPEN_CIRCUIT or code == faults.UNDER_CURRENT:
            block = self.reading.block
            self.hal.look_for_usb(self.reading)
            if block[kernel.R_VBUS] and not block[kernel.R_STRAP]:
                return faults.USB_APPEARED
        return code

    @micropython.native
    def _step_at_rest(self, dt_us: int) -> None:
        """A cycle of a device that does not deliver: at rest, in self-test, or paused."""
        session, reading = self.session, self.reading
        self.hand.step(dt_us, reading.block)
        output_on = session.output_on
        setpoint_ua = session.block[kernel.S_SETPOINT_UA]
        session.step(dt_us, reading, self.guards.step(dt_us, reading, setpoint_ua, output_on))
        self._follow()
        self.hal.set_duty(self.controller.block[K_DUTY])
        if self._todo == _TAIL:
            self._count_tail(dt_us)

    @micropython.native
    def _count_tail(self, dt_us: int) -> None:
        """What still flows after the cut belongs to the session: count and log it, then write the log."""
        session, reading = self.session, self.reading
        kernel.count_tail(session.block, reading.block, dt_us)
        self.log.sample(session.block, reading.block, session.state)
        self._tail_ms += 1
        if self._tail_ms >= _TAIL_MS:
            self.log.close_window(session.block, session.state)
            self._todo = _FLUSH

    @micropython.native
    def _follow(self) -> None:
        """Let output and controller follow the session's state and set-point."""
        session = self.session
        if session.state != self._state:
            self._changed()
        self.controller.step(kernel.drive_ua(session.block), self.reading.block[kernel.R_CURRENT_UA])

    @micropython.native
    def _show_alive(self, output_on: bool) -> None:
        """The one place that feeds the heartbeat, and the watchdog while current flows.

        Reached only when the cycle ran to its end. A heartbeat edge, every second cycle, needs as well: a state
        that allows output, no fault, and a conversion of this cycle. Guards have judged the cycle's lateness.
        """
        cycles = (self._cycle + 1) & _CYCLE_MASK
        self._cycle = cycles
        if cycles & 1:
            self.hal.beat(output_on and self.reading.block[R_FRESH] != 0 and not self.session.fault)
        if not output_on:
            self.hal.still_heart()

    @micropython.native
    def _leave_word(self) -> None:
        """Tell the next boot, in scratch registers, how far the session came."""
        board, session = self.board, self.session
        board.write_scratch(bootmode.SCRATCH_CHARGE_UC, session.charge_uc)
        board.write_scratch(bootmode.SCRATCH_T_MS, session.t_ms)

    @micropython.native
    def _changed(self) -> None:
        """Act on a new state: the output first."""
        session, hal = self.session, self.hal
        state = session.state
        if state in _POWERED_UP:
            hal.power_up()
        elif state not in _STILL_POWERED:
            hal.cut_off()
            self.controller.reset()
        self._state = state
        self._state_ms = 0
        self._refused = self._lowered = 0  # the lights show the new state at once
        if self.reading.block[kernel.R_START]:
            self._press_ms = _LONGEST_PRESS_MS
        if state == protocol.SELF_TESTING:
            hal.zero_ua = 0
        elif state == protocol.ARMED:
            hal.zero_ua = self.selftest.zero_ua + self.calibration.zero_ua
            self._todo = _WRITE_TEST
        if self._log_open and state in _ENDED and self._todo not in _CLOSING:
            self._todo = _TAIL
            self._tail_ms = 0

    @micropython.native
    def _note(self, event: int, code: int, a: int, b: int) -> None:
        self.log.event(self.session.t_ms, event, code, a, b)

    def note_request(self, command: int) -> int:
        """Put a host request into the session's log; refuse it when there is room for the session's end only."""
        if self.log.crowded():
            return faults.EVENTS_FULL if self.session.running else faults.NONE
        self._note(REQUESTED, command, self.session.state, 0)
        return faults.NONE

    def abort(self) -> int:
        """End the session at once; the log tells it of a session under way, which ends once."""
        if self.session.running:
            self._note(REQUESTED, protocol.ABORT, self.session.state, 0)
        return self.session.abort()

    def comfort(self, kind: int, to_ua: int) -> int:
        """A person reports `kind`, and may want the lower current `to_ua`; pain is always obeyed."""
        session = self.session
        if self.log.crowded() and session.running and (kind != protocol.PAIN or session.ending):
            return faults.EVENTS_FULL
        return session.comfort(kind, to_ua, self.reading)

    # What can wait.

    @micropython.native
    def _background(self, output_on: bool) -> None:
        """What can wait: while current flows, or is about to, one job a cycle, so that every cycle ends in time."""
        live = output_on or self.session.state == SELF_TESTING
        turn = self._cycle & _TURNS
        if turn == _CHECK_TURN:
            self.hal.check_sensor(self.reading)
        elif turn == _SHOW_TURN:
            self._show_state()
        elif output_on and turn & _WORD_TURNS == _WORD_TURN:
            self._leave_word()
        elif output_on and turn == _PRESS_TURN:
            self._watch_for_sting()
        elif live:
            self.link.poll(1)
        if not live:
            self.link.poll(_REST_PIECES)
            self._at_rest()
        if self.session.state != self._state:  # by a request: the next cycle may change it again
            self._changed()

    @micropython.native
    def _show_state(self) -> None:
        """Light the next step of the state's pattern; called every 128 cycles."""
        if self._state_ms < _STABLE_MS:
            self._state_ms += _SHOW_CYCLES
        step = self._cycle // _SHOW_CYCLES % ui.STEPS
        if self._refused:
            self._refused -= 1
            self.hal.show(self._lights.refused(step))
            return
        if self._lowered:
            self._lowered -= 1
            self.hal.show(self._lights.lowered(step))
            return
        session = self.session
        if self._todo in _CLOSING and not session.fault:
            self.hal.show(self._lights.writing(step))
            return
        self.hal.show(self._lights.at(session.state, session.fault, step, self._state_ms // 1_000))

    @micropython.native
    def _at_rest(self) -> None:
        if self.session.may_turn:
            self._turn_relay()
        if self._todo == _WRITE_TEST:
            self._write_test_record()
        elif self._todo == _BEGIN:
            self._begin()
        elif self._todo == _FLUSH:
            self._flush_log()
        if self._leaving_ms:
            self._leaving_ms += 1
        self._watch_start_button()
        if self.session.state != SELF_TESTING:
            self.commands.self_test_done(self.selftest.results)
        if not self._cycle % _RECOVER_MS:
            self._look_after()

    def _look_after(self) -> None:
        """Once a second at rest: try a dead sensor again, forgive resets that lie back."""
        if not (self.reading.fresh and self.reading.sensor_ok):
            self.reading.sensor_ok = self.hal.recover_sensor()
        if self._unexamined and self._todo == _NOTHING and not self._log_open and not self.session.may_load():
            self._examine()
        if self.boot.unplanned and self._cycle >= _STABLE_MS:
            self.boot.unplanned = 0
            self.board.write_scratch(bootmode.SCRATCH_MARK, bootmode.mark(bootmode.RUNNING, 0))

    @micropython.native
    def _watch_start_button(self) -> None:
        """A press of 2 to 10 s acts when it ends, in the state it began in: a button that is shorted is no person."""
        press_ms = self._press_ms
        if self.reading.block[kernel.R_START]:
            if press_ms < _LONGEST_PRESS_MS:
                self._press_ms = press_ms + 1
            return
        self._press_ms = 0
        if press_ms >= _START_PRESS_MS and press_ms < _LONGEST_PRESS_MS:
            full = self.log.crowded() and self.session.running
            code = faults.EVENTS_FULL if full else self._start_by_button()
            if not self.log.crowded():
                self._note(BUTTON, _BUTTON_START, self.session.state, code)
            self._refused = ui.STEPS if code else 0

    def _watch_for_sting(self) -> None:
        """While current flows, every 128 ms: a press of 2 to 10 s in HOLD reports stinging when it ends."""
        press_ms = self._press_ms
        if self.reading.block[kernel.R_START]:
            if self.session.state != protocol.HOLD:
                self._press_ms = _LONGEST_PRESS_MS  # what began in another state is no report
            elif press_ms < _LONGEST_PRESS_MS:
                self._press_ms = press_ms + _SHOW_CYCLES
            return
        self._press_ms = 0
        if press_ms >= _START_PRESS_MS and press_ms < _LONGEST_PRESS_MS:
            code = self._sting()
            self._refused = ui.STEPS if code else 0
            self._lowered = 0 if code else ui.STEPS

    def _sting(self) -> int:
        """Take a long press in HOLD for a report of stinging; return a code of ionto.faults."""
        if self.log.crowded():
            return faults.EVENTS_FULL
        self._note(BUTTON, _BUTTON_START, self.session.state, faults.NONE)
        return self.session.sting(self.reading)

    def _start_by_button(self) -> int:
        try:
            return self.session.resume(self.reading) if self.session.state == protocol.PAUSED else self.start()
        except faults.Refusal as refusal:
            return refusal.code

    # Requests that need more than the session.

    def take_dose(self, plan: Dose) -> int:
        """Keep `plan` (validated) on flash and take it for the next start; return a code of ionto.faults."""
        code = self.session.may_load()
        if code:
            return code
        if not self.log.make_room(self._room_for_log, self.hal.feed):  # told while a computer is there
            return faults.FILESYSTEM_FULL
        try:
            self.kept.keep(plan)
        except OSError as error:
            return faults.of_flash(error)
        return self.session.load(plan)

    def start(self) -> int:
        """Begin a session if everything allows it; return a code of ionto.faults, or raise `faults.Refusal`."""
        if self._todo != _NOTHING or self._log_open:
            return faults.WRONG_STATE
        code = self.session.may_start(self.reading)
        dose = self.session.dose
        if code or dose is None:
            return code or faults.NO_DOSE
        if not self.kept.starts_left:
            return faults.NO_STARTS_LEFT
        if not self.log.make_room(self._room_for_log, self.hal.feed):
            return faults.FILESYSTEM_FULL
        self.settings.admit(dose)
        self._look_at_files()
        self.log.reset()
        self.late_max_us = 0
        return self._use_start(dose) or self._write_arm_record(dose) or self.session.start(self.reading)

    def _use_start(self, dose: Dose) -> int:
        try:
            self.kept.use_start(dose)
        except OSError as error:
            return faults.of_flash(error)
        return faults.NONE

    def _look_at_files(self) -> None:
        """Tell the self-test whether firmware and settable limits are sound on flash."""
        self.selftest.files = files.check(self.hal.feed)
        self.selftest.settings_sound = not self.settings.damaged

    def self_test(self) -> int:
        """Begin a self-test alone; return a code of ionto.faults."""
        if self._todo != _NOTHING:
            return faults.WRONG_STATE
        self._look_at_files()
        return self.session.test(self.reading)

    def set_limits(self, wanted: dict) -> int:
        """Set the settable limits in `wanted` {field: value}; return a code of ionto.faults, or raise Refusal."""
        if self._todo != _NOTHING or self._log_open or self.session.state == SELF_TESTING:
            return faults.WRONG_STATE
        self.settings.change(wanted, self.hand.there(self.reading.block))
        self.hand.used()
        return faults.NONE

    def set_calibration(self, wanted: dict) -> int:
        """Keep the calibration `wanted` ({} for none); return a code of ionto.faults, or raise Refusal."""
        if self._todo != _NOTHING or self._log_open or self.session.state == SELF_TESTING:
            return faults.WRONG_STATE
        self.calibration.change(wanted, self.hand.there(self.reading.block))
        self.hand.used()
        self._calibrate()
        return faults.NONE

    def _calibrate(self) -> None:
        """Let the board measure with the calibration that holds; a session begins with a zero of its own."""
        self.hal.zero_ua = self.calibration.zero_ua
        self.hal.gain_q15 = self.calibration.gain_q15

    def clear_fault(self) -> int:
        """Clear a latched fault whose cause is gone; return a code of ionto.faults."""
        if self._todo != _NOTHING:
            return faults.WRONG_STATE
        code = self.session.clear(self.reading)
        if not code and self._log_open:
            self._todo = _FLUSH
        return code

    def leave_for_maintenance(self) -> int:
        """Leave the application after the answer is out; return a code of ionto.faults."""
        if self._todo != _NOTHING:
            return faults.WRONG_STATE
        code = self.session.leave()
        if not code:
            self._leaving_ms = 1
        return code

    @micropython.native
    def fill_status(self, values: "array") -> None:
        """Fill the status block `values` (kernel.T_...); allocates nothing."""
        session = self.session
        plan = session.block
        kernel.fill_status(values, plan, self.reading.block, self.controller.block)
        values[kernel.T_STATE] = session.state
        values[kernel.T_OUTCOME] = session.outcome
        values[kernel.T_FAULT] = session.fault
        values[kernel.T_FLAGS] = self.flags()
        values[kernel.T_DOSE_UC] = session.dose.dose_uc if session.dose else 0
        values[kernel.T_REMAINING_MS] = session.remaining_ms()
        values[kernel.T_SESSION_ID] = self.log.log_id
        values[kernel.T_STARTS_LEFT] = self.kept.starts_left
        late_us = self.late_max_us
        values[kernel.T_LATE_MAX_US] = late_us if late_us < _WORD else _WORD
        values[kernel.T_SECOND_FAULT] = session.second_fault
        values[kernel.T_LOG_LEFT] = self.log.records_left() if self._todo == _FLUSH else 0

    @micropython.native
    def flags(self) -> int:
        """Return the status flags (protocol.FLAG_...)."""
        session = self.session
        block = self.reading.block
        flags = protocol.FLAG_VBUS * block[kernel.R_VBUS]
        flags += protocol.FLAG_BENCH_STRAP * block[kernel.R_STRAP]
        flags += protocol.FLAG_STOP_OPEN * block[kernel.R_STOP]
        flags += protocol.FLAG_CONTACT_LIMITED * session.block[kernel.S_LIMITED]
        if session.output_on:
            flags += protocol.FLAG_OUTPUT_ON
        if session.dose is not None:
            flags += protocol.FLAG_DOSE_LOADED
        if self._clock_set:
            flags += protocol.FLAG_CLOCK_SET
        if self.hal.reversed():
            flags += protocol.FLAG_REVERSED
        if self._log_open:
            flags += protocol.FLAG_LOG_OPEN
        if self.kept.dropped:
            flags += protocol.FLAG_DOSE_DAMAGED
        return flags

    def set_clock(self, unix_s: int) -> None:
        """Set the real-time clock, s since 1970 UTC."""
        self.board.set_clock(unix_s)
        self._clock_set = True

    def identity(self) -> dict:
        """Return what HELLO tells: who the board is and what it may do."""
        return {
            "protocol": PROTOCOL_VERSION,
            "firmware": FIRMWARE_VERSION,
            "log_format": LOG_FORMAT_VERSION,
            "board_id": self.board.board_id(),
            "variant": self.limits.variant,
            "micropython": "%d.%d.%d" % tuple(sys.implementation.version[:3]),
            "mpy": sys.implementation._mpy,
            "reset_cause": self.boot.cause,
            "unplanned_resets": self.boot.unplanned,
            "clock_set": self._clock_set,
            "store": self.log.book.store,
            "logs": self.log.book.state,
            "bench_strap": self.reading.bench_strap,
            "cut_short": self.log.book.cut_short,
            "kept_dose": self.kept.state,
            "starts_left": self.kept.starts_left,
            "limits": self.limits.public(),
            "settings": self.settings.public(),
            "calibration": self.calibration.public(),
        }

    def health(self) -> dict:
        """Return what HEALTH tells: clock, flash, heap and sensor as they are now. Collects, so at rest only."""
        gc.collect()
        flash = os.statvfs("/")
        return {
            "time_unix_s": self.board.unix_time_s(),
            "flash_bytes": flash[0] * flash[2],
            "flash_free_bytes": flash[0] * flash[3],
            "heap_free_bytes": gc.mem_free(),
            "sensor_ok": self.reading.fresh and self.reading.sensor_ok,
            "logs": len(sessionlog.list_ids(LOG_FOLDER)),
        }

    # Logs.

    def _open_logs(self) -> None:
        """Close what the last session left open. A file system that cannot be read latches a fault, unmended."""
        self._clock_set = self.board.unix_time_s() > protocol.CLOCK_FROM_S
        if not self.settings.kept:
            self._keep_settings()
        log = self.log
        try:
            if LOG_FOLDER[1:] not in os.listdir("/"):
                os.mkdir(LOG_FOLDER)
            log.book.open()
            ids = self._unexamined = sessionlog.list_ids(LOG_FOLDER)
            log.log_id = log.last_id()
            if ids:
                self._close_lost(ids[-1])
                ids.pop()
        except OSError:
            log.book.state = sessionlog.UNREADABLE
            self.session.fail(faults.LOG_WRITE_FAILED, self.reading)

    def _keep_settings(self) -> None:
        """The first boot of a blank board: from now on it is of the variant that its strap says."""
        try:
            self.settings.store()
        except OSError:
            self.session.fail(faults.LOG_WRITE_FAILED, self.reading)

    def _examine(self) -> None:
        """Look at the newest log that nobody has looked at; close its session if it is one that was cut short."""
        log_id = self._unexamined[-1]
        try:
            if self.has_log(log_id):
                self._close_lost(log_id)
            self._unexamined.pop()
        except OSError:
            self.session.fail(faults.LOG_WRITE_FAILED, self.reading)

    def _close_lost(self, log_id: int) -> None:
        """Close the log of a session that a reset or a power cut ended, with what is known of it. Raises OSError."""
        sequence, chain, ended, sound = sessionlog.scan(self.log_path(log_id))
        if not sequence:
            self.log.delete(log_id)  # its arm record never was on flash, so nothing has flowed
            return
        if not sound:
            self.log.book.state = sessionlog.DAMAGED
        if not ended:
            self.log.close_interrupted(log_id, sequence, chain, self._lost_summary(log_id))

    def _lost_summary(self, log_id: int) -> dict:
        summary = {"outcome": protocol.INTERRUPTED, "cause": self.boot.cause, "closed_at_boot": True}
        board = self.board
        if board.read_scratch(bootmode.SCRATCH_LOG_ID) == log_id:
            summary["charge_uc"] = board.read_scratch(bootmode.SCRATCH_CHARGE_UC)
            summary["t_ms"] = board.read_scratch(bootmode.SCRATCH_T_MS)
        return summary

    def _room_for_log(self) -> bool:
        status = os.statvfs("/")
        return status[0] * status[3] >= LOG_NEEDS_FREE_BYTES

    def has_log(self, log_id: int) -> bool:
        """Return True when log `log_id` is kept."""
        return log_id in sessionlog.list_ids(LOG_FOLDER)

    def log_path(self, log_id: int) -> str:
        """Return the path of log `log_id`."""
        return LOG_FOLDER + "/" + sessionlog.file_name(log_id)

    def log_bytes(self, log_id: int) -> int:
        """Return the size of log `log_id`."""
        return os.stat(self.log_path(log_id))[6]

    def log_rows(self, first: int, most: int) -> list:
        """Return up to `most` rows [id, bytes, 1 when a host has a verified copy] of the logs from id `first` on."""
        ids = [log_id for log_id in sessionlog.list_ids(LOG_FOLDER) if log_id >= first]
        pulled = self.log.book.pulled
        return [[log_id, self.log_bytes(log_id), int(log_id in pulled)] for log_id in ids[:most]]

    def log_verified(self, log_id: int, chain: bytes) -> bool:
        """Note that a host has verified its copy of log `log_id`; False when `chain` is not the end of this log."""
        return self.log.verified(log_id, chain)

    def delete_log(self, log_id: int) -> None:
        """Delete log `log_id`; the open one is refused."""
        if self._log_open and log_id == self.log.log_id:
            raise faults.Refusal(faults.WRONG_STATE, "log", log_id)
        self.log.delete(log_id)

    def _write_arm_record(self, dose: Dose) -> int:
        """Put the arm record on flash, before any current; return 0 or the code of what failed."""
        header = self.identity()
        header["log"] = self.log.last_id() + 1
        header["time_unix_s"] = self.board.unix_time_s()
        header["files"] = files.manifest_digest(self.hal.feed)
        header["parts"] = {name: getattr(self.limits, name) for name in _PARTS}
        header["dose"] = dose.raw.decode()
        header["digest"] = dose.digest()
        try:
            self.log.arm(header)
        except OSError as error:
            return faults.of_flash(error)
        self._log_open = True
        self._log_settings()
        board = self.board
        board.write_scratch(bootmode.SCRATCH_CHARGE_UC, 0)
        board.write_scratch(bootmode.SCRATCH_T_MS, 0)
        board.write_scratch(bootmode.SCRATCH_LOG_ID, self.log.log_id)
        return faults.NONE

    def _log_settings(self) -> None:
        """Let the session's log show every change of a settable limit since the last session."""
        for place, old, new in self.settings.unlogged:
            self._note(SETTINGS, place, old, new)
        self.settings.unlogged = []

    def _write_test_record(self) -> None:
        """The self-test is passed: put its results on flash and let the current begin."""
        self._todo = _NOTHING
        if self.session.state != protocol.ARMED:
            return
        # The self-test's last phase has shown that no current flows: only now may the relay move.
        if not self._set_pole():
            return
        self._relay_ms = 0
        try:
            self.log.add_test({"zero_ua": self.hal.zero_ua, "selftest": self.selftest.results})
        except OSError:
            self.session.fail(faults.LOG_WRITE_FAILED, self.reading)
            return
        gc.collect()
        self._todo = _BEGIN

    def _begin(self) -> None:
        """Let the current begin once the relay has settled."""
        self._relay_ms += 1
        if self._relay_ms >= RELAY_MS:
            self._todo = _NOTHING
            self.session.armed()

    def _set_pole(self) -> bool:
        """Give the relay the session's pole; a fault, and False, when the board does not show that no current flows."""
        session = self.session
        if not self.hal.set_reversed(session.pole == POLE_NEGATIVE):
            session.fail(faults.CURRENT_WHEN_OFF, self.reading)
            return False
        code = _POLE_CODES[session.pole != POLE_NEGATIVE]
        self._note(POLARITY, code, session.charge_uc, self.reading.block[kernel.R_CURRENT_UA])
        return True

    def _turn_relay(self) -> None:
        """The session has seen that no current flows: let the relay move, unless something has ended it since."""
        if self.session.state == protocol.REVERSING and self._set_pole():
            self.session.turned()

    def _flush_log(self) -> None:
        self.hal.feed()
        try:
            if self.log.flush_step():
                self.log.close(self._summary())
                self._todo = _NOTHING
                self._log_open = False
                self.board.write_scratch(bootmode.SCRATCH_LOG_ID, 0)
        except OSError:
            self._todo = _NOTHING  # what RAM holds is kept: CLEAR_FAULT tries again
            self.session.fail(faults.LOG_WRITE_FAILED, self.reading)

    def _summary(self) -> dict:
        session, guards = self.session, self.guards
        summary = {
            "outcome": session.outcome,
            "fault": session.fault,
            "second_fault": session.second_fault,
            "charge_uc": session.charge_uc,
            "shortfall_uc": session.shortfall_uc,
            "guard_charge_uc": guards.charge_uc,
            "sense_charge_uc": guards.sense_charge_uc,
            "t_ms": session.t_ms,
            "on_ms": session.on_ms,
            "planned_on_ms": session.planned_on_ms,
            "max_current_ua": session.max_current_ua,
            "max_load_mv": self.log.max_load_mv,
            "min_rail_mv": _seen(session.block[kernel.S_LEAST_RAIL_MV]),
            "min_vsys_mv": _seen(session.block[kernel.S_LEAST_VSYS_MV]),
            "period_ms": self.log.window[kernel.W_PERIOD_MS],
            "late_max_us": self.late_max_us,
            "samples": self.log.sample_count,
            "events": self.log.event_count,
            "samples_lost": self.log.samples_lost,
            "events_lost": self.log.events_lost,
            "heap_free_bytes": gc.mem_free(),
        }
        if self.selftest.fault:
            summary["selftest"] = self.selftest.results
        return summary


def _seen(least_mv: int) -> "int | None":
    """Return a least voltage, None when the session never came to its full current."""
    return None if least_mv == UNSEEN_MV else least_mv
