"""The firmware as files that need no host tool: a folder to copy onto a board, and a package.json for mip."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from ionto.version import FIRMWARE_VERSION
from ionto_host.board import micropython_image
from ionto_host.board.firmware_files import RP2040_MPY, Bundle, build

FOLDER = f"iontopico-firmware-{FIRMWARE_VERSION}"
_README = f"""\
IontoPico firmware {FIRMWARE_VERSION} for a Raspberry Pi Pico with MicroPython {micropython_image.VERSION}.
For bench work, teaching and research; not a cleared medical device.

Copy everything here onto the board, main.py last (it starts the application), one of:

  Thonny: open this folder under Files, select all, "Upload to /".
  mpremote cp -r lib : && mpremote cp boot.py main.py : && mpremote reset
  mpremote mip install --target=/ package.json && mpremote reset

`ionto flash` does the same, copies what changed only, and verifies it.
"""


def write(folder: Path, mpy: int = RP2040_MPY) -> Path:
    """Write the firmware for boards whose `sys.implementation._mpy` is `mpy` under `folder`; return its folder."""
    bundle, root = build(mpy), folder / FOLDER
    for path, data in bundle.contents().items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (root / "package.json").write_text(json.dumps(package(bundle), indent=2) + "\n", encoding="utf-8")
    (root / "README.txt").write_text(_README, encoding="utf-8")
    return root


def package(bundle: Bundle) -> dict[str, object]:
    """Return the package.json of `bundle` for `mpremote mip install --target=/`; main.py comes last."""
    paths = sorted((path.lstrip("/") for path in bundle.contents()), key=lambda path: (path == "main.py", path))
    return {"urls": [[path, path] for path in paths], "deps": [], "version": bundle.firmware}


def zipped(root: Path) -> Path:
    """Return the ZIP of `root`, beside it; the same files give the same bytes."""
    target = root.with_name(f"{root.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(item for item in root.rglob("*") if item.is_file()):
            entry = zipfile.ZipInfo(str(Path(root.name) / path.relative_to(root)), (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return target
