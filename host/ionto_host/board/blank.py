"""From a blank Pico to a MicroPython prompt: the image onto the BOOTSEL drive, then the port that appears."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ionto.version import FIRMWARE_VERSION
from ionto_host import uf2
from ionto_host.board import bootsel, micropython_image
from ionto_host.board.flashing import PROMPT_WAIT_S, Stage, Watch, leave_application
from ionto_host.board.micropython_image import Image
from ionto_host.board.mpremote_link import wait_for_prompt
from ionto_host.errors import MissingPartError, NoDeviceError, RefusedError
from ionto_host.patience import patient
from ionto_host.transport.drives import Drive, drives
from ionto_host.transport.network import is_remote
from ionto_host.transport.ports import PortFinder, discover, resolve

DRIVE_WAIT_S = 20.0
PORT_WAIT_S = 30.0
_NO_BOARD = "Plug a Pico in; a new one with BOOTSEL held. Or run `ionto sim --bootsel` in another terminal."


@dataclass(frozen=True)
class ImagePlan:
    """What a dry run of a board in BOOTSEL tells: the image that would be written, then the firmware."""

    drive: str
    image: str
    sha256: str
    official: bool
    size_bytes: int
    firmware: str = FIRMWARE_VERSION
    dry_run: bool = True


def image_for(explicit: Path | None, watch: Watch) -> Image:
    """Return the image to write: `explicit`, the one IONTO_UF2 names, or the pinned one, fetched if need be.

    `IntegrityError` for a file that is no whole image for the RP2040: before the board is touched.
    """
    try:
        image = micropython_image.find(explicit)
    except MissingPartError:
        if explicit is not None or micropython_image.named():
            raise
        image, _ = micropython_image.fetch(lambda done, size: watch.progress("fetching MicroPython", done, size))
    uf2.check(image.path.read_bytes(), image.path.name)
    if not image.official:
        watch.tell(f"{image.path} is not the official image (SHA-256 {image.sha256[:16]}...): written all the same.")
    return image


def with_micropython(
    drive: Drive | None,
    name: str | None,
    watch: Watch,
    *,
    uf2_file: Path | None = None,
    wanted: bool = False,
    force: bool = False,
) -> str:
    """Return the port of a board that runs MicroPython, for `flashing.flash`.

    The board in BOOTSEL at `drive` gets the image first (`uf2_file`, or the pinned one), and so does the board `name`
    (None: the only one) when it is `wanted`. `NoDeviceError` for no board at all; other errors as of `put` and `enter`.
    """
    if drive is None and not wanted:
        return _resolve(name)
    if drive is None:
        _refuse_remote(_resolve(name))
    image = image_for(uf2_file, watch)
    if drive is not None:
        watch.tell(f"a board in BOOTSEL: {drive.path}")
        return put(drive, image, watch)
    entered, finder = enter(_resolve(name), watch, force)
    return put(entered, image, watch, finder)


def _resolve(name: str | None) -> str:
    try:
        return resolve(name)
    except NoDeviceError as error:
        if error.action == NoDeviceError.action:
            error.message = f"no board found: no serial port of one, and no drive {bootsel.LABEL}"
            error.action = _NO_BOARD
        raise


def plan(drive: Drive, explicit: Path | None) -> ImagePlan:
    """Return what `put` would write to `drive`; fetches nothing."""
    image = micropython_image.find(explicit)
    data = image.path.read_bytes()
    uf2.check(data, image.path.name)
    return ImagePlan(str(drive.path), str(image.path), image.sha256, image.official, len(data))


def put(drive: Drive, image: Image, watch: Watch, finder: PortFinder | None = None) -> str:
    """Write `image` to `drive` and return the port of the board that then comes up.

    With `finder` it is the board that was sent here by `enter`. `BootselError` when the drive does not take it,
    `IntegrityError` for an image that is none, `NoDeviceError` when no port appears.
    """
    data = image.path.read_bytes()
    before = {info.port for info in discover()}
    watch.stage = Stage.IMAGE
    bootsel.write(drive, data, lambda done, size: watch.progress("writing MicroPython", done, size))
    watch.stage = Stage.WAITING
    watch.progress("waiting for the port", len(data), len(data))
    return _new_port(before, finder)


def _new_port(before: set[str], finder: PortFinder | None) -> str:
    deadline = time.monotonic() + patient(PORT_WAIT_S)
    while time.monotonic() < deadline:
        for info in discover():
            known = finder is not None and info.serial_number and info.serial_number == finder.serial_number
            if known or info.port not in before:
                return info.port
        time.sleep(0.1)
    raise NoDeviceError(
        f"MicroPython was written and no serial port appeared within {PORT_WAIT_S:g} s",
        "Likely the cable or the driver: unplug the board, plug it in again, then `ionto flash`; see `ionto doctor`.",
    )


def _refuse_remote(port: str) -> None:
    """Raise `RefusedError` for a board of another computer: its drive would appear there."""
    if is_remote(port):
        raise RefusedError(
            f"{port} is a board of another computer, and the drive of its bootloader would appear there",
            "Run `ionto flash --micropython` on that computer; `ionto flash` alone installs the firmware from here.",
        )


def enter(port: str, watch: Watch, force: bool) -> tuple[Drive, PortFinder]:
    """Send the board at `port` to its bootloader and return the drive that appears; errors as of `flashing.flash`."""
    finder, before = PortFinder(port), {drive.path for drive in drives()}
    leave_application(port, watch.tell, force)
    watch.progress("entering the bootloader", 0, 0)
    prompt = wait_for_prompt(finder.current, PROMPT_WAIT_S)
    try:
        prompt.bootloader()
    finally:
        prompt.close()
    watch.stage = Stage.BOOTSEL
    return bootsel.wait(DRIVE_WAIT_S, before), finder
