"""What a run is told on its command line, and what the measurements tell back while they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """`seconds` of the emulated session, `firmware` tree to measure, MicroPython `image` of the emulated tier.

    `progress(text)` is told what is going on.
    """

    seconds: float
    firmware: Path
    image: Path | None
    progress: Callable[[str], None]
