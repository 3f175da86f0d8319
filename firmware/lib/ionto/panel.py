"""The front panel: the START button, and the lights and the buzzer that say what the session does."""

from ionto import faults, kernel, protocol, ui
from ionto.compat import const, micropython
from ionto.sessionlog_format import BUTTON

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.desk import Desk
    from ionto.keeper import Keeper
    from ionto.parts import Parts

SHOW_CYCLES = const(128)  # a step of a pattern; ui.STEP_MS
_START_PRESS_US = const(2_000_000)
_LONGEST_PRESS_US = const(10_000_000)
_SHOWN_MS = const(60_000)  # in a state, counted no further
_BUTTON_START = const(1)


class Panel:
    """A press of 2 to 10 s acts when it ends, in the state it began in: a button that is shorted is no person."""

    def __init__(self, parts: "Parts", keeper: "Keeper", desk: "Desk"):
        self._hal = parts.hal
        self._hand = parts.hand
        self._log = parts.log
        self._note = parts.note
        self._reading = parts.reading
        self._session = parts.session
        self._keeper = keeper
        self._desk = desk
        self._lights = ui.Lights()
        self._state_ms = 0
        self._press_us = _LONGEST_PRESS_US  # a button that is closed at boot is no press
        self._starting = False
        self._refused = 0
        self._lowered = 0
        self._looked = 0

    def changed(self) -> None:
        """The session is in a new state: the lights show it at once, and a press that is under way is none of it."""
        self._state_ms = 0
        self._refused = self._lowered = 0
        if self._reading.block[kernel.R_START]:
            self._press_us = _LONGEST_PRESS_US

    @micropython.native
    def show(self, cycle: int) -> None:
        """Light the next step of the state's pattern; called every `SHOW_CYCLES` cycles, in `cycle`."""
        if self._state_ms < _SHOWN_MS:
            self._state_ms += SHOW_CYCLES
        step = cycle // SHOW_CYCLES % ui.STEPS
        if self._refused:
            self._refused -= 1
            self._hal.show(self._lights.refused(step))
            return
        if self._lowered:
            self._lowered -= 1
            self._hal.show(self._lights.lowered(step))
            return
        session = self._session
        if self._keeper.closing() and not session.fault:
            self._hal.show(self._lights.writing(step))
            return
        self._hal.show(self._lights.at(session.state, session.fault, step, self._state_ms // 1_000))

    def watch_start(self, dt_us: int) -> None:
        """Every cycle at rest, `dt_us` after the last: a press starts a session, or goes on with one that pauses."""
        if self._starting and not self._desk.errand.under_way():
            self._starting = False
            self._answer(self._desk.errand.code)
        press_us = self._press_us
        if self._reading.block[kernel.R_START]:
            if press_us < _LONGEST_PRESS_US:
                self._press_us = press_us + dt_us
            return
        self._press_us = 0
        if press_us >= _START_PRESS_US and press_us < _LONGEST_PRESS_US and not self._hand.served:
            self._start_pressed()

    def _start_pressed(self) -> None:
        full = self._log.crowded() and self._session.running
        code = faults.EVENTS_FULL if full else self._start()
        if code or self._session.running:
            self._answer(code)
        else:
            self._starting = True  # the errand says how it ends

    def _answer(self, code: int) -> None:
        """The press is obeyed, or refused with `code`: into the log with it, and onto the lights."""
        if not self._log.crowded():
            self._note(BUTTON, _BUTTON_START, self._session.state, code)
        self._refused = ui.STEPS if code else 0

    def _start(self) -> int:
        session = self._session
        try:
            return session.resume(self._reading) if session.state == protocol.PAUSED else self._desk.start()
        except faults.Refusal as refusal:
            return refusal.code

    def watch_for_sting(self, cycle: int) -> None:
        """While current flows, every `SHOW_CYCLES` cycles or, where a log window had the turn, twice: `cycle` says it.

        A press in HOLD reports stinging.
        """
        press_us = self._press_us
        since_ms = min(max(cycle - self._looked, SHOW_CYCLES), 2 * SHOW_CYCLES)
        self._looked = cycle
        if self._reading.block[kernel.R_START]:
            if self._session.state != protocol.HOLD:
                self._press_us = _LONGEST_PRESS_US  # what began in another state is no report
            elif press_us < _LONGEST_PRESS_US:
                self._press_us = press_us + since_ms * 1_000
            return
        self._press_us = 0
        if press_us >= _START_PRESS_US and press_us < _LONGEST_PRESS_US:
            code = self._sting()
            self._refused = ui.STEPS if code else 0
            self._lowered = 0 if code else ui.STEPS

    def _sting(self) -> int:
        """Take a long press in HOLD for a report of stinging; return a code of ionto.faults."""
        if self._log.crowded():
            return faults.EVENTS_FULL
        self._note(BUTTON, _BUTTON_START, self._session.state, faults.NONE)
        return self._session.sting(self._reading)
