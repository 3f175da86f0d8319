"""Which ports there are, which of them are IontoPico devices, and opening one."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

from ionto_host.errors import (
    AmbiguousDeviceError,
    NoDeviceError,
    PortBusyError,
    PortPermissionError,
    TransportError,
    UsageError,
)
from ionto_host.transport import network, port_holders, simulators
from ionto_host.transport.drives import drives

RASPBERRY_PI_VID = 0x2E8A
PICO_PID = 0x0005  # MicroPython on a Pico
BAUD = 115_200  # ignored by USB CDC
BUSY_WAIT_S = 1.5  # `ionto monitor` lets go of the port between two looks
BUSY_RETRY_S = 0.02
WRITE_TIMEOUT_S = 5.0  # not known to pyserial's network ports


@dataclass(frozen=True)
class PortInfo:
    """A port that may be a device: `kind` is "board" or "simulator"."""

    port: str
    kind: str
    serial_number: str
    description: str


def discover() -> list[PortInfo]:
    """Return the boards and running simulators that can be seen, boards first."""
    return [*_boards(), *_simulators()]


def _boards() -> list[PortInfo]:
    return [
        PortInfo(info.device, "board", (info.serial_number or "").lower(), info.description or "")
        for info in sorted(list_ports.comports(), key=lambda info: info.device)
        if info.vid == RASPBERRY_PI_VID
    ]


def _simulators() -> list[PortInfo]:
    return [
        PortInfo(entry.port, "simulator", entry.serial_number, f"virtual Pico in {entry.state_dir}")
        for entry in simulators.running()
        if Path(entry.port).exists()  # not with its cable out, nor in BOOTSEL
    ]


def names_port(name: str) -> bool:
    """Return True when `name` is a path or a URL, not a serial number."""
    return network.is_remote(name) or "/" in name or name.upper().startswith("COM")


def resolve(name: str | None) -> str:
    """Return the port (a path or a pyserial URL) that `name` means.

    `name` is a path, a URL, a serial number of a board or simulator, or None for the only device. Raises
    `NoDeviceError` or `AmbiguousDeviceError`.
    """
    if name and names_port(name):
        return name
    found = discover()
    if name:
        found = [info for info in found if info.serial_number == name.lower()]
        if not found:
            raise NoDeviceError(f"no device with serial number {name}")
    if not found:
        raise _none_found()
    if len(found) > 1:
        names = ", ".join(f"{info.port} ({info.serial_number or info.kind})" for info in found)
        raise AmbiguousDeviceError(f"{len(found)} devices found: {names}")
    return found[0].port


def _none_found() -> NoDeviceError:
    if drives():
        action = "`ionto flash` puts MicroPython and the firmware on it; plugged in anew it leaves BOOTSEL."
        return NoDeviceError("no IontoPico found, but a board in BOOTSEL", action)
    return NoDeviceError("no IontoPico found")


class PortFinder:
    """Names the board's port, also when it comes back under another name after a restart."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.serial_number = next((info.serial_number for info in discover() if info.port == port), "")

    def current(self) -> str:
        """Return the port the board has now, or the last one it had."""
        if self.serial_number:
            self.port = next((info.port for info in discover() if info.serial_number == self.serial_number), self.port)
        return self.port


def open_port(port: str) -> serial.Serial:
    """Return `port` opened for this process alone; waits 1.5 s for another program to let go of it.

    Raises `NoDeviceError` for no such port, for what is none, and for one that a simulator left behind when
    it died; `UsageError` for an unknown kind of
    URL; `PortBusyError`, `PortPermissionError` or `TransportError`.
    """
    if not network.is_remote(port):
        _check_path(Path(port))
    elif port.startswith(f"{network.SCHEME}:"):
        network.place(port)
    end = time.monotonic() + BUSY_WAIT_S
    while True:
        try:
            return _open(port)
        except PortBusyError:
            if time.monotonic() >= end:
                raise
        time.sleep(BUSY_RETRY_S)


def _open(port: str) -> serial.Serial:
    local: dict[str, Any] = {} if network.is_remote(port) else {"exclusive": True, "write_timeout": WRITE_TIMEOUT_S}
    try:
        with network.quiet_reader():
            return serial.serial_for_url(port, baudrate=BAUD, **local)
    except (ValueError, NotImplementedError) as error:  # pyserial: an unknown URL, an option that its kind has not
        action = "Give a port, a serial number, or a URL of the kind rfc2217:// or socket://."
        raise UsageError(f"cannot open {port}: {error}", action) from error
    except (OSError, serial.SerialException) as error:
        if port.startswith(f"{network.SCHEME}:"):
            raise network.open_error(port, error) from error
        if network.is_remote(port):
            raise network.unreachable(port, error) from error
        raise _open_error(port, error) from error


def _check_path(path: Path) -> None:
    """Refuse what is there and is no serial port of ours: a file, or the link that a dead simulator left.

    The pseudo-terminal behind such a link may by now be somebody's terminal.
    """
    if path.is_symlink() and simulators.has_ended(path.parent):
        raise NoDeviceError(
            f"no device at {path}: that simulator has ended", f"Start it again: ionto sim --state-dir {path.parent}"
        )
    if path.exists() and not path.is_char_device():
        raise _not_serial(str(path))


def _not_serial(port: str) -> NoDeviceError:
    return NoDeviceError(f"{port} is not a serial port", "`ionto devices` lists what is there.")


def port_busy(port: str) -> PortBusyError:
    """Return the error for the port `port` that somebody else has open, with who that is as far as the system tells."""
    found = port_holders.holders(port)
    action = f"Close it (Ctrl-C where it runs, or `kill {found[0].pid}`) and retry." if found else ""
    return PortBusyError(f"{port} is in use by {port_holders.told(found)}", action, port=port)


def _open_error(port: str, error: OSError) -> TransportError | NoDeviceError:
    code, text = error.errno, str(error)
    if code == errno.ENOENT or "FileNotFound" in text or "No such file" in text:
        return NoDeviceError(f"there is no port {port}")
    if code == errno.ENOTTY or "Inappropriate ioctl" in text:
        return _not_serial(port)
    if code == errno.EACCES or "Permission denied" in text:
        return PortPermissionError(f"no permission to open {port}", port=port)
    if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "PermissionError" in text:
        return port_busy(port)
    return TransportError(f"cannot open {port}: {text}", port=port)
