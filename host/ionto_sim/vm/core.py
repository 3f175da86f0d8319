"""Virtual time: a 64-bit microsecond clock that sleeps, buses, flash and time reads push on.

`CLOCK.next_us` is when something besides the firmware wants attention (watchdog, schedule, control, pacing);
every shadow compares against it after pushing the clock, which is all that a quick call costs.
"""

import select
import time as wall

from ..compat import NEVER_US, make_room

_AHEAD_US = 2_000  # paced: how far virtual time may lead wall time before it waits
_BEHIND_US = 100_000  # paced: how far it may lag before the rest is forgotten
_FREE_PERIOD_US = 4_000
_WATCH_PERIOD_US = 1_000
_FAR_PERIOD_US = 20_000
_LIVE_US = 100_000


class Clock:
    """`now_us` is virtual time. `board` and `control` are set by the launcher."""

    def __init__(self) -> None:
        make_room(self, 60)
        self.now_us = 0
        self.next_us = 0
        self.watchdog_us = NEVER_US
        self.watchdog_period_us = 0
        self.board = None
        self.control = None
        self.speed = 0.0  # factor of real time; 0 for as fast as possible
        self.hung = False
        self.fail_once = False
        self._poll = select.poll()
        self._poll_both = select.poll()
        self._control_fd = -1
        self._anchor_us = 0
        self._anchor_wall = wall.ticks_us()
        self._stdin = select.poll()
        self._stdin.register(0, select.POLLIN)
        self._busy = False
        self._anchored = False
        self.stdin_next_us = 0

    def start(self, now_us: int, speed: float, control_fd: int) -> None:
        """Begin at `now_us`."""
        self.now_us = now_us
        self.speed = speed
        self._control_fd = control_fd
        self._poll.register(control_fd, select.POLLIN)
        self._poll_both.register(control_fd, select.POLLIN)
        self._poll_both.register(0, select.POLLIN)
        self.anchor()
        self.next_us = now_us

    def anchor(self) -> None:
        """Let virtual and wall time agree from now on."""
        self._anchor_us = self.now_us
        self._anchor_wall = wall.ticks_us()
        self._anchored = True

    def due_us(self) -> int:
        """Return the virtual time that wall time has come to, paced."""
        return self._anchor_us + int((wall.ticks_us() - self._anchor_wall) * (self.speed or 1.0))

    def free(self) -> bool:
        """Return True when virtual time need not wait: at full speed with the output live or an event pending."""
        if self.speed:
            return False
        return self.now_us - self.board.last_edge_us < _LIVE_US or self.control.pending_us != NEVER_US

    # For the shadows.

    @micropython.native
    def spend(self, us: int) -> None:
        """A call to the hardware takes `us`."""
        now = self.now_us + us
        self.now_us = now
        if now >= self.next_us:
            self.service(_FREE_PERIOD_US)

    @micropython.native
    def run_until(self, target_us: int) -> None:
        """Sleep until `target_us`."""
        while True:
            nearest = self.next_us
            if target_us < nearest:
                if target_us > self.now_us:
                    self.now_us = target_us
                return
            if nearest > self.now_us:
                self.now_us = nearest
            self.service(_FAR_PERIOD_US if target_us - self.now_us > 5000 else _FREE_PERIOD_US)
            if self.now_us >= target_us:
                return

    def stall(self, us: int) -> None:
        """The CPU stands still for `us` (flash); at full speed nobody waits for it."""
        self.now_us += us
        if not self.speed:
            self._anchor_us += us
        if self.now_us >= self.next_us:
            self.service(_FREE_PERIOD_US)

    @micropython.native
    def service(self, period_us: int) -> None:
        """Do what is due: watchdog, schedule, control commands, pacing; then set the next time."""
        now = self.now_us
        if self._busy:
            self.next_us = now + period_us
            return
        control = self.control
        quiet = not control.conditions and now < control.pending_us and now < self.watchdog_us
        if quiet and not self.speed and now - self.board.last_edge_us < 100000:
            self._anchored = False
            for _ in self._poll.ipoll(0):
                quiet = False
            if quiet:
                self.plan(10000)
                return
        self._serve(period_us)

    def _serve(self, period_us: int) -> None:
        self._busy = True
        try:
            self._service(period_us)
        finally:
            self._busy = False
        if self.hung:
            self._hang()
        if self.fail_once:
            self.fail_once = False
            raise RuntimeError("injected by the virtual Pico")

    def _service(self, period_us: int) -> None:
        now = self.now_us
        if now >= self.watchdog_us:
            self.board.watchdog_reset(self.watchdog_us)
        control = self.control
        if now >= control.pending_us:
            control.run_due(now)
        if control.conditions:
            control.check_conditions(now)
        if self.free():
            for fd, _ in self._poll.ipoll(0):
                if fd == self._control_fd:
                    control.receive()
            self._anchored = False
        else:
            self._pace()
        self.plan(_WATCH_PERIOD_US if control.conditions else period_us)

    @micropython.native
    def plan(self, period_us: int) -> None:
        """Set the next time of `service`, at most `period_us` away."""
        nearest = self.now_us + period_us
        if self.watchdog_us < nearest:
            nearest = self.watchdog_us
        if self.control.pending_us < nearest:
            nearest = self.control.pending_us
        self.next_us = nearest

    def _pace(self) -> None:
        """Wait until wall time has caught up, serving control commands; a byte from the host ends the wait."""
        if not self._anchored:
            self.anchor()
        while True:
            ahead = self.now_us - self.due_us()
            if ahead < -_BEHIND_US:
                self.anchor()
                return
            wait_ms = ahead // 1000 if ahead > _AHEAD_US else 0
            if wait_ms and self.speed:
                wait_ms = max(1, int(wait_ms / self.speed))
            if self._wait(wait_ms, ahead < _FAR_PERIOD_US) or not wait_ms or self.free():
                return

    def _wait(self, wait_ms: int, heed_stdin: bool) -> bool:
        """Wait for a control command (serve it) or, if asked, a byte of input; return True for the byte."""
        byte = False
        poll = self._poll_both if heed_stdin else self._poll
        for fd, _ in poll.poll(wait_ms):
            if fd == self._control_fd:
                self.control.receive()
            else:
                byte = True
        return byte

    def _hang(self) -> None:
        """Never return: only time, control and the watchdog go on."""
        while self.hung:
            try:
                self.now_us = max(self.now_us + 1, self.next_us)
                self._service(_FREE_PERIOD_US)
            except KeyboardInterrupt:
                pass

    # For stdin and select.

    @micropython.native
    def input_ready(self) -> bool:
        """Return True when a byte has arrived; asks the system at most every few virtual ms while time runs free."""
        now = self.now_us
        if now < self.stdin_next_us:
            return False
        for _ in self._stdin.ipoll(0):
            return True
        if not self.speed and now - self.board.last_edge_us < 100000:
            self.stdin_next_us = now + 5000
        return False

    def wait_input(self, until_us: int) -> bool:
        """Let time pass until a byte has arrived (True) or it is `until_us` (False)."""
        while not self._stdin.poll(0):
            if self.now_us >= until_us:
                return False
            if self.free() or self.hung:
                self.run_until(min(until_us, self.now_us + _FREE_PERIOD_US))
                continue
            self._wait_paced(until_us)
        return True

    def _wait_paced(self, until_us: int) -> None:
        """Wait first, then let the virtual time pass that really passed."""
        if not self._anchored:
            self.anchor()
        target = min(until_us, self.now_us + _FAR_PERIOD_US, max(self.watchdog_us, self.now_us))
        wait_ms = int((target - self.due_us()) / 1000 / (self.speed or 1.0)) + 1
        if wait_ms > 0:
            self._wait(wait_ms, True)
        target = min(max(self.due_us(), self.now_us + 1), target)
        while self.now_us < target:
            self.now_us = min(max(self.next_us, self.now_us), target)
            if self.now_us >= self.next_us:
                self._tick()

    def _tick(self) -> None:
        """Serve what is due without pacing."""
        now = self.now_us
        if now >= self.watchdog_us:
            self.board.watchdog_reset(self.watchdog_us)
        if now >= self.control.pending_us:
            self.control.run_due(now)
        if self.control.conditions:
            self.control.check_conditions(now)
        self.plan(_WATCH_PERIOD_US if self.control.conditions else _FAR_PERIOD_US)
        if self.fail_once:
            self.fail_once = False
            raise RuntimeError("injected by the virtual Pico")


CLOCK = Clock()
