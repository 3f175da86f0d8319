"""What a device does after this program was interrupted, in one sentence."""

from __future__ import annotations

import os

from ionto import protocol
from ionto_host.device.answers import Status, settled
from ionto_host.device.opening import open_link
from ionto_host.errors import IontoError
from ionto_host.transport.ports import resolve

_UNSEEN = "The device could not be asked what it does ({}); a session goes on without the computer: `ionto status`."


def whereabouts(name: str | None) -> str:
    """Return what the device `name` (None: IONTO_PORT, or the only one) does now; asks, changes nothing."""
    try:
        port = resolve(name or os.environ.get("IONTO_PORT") or None)
        link = open_link(port)
        try:
            status = settled(lambda: Status.decode(link.request(protocol.STATUS, timeout_s=0.5, tries=2)))
        finally:
            link.close()
    except IontoError as error:
        return _UNSEEN.format(error.message)
    warning = f"WARNING: {status.current_warning} " if status.current_when_off else ""
    if status.running:
        return f"{warning}The device is in {status.state_name}: the session goes on. `ionto abort` ends it."
    return f"{warning}The device is in {status.state_name}, output off."
