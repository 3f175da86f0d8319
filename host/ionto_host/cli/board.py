"""Commands about the board itself: which there are, who one is, clock, maintenance."""

from __future__ import annotations

import time
from typing import Any

import click

from ionto.limits import UC_PER_MA_MIN
from ionto.version import FIRMWARE_VERSION
from ionto_host.cli.common import (
    Answer,
    IontoCommand,
    IontoGroup,
    examples,
    note,
    open_device,
    settings,
    table,
)
from ionto_host.device import messages, versions
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.device.opening import open_link
from ionto_host.errors import IontoError, NoFirmwareError, RefusedError, VersionMismatchError
from ionto_host.transport.drives import Drive, drives
from ionto_host.transport.link import Link
from ionto_host.transport.ports import PortInfo, discover


@click.command(cls=IontoCommand)
@click.option("--no-probe", is_flag=True, help="List ports only; send nothing to them.")
def devices(no_probe: bool) -> Answer:
    """List the boards and the running simulators.

    Each is asked who it is; a board without the firmware is shown as blank.
    """
    found = [{**vars(info), **({} if no_probe else _probe(info))} for info in discover()]
    found += [_in_bootsel(drive) for drive in drives()]
    if not found:
        return Answer([], "No IontoPico found. Plug a board in, or run `ionto sim` in another terminal.")
    heads = ["port", "kind", "serial_number", "runs"]
    rows = [[str(item.get(head) or "-") for head in heads] for item in found]
    return Answer(found, table(rows, [head.replace("_", " ") for head in heads]))


def _in_bootsel(drive: Drive) -> dict[str, Any]:
    runs = "nothing yet, waits for MicroPython: `ionto flash`"
    return {"port": str(drive.path), "kind": "bootsel", "serial_number": "", "description": drive.board, "runs": runs}


def _probe(info: PortInfo) -> dict[str, Any]:
    """Return what answers at the port: `runs` in words, and the identity when it is an IontoPico."""
    try:
        link = open_link(info.port)
    except IontoError as error:
        return {"runs": error.message}
    try:
        hello = Device(link).hello(timeout_s=0.5, tries=2)
        runs = f"IontoPico {hello.firmware}, variant {hello.variant}, MicroPython {hello.micropython}"
        return {"runs": runs, "serial_number": info.serial_number or hello.board_id, "hello": vars(hello)}
    except NoFirmwareError:
        return {"runs": "MicroPython without the firmware: `ionto flash`"}
    except VersionMismatchError as error:
        return {"runs": f"IontoPico that does not fit: {error.message}"}
    except RefusedError:
        return {"runs": "IontoPico, in a session"}
    except IontoError:
        return {"runs": _what_else(link)}
    finally:
        link.close()


def _what_else(link: Link) -> str:
    return "MicroPython without the firmware: `ionto flash`" if link.at_prompt() else "no answer"


@click.group(cls=IontoGroup)
def clock() -> None:
    """The clock of the device, which dates its logs."""


@clock.command("set")
def clock_set() -> Answer:
    """Set the clock of the device from this computer."""
    settings().leave_clock = True  # it is set here
    with open_device() as device:
        unix_s = device.set_clock()
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_s))
    return Answer({"unix_s": unix_s, "utc": written}, f"Clock set to {written} UTC.")


@click.command(cls=IontoCommand)
def maintenance() -> Answer:
    """Send the application to the MicroPython prompt, for mpremote or a serial terminal.

    Refused while current flows. Needs a hand on the board: its bench strap, or START pressed within 10 s. A reset of
    the board starts the application again.
    """
    with open_device() as device:
        with_hand(device.enter_maintenance, note)
        port = device.link.name
    return Answer(
        {"port": port, "maintenance": True},
        f"{port} goes to the MicroPython prompt. Back again: `mpremote connect {port} reset`.",
    )


@click.command(cls=IontoCommand)
def info() -> Answer:
    """Show who the device is: firmware, variant, limits, MicroPython, reset cause."""
    with open_device() as device:
        hello = device.identity
    limits, fit = hello.limits, versions.fit(hello.firmware)
    rows = [
        ["board", hello.board_id],
        ["firmware", f"{hello.firmware}, protocol {hello.protocol}, log format {hello.log_format}"],
        ["", f"{fit.text}. {fit.action}".rstrip() if fit.action else fit.text],
        ["MicroPython", hello.micropython],
        ["variant", hello.variant],
        ["current", f"{limits['min_current_ua'] / 1000:g} to {limits['max_current_ua'] / 1000:g} mA"],
        ["dose", f"up to {limits['max_dose_uc'] / UC_PER_MA_MIN:g} mA*min"],
        ["last reset", f"{hello.reset_cause}, {hello.unplanned_resets} unplanned in a row"],
        ["calibration", messages.calibration_words(hello.calibration)],
        ["clock", "set" if hello.clock_set else "not set: `ionto clock set`"],
        ["bench strap", "fitted: USB does not hold the output off" if hello.bench_strap else "not fitted"],
    ]
    data = {**vars(hello), "firmware_fits": fit.fits, "tool": FIRMWARE_VERSION}
    return Answer(data, "\n".join(f"{name:<12} {value}" for name, value in rows))


examples("ionto devices", "ionto devices --json")(devices)
examples("ionto clock set")(clock_set)
examples("ionto clock set")(clock)
examples("ionto maintenance", "ionto maintenance --port e661a4d4178e3c2a")(maintenance)
examples("ionto info", "ionto info --json")(info)

COMMANDS = (devices, info, clock, maintenance)
