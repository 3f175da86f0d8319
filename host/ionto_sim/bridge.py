"""The bytes between the port a host opens and the VM: bounded both ways, none lost while both ends are there."""

from __future__ import annotations

import os
import select
import time

from .port import Port
from .vmprocess import VmProcess

_BUFFER = 4096
_CONSOLE = 65536
_INTERRUPT_PAUSE_S = 0.003
_STALL_S = 0.002
_CTRL_C = 3


class Bridge:
    """Carries bytes between `port` and the VM of the moment; `console` holds the recent output."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.console = bytearray()
        self._to_host = bytearray()
        self._to_vm = bytearray()
        self._hold_until = 0.0

    def register(self, poll: select.poll, vm: VmProcess | None) -> None:
        """Ask `poll` for what can be carried on now."""
        if self.port.host_open:
            poll.register(self.port.descriptor, select.POLLIN if len(self._to_vm) < _BUFFER else 0)
        if vm is None:
            return
        if len(self._to_host) < _BUFFER:
            poll.register(vm.stdout, select.POLLIN)
        if self._to_vm and not self._hold_until:
            poll.register(vm.stdin, select.POLLOUT)

    def patience_s(self) -> float:
        """Return how long nobody need look at what cannot be polled: a host that does not read, a pause."""
        if self._to_host:
            return _STALL_S
        return _INTERRUPT_PAUSE_S if self._to_vm and self._hold_until else 3600.0

    def take_output(self, data: bytes) -> None:
        """The VM wrote `data`; without a host it only goes to the console."""
        self.console += data
        del self.console[:-_CONSOLE]
        if self.port.host_open:
            self._to_host += data
            self._to_port()

    def take_input(self, event: int, vm: VmProcess | None) -> None:
        """The port has bytes, or the host hung up (`event` of poll)."""
        data = self.port.read()
        if vm is not None:
            self._to_vm += data
        if event & select.POLLHUP and not data:
            self.port.hang_up()
            self._to_host.clear()

    def carry(self, vm: VmProcess | None) -> None:
        """Pass on what there is."""
        self._to_terminal(vm)
        self._to_port()

    def _to_port(self) -> None:
        while self._to_host and self.port.host_open:
            sent = self.port.write(bytes(self._to_host))
            if not sent:
                return
            del self._to_host[:sent]

    def _to_terminal(self, vm: VmProcess | None) -> None:
        """Pass input on. After a Ctrl-C that interrupts, pause: a second one on its heels would end the VM."""
        if vm is None or not self._to_vm:
            return
        if self._hold_until and time.monotonic() < self._hold_until:
            return
        self._hold_until = 0.0
        size = len(self._to_vm)
        at = self._to_vm.find(_CTRL_C)
        if at >= 0 and vm.interrupts():
            size = at + 1
            self._hold_until = time.monotonic() + _INTERRUPT_PAUSE_S
        try:
            sent = os.write(vm.stdin, self._to_vm[:size])
        except BlockingIOError:
            return
        del self._to_vm[:sent]

    def vm_ended(self, vm: VmProcess, unread: bytes, soft: bool) -> None:
        """The VM is gone: keep its last output; what it had not read goes to the next one after a soft reset only."""
        self.take_output(vm.read_stdout())
        self._hold_until = 0.0
        if soft:
            self._to_vm[:0] = unread
        else:
            self._to_vm.clear()

    def unplugged(self) -> None:
        """The cable is out: everything on its way is lost."""
        self._to_host.clear()
        self._to_vm.clear()
