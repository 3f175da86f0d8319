"""Does the firmware of a board fit this tool? One place for `info`, `status`, `doctor` and `flash`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ionto.version import FIRMWARE_VERSION


@dataclass(frozen=True)
class Fit:
    """How the firmware of a board stands to the one this tool carries; `action` is the next step, "" for none."""

    fits: bool
    text: str
    action: str = ""


def fit(found: str) -> Fit:
    """Return how the firmware version `found` stands to that of this tool."""
    if found == FIRMWARE_VERSION:
        return Fit(True, "fits this tool")
    if is_newer(found):
        return Fit(False, f"newer than {FIRMWARE_VERSION} of this tool", "Update this tool.")
    word = "older than" if _numbers(found) < _numbers(FIRMWARE_VERSION) else "not"
    return Fit(False, f"{word} {FIRMWARE_VERSION} of this tool", "`ionto flash` installs that one.")


def is_newer(found: str) -> bool:
    """Return True when the firmware version `found` is newer than that of this tool."""
    return _numbers(found) > _numbers(FIRMWARE_VERSION)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]
