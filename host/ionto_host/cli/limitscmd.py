"""Commands about the settable limits, which lie inside those that are compiled in."""

from __future__ import annotations

import math
from typing import Any

import click

from ionto.limits import UC_PER_MA_MIN
from ionto_host.cli.common import Answer, IontoGroup, examples, note, open_device, table
from ionto_host.device.hand import with_hand
from ionto_host.errors import UsageError
from ionto_host.units import human

# option: (field of the device, what a person calls it, device units in one of the person's)
_LIMITS = {
    "current_ma": ("max_current_ua", "current", 1_000),
    "dose_ma_min": ("max_dose_uc", "dose", UC_PER_MA_MIN),
    "density_ma_cm2": ("max_density_ua_cm2", "density", 1_000),
}


@click.group(cls=IontoGroup)
def limits() -> None:
    """The highest current, dose and density that this board accepts.

    They lie inside the limits that are compiled in. Lowering one is free; raising one needs a hand on the board: its
    bench strap, or START pressed within the last 10 s.
    """


@limits.command("show")
def show() -> Answer:
    """Show the settable limits beside the compiled ones."""
    with open_device() as device:
        identity = device.hello()
    return _answer(identity.settings, identity.limits)


@limits.command("set")
@click.option("--current-ma", type=float, metavar="MA", help="Highest current, in mA.")
@click.option("--dose-ma-min", type=float, metavar="MA_MIN", help="Highest dose, in mA*min.")
@click.option("--density-ma-cm2", type=float, metavar="MA_CM2", help="Highest current density, in mA/cm2.")
def set_limits(**given: float | None) -> Answer:
    """Set the limits that are given; the others stay as they are. Refused while a session is under way."""
    for name, value in given.items():
        if value is not None and not math.isfinite(value):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is {value}", "Give a number: `ionto limits set --current-ma 2`.")
    wanted = {_LIMITS[name][0]: round(value * _LIMITS[name][2]) for name, value in given.items() if value is not None}
    if not wanted:
        raise UsageError("no limit is given", "Give at least one: `ionto limits set --current-ma 2`.")
    with open_device() as device:
        settings = with_hand(lambda: device.set_limits(wanted), note)
        compiled = device.identity.limits
    return _answer(settings, compiled)


def _answer(settings: dict[str, Any], compiled: dict[str, Any]) -> Answer:
    rows = [
        [words, human(field, settings[field]), human(field, compiled[field])]
        for field, words, _ in _LIMITS.values()
        if field in settings
    ]
    text = table(rows, ["limit", "at most", "compiled in"])
    if settings.get("damaged"):
        text += "\nThe limits on flash are damaged: the lowest ones hold until `ionto limits set` writes them anew."
    return Answer({"settings": settings, "compiled": compiled}, text)


examples("ionto limits show", "ionto limits set --current-ma 2 --dose-ma-min 40")(limits)
examples("ionto limits show", "ionto limits show --json")(show)
examples("ionto limits set --current-ma 2", "ionto limits set --density-ma-cm2 0.2")(set_limits)

COMMANDS = (limits,)
