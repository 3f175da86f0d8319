"""The boot ROM's USB drive of a virtual Pico: a folder that takes a UF2 image and then goes.

The image is judged as the ROM does, block by block; the virtual Pico then runs its own MicroPython. An image that is
cut short leaves the board where it was.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ionto_host import uf2
from ionto_host.errors import IntegrityError

_INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"


class BootRom:
    """The drive at `folder`; `show`, then `look` until it returns True, then it has gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def shown(self) -> bool:
        """True while the drive is there."""
        return self.folder.is_dir()

    def show(self) -> None:
        """Make the drive appear, empty."""
        self.hide()
        self.folder.mkdir(parents=True)
        (self.folder / "INFO_UF2.TXT").write_text(_INFO)

    def hide(self) -> None:
        """Make the drive go."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def look(self) -> bool:
        """Return True, and let the drive go, when a whole image for the RP2040 has arrived."""
        for path in self.folder.glob("*.uf2"):
            try:
                uf2.check(path.read_bytes(), path.name)
            except (IntegrityError, OSError):
                continue
            self.hide()
            return True
        return False
