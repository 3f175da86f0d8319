"""The user's settings: environment variables, and a TOML file that stands in for those that are not set.

The file is one line per setting, `port = "e661a4d4178e3c2a"`; a comment of its owner's stays where it is.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import platformdirs

from ionto_host import wholefile
from ionto_host.errors import UsageError

VARIABLE = "IONTO_CONFIG"


@dataclass(frozen=True)
class Setting:
    """One setting: its name in the file, the environment variable that has the last word, what it is."""

    name: str
    variable: str
    text: str


SETTINGS = tuple(
    Setting(name, f"IONTO_{name.upper()}", text)
    for name, text in (
        ("port", "port, serial number or URL of the device"),
        ("logs", "folder of pulled logs"),
        ("uf2", "MicroPython image for a blank Pico and the emulated one"),
        ("sims", "folder of the virtual Picos"),
        ("patience", "how much longer to wait than a real board needs, 1 to 1000"),
        ("bootsel", "folder of a BOOTSEL drive that is not found by itself"),
        ("micropython", "MicroPython Unix binary for the virtual Pico"),
    )
)


def path() -> Path:
    """Return where the file is: IONTO_CONFIG, or config.toml in the user's configuration folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(platformdirs.user_config_dir("ionto", appauthor=False)) / "config.toml"


def read() -> dict[str, str]:
    """Return what the file sets, {} without one. `UsageError` for what is no TOML, unknown, or no text or number."""
    try:
        text = path().read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"it cannot be read: {error}", "Write it as UTF-8 text, or remove it.") from error
    found = _parse(text)
    known = {setting.name for setting in SETTINGS}
    for name, value in found.items():
        if name not in known:
            raise _wrong(f"unknown setting {name!r}", f"Known: {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _wrong(f"{name} is {value!r}: a text or a number is expected", "`ionto config set` writes it.")
    return {name: str(value) for name, value in found.items()}


def _parse(text: str) -> dict[str, Any]:
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(str(error), "Correct the line, or remove the file.") from error


def _wrong(what: str, action: str) -> UsageError:
    return UsageError(f"{path()}: {what}", action)


@contextmanager
def environment() -> Iterator[None]:
    """Let the file's settings stand in for environment variables that are not set, while the caller's work lasts."""
    kept = read()
    added = {s.variable: kept[s.name] for s in SETTINGS if s.name in kept and not os.environ.get(s.variable)}
    os.environ.update(added)
    try:
        yield
    finally:
        for variable in added:
            os.environ.pop(variable, None)


def change(name: str, value: str | None) -> None:
    """Set `name` to `value` in the file, None removes it; other lines stay. `UsageError` for an unknown name."""
    if name not in {setting.name for setting in SETTINGS}:
        raise UsageError(f"unknown setting {name!r}", f"Known: {', '.join(s.name for s in SETTINGS)}.")
    file = path()
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    kept = [line for line in lines if not re.match(rf"\s*{name}\s*=", line)]
    if value is not None:
        kept.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    wholefile.write(file, "".join(f"{line}\n" for line in kept))
