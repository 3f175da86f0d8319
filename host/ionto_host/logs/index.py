"""The index of the pulled logs: what each is in a line, and its SHA-256 of the day it came, in SQLite.

It lists a thousand sessions without reading them, and finds a file that was altered since.
"""

from __future__ import annotations

import errno
import hashlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ionto_host.errors import NotALogError
from ionto_host.logs import sessionfile
from ionto_host.logs import visit as logvisit

if TYPE_CHECKING:
    from ionto_host.device.answers import LogEntry

FILE = "index.sqlite"
_VERSION = 1  # of the tables; another one is built anew
_LOCK_WAIT_S = 10.0
_OF_DISK = ("locked", "full", "readonly", "unable to open", "disk i/o")
_VISITS = (
    "CREATE TABLE IF NOT EXISTS visits (board_id TEXT, store TEXT, log_id INTEGER, size_bytes INTEGER, "
    "released INTEGER, state INTEGER, PRIMARY KEY (board_id, store, log_id))"
)


@dataclass(frozen=True)
class Row:
    """One pulled log. `path` is relative to the store's folder; `altered`: its bytes are not those that came."""

    path: str
    board_id: str
    log_id: int
    size_bytes: int
    mtime_ns: int
    sha256: str
    chain: str
    verified: bool
    altered: bool
    outcome: str
    name: str
    started_unix_s: int | None
    duration_s: float | None
    dose_prescribed_ma_min: float | None
    dose_delivered_ma_min: float | None
    indexed_unix_s: int
    flaws: str | None  # `Session.flaws`, by commas; None until an older index has looked again


_NAMES = [item.name for item in fields(Row)]


class Index:
    """The index of the logs under `root`; use `opened`."""

    def __init__(self, root: Path, base: sqlite3.Connection) -> None:
        self._root = root
        self._base = base

    def rows(self) -> list[Row]:
        """Return what is known of every log, by board and id."""
        found = self._base.execute(f"SELECT {', '.join(_NAMES)} FROM logs ORDER BY board_id, log_id, path")
        rows = [Row(**dict(zip(_NAMES, row, strict=True))) for row in found]
        return [replace(row, verified=bool(row.verified), altered=bool(row.altered)) for row in rows]

    def refresh(self, paths: Iterable[Path]) -> list[Row]:
        """Bring the index up to the files `paths` and return its rows; only new and changed files are read."""
        known = {row.path: row for row in self.rows()}
        seen: set[str] = set()
        for path in paths:
            name = path.relative_to(self._root).as_posix()
            seen.add(name)
            self._look(path, name, known.get(name))
        for name in known.keys() - seen:
            self._base.execute("DELETE FROM logs WHERE path = ?", (name,))
        self._base.commit()
        return self.rows()

    def _look(self, path: Path, name: str, known: Row | None) -> None:
        status = path.stat()
        unchanged = known and (known.size_bytes, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
        if known and unchanged and (known.flaws is not None or known.altered):
            return
        data = path.read_bytes()
        row = row_of(name, data, status.st_mtime_ns)
        if known and known.sha256 != row.sha256:
            self._base.execute("UPDATE logs SET altered = 1 WHERE path = ?", (name,))
        else:
            self._put(row)

    def _put(self, row: Row) -> None:
        marks = ", ".join("?" * len(_NAMES))
        self._base.execute(f"INSERT OR REPLACE INTO logs ({', '.join(_NAMES)}) VALUES ({marks})", astuple(row))

    def altered(self, path: Path) -> bool:
        """Return True when the file `path` of the store has other bytes than those that came; False for others."""
        if not path.resolve().is_relative_to(self._root.resolve()):
            return False
        name = path.resolve().relative_to(self._root.resolve()).as_posix()
        row = self._base.execute("SELECT sha256 FROM logs WHERE path = ?", (name,)).fetchone()
        return row is not None and row[0] != hashlib.sha256(path.read_bytes()).hexdigest()

    def find(self, sha256: str) -> Path | None:
        """Return the path of the log with these bytes, None for none."""
        row = self._base.execute("SELECT path FROM logs WHERE sha256 = ? AND altered = 0", (sha256,)).fetchone()
        return self._root / row[0] if row and (self._root / row[0]).is_file() else None

    def made_anew(self, board_id: str, store: str) -> bool:
        """Return True when the board had another file system than `store` when it was last here."""
        row = self._base.execute("SELECT store FROM boards WHERE board_id = ?", (board_id,)).fetchone()
        return row is not None and row[0] != store

    def meet(self, board_id: str, store: str) -> bool:
        """Remember the file system `store` of a board; return True when it had another one before."""
        anew = self.made_anew(board_id, store)
        self._base.execute("INSERT OR REPLACE INTO boards (board_id, store) VALUES (?, ?)", (board_id, store))
        self._base.commit()
        return anew

    def visit(self, board_id: str, store: str, entries: Sequence[LogEntry]) -> list[str]:
        """Remember the logs of a board in its file system `store`; return what is wrong against the last visit."""
        told = self.compare(board_id, store, entries)
        self._base.execute("DELETE FROM visits WHERE board_id = ? AND (store != ? OR state = 0)", (board_id, store))
        rows = [(board_id, store, entry.id, entry.size_bytes, entry.pulled, logvisit.Kept.HERE) for entry in entries]
        self._base.executemany("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._base.commit()
        return told

    def compare(self, board_id: str, store: str, entries: Sequence[LogEntry]) -> list[str]:
        """Return what is wrong with a board's logs against the last visit, and remember nothing."""
        found = self._base.execute(
            "SELECT log_id, size_bytes, released, state FROM visits WHERE board_id = ? AND store = ?", (board_id, store)
        )
        before = [logvisit.Seen(row[0], row[1], bool(row[2]), logvisit.Kept(row[3])) for row in found]
        copies = self._base.execute("SELECT log_id FROM logs WHERE board_id = ? AND verified = 1", (board_id,))
        return logvisit.compare(before, entries, [row[0] for row in copies])

    def release(self, board_id: str, store: str, log_ids: Iterable[int]) -> None:
        """Remember that a board was told of verified copies, and may drop these logs for room."""
        rows = [(board_id, store, log_id) for log_id in log_ids]
        self._base.executemany("UPDATE visits SET released = 1 WHERE board_id = ? AND store = ? AND log_id = ?", rows)
        self._base.commit()

    @contextmanager
    def deleting(self, board_id: str, store: str, log_id: int) -> Iterator[None]:
        """Remember that this computer deletes a log of a board: asked for before the body, done after it."""
        mark = "UPDATE visits SET state = ? WHERE board_id = ? AND store = ? AND log_id = ?"
        self._base.execute(mark, (logvisit.Kept.DELETING, board_id, store, log_id))
        self._base.commit()
        yield
        self._base.execute(mark, (logvisit.Kept.DELETED, board_id, store, log_id))
        self._base.commit()


def row_of(name: str, data: bytes, mtime_ns: int) -> Row:
    """Return the row of the log `data` at `name`; what is no log gets a row that says so."""
    digest = hashlib.sha256(data).hexdigest()
    folder, _, file = name.rpartition("/")
    number = file.split(".")[0].split("-")[0]
    log_id = int(number) if number.isdigit() else 0
    now = int(time.time())
    try:
        session = sessionfile.decode(data)
    except NotALogError:
        nothing = (None, None, None, None)
        return Row(name, folder, log_id, len(data), mtime_ns, digest, "", False, False, "no log", "", *nothing, now, "")
    facts = sessionfile.summary(session)
    return Row(
        path=name,
        board_id=session.board_id or folder,
        log_id=log_id if session.log_id is None else session.log_id,
        size_bytes=len(data),
        mtime_ns=mtime_ns,
        sha256=digest,
        chain=session.chain.hex(),
        verified=session.verified,
        altered=False,
        outcome=session.outcome,
        name=str(facts["name"] or ""),
        started_unix_s=session.started_unix_s,
        duration_s=facts["duration_s"],
        dose_prescribed_ma_min=facts["dose_prescribed_ma_min"],
        dose_delivered_ma_min=facts["dose_delivered_ma_min"],
        indexed_unix_s=now,
        flaws=", ".join(session.flaws),
    )


@contextmanager
def opened(root: Path) -> Iterator[Index]:
    """Yield the index of the folder `root`; one that is no database is built anew from the files.

    Raises `OSError` when it is locked or the disk is full or read-only: it then stays, with its SHA-256 of every log.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = root / FILE
    try:
        base = _connect(path)
    except sqlite3.DatabaseError as error:
        _raise_of_disk(error, path)
        path.unlink(missing_ok=True)
        base = _connect(path)
    with closing(base):
        try:
            yield Index(root, base)
        except sqlite3.OperationalError as error:
            _raise_of_disk(error, path)
            raise


def _raise_of_disk(error: sqlite3.DatabaseError, path: Path) -> None:
    """Raise `OSError` when `error` is of the disk or of another program, and not of what the database has in it."""
    if isinstance(error, sqlite3.OperationalError) and any(word in str(error).lower() for word in _OF_DISK):
        raise OSError(errno.EIO, str(error), str(path)) from error


def _connect(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=_LOCK_WAIT_S)
    try:
        (version,) = base.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            base.execute("DROP TABLE IF EXISTS logs")
            base.execute("CREATE TABLE IF NOT EXISTS boards (board_id TEXT PRIMARY KEY, store TEXT)")
            base.execute(f"CREATE TABLE logs (path TEXT PRIMARY KEY, {', '.join(_NAMES[1:])})")
            base.execute("CREATE INDEX logs_sha256 ON logs (sha256)")
            base.execute(f"PRAGMA user_version = {_VERSION}")
            base.commit()
        if not any(row[1] == "flaws" for row in base.execute("PRAGMA table_info(logs)")):
            base.execute("ALTER TABLE logs ADD COLUMN flaws")  # what was known of each log on its day stays
            base.commit()
        base.execute(_VISITS)
        base.execute("SELECT count(*) FROM logs").fetchone()
    except sqlite3.DatabaseError:
        base.close()
        raise
    return base
