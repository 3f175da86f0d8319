"""Where pulled logs live, and pulling them: resumable, verified before it is reported, never half a file."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ionto_host import sessionfile
from ionto_host.device import Device, LogEntry
from ionto_host.errors import IntegrityError, NotALogError, UsageError
from ionto_host.patience import patient

SUFFIX = ".ilog"
PART_SUFFIX = ".part"
DAMAGED_SUFFIX = ".damaged"
COMPARED_BYTES = 4096
WRITING_WAIT_S = 3.0  # the device writes a whole log in less
WRITING_POLL_S = 0.1

Progress = Callable[[int, int, int], None]  # (log id, bytes done, bytes in all)


@dataclass(frozen=True)
class Pulled:
    """A log that is now on disk: where, whether it was fetched now, and whether every CRC holds."""

    id: int
    path: Path
    size_bytes: int
    fetched: bool
    verified: bool
    damage: tuple[str, ...] = ()


def default_folder() -> Path:
    """Return the folder for pulled logs: IONTO_LOGS, or the user data folder of the platform."""
    named = os.environ.get("IONTO_LOGS")
    return Path(named) if named else Path(platformdirs.user_data_dir("ionto", appauthor=False)) / "logs"


def board_folder(board_id: str, root: Path | None = None) -> Path:
    """Return the folder for the logs of the board `board_id` under `root`."""
    safe = re.sub(r"[^0-9A-Za-z_-]", "_", board_id) or "unknown"
    return (root or default_folder()) / safe


def path_of(folder: Path, log_id: int, copy: int = 1) -> Path:
    """Return the path of the log `log_id` in `folder`; `copy` counts logs of a board that reused an id."""
    return folder / (f"{log_id:06d}{SUFFIX}" if copy == 1 else f"{log_id:06d}-{copy}{SUFFIX}")


def _copies(folder: Path, log_id: int) -> list[Path]:
    """Return the logs with `log_id` in `folder`, oldest first."""
    paths: list[Path] = []
    while (path := path_of(folder, log_id, len(paths) + 1)).is_file():
        paths.append(path)
    return paths


def stored(root: Path | None = None) -> list[Path]:
    """Return every log under `root`, by board and id."""
    folder = root or default_folder()
    return sorted(folder.glob(f"**/*{SUFFIX}")) if folder.is_dir() else []


def find(name: str, root: Path | None = None) -> Path:
    """Return the log `name`: a path, an id, or "last" for the newest; `UsageError` for none or several."""
    if Path(name).is_file():
        return Path(name)
    paths = stored(root)
    if name == "last" and paths:
        return max(paths, key=lambda path: path.stat().st_mtime)
    if name == "last":
        raise UsageError("no log has been pulled yet", "`ionto logs pull` fetches those of the device.")
    folders = sorted({path.parent for path in paths})
    found = [copies[-1] for folder in folders if name.isdigit() and (copies := _copies(folder, int(name)))]
    if not found:
        raise UsageError(f"no pulled log {name}", "`ionto logs pull` fetches them; `ionto logs list` shows them.")
    if len(found) > 1:
        boards = ", ".join(path.parent.name for path in found)
        raise UsageError(f"several boards have a log {name}: {boards}", "Give its path instead.")
    return found[0]


def stored_copy(device: Device, entry: LogEntry, folder: Path) -> Path | None:
    """Return the verified copy of `entry` in `folder`, or None; their beginnings are compared."""
    candidates = [path for path in _copies(folder, entry.id) if path.stat().st_size == entry.size_bytes]
    if not candidates:
        return None
    head = device.read_log(LogEntry(entry.id, min(entry.size_bytes, COMPARED_BYTES)))
    for path in candidates:
        data = path.read_bytes()
        if data.startswith(head) and _verify(data)[0]:
            return path
    return None


def pull(device: Device, entry: LogEntry, folder: Path, progress: Progress) -> Pulled:
    """Fetch the log `entry` into `folder`, or continue an interrupted fetch, and verify every CRC of it.

    The file appears under its name whole or not at all. A log that is damaged on the device is kept beside,
    as `.damaged`, and reported as not verified.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = stored_copy(device, entry, folder)
    if known:
        return Pulled(entry.id, known, entry.size_bytes, fetched=False, verified=True)
    part = folder / f"{entry.id:06d}{SUFFIX}{PART_SUFFIX}"
    entry = _fetch_to_its_end(device, entry, part, progress)
    verified, damage = _verify(part.read_bytes())
    target = path_of(folder, entry.id, len(_copies(folder, entry.id)) + 1)
    if not verified:
        target = target.with_name(target.name + DAMAGED_SUFFIX)
    os.replace(part, target)
    return Pulled(entry.id, target, entry.size_bytes, fetched=True, verified=verified, damage=damage)


def _fetch_to_its_end(device: Device, entry: LogEntry, part: Path, progress: Progress) -> LogEntry:
    """Fetch `entry` to `part`; when the device is still writing it, go on until its end record has come."""
    deadline = time.monotonic() + patient(WRITING_WAIT_S)
    while True:
        _fetch(device, entry, part, progress)
        if part.stat().st_size != entry.size_bytes:
            raise IntegrityError(f"log {entry.id}: not {entry.size_bytes} bytes came", "Pull it again.")
        if not _open_ended(part) or time.monotonic() >= deadline:
            return entry
        time.sleep(WRITING_POLL_S)
        entry = next((item for item in device.list_logs() if item.id == entry.id), entry)


def _open_ended(part: Path) -> bool:
    try:
        return sessionfile.read(part).open_ended
    except NotALogError:
        return False


def _fetch(device: Device, entry: LogEntry, part: Path, progress: Progress) -> None:
    offset = _resume_offset(device, entry, part)
    with part.open("r+b" if offset else "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        device.read_log(entry, offset, _writer(file.write), lambda done, total: progress(entry.id, done, total))
        file.flush()
        os.fsync(file.fileno())


def _writer(write: Callable[[bytes], int]) -> Callable[[bytes], None]:
    def sink(chunk: bytes) -> None:
        write(chunk)

    return sink


def _resume_offset(device: Device, entry: LogEntry, part: Path) -> int:
    """Return how many bytes of `part` are an intact beginning of this very log; 0 when it is another's."""
    if not part.is_file():
        return 0
    data = part.read_bytes()
    offset = sessionfile.good_prefix(data)
    if not 0 < offset <= entry.size_bytes:
        return 0
    head = device.read_log(LogEntry(entry.id, min(offset, COMPARED_BYTES)))
    return offset if data.startswith(head) else 0


def _verify(data: bytes) -> tuple[bool, tuple[str, ...]]:
    try:
        session = sessionfile.decode(data)
    except NotALogError as error:
        return False, (error.message,)
    return session.verified, tuple(item.describe() for item in session.damage)
