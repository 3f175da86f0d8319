"""Where pulled logs live, and pulling them: resumable, verified before it is reported, never half a file."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from ionto_host import wholefile
from ionto_host.device.answers import LogEntry
from ionto_host.device.client import Device
from ionto_host.errors import IntegrityError, NotALogError, UsageError
from ionto_host.logs import index as logindex
from ionto_host.logs import sessionfile, watched
from ionto_host.patience import patient

SUFFIX = ".ilog"
PART_SUFFIX = ".part"
DAMAGED_SUFFIX = ".damaged"
KEPT_SUFFIXES = (SUFFIX, SUFFIX + DAMAGED_SUFFIX)
COMPARED_BYTES = 512  # at the beginning and at the end, where the chain over everything stands
WRITING_WAIT_S = 3.0  # the device writes a whole log in less
WRITING_POLL_S = 0.1

Progress = Callable[[int, int, int], None]  # (log id, bytes done, bytes in all)


@dataclass(frozen=True)
class Pulled:
    """A log that is now on disk: where, whether it was fetched now, and whether every CRC and the chain hold.

    `told`: the device knows that there is a verified copy and may drop its own for a new session. `other_board`: the
    board that wrote it, by its header, when that is not the one it was pulled from. `reused`: another log of the same
    file system was pulled before under this id, so that the board's flash went back to an older state.
    """

    id: int
    path: Path
    size_bytes: int
    fetched: bool
    verified: bool
    damage: tuple[str, ...] = ()
    told: bool = False
    other_board: str = ""
    reused: bool = False
    flaws: tuple[str, ...] = ()  # `Session.flaws`
    seen: str = ""  # what this computer saw of a session whose log lacks a part of it

    def looked_at(self) -> Pulled:
        """Return this with the flaws of the log at `path`."""
        with suppress(NotALogError):
            session = joined(sessionfile.read(self.path))
            seen = session.watched.words() if session.watched else ""
            return replace(self, flaws=tuple(session.flaws), seen=seen)
        return self


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
    """Return every log under `root`, damaged ones too, by board and id."""
    folder = root or default_folder()
    return sorted(path for path in folder.glob("*/*") if path.name.endswith(KEPT_SUFFIXES)) if folder.is_dir() else []


def find(name: str, root: Path | None = None, board: str = "") -> Path:
    """Return the log `name`: a path, an id, BOARD/ID, or "last" for the newest; `UsageError` for none or several.

    BOARD is the beginning of a board's id; `board` is that where `name` has none.
    """
    if Path(name).is_file():
        return Path(name)
    named, _, number = name.rpartition("/")
    every = stored(root)
    paths = [path for path in every if path.parent.name.startswith(named or board)]
    of_board = f" of board {board}" if every and board and not named else ""
    if name == "last" and paths:
        return max(paths, key=lambda path: path.stat().st_mtime)
    if name == "last":
        raise UsageError(f"no log{of_board} has been pulled yet", "`ionto logs pull` fetches those of the device.")
    folders = sorted({path.parent for path in paths})
    found = [path for folder in folders if number.isdigit() and (path := _newest(folder, int(number)))]
    if not found:
        raise UsageError(
            f"no pulled log {name}{of_board}", "`ionto logs pull` fetches them; `ionto logs list` shows them."
        )
    if len(found) > 1:
        boards = ", ".join(f"{path.parent.name}/{number}" for path in found)
        raise UsageError(
            f"several boards have a log {number}: {boards}", "Give one of these, its path, or --board BOARD."
        )
    return found[0]


def _newest(folder: Path, log_id: int) -> Path | None:
    """Return the latest sound copy of a log in `folder`, else a damaged one, else None."""
    damaged = path_of(folder, log_id).with_name(path_of(folder, log_id).name + DAMAGED_SUFFIX)
    return next(reversed(_copies(folder, log_id)), damaged if damaged.is_file() else None)


def joined(session: sessionfile.Session, root: Path | None = None) -> sessionfile.Session:
    """Return `session` with what this computer saw of it, when it watched: looks that its log lacks, and a date.

    A log that has the whole session and a date stays as it is.
    """
    lacks, undated = bool(session.flaws), session.started_unix_s is None
    if session.board_id and (lacks or undated):
        found = watched.find(board_folder(session.board_id, root), session.log_id, session.header.get("store"))
        session.watched = found if lacks else None
        session.seen_began_unix_s = found.began_unix_s if found and undated else None
    return session


def stored_copy(device: Device, entry: LogEntry, folder: Path) -> Path | None:
    """Return the verified copy of `entry` in `folder`, or None; beginning and end are compared."""
    for path in _copies(folder, entry.id):
        if path.stat().st_size == entry.size_bytes:
            data = path.read_bytes()
            if _same(device, entry, data) and _verify(data)[0]:
                return path
    return None


def _same(device: Device, entry: LogEntry, data: bytes) -> bool:
    """Return True when the log `entry` begins and ends as `data`."""
    compared = min(entry.size_bytes, COMPARED_BYTES)
    tail = entry.size_bytes - compared
    head = replace(entry, size_bytes=compared)
    return data[tail:] == device.read_log(entry, tail) and data.startswith(device.read_log(head))


def pull(device: Device, entry: LogEntry, folder: Path, progress: Progress) -> Pulled:
    """Fetch the log `entry` into `folder`, or continue an interrupted fetch, verify it, and tell the device.

    The file appears under its name whole or not at all. A log that is damaged on the device is kept beside,
    as `.damaged`, and reported as not verified.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = stored_copy(device, entry, folder)
    if known:
        told = entry.pulled or _tell(device, entry.id, known)
        other = other_board(device.identity.board_id, known)
        return Pulled(
            entry.id, known, entry.size_bytes, fetched=False, verified=True, told=told, other_board=other
        ).looked_at()
    part = folder / f"{entry.id:06d}{SUFFIX}{PART_SUFFIX}"
    entry = _fetch_to_its_end(device, entry, part, progress)
    verified, damage = _verify(part.read_bytes())
    copies = _copies(folder, entry.id)
    reused = verified and _file_system(part) in {_file_system(path) for path in copies} - {""}
    target = path_of(folder, entry.id, len(copies) + 1)
    if not verified:
        target = target.with_name(target.name + DAMAGED_SUFFIX)
    os.replace(part, target)
    _sync_folder(folder)
    told = verified and _tell(device, entry.id, target)
    other = other_board(device.identity.board_id, target)
    return Pulled(
        id=entry.id,
        path=target,
        size_bytes=entry.size_bytes,
        fetched=True,
        verified=verified,
        damage=damage,
        told=told,
        other_board=other,
        reused=reused,
    ).looked_at()


def _file_system(path: Path) -> str:
    """Return the file system that the log at `path` was written in, by its header; else ""."""
    try:
        return str(sessionfile.read(path).header.get("store") or "")
    except NotALogError:
        return ""


def other_board(board_id: str, path: Path) -> str:
    """Return the board that wrote the log at `path`, when its header says so and it is not `board_id`; else ""."""
    try:
        wrote = sessionfile.read(path).board_id
    except NotALogError:
        return ""
    return wrote if wrote and wrote != board_id else ""


def misplaced(path: Path, session: sessionfile.Session, root: Path | None = None) -> str:
    """Return the folder's board when the log at `path` lies in the store with those of another board; else ""."""
    folder = path.parent
    if not session.board_id or folder.parent.resolve() != (root or default_folder()).resolve():
        return ""
    return folder.name if folder.name != board_folder(session.board_id).name else ""


def _tell(device: Device, log_id: int, path: Path) -> bool:
    """Tell the device that the copy at `path` is verified; False for a log of format 1, which has no chain."""
    chain = sessionfile.read(path).chain
    if chain:
        device.log_verified(log_id, chain)
    return bool(chain)


def _sync_folder(folder: Path) -> None:
    """Put the folder's new entry on the disk, where the system can: the device may drop its own copy after this."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def add(path: Path, root: Path | None = None) -> tuple[Path, bool]:
    """Copy the log file `path` into the store; return where it is and False when it was there before.

    `NotALogError` for what is no log; `UsageError` for one that does not say of which board it is.
    """
    folder = root or default_folder()
    data = path.read_bytes()
    session = sessionfile.decode(data)
    if not session.board_id:
        raise UsageError(f"{path} does not say of which board it is", "Its arm record is damaged: `ionto logs verify`.")
    with logindex.opened(folder) as index:
        index.refresh(stored(folder))
        known = index.find(hashlib.sha256(data).hexdigest())
        if known:
            return known, False
        target = _place(board_folder(session.board_id, folder), session, path)
        wholefile.write(target, data)
        index.refresh(stored(folder))
    return target, True


def _place(folder: Path, session: sessionfile.Session, path: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = path.name.split(".")[0].split("-")[0]
    log_id = session.log_id if session.log_id is not None else int(number) if number.isdigit() else 0
    target = path_of(folder, log_id, len(_copies(folder, log_id)) + 1)
    return target if session.verified else target.with_name(target.name + DAMAGED_SUFFIX)


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
    begun = replace(entry, size_bytes=offset)  # ends with a record, whose chain is over everything before
    return offset if _same(device, begun, data[:offset]) else 0


def _verify(data: bytes) -> tuple[bool, tuple[str, ...]]:
    try:
        session = sessionfile.decode(data)
    except NotALogError as error:
        return False, (error.message,)
    return session.verified, tuple(item.describe() for item in session.damage)
