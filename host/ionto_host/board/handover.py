"""A board that is handed to a person or to its boot ROM: its MicroPython prompt, a restart, its bootloader."""

from __future__ import annotations

from collections.abc import Callable

from ionto_host.board.flashing import GLANCE_S, PROMPT_WAIT_S, refuse_session
from ionto_host.board.mpremote_link import Prompt, wait_for_prompt
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.device.opening import open_link
from ionto_host.transport.ports import PortFinder


def prompt_of(port: str, tell: Callable[[str], None]) -> Prompt:
    """Return the MicroPython prompt of the board at `port`, leaving the application first if one runs.

    `RefusedError` while a session is under way, or without a hand on the board; other errors as of `open_link`.
    """
    finder, link = PortFinder(port), open_link(port)
    try:
        if not link.at_prompt(GLANCE_S):
            device = Device(link)
            refuse_session(device)
            with_hand(device.enter_maintenance, tell)
    finally:
        link.close()
    return wait_for_prompt(finder.current, PROMPT_WAIT_S)
