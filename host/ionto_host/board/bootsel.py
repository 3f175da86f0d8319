"""A board in BOOTSEL: the drive that the RP2040's boot ROM shows, mounted, chosen, waited for and written."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ionto_host import uf2
from ionto_host.errors import AmbiguousDeviceError, BootselError, NoDeviceError, RefusedError
from ionto_host.patience import patient
from ionto_host.transport.drives import INFO_FILE, Drive, drives, read

LABEL = "RPI-RP2"
_CHUNK_BYTES = 16 * 1024
_BY_LABEL = Path("/dev/disk/by-label") / LABEL
_POLL_S = 0.2

Progress = Callable[[int, int], None]  # bytes written, bytes in all


def unmounted() -> bool:
    """Return True when Linux sees a BOOTSEL drive that nobody has mounted, as on a machine without a desktop."""
    return _BY_LABEL.exists() and not drives()


def mount() -> None:
    """Mount a BOOTSEL drive that Linux sees, by udisks; `BootselError` with the command to type when that fails."""
    by_hand = f"Mount it: sudo mount {_BY_LABEL} /mnt -o uid=$(id -u), then `ionto flash --drive /mnt`."
    tool = shutil.which("udisksctl")
    if tool is None:
        raise BootselError(f"the drive {LABEL} is there and not mounted", by_hand)
    done = subprocess.run([tool, "mount", "-b", str(_BY_LABEL)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BootselError(f"the drive {LABEL} could not be mounted: {done.stderr.strip()}", by_hand)


def choose(explicit: Path | None = None) -> Drive | None:
    """Return the drive to write: `explicit`, or the only one; None when there is none.

    `NoDeviceError` for a folder that is none, `AmbiguousDeviceError` for several, `RefusedError` for another chip.
    """
    if explicit is None and unmounted():
        mount()
    found = drives() if explicit is None else [drive for drive in [read(explicit)] if drive]
    if explicit is not None and not found:
        raise NoDeviceError(f"{explicit} is not the drive of a board in BOOTSEL: it has no {INFO_FILE}", _HOLD)
    if len(found) > 1:
        names = ", ".join(str(drive.path) for drive in found)
        raise AmbiguousDeviceError(f"{len(found)} boards are in BOOTSEL: {names}", "Choose one with `--drive`.")
    if found and found[0].board != LABEL:
        raise RefusedError(
            f"{found[0].path} is a {found[0].board}, and the firmware is for the RP2040 of a Raspberry Pi Pico",
            "Use a Raspberry Pi Pico or Pico H; nothing was written.",
        )
    return found[0] if found else None


_HOLD = "Unplug the Pico, hold BOOTSEL, plug it in, let go; then `ionto flash` again."


def wait(timeout_s: float, before: set[Path]) -> Drive:
    """Return the drive that appears beside those in `before`; `BootselError` when none does in time."""
    deadline = time.monotonic() + patient(timeout_s)
    while time.monotonic() < deadline:
        if unmounted():
            mount()
        for drive in drives():
            if drive.path not in before:
                return drive
        time.sleep(_POLL_S)
    raise BootselError(f"no drive {LABEL} appeared within {timeout_s:g} s", _HOLD)


def write(drive: Drive, image: bytes, progress: Progress) -> None:
    """Write the UF2 `image` to `drive`; the board then restarts by itself and the drive goes.

    `BootselError` when the drive goes before the whole image is written: the board stays in BOOTSEL.
    """
    uf2.check(image, "the image")
    target, done = drive.path / "micropython.uf2", 0
    try:
        with target.open("wb") as stream:
            for start in range(0, len(image), _CHUNK_BYTES):
                done = start
                stream.write(image[start : start + _CHUNK_BYTES])
                stream.flush()
                progress(min(start + _CHUNK_BYTES, len(image)), len(image))
            done = len(image)
            os.fsync(stream.fileno())
    except OSError as error:  # the board restarts with the last block, often before the system has closed the file
        if done < len(image) - _CHUNK_BYTES or read(drive.path) is not None:
            raise BootselError(
                f"{drive.path} took {done} of {len(image)} bytes: {error.strerror or error}",
                "The board stays in BOOTSEL, or comes back to it with BOOTSEL held: `ionto flash` again completes it.",
            ) from error
