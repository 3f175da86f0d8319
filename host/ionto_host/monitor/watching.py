"""Following a session: status after status until it ends, through an unplugged cable too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ionto import protocol
from ionto_host.device.answers import Hello, Status
from ionto_host.device.client import Device
from ionto_host.device.opening import open_link
from ionto_host.errors import MonitorTimeoutError, NoDeviceError, NoFirmwareError, TransportError
from ionto_host.logs.watched import Keeper
from ionto_host.patience import patient
from ionto_host.transport.ports import PortFinder, resolve

INTERVAL_S = 0.25
RETRY_S = 0.5


@dataclass(frozen=True)
class Gap:
    """A look at a device that cannot be seen: why, in words. Its session goes on without the computer."""

    reason: str


Look = Status | Gap


def watch(
    name: str | None,
    *,
    interval_s: float = INTERVAL_S,
    timeout_s: float | None = None,
    wait: bool = False,
    pause: Callable[[float], None] = time.sleep,
    keeper: Keeper | None = None,
    meet: Callable[[Device], None] | None = None,
) -> Iterator[Look]:
    """Yield the status of the device `name` every `interval_s` until its session has ended, the last one included.

    While it cannot be seen, a `Gap` every half second. Without a session only the present status, unless `wait`.

    The port is open during a look only, so that other commands get through meanwhile. `pause` (seconds) passes the time
    between two looks. `keeper` keeps what is seen of a session; `meet` is called after
    every handshake, as when the board comes into sight again. The first contact has to succeed, unless `wait`. A
    board is found again by its serial number, under another port name too. Raises `MonitorTimeoutError` after
    `timeout_s`, of which gaps are a part.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    observer, seen, awaited = _Observer(name, meet), wait, wait
    while True:
        try:
            look: Look = observer.look()
            seen = True
        except (TransportError, NoDeviceError, NoFirmwareError) as error:
            if not seen:
                raise
            look = Gap(error.message)
        if keeper:
            _keep(keeper, observer.hello, look)
        yield look
        if isinstance(look, Status):
            awaited = awaited and not look.in_session
            if _over(look, awaited):  # a session that was seen and is gone is over: it was cut short
                return
        if end is not None and time.monotonic() >= end:
            raise _timeout(look, timeout_s or 0.0)
        pause(interval_s if isinstance(look, Status) else patient(RETRY_S))


def _keep(keeper: Keeper, hello: Hello | None, look: Look) -> None:
    if isinstance(look, Gap):
        keeper.gap(look.reason)
    else:
        keeper.take(hello, look)


class _Observer:
    """Looks at a device, and shakes hands first whenever it was out of sight."""

    def __init__(self, name: str | None, meet: Callable[[Device], None] | None) -> None:
        self._name = name
        self._meet = meet
        self._finder: PortFinder | None = None
        self._in_sight = False
        self.hello: Hello | None = None  # the last one

    def look(self) -> Status:
        finder = self._finder = self._finder or PortFinder(resolve(self._name))
        in_sight, self._in_sight = self._in_sight, False
        with self._known(finder.port) if in_sight else Device.open(finder.current()) as device:
            if self._meet and not in_sight:
                self._meet(device)
            status = device.settled_status()
            self.hello = device.known or self.hello
        self._in_sight = True
        return status

    def _known(self, port: str) -> Device:
        return Device(open_link(port))


def _timeout(look: Look, timeout_s: float) -> MonitorTimeoutError:
    if isinstance(look, Gap):
        return MonitorTimeoutError(f"the device was not seen again in {timeout_s:g} s: {look.reason}")
    return MonitorTimeoutError(f"the session is not over after {timeout_s:g} s: {look.state_name}")


def _over(status: Status, wait: bool) -> bool:
    return not status.running and not (wait and status.state == protocol.IDLE and not status.outcome)
