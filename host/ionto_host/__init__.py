"""Host side of IontoPico: the command `ionto` and the same operations as a Python API.

Start with `ionto_host.device.Device`::

    from ionto_host.device import Device

    with Device.open() as device:
        print(device.status().current_ua)

docs/api.md shows the public import paths; they stay, and every other module may move. For bench work, teaching and
research; IontoPico is not a cleared medical device.
"""

from importlib import import_module
from types import ModuleType

# Public modules that lie in a room; loaded when asked for.
_PUBLIC = {
    "blank": "board.blank",
    "bootsel": "board.bootsel",
    "demo": "cli.demo",
    "dosecheck": "dose.check",
    "dosefile": "dose.file",
    "dosewriter": "dose.writer",
    "explain": "dose.explain",
    "flashing": "board.flashing",
    "logstore": "logs.store",
    "report": "logs.report",
    "simulators": "transport.simulators",
}


def __getattr__(name: str) -> ModuleType:
    """Return the public module `name`: `from ionto_host import dosefile`."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{_PUBLIC[name]}")
