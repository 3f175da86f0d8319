"""What this computer saw of a session while it watched: kept beside the board's logs, a second source and no more.

One file a session, only ever appended to: `BOARD/NNNNNN-STORE.watched` in the folder of the logs, a JSON object a line.
docs/log_format.md has its fields. What stands in it the board said in its STATUS answers; the board did not log it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ionto import protocol
from ionto.version import FIRMWARE_VERSION
from ionto_host.device.answers import Hello, Status
from ionto_host.units import clock, ma, ma_min, utc

SUFFIX = ".watched"
FORMAT = 1
PERIOD_S = 1.0  # between two looks that are kept, when nothing changes
_FIELDS = ("setpoint_ua", "current_ua", "second_ua", "load_mv", "charge_uc", "second_charge_uc", "flags")
_NUMBERS = ("elapsed_ms", "state", "outcome", "fault", *_FIELDS)


def path_of(folder: Path, log_id: int, store: str) -> Path:
    """Return the record of the session `log_id` of the file system `store`, in the `folder` of its board's logs."""
    return folder / f"{log_id:06d}-{re.sub(r'[^0-9A-Za-z]', '_', store) or 'unknown'}{SUFFIX}"


class Keeper:
    """Keeps the looks at a session; every line is on the disk before the next look.

    `folder_of` gives the folder for the logs of a board. A disk that refuses ends the keeping, not the watching:
    `trouble` says why then.
    """

    def __init__(self, folder_of: Callable[[str], Path], now: Callable[[], float] = time.time) -> None:
        self._folder_of = folder_of
        self._now = now
        self._path: Path | None = None
        self._last: Status | None = None
        self._last_s = 0.0
        self._out_of_sight = False
        self.trouble = ""

    def take(self, hello: Hello | None, status: Status) -> None:
        """Keep the look `status` at the board `hello`, when a session is under way or has just ended."""
        if hello is None or self.trouble:
            return
        if status.in_session:
            self._keep(hello, status)
        elif self._path and self._last and status.session_id == self._last.session_id and status.outcome:
            self._write(_look(status, self._now()))
            self._path, self._last, self._out_of_sight = None, None, False

    def gap(self, reason: str) -> None:
        """Keep that the board could not be seen, and why; once."""
        if self._path and not self._out_of_sight and not self.trouble:
            self._write({"kind": "gap", "unix_s": _seconds(self._now()), "reason": reason})
            self._out_of_sight = True

    def _keep(self, hello: Hello, status: Status) -> None:
        path = path_of(self._folder_of(hello.board_id), status.session_id, hello.store)
        now_s = self._now()
        if path != self._path:
            self._path, self._last = path, None
            self._write(_head(hello, status, now_s))
        again, self._out_of_sight = self._out_of_sight, False
        if self._last is None or again or now_s - self._last_s >= PERIOD_S or _changed(self._last, status):
            self._write(_look(status, now_s))
            self._last, self._last_s = status, now_s

    def _write(self, row: dict[str, Any]) -> None:
        assert self._path is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            append(self._path, row)
        except OSError as error:
            self.trouble = f"{error.strerror or error} ({self._path})"


def append(path: Path, row: dict[str, Any]) -> None:
    """Append `row` as a line to `path` and put it on the disk; OSError when that cannot be done.

    A line that a kill or a full disk left half is ended first, so that it takes no other with it.
    """
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(handle, line) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _head(hello: Hello, status: Status, now_s: float) -> dict[str, Any]:
    names = {"format": FORMAT, "board_id": hello.board_id, "store": hello.store, "log": status.session_id}
    more = {"firmware": hello.firmware, "tool": FIRMWARE_VERSION, "dose_uc": status.dose_uc}
    return {"kind": "watch", "unix_s": _seconds(now_s), **names, **more}


def _look(status: Status, now_s: float) -> dict[str, Any]:
    return {"kind": "look", "unix_s": _seconds(now_s), **{name: getattr(status, name) for name in _NUMBERS}}


def _seconds(now_s: float) -> float:
    return round(now_s, 3)


def _changed(before: Status, now: Status) -> bool:
    return any(getattr(before, name) != getattr(now, name) for name in ("state", "outcome", "fault", "flags"))


@dataclass(frozen=True)
class Look:
    """One look at a session, as the board told it then; units in the names, `unix_s` by this computer's clock."""

    unix_s: float
    elapsed_ms: int
    state: int
    outcome: int
    fault: int
    setpoint_ua: int
    current_ua: int
    second_ua: int
    load_mv: int
    charge_uc: int
    second_charge_uc: int
    flags: int


@dataclass
class Watched:
    """What was seen of one session: looks in order, how often the board was out of sight, lines that are damaged."""

    path: Path
    looks: list[Look] = field(default_factory=list)
    gaps: int = 0
    damaged_lines: int = 0

    @property
    def began_unix_s(self) -> int | None:
        """When the session began by this computer's clock, s since 1970 UTC; None without a look."""
        return min((int(look.unix_s - look.elapsed_ms / 1_000) for look in self.looks), default=None)

    def words(self) -> str:
        """Return in a sentence or two what was seen, marked as what it is."""
        last = max(self.looks, key=lambda look: look.charge_uc)
        span = f"{clock(self.looks[0].elapsed_ms / 1_000)} to {clock(self.looks[-1].elapsed_ms / 1_000)} min:s"
        state = protocol.STATES[last.state] if last.state < len(protocol.STATES) else f"state {last.state}"
        seen = (
            f"{ma_min(last.charge_uc):.3f} mA*min had flowed by the board's count, {ma(last.current_ua):.3f} mA flowed"
        )
        times = f", {self.gaps} times out of sight" if self.gaps else ""
        return (
            f"seen by the host, not in the log: {len(self.looks)} looks from {span}{times}; at the last, in {state} at "
            f"{utc(int(last.unix_s))} UTC of this computer, {seen}. ({self.path.name})"
        )

    def data(self) -> dict[str, Any]:
        """Return it for JSON, its source first."""
        source = "seen by the host while it watched; not in the board's log"
        rows = [vars(look) for look in self.looks]
        return {"source": source, "path": str(self.path), "gaps": self.gaps, "looks": rows}


def read(path: Path) -> Watched:
    """Return what stands in the record `path`; a line that is none is counted and left out. OSError as reading has."""
    found = Watched(path)
    for line in path.read_bytes().splitlines():
        row = _row(line)
        if row is None:
            found.damaged_lines += 1
        elif row["kind"] == "look":
            found.looks.append(Look(row["unix_s"], *(row[name] for name in _NUMBERS)))
        elif row["kind"] == "gap":
            found.gaps += 1
    found.looks.sort(key=lambda look: look.unix_s)  # two may have watched
    return found


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the line as a row whose fields can be used; None for any other."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("unix_s")) not in (int, float):
        return None
    usable = row.get("kind") != "look" or all(
        type(row.get(name)) is int and abs(row[name]) < 1 << 32 for name in _NUMBERS
    )
    return row if usable and 0 < row["unix_s"] < 1 << 33 and isinstance(row.get("kind"), str) else None


def find(folder: Path, log_id: int | None, store: object) -> Watched | None:
    """Return the record of a session in the `folder` of its board's logs; None for none, or for one without a look."""
    if log_id is None or not isinstance(store, str):
        return None
    path = path_of(folder, log_id, store)
    try:
        found = read(path)
    except OSError:
        return None
    return found if found.looks else None
