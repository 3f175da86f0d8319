"""The `select` module: polling stdin and stdout, in virtual time."""

import select as _real

from .core import CLOCK
from .stdio import STDIN, STDOUT

POLLIN = _real.POLLIN
POLLOUT = _real.POLLOUT
POLLERR = _real.POLLERR
POLLHUP = _real.POLLHUP
_NONE = ()


class poll:
    """Poll object for sys.stdin and sys.stdout."""

    def __init__(self):
        self._clock = CLOCK
        self._stdin = 0
        self._stdout = 0
        self._names = {}
        self._writable = _real.poll()
        self._writable.register(1, POLLOUT)

    def register(self, stream, mask=POLLIN | POLLOUT):
        """Watch `stream` for `mask`."""
        if stream is STDIN or stream is STDIN.buffer:
            self._stdin = mask
        elif stream is STDOUT or stream is STDOUT.buffer:
            self._stdout = mask
        else:
            raise OSError(22)
        self._names[stream is STDIN or stream is STDIN.buffer] = stream

    def modify(self, stream, mask):
        """Change the mask of `stream`."""
        self.register(stream, mask)

    def unregister(self, stream):
        """Watch `stream` no longer."""
        self.register(stream, 0)

    @micropython.native
    def ipoll(self, timeout=-1, flags=0):
        """Return what is ready, at once for timeout 0, else within `timeout` ms of virtual time (-1: for ever)."""
        if timeout == 0 and self._stdout == 0:
            clock = self._clock
            if clock.now_us < clock.stdin_next_us or not clock.input_ready():
                return _NONE
        return self.poll(timeout)

    def poll(self, timeout=-1, flags=0):
        """As `ipoll`; return a list."""
        ready = self._look()
        if ready or timeout == 0:
            return ready
        until = CLOCK.now_us + (timeout * 1000 if timeout > 0 else 1 << 60)
        while not ready and CLOCK.now_us < until:
            if self._stdin & POLLIN and not self._stdout:
                CLOCK.wait_input(until)
            else:
                CLOCK.run_until(CLOCK.now_us + 1000)
            ready = self._look()
        return ready

    def _look(self):
        ready = []
        if self._stdin & POLLIN and CLOCK.input_ready():
            ready.append((self._names[True], POLLIN))
        if self._stdout & POLLOUT and self._writable.poll(0):
            ready.append((self._names[False], POLLOUT))
        return ready
