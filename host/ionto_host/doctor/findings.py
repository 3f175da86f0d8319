"""What an examination finds, of a computer, a board or a bench: one line each, with the next action."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ionto_host.errors import ExitCode, IontoError

OK, WARNING, FAIL = "ok", "warning", "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `level` is "ok", "warning" or "fail"; `action` the next step, one sentence."""

    name: str
    level: str
    text: str
    action: str = ""
    exit_code: ExitCode = ExitCode.IO
    data: dict[str, Any] = field(default_factory=dict)


def good(name: str, text: str, **data: Any) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(name, OK, text, data=data)


def warn(name: str, text: str, action: str, **data: Any) -> Finding:
    """Return a finding that works and is worth a look."""
    return Finding(name, WARNING, text, action, data=data)


def bad(name: str, text: str, action: str, exit_code: ExitCode = ExitCode.IO, **data: Any) -> Finding:
    """Return a finding that is in the way; `exit_code` is the one that `ionto doctor` ends with."""
    return Finding(name, FAIL, text, action, exit_code, data)


def of_error(name: str, error: IontoError) -> Finding:
    """Return the finding that `error` is."""
    return Finding(name, FAIL, error.message, error.action, error.exit_code, dict(error.details))
