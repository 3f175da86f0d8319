"""Boards in BOOTSEL: the drives that the RP2040's boot ROM shows, found on Linux, macOS and Windows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ionto_host.transport import simulators

VARIABLE = "IONTO_BOOTSEL"
INFO_FILE = "INFO_UF2.TXT"
_BOARD = re.compile(r"^Board-ID:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Drive:
    """A drive of a board in BOOTSEL: its folder, and the Board-ID of its INFO_UF2.TXT (RPI-RP2 for a Pico)."""

    path: Path
    board: str


def drives() -> list[Drive]:
    """Return the boards in BOOTSEL: what IONTO_BOOTSEL names, mounted drives, and simulators."""
    named = os.environ.get(VARIABLE)
    folders = [Path(named)] if named else [*_mounted(), *simulators.bootsel_folders()]
    found = [drive for folder in dict.fromkeys(folders) if (drive := read(folder))]
    return sorted(found, key=lambda drive: str(drive.path))


def read(folder: Path) -> Drive | None:
    """Return the BOOTSEL drive at `folder`, None when it is none."""
    try:
        text = (folder / INFO_FILE).read_text(errors="replace")
    except OSError:
        return None
    board = _BOARD.search(text)
    return Drive(folder, board.group(1)) if board else None


def _mounted() -> Iterator[Path]:
    """Yield every folder where this system has a drive mounted that may be one."""
    if sys.platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ")
    elif sys.platform == "darwin":
        yield from sorted(Path("/Volumes").glob("*"))
    else:
        yield from _linux_mounts(Path("/proc/self/mounts"))


def _linux_mounts(table: Path) -> Iterator[Path]:
    """Yield the mount points of FAT file systems in `table` (as /proc/self/mounts; spaces are \\040 there)."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[2] in ("vfat", "msdos", "fuseblk"):
            yield Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match.group(1), 8)), fields[1]))
