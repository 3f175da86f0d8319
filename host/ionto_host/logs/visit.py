"""What became of a board's logs since it was last here: a flash that went back to an older state, logs that are gone.

Within one file system ids only rise and a log never changes once its session is over. What leaves rightly is deleted
by this computer, or dropped by the board for a new session: verified logs, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionto_host.device.answers import LogEntry


class Kept(IntEnum):
    """What this computer last knew of a log on a board. DELETING: asked for, not answered yet."""

    HERE = 0
    DELETING = 1
    DELETED = 2


@dataclass(frozen=True)
class Seen:
    """A log as a board had it on the visit before. `released`: the board knew of a verified copy."""

    log_id: int
    size_bytes: int
    released: bool
    state: Kept = Kept.HERE


def compare(before: Sequence[Seen], now: Sequence[LogEntry], copies: Iterable[int] = ()) -> list[str]:
    """Return what is wrong with the logs `now` on a board, a sentence each, against those of the visit `before`.

    Both are of the same file system. `copies`: ids of the logs of this board of which a verified copy is here.
    """
    kept = set(copies)
    known = {item.log_id: item for item in before}
    again = [entry.id for entry in now if entry.id in known and _is_another(known[entry.id], entry)]
    gone = _gone(before, now, kept)
    told: list[str] = []
    if again:
        told.append(
            f"Log {_list(again)} on the board is not the one it had under that id, or was deleted before: its flash "
            "went back to an older state. Copies pulled before stay beside the new ones."
        )
    if gone:
        newest = max((entry.id for entry in now), default=0)
        why = "deleted by another computer, or its flash went back to an older state or is damaged"
        if max(gone) > newest:
            why += f" (its newest log is {newest or 'none'}, and it had {max(gone)})"
        lost = [log_id for log_id in gone if log_id not in kept]
        copy = f"there is no verified copy of log {_list(lost)} here" if lost else "their copies are here"
        told.append(f"Log {_list(gone)} is no longer on the board: {why}; {copy}.")
    return told


def _is_another(seen: Seen, entry: LogEntry) -> bool:
    """Return True when `entry` cannot be the log `seen`: that was deleted, whole and of another size, or longer."""
    if seen.state != Kept.HERE:
        return seen.state == Kept.DELETED
    return entry.size_bytes < seen.size_bytes or (seen.released and entry.size_bytes != seen.size_bytes)


def _gone(before: Sequence[Seen], now: Sequence[LogEntry], copies: set[int]) -> list[int]:
    """Return the ids of the logs that are missing without a reason that is known here."""
    present = {entry.id for entry in now}
    missing = [item for item in before if item.state == Kept.HERE and item.log_id not in present]
    # When another computer released a log is not known here: perhaps after the board made room.
    oldest_released = min((item.log_id for item in before if item.released and item.log_id in present), default=None)
    newest_before = max((item.log_id for item in before), default=0)
    began = max(present, default=0) > newest_before  # a session that the board may have made room for

    def dropped_for_room(item: Seen) -> bool:
        sound = item.released or item.log_id in copies
        return began and sound and (oldest_released is None or item.log_id < oldest_released)

    return [item.log_id for item in missing if not dropped_for_room(item)]


def _list(ids: Iterable[int]) -> str:
    """Return ids in words: 1, 2, 5 to 9."""
    runs: list[list[int]] = []
    for log_id in sorted(ids):
        if runs and log_id == runs[-1][-1] + 1:
            runs[-1].append(log_id)
        else:
            runs.append([log_id])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
