"""A dose against the board that is there: its build variant, and the limits that are set on it."""

from __future__ import annotations

import copy
from typing import Any

from ionto.faults import Refusal
from ionto.limits import Limits, for_variant
from ionto.plan import Dose
from ionto.settings import FIELDS, Settings
from ionto_host.device.answers import Hello
from ionto_host.device.client import Device
from ionto_host.device.opening import open_link
from ionto_host.dose import file as dosefile
from ionto_host.dose.file import DoseFile
from ionto_host.errors import IontoError, RefusedError
from ionto_host.transport.ports import discover, resolve

_PATIENCE_S = 0.5


def board(name: str | None) -> Hello | None:
    """Return who the device `name` is, or the only one when None; None when none is there or it is in a session.

    A device that was named has to answer: its `IontoError` is raised.
    """
    try:
        if name is None and len(discover()) != 1:
            return None
        port = resolve(name)
        link = open_link(port)
        try:
            return Device(link).hello(timeout_s=_PATIENCE_S, tries=2)
        finally:
            link.close()
    except RefusedError:  # while current flows; or another protocol
        return None
    except IontoError:
        if name is not None:
            raise
        return None


def narrowed(hello: Hello) -> Limits:
    """Return the compiled limits of the board's variant with the settable ones of `hello` in place of the highest."""
    limits = copy.copy(for_variant(hello.variant))
    for name, _ in FIELDS:
        setattr(limits, name, min(getattr(limits, name), _value(hello.settings, name, getattr(limits, name))))
    return limits


def check(loaded: DoseFile, hello: Hello) -> Dose:
    """Return the dose of `loaded` as the board `hello` would admit it; `RefusedError` with its reason otherwise."""
    checked = dosefile.check(loaded, hello.variant)
    try:
        _Told(for_variant(hello.variant), hello.settings).admit(checked)
    except Refusal as refusal:
        raise dosefile.explain(refusal.as_dict(), f"{loaded.path} (limits set on board {hello.board_id})") from refusal
    return checked


def _value(told: dict[str, Any], name: str, default: int) -> int:
    return int(told.get(name, default))


class _Told(Settings):
    """The settable limits as a board tells them, judged by the device's own rule."""

    def __init__(self, limits: Limits, told: dict[str, Any]) -> None:
        self._limits = limits
        self.values = {name: _value(told, name, getattr(limits, name)) for name, _ in FIELDS}
