"""The control cycle and its evidence: sample, guards, session, controller, heartbeat; then one thing that can wait.

Nothing here allocates, and nothing here touches flash. What may, is called where no current flows.
"""

from ionto import bootmode, faults, kernel, protocol
from ionto.compat import const, micropython
from ionto.findings import HEART_HIGH, INTERLOCK, OTHER_POLE
from ionto.guards import VERDICTS
from ionto.keeper import TAIL
from ionto.kernel import K_DUTY, R_FRESH, REST, cycle
from ionto.protocol import SELF_TESTING
from ionto.sessionlog_format import GAP

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.commands import Commands
    from ionto.desk import Desk
    from ionto.keeper import Keeper
    from ionto.panel import Panel
    from ionto.parts import Parts

_REST_PIECES = const(32)  # of the link's work, a cycle
_TURNS = const(0x7F)  # what can wait has its turn in a round of 128 cycles: one job a cycle while current flows
_SHOW_TURN = const(0)
_CHECK_TURN = const(64)
_WORD_TURNS = const(0x3F)  # twice a round
_WORD_TURN = const(32)
_PRESS_TURN = const(16)
_SECOND_TURNS = const(3)  # the second sensor: read every fourth cycle,
_SECOND_TURN = const(3)
_LOOK_TURNS = const(0x1F)  # asked every 32nd whether it converts,
_LOOK_TURN = const(13)
_SECOND_CHECK_TURN = const(80)  # and once a round whether it is configured
_GATE_TURN = const(8)
_BLIND_ROUNDS = const(3)  # 0.4 s: a plug that is on its way is no fault
_BACK_TURN = const(48)
_WORD = const(0xFFFF)
_CYCLE_MASK = const(0x3FFFFFFF)  # keeps the count a small integer
_POWERED_UP = (protocol.SELF_TESTING, protocol.RAMP_UP)
_STILL_POWERED = (protocol.HOLD, protocol.RAMP_DOWN, protocol.ARMED)
_CURRENT_LOST = (faults.OPEN_CIRCUIT, faults.UNDER_CURRENT, faults.SENSE_DISAGREE, faults.LOAD_OUT_OF_RANGE)


class Loop:
    """Runs one cycle a `tick`; `cycle` is its number. It alone gives the board duty, heartbeat and power."""

    def __init__(self, parts: "Parts", keeper: "Keeper", desk: "Desk", panel: "Panel", commands: "Commands"):
        self._hal = parts.hal
        self._board = parts.board
        self._calibration = parts.calibration
        self._controller = parts.controller
        self._guards = parts.guards
        self._hand = parts.hand
        self._log = parts.log
        self._quiet = parts.quiet
        self._reading = parts.reading
        self._selftest = parts.selftest
        self._session = parts.session
        self._keeper = keeper
        self._desk = desk
        self._panel = panel
        self._commands = commands
        self._link = commands.link
        self._blocks = (
            parts.guards.block,
            parts.session.block,
            parts.reading.block,
            parts.controller.block,
            parts.log.window,
        )
        self._least_rail_mv = parts.limits.min_rail_mv
        self.cycle = 0
        self._blind = 0
        self._state = self._session.state

    @micropython.native
    def tick(self) -> None:
        """One control cycle of 1 ms: sample, guards, session, controller, evidence; then what can wait."""
        hal = self._hal
        session = self._session
        dt_us = hal.wait_tick()
        timing = hal.timing
        timing(1)
        hal.read(self._reading)
        found = 0
        state, mode = session.state, session.mode
        if mode > REST and state == self._state:
            guards, plan, read, control, window = self._blocks
            found = cycle(guards, plan, read, control, window, dt_us, mode)
            if found & kernel.FOUND_VERDICT:
                self._act(found, dt_us)
            hal.set_duty(control[K_DUTY])
        else:
            self._step_at_rest(dt_us)
        # The one place that feeds heartbeat and watchdog: reached only when the cycle ran to its end. An edge, every
        # second cycle, needs as well: a state that allows output, no fault, and a conversion of this cycle. Guards have
        # judged the cycle's lateness. At rest a cycle may be as long as a flash operation: each feeds the watchdog.
        output_on = session.output_on
        number = (self.cycle + 1) & _CYCLE_MASK
        self.cycle = number
        if number & 1 or not output_on:
            hal.beat(output_on and self._reading.block[R_FRESH] != 0 and not session.fault)
        if not output_on:
            hal.still_heart()
        timing(0)
        if not found:
            self._background(output_on, dt_us)
        elif found == kernel.FOUND_WINDOW:
            self._log.store(session.block, state)
        elif not found & kernel.FOUND_VERDICT:
            self._act(found, dt_us)

    def _act(self, found: int, dt_us: int) -> None:
        """Act on what `kernel.cycle` found: on a verdict at once, on an event when the control step is done."""
        session, reading = self._session, self._reading
        self._log.sample(session.block, reading.block, session.state)
        verdict = found & kernel.FOUND_VERDICT
        if verdict == kernel.V_LATE:
            self._count_gap(dt_us)
            session.fail(faults.LATE_LOOP, reading)
        elif verdict:
            kernel.count_tail(session.block, reading.block, dt_us)
            self._end(VERDICTS[verdict])
        else:
            session.happened(found >> kernel.FOUND_EVENT_SHIFT, reading)
            self._keep_room()
        self._follow()

    def _count_gap(self, dt_us: int) -> None:
        """The loop was late by `dt_us` in all: count its end, log the gap and the most that can have flowed."""
        session = self._session
        setpoint_ua, before_uc = session.setpoint_ua, session.charge_uc
        kernel.count_tail(session.block, self._reading.block, dt_us)
        most_uc = self._guards.most_uc(setpoint_ua, dt_us)
        self._log.event(session.t_ms, GAP, min(dt_us // 1_000, _WORD), most_uc, session.charge_uc - before_uc)

    def _keep_room(self) -> None:
        """End a session whose log has room left for its end only: no event is ever dropped."""
        if self._log.crowded():
            self._session.end(protocol.LOG_FULL)

    def _end(self, code: int) -> None:
        """End the session for the verdict `code`, or for what is behind it.

        STOP, the interlock and the rail each end a current before their own turn to be read comes; the lift of an
        electrode looks the same, and what comes and goes within a millisecond makes two measurements disagree.
        """
        session, reading = self._session, self._reading
        if code in _CURRENT_LOST:
            self._hal.look_for_cause(reading)
            block = reading.block
            if block[kernel.R_STOP]:
                session.happened(kernel.E_STOP, reading)
                return
            if block[kernel.R_VBUS] and not block[kernel.R_STRAP]:
                code = faults.USB_APPEARED
            elif block[kernel.R_RAIL_MV] < self._least_rail_mv:
                code = faults.RAIL_LOW
        session.fail(code, reading)

    def _look_back(self) -> None:
        """With current: STOP that was open for less than the 2 ms between two looks is STOP, and USB is USB."""
        session, reading = self._session, self._reading
        self._hal.look_back(reading)
        if reading.block[kernel.R_STOP]:
            session.happened(kernel.E_STOP, reading)
        elif reading.block[kernel.R_VBUS] and not reading.block[kernel.R_STRAP]:
            session.fail(faults.USB_APPEARED, reading)

    def _step_at_rest(self, dt_us: int) -> None:
        """A cycle of a device that does not deliver: at rest, in self-test, or paused."""
        session, reading = self._session, self._reading
        self._hal.look_back(reading)
        self._hand.step(dt_us, reading.block)
        output_on = session.output_on
        setpoint_ua = session.block[kernel.S_SETPOINT_UA]
        session.step(dt_us, reading, self._guards.step(dt_us, reading, setpoint_ua, output_on))
        self._follow()
        if session.state == SELF_TESTING:
            self._prove()
        self._quiet.step(session.output_on, reading.block)
        self._hal.set_duty(self._controller.block[K_DUTY])
        if self._keeper.todo == TAIL:
            self._keeper.count_tail(dt_us)

    def _prove(self) -> None:
        """Give the board what the self-test drives beside set-point and heartbeat; read what it has to see."""
        hal, block, test = self._hal, self._reading.block, self._selftest
        drive = test.drive
        if test.zero_16ths:  # found: the small current is the one that is asked for
            hal.scale.zero_16ths = test.zero_16ths + (self._calibration.zero_ua << 4)
        hal.rest_heart(drive & HEART_HIGH != 0)
        hal.try_interlock(drive & INTERLOCK != 0)
        block[kernel.R_MOVED] = 1 if hal.set_reversed(drive & OTHER_POLE != 0) else 0
        hal.read_lines(self._reading)

    def _follow(self) -> None:
        """Let output and controller follow the session's state and set-point."""
        session = self._session
        if session.state != self._state:
            self._changed()
        plan = session.block
        drive_ua = kernel.drive_ua(plan)
        self._controller.step(drive_ua, self._reading.block[kernel.R_CURRENT_UA], plan[kernel.S_STEADY])

    def _changed(self) -> None:
        """Act on a new state: the output first. Every current begins here, and none begins without an open log."""
        hal, session = self._hal, self._session
        if session.state == protocol.RAMP_UP and not self._keeper.log_open:
            session.fail(faults.LOG_WRITE_FAILED, self._reading)
        state = session.state
        if state in _POWERED_UP:
            self._hand.used()  # a press is for the one act after it
            self._quiet.disturbed()
            hal.power_up()
        elif state not in _STILL_POWERED:
            hal.cut_off()
            self._controller.reset()
        self._state = state
        if state == SELF_TESTING:
            hal.scale.zero_16ths = hal.scale.second_zero = hal.scale.load_zero_mv = 0
            self._selftest.lines = hal.lines()
        elif state == protocol.ARMED:
            hal.scale.zero_16ths = self._selftest.zero_16ths + (self._calibration.zero_ua << 4)
            hal.scale.second_zero = self._selftest.second_zero
            hal.scale.load_zero_mv = self._selftest.load_zero_mv
            self._guards.compare()
        self._panel.changed()
        self._keeper.changed(state)

    # What can wait.

    @micropython.native
    def _background(self, output_on: bool, dt_us: int) -> None:
        """What can wait: while current flows, or is about to, one job a cycle, so that every cycle ends in time."""
        live = output_on or self._session.state == SELF_TESTING
        turn = self.cycle & _TURNS
        if turn & _SECOND_TURNS == _SECOND_TURN:
            self._hal.read_second(self._reading)
        elif turn & _LOOK_TURNS == _LOOK_TURN:
            self._hal.look_second(self._reading)
        elif turn == _SECOND_CHECK_TURN:
            self._hal.check_second(self._reading)
        elif turn == _CHECK_TURN:
            self._hal.check_sensor(self._reading)
        elif turn == _SHOW_TURN:
            self._panel.show(self.cycle)
        elif output_on and turn & _WORD_TURNS == _WORD_TURN:
            self._leave_word()
        elif output_on and turn == _PRESS_TURN:
            self._panel.watch_for_sting(self.cycle)
        elif output_on and turn == _BACK_TURN:
            self._look_back()
        elif live:
            self._link.poll(1)
        if not live:
            self._link.poll(_REST_PIECES)
            self._at_rest(dt_us)
        if self._session.state != self._state:  # by a request: the next cycle may change it again
            self._changed()

    @micropython.native
    def _leave_word(self) -> None:
        """Tell the next boot, in scratch registers, how far the session came."""
        board, block = self._board, self._session.block  # its properties would take 0.3 ms
        board.write_scratch(bootmode.SCRATCH_CHARGE_UC, block[kernel.S_CHARGE_UC])
        board.write_scratch(bootmode.SCRATCH_T_MS, block[kernel.S_T_MS])

    def _at_rest(self, dt_us: int) -> None:
        """No current flows: flash, relay and button may have their turn."""
        self._keeper.step(self.cycle)
        self._desk.go_on()
        self._panel.watch_start(dt_us)
        if self.cycle & _TURNS == _GATE_TURN:
            self._watch_interlock()
        if self._session.state != SELF_TESTING:
            self._commands.self_test_done(self._selftest.results)

    def _watch_interlock(self) -> None:
        """A computer that the interlock does not see is a latent fault: the next one could come in a session."""
        if not self._hal.interlock_blind(self._reading):
            self._blind = 0
            return
        self._blind += 1
        if self._blind >= _BLIND_ROUNDS:
            self._blind = 0
            self._session.fail(faults.INTERLOCK_BLIND, self._reading)
