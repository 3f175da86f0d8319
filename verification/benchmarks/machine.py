"""What the numbers were measured on: versions, image, commit. No name or path of the machine."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distribution

from ionto.version import FIRMWARE_VERSION
from ionto_host.board.micropython_image import VERSION, Image

_EMULATOR = "rp2040py"


def facts(image: Image | None) -> dict[str, str]:
    """Return what identifies this run."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "firmware": FIRMWARE_VERSION,
        "commit": _describe(),
        _EMULATOR: _emulator(),
        "image": _image(image),
    }


def emulator_is_slow() -> bool:
    """Return True for the wheel compiled for the stable ABI, which CPython 3.11 and later get."""
    return "abi3" in _emulator()


def _describe() -> str:
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _emulator() -> str:
    """Return version and kind of wheel."""
    try:
        found = distribution(_EMULATOR)
    except PackageNotFoundError:
        return "not installed"
    tags = [line.split(": ")[1] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
    kind = "pure Python" if any(tag.endswith("none-any") for tag in tags) else "-".join(tags[0].split("-")[:2])
    return f"{found.version} ({kind})"


def _image(image: Image | None) -> str:
    if image is None:
        return "none"
    return f"{f'{VERSION} official' if image.official else 'not official'}, SHA-256 {image.sha256}"
