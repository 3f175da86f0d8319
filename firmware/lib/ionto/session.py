"""The session: which state the device is in, what set-point it wants, how much charge has flowed. Pure.

`step` is called every cycle with the time since the last one, the reading and the guards' verdict. Requests
answer at once with a code of ionto.faults (0 = accepted). Nothing here touches hardware, time or flash.
"""

from array import array

from ionto import faults, kernel, protocol
from ionto.compat import const
from ionto.findings import BEAT
from ionto.guards import Guards
from ionto.limits import DEAD_MAN_MS, RELAY_MS, Limits
from ionto.plan import HALF, INTERVAL, POLE_POSITIVE, Dose
from ionto.protocol import (
    ARMED,
    DONE,
    FAULT,
    HOLD,
    IDLE,
    IN_MAINTENANCE,
    PAUSED,
    RAMP_DOWN,
    RAMP_UP,
    REVERSING,
    SELF_TESTING,
)
from ionto.reading import POLE_LINE, Reading
from ionto.selftest import SelfTest
from ionto.sessionlog_format import COMFORT, CONTACT_LIMITED, FAULT_LATCHED, SECOND_FAULT, STATE_CHANGED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

_TURN_GIVE_UP = const(1_000)  # cycles after which a current that does not vanish is a fault
_NEVER = const(0x3FFFFFFF)
UNSEEN_MV = const(0x7FFF)  # of a least voltage: no full current yet
_LOWER_SHIFT = const(2)  # the button lowers by a quarter
_TIME_MARGIN_SHIFT = const(4)  # guards' time ceiling: the session's own, plus 1/16
_COMPLETE_PART = const(200)  # of the dose may be missing when it is complete
CLEAR_BELOW_UA = const(20)  # hysteresis: under half of the guards' current-when-off threshold

_ENDED = (IDLE, DONE, IN_MAINTENANCE)
_DELIVERING = (RAMP_UP, HOLD, RAMP_DOWN)
_UNDER_WAY = (ARMED, RAMP_UP, HOLD, RAMP_DOWN, REVERSING, PAUSED)
_CAN_PAUSE = (RAMP_UP, HOLD)
_CAN_START = (IDLE, DONE)
_AT_REST = -1
# What `kernel.advance` does in each state, by its number; _AT_REST: nothing, not even time goes on.
_MODES = (
    _AT_REST,
    kernel.REST,
    kernel.REST,
    kernel.UP,
    kernel.HOLDING,
    kernel.DOWN,
    _AT_REST,
    kernel.REST,
    _AT_REST,
    _AT_REST,
    kernel.REST,
)


def _cell(index: int) -> property:
    return property(lambda self: self.block[index])


class Session:
    """State machine of one device.

    Read `state`, `mode` (of `kernel.advance`), `outcome`, `fault`, `second_fault`, `setpoint_ua`, `output_on`,
    `charge_uc`, `t_ms` (since START), `on_ms` (with current), `planned_on_ms` (with good contact, pauses included),
    `contact_limited`, `pole` (that the relay is to have, changed only where no current flows), `may_turn` (the relay
    may move now). `note(event, code, a, b)` gets every event.
    The numbers live in `block` (kernel.S_...).
    """

    _plan: Dose  # frozen at START

    charge_uc = _cell(kernel.S_CHARGE_UC)  # Charge of this session, in uC.
    on_ms = _cell(kernel.S_ON_MS)  # Time with current, in ms.
    t_ms = _cell(kernel.S_T_MS)  # Time since START, in ms.
    setpoint_ua = _cell(kernel.S_SETPOINT_UA)  # Set-point, in uA.
    max_current_ua = _cell(kernel.S_MAX_UA)  # Greatest current, in uA.

    def __init__(
        self, limits: Limits, selftest: SelfTest, guards: Guards, note: "Callable[[int, int, int, int], None]"
    ):
        self._limits = limits
        self._selftest = selftest
        self._guards = guards
        self._note = note
        self.state = IDLE
        self.mode = _AT_REST
        self.outcome = protocol.OUTCOME_NONE
        self.fault = faults.NONE
        self.second_fault = faults.NONE
        self.dose: Dose | None = None
        self._least_uc = 0
        self.pole = POLE_POSITIVE
        self.block = array("i", [0] * kernel.S_SIZE)
        self._clear_session()

    def _clear_session(self) -> None:
        block, limits = self.block, self._limits
        for cell in range(kernel.S_SIZE):
            block[cell] = 0
        block[kernel.S_MAX_ON_MS] = limits.max_session_ms
        block[kernel.S_MIN_VSYS_MV] = limits.min_vsys_mv
        block[kernel.S_DITHER_UA] = limits.dither_ua
        block[kernel.S_DITHER_MIN_UA] = limits.dither_min_ua
        block[kernel.S_LEAST_RAIL_MV] = block[kernel.S_LEAST_VSYS_MV] = UNSEEN_MV
        block[kernel.S_STEADY] = 1
        self.output_on = False
        self._after_ramp = protocol.OUTCOME_NONE
        self._only_test = False
        self.planned_on_ms = 0
        self.may_turn = False
        self._turn_due = False
        self._next_pole = self.pole
        self._pausing = False
        self._turning = 0
        self._zero = 0
        self._settled = -1

    @property
    def contact_limited(self) -> bool:
        """The contact, not the set-point, decides the current."""
        return self.block[kernel.S_LIMITED] != 0

    # Requests: each returns a code, 0 for accepted.

    def load(self, dose: Dose) -> int:
        """Take `dose` (validated) for the next start; refused unless the device is idle or done."""
        code = self.may_load()
        if not code:
            self.dose = dose
        return code

    def may_load(self) -> int:
        """Return why no dose may be taken now, or 0."""
        return faults.NONE if self.state in _ENDED else faults.WRONG_STATE

    def start(self, reading: Reading, counted: bool = False) -> int:
        """Begin the self-test of a new session.

        `counted`: its start is used and its log open, so it begins in any case, and what is in the way now ends it in
        the same moment, before anything is switched on.
        """
        dose = self.dose
        if dose is None:
            return faults.NO_DOSE
        code = self.may_start(reading)
        if code and not counted:
            return code
        self._plan = dose
        self.pole = dose.polarity
        if code == faults.FAULT_LATCHED:
            self._clear_session()
            self.outcome = protocol.FAULTED
        else:
            self._begin_test(False, dose.dose_uc, reading, code)
        self.block[kernel.S_DOSE_UC] = dose.dose_uc
        return faults.NONE

    def may_test(self, reading: Reading) -> int:
        """Return why no self-test may be asked for now, or 0: the test judges STOP itself."""
        code = self.may_start(reading)
        return faults.NONE if code == faults.STOP_OPEN else code

    def test(self, reading: Reading) -> int:
        """Run the self-test alone; the device is IDLE again (or in FAULT) afterwards."""
        code = self.may_test(reading)
        if not code:
            self._begin_test(True, self._limits.max_dose_uc, reading)
        return code

    def may_start(self, reading: Reading) -> int:
        """Return why no current may be asked for now, or 0."""
        if self.state == FAULT:
            return faults.FAULT_LATCHED
        if self.state not in _CAN_START:
            return faults.WRONG_STATE
        return self._may_pass_current(reading)

    def _may_pass_current(self, reading: Reading) -> int:
        if reading.vbus and not reading.bench_strap:
            return faults.USB_PRESENT
        return faults.STOP_OPEN if reading.stop_open else faults.NONE

    def _begin_test(self, only_test: bool, dose_uc: int, reading: Reading, against: int = faults.NONE) -> None:
        self._clear_session()
        self._only_test = only_test
        self.outcome = protocol.OUTCOME_NONE
        limit_ms = self._limits.max_session_ms
        self._guards.begin(dose_uc, limit_ms + (limit_ms >> _TIME_MARGIN_SHIFT))
        self._selftest.begin(reading)
        self._go(SELF_TESTING)
        if against == faults.STOP_OPEN:
            self.abort(protocol.STOPPED)
        elif against == faults.USB_PRESENT:
            self.fail(faults.USB_APPEARED, reading)
        elif self._selftest.fault:
            self.fail(self._selftest.fault, reading)

    def armed(self) -> None:
        """The arm record is on flash: current may flow. Called by the application in ARMED only."""
        if self.state != ARMED:
            return
        block, dose = self.block, self._plan
        block[kernel.S_FULL_UA] = block[kernel.S_TARGET_UA] = block[kernel.S_GOAL_UA] = dose.current_ua
        mean_ua = block[kernel.S_MEAN_UA] = dose.mean_ua()
        block[kernel.S_FLOOR_UA] = -(-self._limits.min_current_ua * dose.current_ua // mean_ua)  # of pulses, the mean
        block[kernel.S_DOSE_UC] = dose.dose_uc
        block[kernel.S_RAMP_UP_US] = dose.ramp_up_ms * 1_000
        block[kernel.S_RAMP_DOWN_US] = dose.ramp_down_ms * 1_000
        block[kernel.S_EDGE_US] = dose.pulse_edge_ms * 1_000
        block[kernel.S_FALL_US] = dose.pulse_on_ms * 1_000
        block[kernel.S_PERIOD_US] = (dose.pulse_on_ms + dose.pulse_off_ms) * 1_000
        block[kernel.S_MAX_ON_MS] = dose.max_on_ms(self._limits)
        self.planned_on_ms = dose.on_ms()
        self._least_uc = dose.ramps_uc() if dose.reversal == INTERVAL else 0
        self._guards.expect(dose.current_ua)
        self._plan_next()
        self._begin_ramp_up()

    def _plan_next(self) -> None:
        """Say at which charge, or after how much time with current, something ends next: the dose, or a stretch."""
        block, dose = self.block, self._plan
        next_uc, next_on_ms = dose.dose_uc, _NEVER
        if dose.reversal == HALF and self.pole == dose.polarity:
            next_uc = dose.dose_uc // 2
        elif dose.reversal == INTERVAL:
            next_on_ms = block[kernel.S_ON_MS] + dose.reversal_interval_ms - dose.ramp_down_ms
        block[kernel.S_NEXT_UC] = next_uc
        block[kernel.S_NEXT_ON_MS] = min(next_on_ms, block[kernel.S_MAX_ON_MS])

    def pause(self) -> int:
        """Ramp down and wait; the charge is kept. A ramp down to a reversal is one to a pause then."""
        if self.state in _CAN_PAUSE:
            self._pausing = True
            self._begin_ramp_down(protocol.OUTCOME_NONE)
        elif self._turn_due and self.state == RAMP_DOWN:
            self._pausing = True
            self.block[kernel.S_END_UC] = 0
        elif self.state == REVERSING:
            self._go(PAUSED)
        else:
            return faults.WRONG_STATE
        return faults.NONE

    def may_resume(self, reading: Reading) -> int:
        """Return why a pause may not end now, or 0."""
        return self._may_pass_current(reading) if self.state == PAUSED else faults.WRONG_STATE

    def resume(self, reading: Reading) -> int:
        """Ramp up again after a pause."""
        code = self.may_resume(reading)
        if code:
            return code
        self._allow_ms(self._plan.pause_ms())
        if self._turn_due:
            self._begin_turn()
        else:
            self._begin_ramp_up()
        return faults.NONE

    def _allow_ms(self, more_ms: int) -> None:
        """Let the session, and its present stretch, take `more_ms` longer: the ramps of a pause."""
        block = self.block
        self.planned_on_ms += more_ms
        max_on_ms = min(self._limits.max_session_ms, block[kernel.S_MAX_ON_MS] + more_ms)
        block[kernel.S_MAX_ON_MS] = max_on_ms
        block[kernel.S_NEXT_ON_MS] = min(max_on_ms, block[kernel.S_NEXT_ON_MS] + more_ms)

    # Comfort.

    def comfort(self, kind: int, to_ua: int, reading: Reading) -> int:
        """A person reports `kind` (protocol.TINGLING ...). Pain ends the session; `to_ua` lowers the current.

        The lower current (uA, 0: as before) holds for the rest of the session. Nothing here can raise one.
        """
        if self.state not in _UNDER_WAY:
            return faults.WRONG_STATE
        if kind < protocol.TINGLING or kind > protocol.PAIN or (to_ua and kind != protocol.STINGING):
            return faults.BAD_PAYLOAD
        if to_ua:
            code = self._may_lower(to_ua)
            if code:
                return code
            self._lower(to_ua)
        self.block[kernel.S_FELT] = (self.block[kernel.S_FELT] & ~3) + 4 + kind
        self._note(COMFORT, kind, reading.block[kernel.R_CURRENT_UA], to_ua)
        if kind == protocol.PAIN:
            self.end(protocol.PAIN_ENDED)
        return faults.NONE

    def sting(self, reading: Reading) -> int:
        """A person reports stinging and cannot say more: a quarter less, or the end when less is not possible."""
        goal_ua = self.block[kernel.S_GOAL_UA]
        to_ua = max(self.least_ua(), goal_ua - (goal_ua >> _LOWER_SHIFT))
        if to_ua < goal_ua:
            return self.comfort(protocol.STINGING, to_ua, reading)
        code = self.comfort(protocol.STINGING, 0, reading)
        if not code:
            self.end(protocol.STINGING_ENDED)
        return code

    def least_ua(self) -> int:
        """Return the least current that the session may be lowered to, in uA; 0 before it is armed."""
        return self.block[kernel.S_FLOOR_UA]

    def _may_lower(self, to_ua: int) -> int:
        if self.state == ARMED or self.ending:
            return faults.WRONG_STATE
        return faults.NONE if self.least_ua() <= to_ua < self.block[kernel.S_GOAL_UA] else faults.OUT_OF_RANGE

    def _lower(self, to_ua: int) -> None:
        """Let `to_ua` be what the session ramps down to, in HOLD, or up to at most, at its next ramp up."""
        block, plan = self.block, self._plan
        block[kernel.S_GOAL_UA] = to_ua
        self._guards.expect(to_ua)
        block[kernel.S_RAMP_ACC] = 0
        block[kernel.S_MEAN_UA] = plan.mean_ua() * to_ua // plan.current_ua
        if self._least_uc:
            self._least_uc = to_ua * plan.ramps_uc() // plan.current_ua * to_ua // plan.current_ua
        if self.state == RAMP_UP:  # already above: the ramp is at its top where it is, and HOLD brings it down
            self._aim(max(to_ua, block[kernel.S_SETPOINT_UA]))

    def _aim(self, target_ua: int) -> None:
        """Make `target_ua` the current that a ramp ends at, and that the next ramp down begins at."""
        block = self.block
        block[kernel.S_TARGET_UA] = target_ua
        block[kernel.S_RAMP_DOWN_UC] = kernel.ramp_down_uc(block, target_ua)

    @property
    def running(self) -> bool:
        """A session is under way, its self-test included."""
        return self.state == SELF_TESTING or self.state in _UNDER_WAY

    @property
    def ending(self) -> bool:
        """The session is in its last ramp down."""
        return self.state == RAMP_DOWN and self._after_ramp != protocol.OUTCOME_NONE

    def end(self, outcome: int) -> None:
        """End a session under way with `outcome`: by a ramp down, or at once where no current flows."""
        if self.state in _CAN_PAUSE:
            self._begin_ramp_down(outcome)
        elif self.state != RAMP_DOWN:
            self.abort(outcome)
        elif self._after_ramp == protocol.OUTCOME_NONE:
            self._after_ramp = outcome
            self.block[kernel.S_END_UC] = 0

    def turned(self) -> None:
        """The relay has the pole of the session. Called by the application, in REVERSING only, when `may_turn`."""
        if self.may_turn:
            self.may_turn = False
            self._settled = 0

    def abort(self, outcome: int = protocol.ABORTED) -> int:
        """Output off at once, in every state. A latched fault stays latched."""
        if self.state in _ENDED or self.state == FAULT:
            return faults.NONE
        self._selftest.interrupt("not ended early", protocol.OUTCOMES[outcome])
        self.outcome = outcome
        self._go(DONE)
        return faults.NONE

    def clear(self, reading: Reading) -> int:
        """Clear a latched fault: its cause must be gone, with hysteresis. Without a fault nothing changes."""
        if self.state != FAULT:
            return faults.NONE
        sound = reading.fresh and reading.sensor_ok and reading.second_ok
        if not sound or reading.current_ua > CLEAR_BELOW_UA:
            return faults.CAUSE_REMAINS
        self.fault = self.second_fault = faults.NONE
        self._go(IDLE)
        return faults.NONE

    def leave(self) -> int:
        """Enter MAINTENANCE; refused while a session is under way."""
        if self.state not in _ENDED and self.state != FAULT:
            return faults.OUTPUT_ON if self.output_on else faults.WRONG_STATE
        self._go(IN_MAINTENANCE)
        return faults.NONE

    def fail(self, code: int, reading: Reading) -> None:
        """Latch `code`, output off. The first fault stays the one that is shown; another one is kept beside it."""
        if self.state == FAULT:
            if code != self.fault and not self.second_fault:
                self.second_fault = code
                self._note(SECOND_FAULT, code, reading.current_ua, self.fault)
            return
        self.fault = code
        self._selftest.interrupt("no guard trips", code)
        block = self.block
        block[kernel.S_MAX_UA] = max(block[kernel.S_MAX_UA], reading.current_ua)
        if self.state in _DELIVERING:
            block[kernel.S_LEAST_RAIL_MV] = min(block[kernel.S_LEAST_RAIL_MV], reading.rail_mv)
            block[kernel.S_LEAST_VSYS_MV] = min(block[kernel.S_LEAST_VSYS_MV], reading.vsys_mv)
        self._note(FAULT_LATCHED, code, reading.current_ua, self.setpoint_ua)
        if self.state not in _ENDED:
            self.outcome = protocol.FAULTED
        self._go(FAULT)

    # One control cycle.

    def step(self, dt_us: int, reading: Reading, fault: int) -> None:
        """Advance by `dt_us` with this cycle's `reading` and the guards' verdict `fault` (0 = none)."""
        if fault:
            self.fail(fault, reading)
            return
        if self.mode == _AT_REST:
            return
        event = kernel.advance(self.block, reading.block, dt_us, self.mode)
        if event:
            self.happened(event, reading)
        elif self.state == SELF_TESTING:
            self._step_selftest(dt_us, reading)
        elif self.state == REVERSING:
            self._step_reversing(reading)

    def drive_ua(self) -> int:
        """Return the set-point for the controller: with the dither that makes a stuck sensor visible."""
        return kernel.drive_ua(self.block)

    def happened(self, event: int, reading: Reading) -> None:
        """Act on what `kernel.advance` reports."""
        if event == kernel.E_STOP:
            self.abort(protocol.STOPPED)
        elif event == kernel.E_TOP:
            self._go(HOLD)
        elif event == kernel.E_BOTTOM:
            self._finish_ramp_down()
        elif event == kernel.E_LIMITED:
            self._note(CONTACT_LIMITED, self.block[kernel.S_LIMITED], reading.current_ua, reading.load_mv)
        elif event == kernel.E_DOSE:
            self._begin_ramp_down(protocol.COMPLETE, self.block[kernel.S_DOSE_UC])
        elif event == kernel.E_TURN:
            self._happened_turn()
        elif event == kernel.E_AGAIN:
            self._give_up_ramp_down()
        elif event == kernel.E_TIME:
            self._begin_ramp_down(protocol.TIME_ENDED)
        elif event == kernel.E_BATTERY:
            self._begin_ramp_down(protocol.BATTERY_ENDED)

    def _step_selftest(self, dt_us: int, reading: Reading) -> None:
        test = self._selftest
        test.step(dt_us, reading)
        self.block[kernel.S_SETPOINT_UA] = test.setpoint_ua
        block = self.block
        current_ua = reading.block[kernel.R_CURRENT_UA]
        if self.output_on:
            kernel.count(block, kernel.S_COUNT, current_ua, dt_us)
        elif block[kernel.S_ON_MS]:  # and what flows until the dead-man is open
            kernel.count_charge(block, kernel.S_COUNT, current_ua, dt_us)
        self.output_on = test.drive & BEAT != 0
        if not test.finished:
            return
        if test.fault:
            self.fail(test.fault, reading)
        else:
            self._go(IDLE if self._only_test else ARMED)

    def _happened_turn(self) -> None:
        """A stretch is over: turn, unless what is left of the dose could not hold its own two ramps."""
        block = self.block
        left_uc = block[kernel.S_DOSE_UC] - block[kernel.S_CHARGE_UC] - block[kernel.S_RAMP_DOWN_UC]
        if left_uc < self._least_uc:
            block[kernel.S_NEXT_UC] = block[kernel.S_DOSE_UC]
            block[kernel.S_NEXT_ON_MS] = block[kernel.S_MAX_ON_MS]
            return
        self._turn_due = True
        self._next_pole = -self.pole
        self._begin_ramp_down(protocol.OUTCOME_NONE, block[kernel.S_NEXT_UC] if self._plan.reversal == HALF else 0)

    def _finish_ramp_down(self) -> None:
        if self._after_ramp != protocol.OUTCOME_NONE:
            self.outcome = self._after_ramp
            if self.outcome == protocol.COMPLETE and self.shortfall_uc > self._plan.dose_uc // _COMPLETE_PART:
                self.outcome = protocol.TIME_ENDED  # in the last ramp, which waited for a contact
            self._go(DONE)
        elif self._pausing:
            self._go(PAUSED)
        else:
            self._begin_turn()

    def _begin_turn(self) -> None:
        self.may_turn = False
        self._turning = 0
        self._zero = 0
        self._settled = -1
        self._go(REVERSING)

    def _step_reversing(self, reading: Reading) -> None:
        """Output off: wait for zero current, let the relay move, let it settle, ramp up with the other pole."""
        block = reading.block
        self._turning += 1
        if block[kernel.R_FRESH] and block[kernel.R_CURRENT_UA] <= CLEAR_BELOW_UA:
            self._zero += 1
        else:
            self._zero = 0
        if self._settled >= 0:
            self._settled += 1
            if self._settled >= RELAY_MS:
                self._turn_due = False
                self._plan_next()
                self._begin_ramp_up()
        elif self._zero == DEAD_MAN_MS:
            self.pole = self._next_pole
            self.may_turn = True
        elif self._turning >= _TURN_GIVE_UP:
            self.fail(faults.CURRENT_WHEN_OFF if block[kernel.R_FRESH] else faults.SENSOR_STALE, reading)

    def _begin_ramp_up(self) -> None:
        self._pausing = False
        self._aim(self.block[kernel.S_GOAL_UA])
        self._guards.expect_pole(self.pole if self._selftest.lines & POLE_LINE else 0)
        self.block[kernel.S_SETPOINT_UA] = 0
        self.block[kernel.S_RAMP_ACC] = 0
        self._go(RAMP_UP)

    def _begin_ramp_down(self, outcome: int, end_uc: int = 0) -> None:
        """Ramp down to `outcome`, at a charge of `end_uc` (uC) where the dose or its half is to be met."""
        self._after_ramp = outcome
        block = self.block
        block[kernel.S_END_UC] = end_uc
        block[kernel.S_RAMP_ACC] = 0
        block[kernel.S_SETTLE] = 0
        block[kernel.S_LIMITED] = 0
        block[kernel.S_LIMITED_MS] = 0
        self._go(RAMP_DOWN)

    def _give_up_ramp_down(self) -> None:
        """The contact has taken what the ramp down was to bring: HOLD again, from the set-point that it came to."""
        block = self.block
        self._after_ramp = protocol.OUTCOME_NONE
        self._turn_due = False
        self._aim(block[kernel.S_SETPOINT_UA])
        block[kernel.S_PULSE_US] = block[kernel.S_EDGE_US]
        block[kernel.S_RAMP_ACC] = 0
        self._go(HOLD)

    def _go(self, state: int) -> None:
        self._note(STATE_CHANGED, state, self.state, self.charge_uc)
        self.state = state
        self.mode = _MODES[state]
        self.output_on = state in _DELIVERING
        if not self.output_on:
            self.block[kernel.S_SETPOINT_UA] = 0
            self.block[kernel.S_LIMITED] = 0
            self.block[kernel.S_LIMITED_MS] = 0

    @property
    def shortfall_uc(self) -> int:
        """What is missing of the dose, in uC; 0 when it is complete."""
        return max(0, self.block[kernel.S_DOSE_UC] - self.charge_uc)

    def remaining_ms(self) -> int:
        """Return the expected time to the end of the dose with good contact, in ms; 0 when not delivering.

        At most what is left of the time limit: a current that was lowered may not have time for the whole dose.
        """
        if self.state not in _UNDER_WAY:
            return 0
        block = self.block
        left_ms = block[kernel.S_MAX_ON_MS] - block[kernel.S_ON_MS] + block[kernel.S_RAMP_DOWN_US] // 1_000
        return max(0, min(left_ms, kernel.remaining_ms(block)))
