"""The serial line between the emulated chip's USB and the port a host opens: bounded both ways, with a host's DTR."""

from __future__ import annotations

import select

from ionto_sim.port import Port

from .chip import Chip

_CONSOLE_BYTES = 65536
_TO_GUEST_BYTES = 4096
_TO_HOST_BYTES = 512  # what a host's driver takes before the guest has to wait
_SETTLE_NANOS = 2_000_000  # between two requests on the control endpoint


class Line:
    """Carries bytes between `chip` and `port`; `console` holds the recent output."""

    def __init__(self, chip: Chip, port: Port) -> None:
        self.chip = chip
        self.port = port
        self.console = bytearray()
        self._to_host = bytearray()
        self._dtr = True
        self._alarm = chip.clock.create_alarm(self._set_line)
        chip.received = self._take
        chip.congested = lambda: len(self._to_host) > _TO_HOST_BYTES
        chip.on_ready.append(self._enumerated)

    def register(self, poll: select.poll) -> None:
        """Ask `poll` for what the host sends."""
        if self.port.host_open and self.chip.unsent() < _TO_GUEST_BYTES:
            poll.register(self.port.descriptor, select.POLLIN)

    def carry(self) -> None:
        """Pass on what there is, and what opening and closing the port means to the guest."""
        port = self.port
        if port.descriptor >= 0:
            port.look()
            if port.host_open:
                self._read()
            while self._to_host and port.host_open:
                sent = port.write(bytes(self._to_host))
                if not sent:
                    break
                del self._to_host[:sent]
        if port.host_open != self._dtr:
            self._dtr = port.host_open
            self._set_line()

    def move(self, port: Port) -> None:
        """Serve `port` from now on; what was on its way is lost."""
        self.port = port
        self._to_host.clear()

    def unplug(self) -> None:
        """The cable is out: everything on its way is lost."""
        self.port.unplug()
        self._to_host.clear()

    def _take(self, data: bytes) -> None:
        self.console += data
        del self.console[:-_CONSOLE_BYTES]
        if self.port.host_open:
            self._to_host += data

    def _read(self) -> None:
        port = self.port
        if self.chip.unsent() < _TO_GUEST_BYTES:
            data = port.read()
            if data:
                self.chip.send(data)
                return
        poll = select.poll()
        poll.register(port.descriptor, 0)
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            port.hang_up()
            self._to_host.clear()

    def _enumerated(self) -> None:
        """The host side of rp2040py asserts DTR when it enumerates; correct it when no one has the port open."""
        if not self._dtr:
            self._alarm.schedule(_SETTLE_NANOS)

    def _set_line(self) -> None:
        if self.chip.connected:
            self.chip.cdc.set_control_lines(dtr=self._dtr, rts=self._dtr)
