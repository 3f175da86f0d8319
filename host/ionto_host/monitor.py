"""Following a session: status after status until it ends, through an unplugged cable too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ionto import protocol
from ionto_host import messages
from ionto_host.device import Device, Status
from ionto_host.errors import DeviceFaultError, MonitorTimeoutError, NoDeviceError, TransportError
from ionto_host.patience import patient
from ionto_host.transport.ports import PortFinder, resolve

INTERVAL_S = 0.25
RETRY_S = 0.5


@dataclass(frozen=True)
class Gap:
    """A look at a device that cannot be seen: why, in words. Its session goes on without the computer."""

    reason: str


Look = Status | Gap


def follow(
    device: Device, *, interval_s: float = INTERVAL_S, timeout_s: float | None = None, wait: bool = False
) -> Iterator[Status]:
    """Yield the status every `interval_s`, the last one included, until the session has ended.

    Without a session only the present status is yielded, unless `wait`. Raises `MonitorTimeoutError` after
    `timeout_s`.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        status = device.settled_status()
        yield status
        if _over(status, wait):
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise MonitorTimeoutError(f"the session is not over after {timeout_s:g} s: {status.state_name}")
        time.sleep(interval_s)


def watch(
    name: str | None, *, interval_s: float = INTERVAL_S, timeout_s: float | None = None, wait: bool = False
) -> Iterator[Look]:
    """Yield what `follow` does of the device `name`; while its cable is out, a `Gap` every half second.

    The first contact has to succeed, unless `wait`. A board is found again by its serial number, under another port
    name too. Raises `MonitorTimeoutError` after `timeout_s`, of which gaps are a part.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    finder: PortFinder | None = None
    seen = wait
    while True:
        try:
            finder = finder or PortFinder(resolve(name))
            with Device.open(finder.current()) as device:
                seen = True
                left = None if end is None else max(end - time.monotonic(), 0.0)
                yield from follow(device, interval_s=interval_s, timeout_s=left, wait=wait)
                return
        except (TransportError, NoDeviceError) as error:
            if not seen:
                raise
            gap = error
        if end is not None and time.monotonic() >= end:
            raise MonitorTimeoutError(f"the device was not seen again in {timeout_s:g} s: {gap.message}")
        yield Gap(gap.message)
        time.sleep(patient(RETRY_S))


def _over(status: Status, wait: bool) -> bool:
    return not status.running and not (wait and status.state == protocol.IDLE and not status.outcome)


def ended_in_fault(status: Status) -> bool:
    """Return True when `status` is that of a device in fault."""
    return status.state == protocol.FAULT or status.fault != 0


def fault_error(status: Status) -> DeviceFaultError:
    """Return the fault in `status` as an error with words and next action."""
    message = messages.message_for(status.fault)
    return DeviceFaultError(
        f"{status.fault_name}: {message.text}", message.action, code=status.fault, name=status.fault_name
    )
