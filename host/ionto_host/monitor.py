"""Following a session: status after status until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ionto import protocol
from ionto_host import messages
from ionto_host.device import Device, Status
from ionto_host.errors import DeviceFaultError, MonitorTimeoutError

INTERVAL_S = 0.25


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
        if not status.running and not (wait and status.state == protocol.IDLE and not status.outcome):
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise MonitorTimeoutError(f"the session is not over after {timeout_s:g} s: {status.state_name}")
        time.sleep(interval_s)


def ended_in_fault(status: Status) -> bool:
    """Return True when `status` is that of a device in fault."""
    return status.state == protocol.FAULT or status.fault != 0


def fault_error(status: Status) -> DeviceFaultError:
    """Return the fault in `status` as an error with words and next action."""
    message = messages.message_for(status.fault)
    return DeviceFaultError(
        f"{status.fault_name}: {message.text}", message.action, code=status.fault, name=status.fault_name
    )
