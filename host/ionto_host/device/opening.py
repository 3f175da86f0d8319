"""A link to a device: transport carries its frames, `messages` says what its refusals mean."""

from __future__ import annotations

from ionto_host.device.messages import error_for
from ionto_host.transport.link import Link
from ionto_host.transport.ports import open_port


def open_link(port: str) -> Link:
    """Return a link to the device at `port` (a path or a URL), opened.

    The errors of opening are those of `open_port`; ERROR answers come as `RefusedError` or `DeviceFaultError`.
    """
    return Link(open_port(port), port, error_for)
